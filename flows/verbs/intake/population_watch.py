"""Do the labels and cases that came in look like those before them, and which must wait?

Labels of another level than their past go on hold: they may refute a boundary at once, and prove a
wider one only when the level has lasted, or a person says so (issue 12, FAULTS 39, 42).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.generation import last_version
from flows.verbs.evidence.store_draws import AUDITED_LATER
from flows.verbs.evidence.truth import EvidenceSnapshot, received_in
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger
from models.drift.levels import (
    FEWEST_TO_JUDGE,
    Delivered,
    HoldPlan,
    Judge,
    far_rate,
    far_volume,
    first_far,
    lasted,
)
from models.hub import BoundHold, Entry, Hold, HoldState, PlaceHold, ReleaseHold, holds_of
from models.hub.rules.people import NIGHT
from models.truth.reviewer_share import REVIEWER_CAP, share_limit
from models.vocabulary import CaseType

BASE_RATE, VOLUME = "base_rate_near_trailing", "volume_near_trailing"
"""Names of the contracts' population rules (data_contracts/batch_rules.py)."""
FEWEST_COMPARED = 4 * FEWEST_TO_JUDGE
"""So many labels of a case type are compared with each other, however long they took to come in:
the smallest pool that can be judged needs as many before it, and a larger one shows a smaller move."""


@dataclass(frozen=True)
class Level:
    """One level that is watched: of which table, by which rule, in which deliveries."""

    case_type: str
    table: str
    rule: str
    deliveries: Sequence[Delivered]
    judge: Judge
    pooled: bool


def levels_of(
    services: EvidenceServices, snapshot: EvidenceSnapshot, decisions_from: str | None = None
) -> list[Level]:
    """The levels that are watched, of every case type: shares of bad labels, and cases a day.

    Args:
        decisions_from: the source whose cases a day are watched; None: none is.
    """
    since = _watched_since(services.ledger, services.case_types, services.hold_plan, snapshot.as_of)
    levels = _label_levels(snapshot, since)
    if decisions_from is None:
        return levels
    return levels + _volume_levels(services.store, snapshot, decisions_from, since)


def opened_since(
    ledger: Ledger, case_types: Mapping[str, CaseType], hold_plan: HoldPlan, as_of: datetime
) -> datetime:
    """Since when the cases were opened whose labels must be seen, whatever proves a boundary: eight
    weeks, and all that an open hold holds. A label comes up to maturity and four weeks later."""
    lag = timedelta(days=max(one.maturity_days for one in case_types.values()))
    lag += hold_plan.trailing
    return min(
        [as_of - 2 * hold_plan.trailing, *(at - lag for at in _open_holds(ledger, case_types))]
    )


def _watched_since(
    ledger: Ledger, case_types: Mapping[str, CaseType], hold_plan: HoldPlan, as_of: datetime
) -> datetime:
    """Far enough back to compare with, and whatever an open hold holds: a type of few labels a day
    takes longer than that to bring the rows that end it."""
    return min([as_of - 4 * hold_plan.trailing, *_open_holds(ledger, case_types)])


def _open_holds(ledger: Ledger, case_types: Mapping[str, CaseType]) -> list[datetime]:
    return [
        one.since
        for name in case_types
        for one in holds_of(ledger.history(name), name)
        if one.state is HoldState.OPEN
    ]


def watch_populations(
    ledger: Ledger,
    hold_plan: HoldPlan,
    reviewer_share_cap: float,
    snapshot: EvidenceSnapshot,
    case_type: str,
    levels: Sequence[Level],
) -> list[Entry]:
    """Place a hold where a delivery is far from its past; end one whose level has lasted.

    Run again on the same book it changes nothing.

    Returns:
        The ledger entries: placed, bounded, released.
    """
    entries = _look_at(
        ledger,
        hold_plan,
        snapshot,
        case_type,
        [one for one in levels if one.case_type == case_type],
    )
    entries += looking_again(
        partial(_look_at_reviewers, ledger, hold_plan, reviewer_share_cap, snapshot, case_type)
    )
    return [*entries, *looking_again(partial(_end_empty, ledger, snapshot, case_type))]


