"""Draw audits from the store: how many past cases would join the cohort, at what cost, and who agrees?

See METHODS 2 and `flows.verbs.evidence.store_draws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.certify.generation import current_generation, last_version, scored_elsewhere
from flows.verbs.evidence.cohort_rates import cohort_rates, decided_here
from flows.verbs.evidence.store_draws import STORE_RATE, with_store_draws
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.submit import submitted
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.more_labels.sprint import Priced, priced
from flows.verbs.ports import EvidenceServices, Ledger
from models.boundary import from_store
from models.boundary.decision.audit import audit_purpose
from models.boundary.price import price_words
from models.hub import (
    Entry,
    ExtendAudit,
    RequestExtension,
    dossier_digest,
    extension_request_of,
)
from models.hub.record.said import same_person
from models.hub.rules.extensions import NO_WINDOW, window_begins
from models.label_cost.sprint_cost import brought, promise
from models.vocabulary import Action, CaseType

Window: TypeAlias = Literal["go_live", "last_extension", "this_model"]

_READ = ["case_id", "case_type", "opened_at", "decided_at", "action", "audited", "propensity", "policy_id"]  # fmt: skip


@dataclass(frozen=True)
class DrawAsked:
    """A draw from the store with its cost; nothing is filed yet.

    Attributes:
        cases: that would join the cohort, escalated ones included; counted: of these, the ones that
            may certify the model under test.
        labels: of `cases`, the automatic decisions, which wait for a review then.
        hours: reviewer hours of `labels`.
        brings: as in `SprintCost`.
    """

    case_type: str
    window: Window
    since: datetime
    until: datetime
    rate: float
    cases: int
    counted: int
    labels: int
    hours: float
    brings: Mapping[str, float | None]
    sentences: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Plain values, for a dossier and JSON."""
        return {
            "case_type": self.case_type,
            "window": self.window,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "rate": self.rate,
            "cases": self.cases,
            "counted": self.counted,
            "labels": self.labels,
            "hours": self.hours,
            "brings": dict(self.brings),
            "sentences": list(self.sentences),
        }


def draw_asked(
    services: EvidenceServices, case_type: str, window: Window, now: datetime, *, rate: float = 1.0
) -> DrawAsked:
    """What a draw from the store would cost and bring; asking files nothing and draws nothing.

    Args:
        rate: up to it, in (0, 1].

    Raises:
        UserError: no such case type, another agent decides it, there is no such window, or no case of
            it is left to draw.
        GateRefused: there is no model, or an audit secret is not at hand.
    """
    known_case_type(services.case_types, case_type)
    if scored_elsewhere(services.case_types, case_type):
        raise UserError(
            f"audits of {case_type} were to be drawn from the store, and another agent decides it "
            "(scorer: external): its audits are its own draws."
        )
    since = window_begins(services.ledger.history(), case_type, window)
    if since is None:
        raise UserError(
            f"audits of {case_type} were to be drawn from the store, and {NO_WINDOW[window]}."
        )
    rows = _joining(services, case_type, since, now, rate)
    if rows.empty:
        more = rate < 1.0 and not _joining(services, case_type, since, now, 1.0).empty
        why = (
            f"every case since {since:%Y-%m-%d %H:%M} is drawn up to that rate already; give a higher --rate"
            if more
            else f"no case since {since:%Y-%m-%d %H:%M} is left to draw at any rate; what is decided from "
            "now on is the next window's"
        )
        raise UserError(
            f"audits of {case_type} were to be drawn from the store up to "
            f"{price_words.percent(rate)}, and {why}."
        )
    found = priced(
        services,
        load_snapshot(
            services,
            now,
            earliest_evidence(services.ledger, services.case_types, services.hold_plan, now),
        ),
        case_type,
    )
    automatic = (rows["action"].astype("str") != Action.ESCALATE.value).to_numpy(dtype=np.bool_)
    labels = int((automatic & ~rows["audited"].to_numpy(dtype=np.bool_)).sum())
    counted = int(_may_certify(services.ledger, services.case_types, case_type, rows).sum())
    hours = labels * services.case_types[case_type].staffing.handling_minutes / 60.0
    brings = {zone: brought(price, counted) for zone, price in found.prices.items()}
    return DrawAsked(
        case_type=case_type,
        window=window,
        since=since,
        until=now,
        rate=rate,
        cases=len(rows),
        counted=counted,
        labels=labels,
        hours=hours,
        brings=brings,
        sentences=_sentences(found, since, rate, len(rows), counted, labels, hours, brings),
    )


