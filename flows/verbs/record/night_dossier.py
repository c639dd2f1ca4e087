"""What did one night do, find and leave for people? Built in one place, written down at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.verbs.causes.triage import Triaged
from flows.verbs.certify.certify import Judged
from flows.verbs.decide.agent_watch import Watched
from flows.verbs.decide.shadow import InShadow
from flows.verbs.intake.admit import AdmittedBatch
from flows.verbs.record.night_results import NightResults, all_done, not_done, verdict
from models.hub import Entry
from models.hub.rules.holds import Hold
from models.vocabulary.finding import Finding

Row = Mapping[str, Any]
"""A line of a table for people, as plain values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightDossier:
    """The night's result.

    Attributes:
        results: what was done, held or failed, by table and case type.
        holds: labels that wait, over all case types.
        live: how each live boundary stands (`live_boundaries`).
        alarms, judged: certificates of the guard and of the night.
        entries: of the ledger, by which the night changed something.
        restarts: of the ledger, by which evidence starts again; also what the guard found before
            anything was read, some seconds earlier.
        second_reviews: which labels a second person shall see, and why.
        waiting: proposals that nobody has answered.
        next_steps: what became of an A/B test that proved nothing, and who can do what about it.
        marks: where reviewers send the agent's errors.
        reviews: how fast the review desk was, and how often a second person disagreed.
    """

    as_of: datetime
    results: NightResults
    holds: Sequence[Hold]
    live: Sequence[Row]
    batches: Sequence[AdmittedBatch]
    alarms: Sequence[Judged]
    judged: Sequence[Judged]
    entries: Sequence[Entry]
    restarts: Sequence[Entry]
    second_reviews: Sequence[Row]
    waiting: Sequence[Entry]
    next_steps: Sequence[str]
    marks: Any
    causes: Sequence[Triaged]
    tickets: Sequence[Row]
    agents: Sequence[Watched]
    shadows: Sequence[InShadow]
    reviews: Any

    @property
    def verdict(self) -> str:
        """The night in a sentence, what is not done first."""
        return verdict(self.results.plain())

    @property
    def all_done(self) -> bool:
        """Whether nothing failed and nothing is held."""
        return all_done(self.results.plain())

    @property
    def not_done(self) -> list[str]:
        """Every sentence about what is held or failed, the failed first."""
        return not_done(self.results.plain())

    @property
    def findings(self) -> list[Finding]:
        return [finding for cause in self.causes for finding in cause.findings]

    def plain(self) -> dict[str, Any]:
        """For a file, a page or a terminal: plain values, no row of a case but second reviews' ids."""
        return {
            "as_of": self.as_of.isoformat(),
            "verdict": self.verdict,
            "results": self.results.plain(),
            "holds": [_hold(hold) for hold in self.holds],
            "live": self.live,
            "rows_admitted": sum(batch.admitted for batch in self.batches),
            "rows_new": sum(batch.admitted - batch.already_stored for batch in self.batches),
            # Of a delivery that failed nothing is kept, so nothing of it is in quarantine either.
            "rows_quarantined": sum(b.quarantined for b in self.batches if not b.failed),
            "rows_waiting": sum(batch.waiting for batch in self.batches),
            "batches": [batch.counts() for batch in self.batches],
            "certificates": [judged.summary() for judged in (*self.alarms, *self.judged)],
            "entries": [
                {"case_type": e.case_type, "kind": e.kind.value, "policy_id": e.policy_id}
                for e in self.entries
            ],
            "drift": [
                {
                    "case_type": e.case_type,
                    "since": e.dossier["evidence_since"],
                    "why": e.dossier["why"],
                }
                for e in self.restarts
            ],
            "second_reviews": self.second_reviews,
            "waiting": [
                {"case_type": e.case_type, "policy_id": e.policy_id, "proposer": e.actor}
                for e in self.waiting
            ],
            "next": self.next_steps,
            "marks": self.marks,
            "triage": [cause.summary() for cause in self.causes],
            "tickets": self.tickets,
            "agents": [agent.plain() for agent in self.agents],
            "shadow": [shadow.plain() for shadow in self.shadows],
            "reviews": self.reviews,
        }


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id,
        "case_type": hold.case_type,
        "table": hold.table,
        "rule": hold.rule,
        "since": hold.since.isoformat(),
        "until": None if hold.until is None else hold.until.isoformat(),
        "state": hold.state.value,
        "reason": hold.reason,
    }