def holds_that_wait(ledger: Ledger, case_type: str) -> list[Hold]:
    """The holds of a case type that something or somebody must still end."""
    return [one for one in holds_of(ledger.history(case_type), case_type) if one.waits]


def _look_at(
    ledger: Ledger,
    hold_plan: HoldPlan,
    snapshot: EvidenceSnapshot,
    case_type: str,
    levels: Sequence[Level],
) -> list[Entry]:
    rules = sorted({(level.table, level.rule) for level in levels})
    found: list[Entry] = []
    for table, rule in rules:
        mine = [one for one in levels if (one.table, one.rule) == (table, rule)]
        found += looking_again(partial(_judge, ledger, hold_plan, snapshot, case_type, mine))
    return found


def _judge(
    ledger: Ledger,
    hold_plan: HoldPlan,
    snapshot: EvidenceSnapshot,
    case_type: str,
    levels: Sequence[Level],
) -> list[Entry]:
    """One rule on one table: several levels where labels came from under several policies."""
    table, rule, judge = levels[0].table, levels[0].rule, levels[0].judge
    holds = [
        one
        for one in holds_of(ledger.history(case_type), case_type)
        if (one.table, one.rule) == (table, rule)
    ]
    present = next((one for one in holds if one.state is HoldState.OPEN), None)
    if present is not None:
        return _lasting(ledger, hold_plan, snapshot, present, levels, judge)
    for level in levels:
        countable = _countable(level.deliveries, holds)
        found = first_far(
            countable,
            judge,
            hold_plan,
            judged_after=_judged_after(snapshot, hold_plan, holds),
            pooled=level.pooled,
        )
        if found is not None:
            since, why = found
            return [_place(ledger, snapshot, case_type, table, rule, why, since)]
    return []


def _lasting(
    ledger: Ledger,
    hold_plan: HoldPlan,
    snapshot: EvidenceSnapshot,
    present: Hold,
    levels: Sequence[Level],
    judge: Judge,
) -> list[Entry]:
    on_hold = [
        one for level in levels for one in level.deliveries if one.received_at >= present.since
    ]
    on_hold.sort(key=lambda one: one.received_at)
    level = lasted(on_hold, judge, snapshot.as_of, hold_plan)
    if level is None:
        return []
    plan = hold_plan
    told = f"The level has lasted since {level.since:%Y-%m-%d} in {level.rows:,} rows"
    stated = f"(a hold ends after {plan.lasts.days} days and {plan.rows:,} rows)"
    if level.whole:
        return [_release(ledger, snapshot, present, f"{told} {stated}.")]
    why = f"{told}, and what came before it is of another level {stated}: that waits for a person."
    return [_bound(ledger, snapshot, present, level.since, why)]


def _look_at_reviewers(
    ledger: Ledger,
    hold_plan: HoldPlan,
    reviewer_share_cap: float,
    snapshot: EvidenceSnapshot,
    case_type: str,
) -> list[Entry]:
    """Nobody supplies more than the cap: what is beyond it waits (METHODS 6)."""
    holds = [
        one for one in holds_of(ledger.history(case_type), case_type) if one.rule == REVIEWER_CAP
    ]
    present = next((one for one in holds if one.state is HoldState.OPEN), None)
    labels = snapshot.labels
    if present is not None:
        labels = _reviews(labels[received_in(present, labels["received_at"])])
        return _cap_kept(
            ledger, hold_plan, reviewer_share_cap, snapshot, present, _of(case_type, labels)
        )
    after = _judged_after(snapshot, hold_plan, holds)
    # The newest first: how many labels there are in all is no matter of a night's work.
    later = (labels["received_at"] > pd.Timestamp(after)).to_numpy(dtype=np.bool_)
    everybody = _reviews(labels[later])
    newest = _of(case_type, everybody)
    fair = _WITHIN_THE_CAP.setdefault(ledger.written, set())
    for received_at, rows in newest.groupby("received_at", sort=True):
        delivery = (case_type, received_at, len(rows), reviewer_share_cap)
        if delivery in fair:
            continue
        told = rows["reviewer_id"]
        if len(told) < FEWEST_TO_JUDGE:  # too few of one case type: the whole delivery is looked at
            together = (everybody["received_at"] == received_at).to_numpy(dtype=np.bool_)
            told = everybody.loc[together, "reviewer_id"]
        why = _above_cap(told, reviewer_share_cap)
        if why:
            at = rows["received_at"].iloc[0].to_pydatetime()
            return [_place(ledger, snapshot, case_type, "reviews", REVIEWER_CAP, why, at)]
        if len(rows) >= FEWEST_TO_JUDGE:  # else it hangs on the other types' rows, too
            fair.add(delivery)
    return []