def ask_or_agree(ledger: Ledger, asked: DrawAsked, actor: str, now: datetime) -> Entry:
    """The first person's request is kept; another person's same wish draws the cases of that request.

    Returns:
        The entry `extension_requested`, or `audit_extended`.

    Raises:
        GateRefused: the ledger refuses (the same person asks again, a trial runs).
    """
    base, request = last_version(ledger, asked.case_type), request_of_another(ledger, asked, actor)
    if request is not None:
        agree = ExtendAudit(
            case_type=asked.case_type,
            request_digest=dossier_digest(request),
            actor=actor,
            base_version=base,
            dossier={"reasons": list(asked.sentences)},
        )
        return submitted(ledger, agree, now)
    wish = RequestExtension(
        case_type=asked.case_type,
        since=asked.window,
        rate=asked.rate,
        actor=actor,
        base_version=base,
        dossier={"reasons": list(asked.sentences), "cost": asked.plain()},
    )
    return submitted(ledger, wish, now)


def request_of_another(ledger: Ledger, asked: DrawAsked, actor: str) -> Entry | None:
    """The waiting request of somebody else for the same draw, to which the actor would agree; its own
    window is drawn, as it was read. None: there is none."""
    request = extension_request_of(ledger.history(), asked.case_type)
    if request is None or same_person(request.actor, actor):
        return None
    same = (request.dossier["window"], request.dossier["rate"]) == (asked.window, asked.rate)
    return request if same else None


def _joining(
    services: EvidenceServices, case_type: str, since: datetime, now: datetime, rate: float
) -> pd.DataFrame:
    """The stored cases that a draw up to this rate would add to the cohort."""
    if not services.store.counts("decisions")[1]:
        return pd.DataFrame()
    rows = services.store.read(
        "decisions",
        columns=_READ,
        filters={"case_type": [case_type]},
        as_of=now,
        since=since,
        until=now,
        stamp="decided_at",
    ).drop_duplicates("case_id")
    rows = rows[decided_here(services.ledger, rows)].reset_index(drop=True)
    if rows.empty:
        return rows
    rows = with_store_draws(services.ledger, services.draws, services.case_types, rows, now)
    every = np.ones(len(rows), dtype=np.bool_)
    drawn_up_to = np.maximum(
        cohort_rates(services.ledger, rows, every, None)[0], rows[STORE_RATE].to_numpy()
    )
    uniform = services.draws.case_draw(audit_purpose(case_type), rows["case_id"])
    past = pd.DataFrame({"uniform": uniform, "cohort_rate": drawn_up_to})
    return rows[from_store(past, rate)]


def _may_certify(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str, rows: pd.DataFrame
) -> pd.Series:
    """Which cases may speak for the model under test (the reserve never takes a later draw)."""
    generation = current_generation(ledger, case_types, case_type)
    if generation is None:
        return pd.Series(False, index=rows.index)
    begins = max(generation.cohort_since, generation.cohort_from)
    return rows["opened_at"] >= pd.Timestamp(begins)


def _sentences(
    found: Priced,
    since: datetime,
    rate: float,
    cases: int,
    counted: int,
    labels: int,
    hours: float,
    brings: Mapping[str, float | None],
) -> tuple[str, ...]:
    said = (
        f"{cases:,} cases decided since {since:%Y-%m-%d} join the cohort up to "
        f"{price_words.percent(rate)}; {labels:,} of them were decided automatically and wait for a "
        f"review: {hours:,.0f} reviewer hours."
    )
    less = (
        (
            f"Only {counted:,} of them may certify the model under test; the others are from before its "
            "cases begin. `--from-store this-model` draws none of those.",
        )
        if counted < cases
        else ()
    )
    return (said, *less, *(promise(found.prices[zone], share) for zone, share in brings.items()))
