"""Look back after a boundary fell: what did the fallen band pass, what of it is worth a look, and what did
such looks show? (METHODS 7)

The labels so found are of cases that nobody drew by design. They may refute and never prove: they enter
no cohort and no weighted estimate (`flows.verbs.evidence.truth` keeps them apart as `surfaced`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.more_labels.audit_period import CASE, settled_truth
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger
from flows.verbs.whatif.queue_replay import desk_figures
from models.boundary.live.look_back import Ranked, ranked, understatement
from models.hub import Policy
from models.hub.record.falls import Fall, falls_of
from models.vocabulary import Action, CaseType

OPENED_BEFORE = timedelta(days=30)
"""A case may have been opened so long before the policy that decided it was live."""
SPREADS = (1, 2, 4, 7, 14, 28)
"""Over so many days the reviews may be spread."""
WINDOW_DAYS = 28
"""The traffic beside which they must fit is that of the last four weeks."""
LOST_AT_MOST = 0.01
"""They fit where the share within the SLA falls by no more than this."""

KEPT_FROM = 0.9
"""Where fewer reviews than that are within the SLA without them, there is no room for more."""


@dataclass(frozen=True, eq=False)
class LookBack:
    """One fall's band, what is known of it and what waits.

    Attributes:
        above, up_to: the cuts of the band, `above` exclusive; None: everything the fallen one passed.
        passed: cases it auto-passed in the band.
        audited, audited_bad: of those drawn by design and labelled, how many, and how many are bad.
        looked_at, found_bad, found_usd: of those not drawn that a person judged.
        surfaced_bad: bad ones that came to light by themselves.
        waiting: the cases still worth a look, most harm first (columns of `CASE`).
    """

    case_type: str
    fall: Fall
    above: float | None
    up_to: float
    since: datetime
    passed: int
    audited: int
    audited_bad: int
    looked_at: int
    found_bad: int
    found_usd: float
    surfaced_bad: int
    unlabelled: int
    ranking: Ranked
    waiting: pd.DataFrame
    hours: float

    @property
    def harm_usd(self) -> float:
        """Expected harm of what waits."""
        return float(self.ranking.harm_usd[self.ranking.worth].sum())

    def plain(self) -> dict[str, Any]:
        """Plain values, no row."""
        return {
            "case_type": self.case_type,
            "entry": self.fall.seq,
            "at": self.fall.at.isoformat(),
            "kind": self.fall.kind.value,
            "fallen": self.fall.fallen,
            "left": self.fall.left,
            "above": self.above,
            "up_to": self.up_to,
            "since": self.since.isoformat(),
            "passed": self.passed,
            "audited": self.audited,
            "audited_bad": self.audited_bad,
            "looked_at": self.looked_at,
            "found_bad": self.found_bad,
            "found_usd": self.found_usd,
            "surfaced_bad": self.surfaced_bad,
            "unlabelled": self.unlabelled,
            "understated": self.ranking.understated,
            "waiting": len(self.waiting),
            "harm_usd": self.harm_usd,
            "reviewer_hours": self.hours,
        }

    def size(self) -> str:
        """What waits, for who is told of the fall."""
        if not len(self.waiting):
            return (
                f"Of {self.passed:,} cases that it passed above what is left, none is worth a look."
            )
        return (
            f"A look-back waits: {len(self.waiting):,} of {self.passed:,} cases that it passed above what "
            f"is left are worth a look ({self.hours:,.1f} reviewer hours, ${self.harm_usd:,.0f} of "
            f"expected harm): `ratchet look-back {self.case_type} --to FILE`."
        )


def look_backs(services: EvidenceServices, case_type: str, now: datetime) -> list[LookBack]:
    """The look-back of every fall of a case type that left a pass band, newest first; asking changes
    nothing.

    Raises:
        UserError: no such case type is configured.
        GateRefused: the ledger, or a policy in it, is not as it was written.
    """
    falls = falls_of(services.ledger.history(), known_case_type(services.case_types, case_type))
    bands = [band for fall in falls if (band := _band(services.ledger, fall)) is not None]
    if not bands:
        return []
    snapshot = load_snapshot(services, now, min(band.since for band in bands) - OPENED_BEFORE)
    found: list[LookBack] = []
    named: set[str] = set()
    for band in reversed(bands):
        one = _looked(
            services.ledger, services.store, services.case_types, snapshot, case_type, band, named
        )
        named |= set(one.waiting["case_id"].astype("str"))
        found.append(one)
    return found


def waiting_cases(found: Sequence[LookBack]) -> pd.DataFrame:
    """All that waits, most harm first; a case of two falls is named once (columns of `CASE`)."""
    parts = [one.waiting.assign(harm=one.ranking.harm_usd[one.ranking.worth]) for one in found]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in CASE})
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values("harm", ascending=False, kind="stable")[CASE].reset_index(drop=True)


def within_sla(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    case_type: str,
    found: Sequence[LookBack],
    now: datetime,
) -> dict[str, Any]:
    """Over how many days the waiting reviews fit beside the traffic, in a replay of the last four weeks
    in which the fallen bands go to people.

    Returns:
        `today` (share within the SLA without them; None: nothing was reviewed lately), `spread_days`
        (the fewest of `SPREADS` over which they fit; None: over none), `then` (the share so).
    """
    waiting = sum(len(one.waiting) for one in found)
    nothing = {"today": None, "spread_days": None, "then": None}
    if not waiting:
        return nothing
    work = _work(store, case_type, found, now)
    today = None if work.empty else _share_within(case_types, case_type, work)
    if today is None:
        return nothing
    for days in SPREADS if today >= KEPT_FROM else ():
        then = _share_within(case_types, case_type, _with(work, case_type, waiting, days))
        if then is not None and then >= today - LOST_AT_MOST:
            return {"today": today, "spread_days": days, "then": then}
    return {**nothing, "today": today}


def _work(
    store: EvidenceStore, case_type: str, found: Sequence[LookBack], now: datetime
) -> pd.DataFrame:
    """What people would have reviewed in the last four weeks, had the fallen bands gone to them."""
    rows = store.read(
        "decisions",
        columns=["case_id", "case_type", "opened_at", "priority", "action", "audited", "score"],
        filters={"case_type": [case_type]},
        as_of=now,
        since=now - timedelta(days=WINDOW_DAYS),
        stamp="opened_at",
    ).drop_duplicates("case_id")
    above = min(-np.inf if one.above is None else one.above for one in found)
    action = rows["action"].astype("str")
    fallen = (action == Action.AUTO_PASS.value) & (rows["score"] > above)
    reviewed = (action == Action.ESCALATE.value) | rows["audited"] | fallen
    work = rows[reviewed.to_numpy(dtype=np.bool_)]
    return work[["case_id", "case_type", "opened_at", "priority"]].reset_index(drop=True)


@dataclass(frozen=True)
class _Band:
    fall: Fall
    fallen: Policy
    above: float | None
    up_to: float
    since: datetime
    policies: frozenset[str]


def _band(ledger: Ledger, fall: Fall) -> _Band | None:
    """What the fallen policy passed and its successor does not; None: its pass side did not fall."""
    fallen, left = ledger.policy(fall.fallen), ledger.policy(fall.left)
    up_to, above = fallen.boundary.pass_at_or_below, left.boundary.pass_at_or_below
    if left.model_digest != fallen.model_digest:
        above = (
            None  # another model's scores are on another scale: everything it passed is in question
        )
    if up_to is None or (above is not None and above >= up_to):
        return None
    since, policies = fall.lives[0][1], {fall.fallen}
    for policy_id, at in fall.lives[1:]:
        before = ledger.policy(policy_id)
        cut = before.boundary.pass_at_or_below
        same = before.model_digest == fallen.model_digest and cut is not None
        if not same or (above is not None and cut is not None and cut <= above):
            break
        since = at
        policies.add(policy_id)
    return _Band(fall, fallen, above, up_to, since, frozenset(policies))


def _looked(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    band: _Band,
    named: set[str],
) -> LookBack:
    kind, rows = case_types[case_type], _passed(ledger, snapshot, case_type, band)
    numbers = rows[CASE_NUMBER].to_numpy(dtype=np.int64)
    bad = settled_truth(snapshot, numbers)["bad"].to_numpy(dtype=np.float64)
    drawn, known = rows["drawn"].to_numpy(dtype=np.bool_), ~np.isnan(bad)
    judged = np.isin(numbers, _judged(snapshot))
    score = rows["score"].to_numpy(dtype=np.float64)
    by_design = drawn & known
    factor = understatement(
        score[by_design],
        bad[by_design],
        1.0 / rows["propensity"].to_numpy(dtype=np.float64)[by_design],
    )
    amounts = _amounts(store, rows["case_id"], snapshot.as_of)
    usd = amounts["amount_usd"].to_numpy(dtype=np.float64)
    found = ~drawn & judged & known
    # A drawn case waits for its audit anyway (`ratchet open-draws`).
    others = rows["case_id"].astype("str").isin(named).to_numpy(dtype=np.bool_)
    open_ = ~drawn & ~known & ~others
    ranking = ranked(
        score[open_],
        usd[open_],
        review_usd=kind.costs.review_usd,
        unknown_amount_usd=kind.costs.false_negative_usd,
        understated=factor,
    )
    waiting = amounts[open_].iloc[ranking.worth].reset_index(drop=True)
    return LookBack(
        case_type=case_type,
        fall=band.fall,
        above=band.above,
        up_to=band.up_to,
        since=band.since,
        passed=len(rows),
        audited=int(by_design.sum()),
        audited_bad=int((by_design & (bad == 1.0)).sum()),
        looked_at=int(found.sum()),
        found_bad=int((found & (bad == 1.0)).sum()),
        found_usd=float(np.nansum(usd[found & (bad == 1.0)])),
        surfaced_bad=int((~drawn & ~judged & (bad == 1.0)).sum()),
        unlabelled=int(open_.sum()),
        ranking=ranking,
        waiting=waiting[CASE],
        hours=len(waiting) * kind.staffing.handling_minutes / 60.0,
    )


def _passed(
    ledger: Ledger, snapshot: EvidenceSnapshot, case_type: str, band: _Band
) -> pd.DataFrame:
    """The cases auto-passed in the band by the fallen policy and by those before it that passed it, too;
    an agent elsewhere is known by its model's version."""
    rows = snapshot.known(case_type)
    policy = rows["policy_id"].astype("str")
    ours = policy.isin(list(ledger.policy_ids()))
    elsewhere = (
        ~ours
        & (rows["model_version"].astype("str") == str(band.fallen.model_version))
        & (rows["opened_at"] >= pd.Timestamp(band.since))
    )
    inside = (rows["score"] <= band.up_to) & (
        rows["action"].astype("str") == Action.AUTO_PASS.value
    )
    if band.above is not None:
        inside &= rows["score"] > band.above
    mine = inside & (policy.isin(list(band.policies)) | elsewhere)
    return rows[mine.to_numpy(dtype=np.bool_)].reset_index(drop=True)