# A delivery gets no further rows, and loses those that are revised (their number tells), so that one
# within the cap need not be counted again.
_WITHIN_THE_CAP: WeakKeyDictionary[object, set[tuple[object, ...]]] = WeakKeyDictionary()


def _reviews(labels: pd.DataFrame) -> pd.DataFrame:
    """The first label that a person gave to a case."""
    first = (labels["table"] == "reviews") & labels["first"]
    return labels[first.to_numpy(dtype=np.bool_)]


def _of(case_type: str, labels: pd.DataFrame) -> pd.DataFrame:
    return labels[(labels["case_type"] == case_type).to_numpy(dtype=np.bool_)]


def _cap_kept(
    ledger: Ledger,
    hold_plan: HoldPlan,
    reviewer_share_cap: float,
    snapshot: EvidenceSnapshot,
    present: Hold,
    labels: pd.DataFrame,
) -> list[Entry]:
    plan = hold_plan
    if len(labels) < plan.rows or snapshot.as_of - present.since < plan.lasts:
        return []
    why = _above_cap(labels["reviewer_id"], reviewer_share_cap)
    days = (snapshot.as_of - present.since).days
    kept = f"Over {days} days and {len(labels):,} reviews nobody supplies more than the cap."
    stays = f"It has lasted for {days} days: {why} From here the cap of each proof holds it."
    return [_release(ledger, snapshot, present, stays if why else kept)]


def _above_cap(reviewers: pd.Series, cap: float) -> str:
    """Why one person supplies too much, or ""; nobody is named in the ledger."""
    if len(reviewers) < FEWEST_TO_JUDGE:
        return ""
    shares = reviewers.value_counts(normalize=True)
    shares = shares[shares > 0]
    largest, limit = float(shares.iloc[0]), share_limit(len(shares), cap)
    if largest <= limit and len(shares) > 1:
        return ""
    return (
        f"One of {len(shares)} reviewers supplies {largest:.0%} of {len(reviewers):,} reviews; what "
        f"is beyond {limit:.0%} waits."
    )


def _end_empty(ledger: Ledger, snapshot: EvidenceSnapshot, case_type: str) -> list[Entry]:
    """A hold that came to hold nothing (no case came in where some were due) asks nobody."""
    return [
        _release(ledger, snapshot, hold, "Nothing came in while it lasted, so nothing is on hold.")
        for hold in holds_that_wait(ledger, case_type)
        if hold.state is HoldState.BOUNDED and not _holds_any(snapshot, hold)
    ]


def _holds_any(snapshot: EvidenceSnapshot, hold: Hold) -> bool:
    if hold.table == "decisions":
        rows = snapshot.decisions[(snapshot.decisions["case_type"] == hold.case_type).to_numpy()]
    else:
        labels = snapshot.labels
        mine = (labels["case_type"] == hold.case_type) & (labels["table"] == hold.table)
        rows = labels[mine.to_numpy(dtype=np.bool_)]
    return bool(received_in(hold, rows["received_at"]).any())


