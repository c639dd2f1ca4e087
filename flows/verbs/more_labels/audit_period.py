"""A closed period's audit: what do the known truths of its auto-passed cases say of its promise, and which
cases come next? (METHODS 7)

The labels it brings are of cases that were not drawn by design, so they stay out of every cohort and
weighted estimate; they may refute (`flows.verbs.evidence.truth` keeps them apart as `surfaced`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused, UserError
from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.inputs import with_doubt
from flows.verbs.evidence.label_trust import CREDENCE_SHARE
from flows.verbs.evidence.truth import VERIFIED, EvidenceSnapshot, load_snapshot, on_hold
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import CaseDraws, EvidenceServices, EvidenceStore, Ledger
from models.boundary.live.period_audit import Period, PeriodAudit, PeriodVerdict, audited_period
from models.boundary.proof.odds import odds
from models.truth import OUTCOME_RANK
from models.vocabulary import Action, Boundary, CaseType

CASE = ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
"""What a reviewer is given: an audit is blind."""


@dataclass(frozen=True, eq=False)
class PeriodTold:
    """A period's verdict and the cases that come next in its order, by the time they were opened.

    confidence: 1 minus the case type's delta, of which a part is set aside for false bad labels.
    left_out: bad cases that people caught and that do not count, as that many may be false.
    planned: length of the prefix that the audit is to have.
    """

    case_type: str
    since: datetime
    until: datetime
    period: Period
    audit: PeriodAudit
    confidence: float
    left_out: int
    planned: int
    next_cases: pd.DataFrame

    def plain(self) -> dict[str, Any]:
        """Plain values, no row."""
        audit = self.audit
        return {
            "case_type": self.case_type,
            "from": self.since.isoformat(),
            "to": self.until.isoformat(),
            "verdict": audit.verdict.value,
            "miss_share": self.period.miss_share,
            "confidence": self.confidence,
            "alpha": self.period.alpha,
            "auto_passed": audit.cases,
            "caught": self.period.caught,
            "caught_left_out": self.left_out,
            "caught_at_most": self.period.caught_at_most,
            "breaks_at": audit.breaks_at,
            "reviewed": audit.reviewed,
            "misses": audit.misses,
            "misses_doubted": self._doubted,
            "misses_certain": int(self.period.surely_missed.sum()),
            "capital": audit.capital,
            "capital_against": audit.capital_against,
            "least_more": audit.least_more,
            "likely_more": audit.likely_more,
            "planned_prefix": self.planned,
            "next_cases": len(self.next_cases),
        }

    @property
    def _doubted(self) -> int:
        seen = self.period.missed[: self.audit.reviewed] == 1.0
        return int((seen & ~self.period.surely_missed[: self.audit.reviewed]).sum())

    def sentences(self) -> list[str]:
        """The verdict first, then what it rests on, then what would decide it."""
        audit, period = self.audit, self.period
        span = f"{self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"
        promise = (
            f"at most {_exact(period.miss_share)} of the bad cases of {span} were auto-passed "
            f"({_exact(self.confidence)})"
        )
        verdict = {
            PeriodVerdict.PROVEN: f"Proven: {promise}.",
            PeriodVerdict.REFUTED: f"Refuted: it is not so that {promise}.",
            PeriodVerdict.NOT_YET: f"Not yet proven: {promise}.",
        }[audit.verdict]
        told = [
            f"{self.case_type}: {verdict} It speaks of that period's cases only.",
            f"{period.caught:,} bad cases were caught{self._less}, so {audit.breaks_at:,} misses would "
            "break it; "
            f"{audit.misses:,} are among the first {audit.reviewed:,} of {audit.cases:,} auto-passed cases "
            f"in the audit's order (chance if it were untrue: {odds(audit.capital)}; proven at "
            f"{odds(1.0 / period.alpha)}).",
        ]
        certain = int(self.period.surely_missed.sum())
        if audit.verdict is PeriodVerdict.REFUTED and certain > audit.misses:
            told.append(f"{certain:,} misses are certain among all of them, wherever they stand.")
        if self._doubted:
            told.append(
                f"{self._doubted:,} of the misses are one person's word: a second review confirms or "
                "clears them (kind `second`)."
            )
        return [*told, *self._what_helps()]

    @property
    def _less(self) -> str:
        if not self.left_out:
            return ""
        return (
            f" (of {self.left_out:,} more nobody has confirmed the word, and so many may be false)"
        )

    def _what_helps(self) -> list[str]:
        audit = self.audit
        if audit.verdict is not PeriodVerdict.NOT_YET:
            return []
        if audit.least_more is None:
            return ["No further review proves it: as many misses as break it are known or doubted."]
        likely = (
            f"some {audit.likely_more:,} if they go on as so far"
            if audit.likely_more is not None
            else "at the rate so far it will rather be refuted"
        )
        return [
            f"{audit.least_more:,} more cases of the order prove it if none of them is bad, {likely}; "
            f"{len(self.next_cases):,} of the next ones have no truth yet."
        ]


def _exact(share: float) -> str:
    """A promise in percent as it was given: rounded, a small one would be none at all."""
    return f"{100.0 * share:.10g}%"


def audit_period(
    services: EvidenceServices,
    case_type: str,
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    rate: float | None = None,
    miss_share: float = 0.01,
) -> PeriodTold:
    """Judge a closed period on every truth that is there; nothing is stored, and asking spends nothing.

    Args:
        since, until: the period by when cases were opened, `until` exclusive (tz-aware).
        rate: share of the auto-passed cases that the audit's prefix is to have, in (0, 1]; None: as
            many as prove it if none of them is bad, as a top-up costs nothing.
        miss_share: the promise, in (0, 1).

    Raises:
        UserError: no such case type, an empty or reversed period, or one that is not closed yet.
        GateRefused: an audit secret of that time is not at hand, so nobody knows the order.
    """
    known_case_type(services.case_types, case_type)
    if not since < until:
        raise UserError(
            f"the period from {since.isoformat()} to {until.isoformat()} has no moment in it; --from "
            "comes before --to, which is its first moment no longer in it."
        )
    snapshot = load_snapshot(services, now, since)
    _refuse_open(services.case_types, services.second_review_takes, snapshot, case_type, until)
    rows = snapshot.known(case_type)
    opened = rows["opened_at"]
    inside = (opened >= pd.Timestamp(since)) & (opened < pd.Timestamp(until))
    rows = rows[inside.to_numpy(dtype=np.bool_)].reset_index(drop=True)
    passed = (rows["action"].astype("str") == Action.AUTO_PASS.value).to_numpy(dtype=np.bool_)
    if not passed.any():
        raise UserError(
            f"no case of {case_type} opened from {since.isoformat()} to {until.isoformat()} was "
            "auto-passed, so there is nothing to audit."
        )
    alpha = services.case_types[case_type].targets.delta
    truth = _truth(
        services.ledger, services.draws, services.reviewer_share_cap, snapshot, case_type, rows
    )
    ordered = np.flatnonzero(passed)[_order(services.draws, case_type, rows["case_id"][passed])]
    caught, left_out, at_most = _caught(
        services.ledger,
        services.draws,
        services.second_review_share,
        case_type,
        rows,
        passed,
        truth,
        alpha * CREDENCE_SHARE,
    )
    period = Period(
        missed=truth["proving"].to_numpy(dtype=np.float64)[ordered],
        surely_missed=truth["sure"].to_numpy(dtype=np.bool_)[ordered],
        caught=caught,
        caught_at_most=at_most,
        miss_share=miss_share,
        alpha=alpha * (1.0 - CREDENCE_SHARE),
    )
    audit = audited_period(period)
    planned = _planned(audit, rate)
    unknown = np.isnan(period.missed[:planned])
    ids = rows["case_id"].to_numpy(dtype=object)[ordered[:planned][unknown]]
    return PeriodTold(
        case_type,
        since,
        until,
        period,
        audit,
        1.0 - alpha,
        left_out,
        planned,
        cases_to_review(services.store, ids, now),
    )


def cases_to_review(
    store: EvidenceStore, ids: npt.NDArray[np.object_], now: datetime
) -> pd.DataFrame:
    """These cases for a blind review, by the time they were opened (columns `CASE`)."""
    if not len(ids):
        return pd.DataFrame({name: pd.Series(dtype="str") for name in CASE})
    filters: Mapping[str, Any] = {"case_id": list(ids)}
    cases = store.read("decisions", columns=CASE, filters=filters, as_of=now)
    cases = cases.drop_duplicates("case_id").sort_values(["opened_at", "case_id"], kind="stable")
    return cases[CASE].reset_index(drop=True)


def settled_truth(snapshot: EvidenceSnapshot, numbers: npt.NDArray[np.int64]) -> pd.DataFrame:
    """What is known of each case, drawn or not: `bad` (1, 0, NaN) and `confirmed`; shape (cases,).

    That no chargeback came is no word on a case: good is what a person or a verified outcome called so.
    """
    settled = snapshot.truth.set_index(CASE_NUMBER)[["bad", "confirmed", "rank"]].reindex(numbers)
    bad = settled["bad"].astype("float64").to_numpy()
    spoken = snapshot.outcomes.loc[
        (snapshot.outcomes["source"] == VERIFIED).to_numpy(), CASE_NUMBER
    ]
    judged = snapshot.reviews.loc[
        (snapshot.reviews["verdict"] != "escalate").to_numpy(), CASE_NUMBER
    ]
    heard = np.isin(numbers, np.concatenate([spoken.to_numpy(), judged.to_numpy()]))
    silence = (settled["rank"] == OUTCOME_RANK).to_numpy() & (bad == 0.0) & ~heard
    confirmed = settled["confirmed"].fillna(False).to_numpy(dtype=np.bool_)
    return pd.DataFrame({"bad": np.where(silence, np.nan, bad), "confirmed": confirmed})


def _refuse_open(
    case_types: Mapping[str, CaseType],
    second_review_takes: timedelta,
    snapshot: EvidenceSnapshot,
    case_type: str,
    until: datetime,
) -> None:
    mature = snapshot.mature_until(case_types, second_review_takes, case_type)
    if until > mature:
        raise UserError(
            f"the period to {until.isoformat()} is not closed: truths of {case_type} are settled for "
            f"cases opened before {mature.isoformat()} by now. Ask for a period that ends by then, or "
            "wait."
        )


def _truth(
    ledger: Ledger,
    draws: CaseDraws,
    reviewer_share_cap: float,
    snapshot: EvidenceSnapshot,
    case_type: str,
    rows: pd.DataFrame,
) -> pd.DataFrame:
    """By row: `proving` (1, 0, NaN: what speaks for a proof, doubtful bad ones in full), `refuting`
    (the same with only what may refute out) and `sure` (bad for certain)."""
    numbers = rows[CASE_NUMBER].to_numpy(dtype=np.int64)
    known = settled_truth(snapshot, numbers)
    bad = known["bad"].to_numpy(dtype=np.float64)
    held = np.isin(numbers, on_hold(ledger, draws, reviewer_share_cap, snapshot, case_type))
    silent = np.isin(
        numbers, on_hold(ledger, draws, reviewer_share_cap, snapshot, case_type, refuting=True)
    )
    return pd.DataFrame(
        {
            "proving": np.where(held, np.nan, bad),
            "refuting": np.where(silent, np.nan, bad),
            "sure": (bad == 1.0) & known["confirmed"].to_numpy(dtype=np.bool_) & ~silent,
        }
    )


def _order(draws: CaseDraws, case_type: str, case_ids: pd.Series) -> npt.NDArray[np.int64]:
    """Places of the auto-passed cases in the audit's order, which nothing but the key decides."""
    uniform = draws.case_draw(f"period|{case_type}", case_ids)
    if np.isnan(uniform).any():
        raise GateRefused(
            f"{int(np.isnan(uniform).sum()):,} of the period's cases were decided under an audit secret "
            "that is lost, so their place in the audit's order is not known. Ask for a period that "
            "begins after the secret was replaced (`ratchet history`)."
        )
    return np.argsort(uniform, kind="stable")