def _judged(snapshot: EvidenceSnapshot) -> npt.NDArray[np.int64]:
    """The case numbers that a person called good or bad."""
    said = (snapshot.reviews["verdict"] != "escalate").to_numpy(dtype=np.bool_)
    return snapshot.reviews.loc[said, CASE_NUMBER].to_numpy(dtype=np.int64)


def _amounts(store: EvidenceStore, case_ids: pd.Series, now: datetime) -> pd.DataFrame:
    """The cases' columns for a reviewer, in the order given."""
    ids = case_ids.astype("str").tolist()
    if not ids:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in CASE})
    filters: Mapping[str, Any] = {"case_id": ids}
    rows = store.read("decisions", columns=CASE, filters=filters, as_of=now)
    rows = rows.drop_duplicates("case_id")
    rows.index = pd.Index(rows["case_id"].astype("str"))
    return rows.loc[ids, CASE].reset_index(drop=True)


def _with(work: pd.DataFrame, case_type: str, waiting: int, days: int) -> pd.DataFrame:
    """The work with as many more reviews a day, evenly, as clear the look-back in so many days."""
    first, last = work["opened_at"].min(), work["opened_at"].max()
    span = max((last - first) / pd.Timedelta(days=1), 1.0)
    more = max(round(waiting * span / days), 1)
    added = pd.DataFrame(
        {
            "case_id": [f"look-back {place}" for place in range(more)],
            "case_type": case_type,
            "opened_at": pd.Series(first + (last - first) * np.linspace(0.0, 1.0, more)).astype(
                work["opened_at"].dtype
            ),
            "priority": 0,
        }
    )
    return pd.concat([work, added], ignore_index=True)


def _share_within(
    case_types: Mapping[str, CaseType], case_type: str, work: pd.DataFrame
) -> float | None:
    kinds = {case_type: case_types[case_type]}
    every = pd.Series(True, index=work.index)
    found: float | None = desk_figures(work, every, kinds)[case_type]["within_sla"]
    return found