def _countable(deliveries: Sequence[Delivered], holds: Sequence[Hold]) -> list[Delivered]:
    """The deliveries that may be compared: on no hold, and since the level that was last found to
    be one."""
    begins = [_reference_from(one) for one in holds if one.state is not HoldState.OPEN]
    held = [one for one in holds if one.state is not HoldState.RELEASED]
    return [
        one
        for one in deliveries
        if (not begins or one.received_at >= max(begins))
        and not any(
            hold.since <= one.received_at and (hold.until is None or one.received_at < hold.until)
            for hold in held
        )
    ]


def _reference_from(hold: Hold) -> datetime:
    """Where the level begins that a hold ended with: with the hold itself where all of it was one
    level, else with what came after its bound (a wave that was released is evidence, and no usual
    level). One that was discarded says nothing of a level."""
    if hold.until is None or hold.state in (HoldState.DISCARDED, HoldState.STRUCK):
        return datetime.min.replace(tzinfo=hold.since.tzinfo)
    bounded = hold.ended_at is None or hold.until < hold.ended_at
    return hold.until if bounded else hold.since


def _judged_after(snapshot: EvidenceSnapshot, plan: HoldPlan, holds: Sequence[Hold]) -> datetime:
    """Deliveries up to then were judged: by the nights before, or by who ended a hold."""
    ended = [one.ended_at or one.until for one in holds if one.state is not HoldState.OPEN]
    return max([snapshot.as_of - plan.trailing, *(at for at in ended if at is not None)])


def _label_levels(snapshot: EvidenceSnapshot, since: datetime) -> list[Level]:
    """Labels by case type, table and what drew their cases, delivery by delivery.

    A label's share of bad depends on which cases were drawn, so labels are compared with earlier
    ones of cases that the same policy decided; all policies that review everything count as one, and
    cases drawn later from the store are no part of their policy's own draws.
    Where `since` leaves fewer than FEWEST_COMPARED labels of a case type, older ones are taken, too.
    """
    labels = snapshot.labels
    labels = labels[labels["first"].to_numpy(dtype=np.bool_)]
    labels = labels[_recent(labels, since)]
    if labels.empty:
        return []
    rows = pd.DataFrame(
        {
            "case_type": labels["case_type"],
            "table": labels["table"],
            "epoch": _epochs(snapshot, labels[CASE_NUMBER]),
            "received_at": labels["received_at"],
            "bad": labels["bad"].astype("int64"),
        }
    )
    keys = ["case_type", "table", "epoch", "received_at"]
    counted = rows.groupby(keys, sort=True, observed=True)["bad"].agg(["size", "sum"])
    tallies = counted.reset_index()
    return [
        Level(str(name), str(table), BASE_RATE, _delivered(mine, str(epoch)), far_rate, True)
        for (name, table, epoch), mine in tallies.groupby(keys[:3], observed=True)
    ]


def _recent(labels: pd.DataFrame, since: datetime) -> npt.NDArray[np.bool_]:
    """Those received since, and of a case type that has too few of them its newest ones."""
    recent = (labels["received_at"] >= pd.Timestamp(since)).to_numpy(dtype=np.bool_, copy=True)
    if recent.all():
        return recent
    kinds = [labels["case_type"], labels["table"]]
    number = labels.groupby(kinds, sort=False, observed=True).ngroup().to_numpy()
    fewer = np.bincount(number[recent], minlength=number.max() + 1) < FEWEST_COMPARED
    few = fewer[number]
    if few.any():
        younger = labels["received_at"][few].groupby(number[few]).rank("min", ascending=False)
        recent[few] |= (younger <= FEWEST_COMPARED).to_numpy(dtype=np.bool_)
    return recent