def _caught(
    ledger: Ledger,
    draws: CaseDraws,
    second_review_share: float,
    case_type: str,
    rows: pd.DataFrame,
    passed: npt.NDArray[np.bool_],
    truth: pd.DataFrame,
    delta: float,
) -> tuple[int, int, int]:
    """Bad cases that were not auto-passed: those that count, those that are left out as so many may be
    false (METHODS 1.6), and all that may yet turn out to be bad."""
    others = ~passed
    refuting = truth["refuting"].to_numpy(dtype=np.float64)[others]
    at_most = int((refuting != 0.0).sum())
    rows = rows[others].reset_index(drop=True)
    if rows.empty:
        return 0, 0, 0
    bad = truth["proving"].to_numpy(dtype=np.float64)[others]
    # Nothing that was not passed contradicts a pass cut.
    labels = rows.assign(bad=bad, score=rows["score"].fillna(1.0))
    doubt = with_doubt(
        ledger, draws, second_review_share, case_type, labels, Boundary.everything_reviewed(), delta
    )
    counts = (doubt["credence_uniform"] < doubt["credence"]).to_numpy(dtype=np.bool_)
    known = int((bad == 1.0).sum())
    counted = min(int(((bad == 1.0) & counts).sum()), at_most)
    return counted, known - counted, at_most


def _planned(audit: PeriodAudit, rate: float | None) -> int:
    """Length of the prefix that the audit is to have, at least the one it has."""
    if rate is not None:
        return max(int(np.ceil(rate * audit.cases - 1e-9)), audit.reviewed)
    if audit.verdict is not PeriodVerdict.NOT_YET:
        return audit.reviewed
    return min(audit.reviewed + (audit.least_more or 0), audit.cases)