def _delivered(tallies: pd.DataFrame, epoch: str) -> list[Delivered]:
    told = tallies[["received_at", "size", "sum"]].itertuples(index=False, name=None)
    # Whoever draws from the store reviews decisions alone; the escalated cases have their labels.
    alone = epoch.endswith(_FROM_THE_STORE)
    return [
        Delivered(at.to_pydatetime(), int(rows), int(bad), epoch=epoch, decided_alone=alone)
        for at, rows, bad in told
    ]


_EVERYTHING = "everything reviewed"
_FROM_THE_STORE = "drawn from the store"


def _epochs(snapshot: EvidenceSnapshot, numbers: pd.Series) -> pd.Series:
    """By label: the policy that its case was drawn under, where that leaves cases unseen, and whether it
    was drawn later from the store."""
    policies = snapshot.decisions["policy_id"].astype("category").cat
    codes = policies.codes.to_numpy()
    # Drawn from the store are decided cases alone: fewer of them are bad than of a policy's own draws,
    # which left them unseen, however high a rate they were drawn up to.
    drawn_later = snapshot.decisions[AUDITED_LATER].to_numpy(dtype=np.bool_)
    unseen = (snapshot.decisions["propensity"] < 1.0).to_numpy(dtype=np.bool_) | drawn_later
    every = [str(name) for name in policies.categories]
    selective = np.isin(np.arange(len(every)), codes[unseen])
    words = [one if told else _EVERYTHING for one, told in zip(every, selective, strict=True)]
    found = snapshot.of_cases(numbers, pd.Series(codes)).to_numpy(dtype=np.int64)
    later = snapshot.of_cases(numbers, pd.Series(drawn_later)).to_numpy(dtype=np.bool_)
    words += [f"{one}, {_FROM_THE_STORE}" for one in words]
    named = pd.array(words, dtype="str").take(found + len(every) * later)
    return pd.Series(named, index=numbers.index).astype("category")


def _volume_levels(
    store: EvidenceStore, snapshot: EvidenceSnapshot, source: str, since: datetime
) -> list[Level]:
    """Cases a day by case type, delivery by delivery of one source; those decided here are ours."""
    sizes = store.sizes("decisions", "case_type", as_of=snapshot.as_of, source=source)
    if sizes.empty:
        return []
    table = sizes.pivot_table(
        index="received_at", columns="case_type", values="rows", aggfunc="sum", fill_value=0
    ).sort_index()
    days = table.index.to_series().diff().dt.total_seconds() / 86_400.0
    watched = table.index >= pd.Timestamp(since)
    table, days = table[watched], days[watched]
    return [
        Level(
            str(name),
            "decisions",
            VOLUME,
            [
                Delivered(at.to_pydatetime(), int(rows), days=float(gap))
                for at, rows, gap in zip(table.index, table[name], days, strict=True)
                if gap > 0.0
            ],
            far_volume,
            False,
        )
        for name in table.columns
    ]


def _place(
    ledger: Ledger,
    snapshot: EvidenceSnapshot,
    case_type: str,
    table: str,
    rule: str,
    why: str,
    since: datetime,
) -> Entry:
    command = PlaceHold(
        case_type=case_type,
        table=table,
        rule=rule,
        reason=why,
        since=since,
        actor=NIGHT,
        base_version=last_version(ledger, case_type),
    )
    return submitted(ledger, command, snapshot.as_of)


def _bound(
    ledger: Ledger, snapshot: EvidenceSnapshot, hold: Hold, until: datetime, why: str
) -> Entry:
    command = BoundHold(
        case_type=hold.case_type,
        hold_id=hold.hold_id,
        until=until,
        reason=why,
        actor=NIGHT,
        base_version=last_version(ledger, hold.case_type),
    )
    return submitted(ledger, command, snapshot.as_of)


def _release(ledger: Ledger, snapshot: EvidenceSnapshot, hold: Hold, why: str) -> Entry:
    command = ReleaseHold(
        case_type=hold.case_type,
        hold_id=hold.hold_id,
        reason=why,
        actor=NIGHT,
        base_version=last_version(ledger, hold.case_type),
    )
    return submitted(ledger, command, snapshot.as_of)
