"""Which stored cases are a sample of the traffic, in which order did they enter, and what is their truth? (METHODS 1.2)

Membership is drawn, never read off labels: a case is in when its keyed uniform, the one that draws
its audit, lies below the rate of the policy that decided it. What another agent decided drew its own
audits and becomes a cohort by thinning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.generation import Generation, reserve_begins
from flows.verbs.evidence.cohort_rates import cohort_rates, decided_here
from flows.verbs.evidence.store_draws import STORE_AT, STORE_RATE
from flows.verbs.evidence.truth import EvidenceSnapshot, on_hold, scored
from flows.verbs.ports import CaseDraws, EvidenceServices, EvidenceStore, Ledger
from models.boundary.decision.audit import audit_purpose
from models.boundary.sequence.thinning import (
    RESERVE_SHARE,
    from_store,
    in_cohort,
    in_reserve,
    reviewable_range,
    thinned,
)
from models.truth import contradictions
from models.vocabulary import Boundary, CaseType

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

GIVEN_UP_AFTER = 2.0
"""Times the maturity: a case whose truth has not come by then is taken as never coming."""


class WaitsFor(IntEnum):
    """What a case of the cohort lacks before its truth may speak."""

    NOTHING = 0
    MATURITY = 1
    A_HOLD = 2
    SECOND_REVIEW = 3
    A_LABEL = 4


def cohort_for(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    generation: Generation,
    hoped: Boundary | None = None,
) -> pd.DataFrame:
    """One model's cohort in order of entry: the reserve of all time, and every member opened since
    the model's own rows ended.

    Args:
        hoped: bad labels below its pass cut and good ones above its block cut that nobody has
            confirmed are waited for (METHODS 1.6); None: no label is doubted.

    Returns:
        The columns of an EVIDENCE table (DESIGN 7) with `in_cohort`, `in_block_cohort`,
        `given_up` and `waits_for` (see `WaitsFor`); `bad` is null where the truth is not in. One row
        a case that either cohort has.
    """
    asked = (
        "cohort",
        case_type,
        generation.digest,
        generation.cohort_since,
        generation.cohort_from,
    )
    if asked not in snapshot.evidence:
        snapshot.evidence[asked] = _entered(
            services.ledger, services.store, services.draws, snapshot, case_type, generation
        )
    settled = (
        *asked,
        hoped,
        on_hold(
            services.ledger, services.draws, services.reviewer_share_cap, snapshot, case_type
        ).tobytes(),
    )
    if settled not in snapshot.evidence:
        snapshot.evidence[settled] = _with_truth(
            services, snapshot, case_type, snapshot.evidence[asked], hoped
        )
    return snapshot.evidence[settled]


def reads_from(ledger: Ledger, generation: Generation) -> datetime:
    """No case opened before this instant is in a model's cohort."""
    begins = reserve_begins(ledger, generation.case_type)
    earliest = (
        generation.cohort_since if begins is None else min(generation.cohort_since, begins[0])
    )
    return max(earliest, generation.cohort_from)


def _entered(
    ledger: Ledger,
    store: EvidenceStore,
    draws: CaseDraws,
    snapshot: EvidenceSnapshot,
    case_type: str,
    generation: Generation,
) -> pd.DataFrame:
    """The cohort in order of entry with the model's scores: that of what was received first, or drawn
    from the store; what came at one moment, as it was opened."""
    rows = snapshot.known(case_type)
    if generation.external:
        rows = rows[(rows["model_version"] == generation.version).to_numpy(dtype=np.bool_)]
    if rows.empty:
        return rows.assign(
            in_cohort=False, in_block_cohort=False, from_store=False, entered_at=rows["received_at"]
        )
    drawn = membership(ledger, draws, case_type, rows, generation.digest)
    member, blocks, later_drawn = drawn.member, drawn.blocks, drawn.later
    later = (rows["opened_at"] >= pd.Timestamp(generation.cohort_since)).to_numpy(dtype=np.bool_)
    aside = reserve(ledger, draws, case_type, rows, drawn, reserve_begins(ledger, case_type))
    kept = (member | blocks | later_drawn) & (later | aside)
    kept &= (rows["opened_at"] >= pd.Timestamp(generation.cohort_from)).to_numpy(dtype=np.bool_)
    rows = rows.assign(
        in_cohort=member, in_block_cohort=blocks, from_store=False, entered_at=rows["received_at"]
    )
    rows = _with_later(rows[kept], later_drawn[kept], drawn.blocks_later[kept])
    # A book's cases come as they were opened, the case id settling ties.
    by = ["entered_at", "opened_at", "case_id"] if later_drawn[kept].any() else "entered_at"
    rows = rows.sort_values(by, kind="stable", ignore_index=True)
    return scored(store, snapshot, rows, generation)


def _with_later(rows: pd.DataFrame, later: BoolArray, blocks_later: BoolArray) -> pd.DataFrame:
    """With the cases drawn from the store as members from that draw on.

    A case that is in the block cohort already keeps its place there: cases that entered never move. Its
    entry into the cohort is a row of its own.
    """
    if not later.any():
        return rows
    received, drawn_at = rows["received_at"], rows[STORE_AT]
    moment = received.where(~later | (received >= drawn_at).to_numpy(), drawn_at)
    joins = rows.assign(
        in_cohort=True, in_block_cohort=blocks_later, from_store=True, entered_at=moment
    )[later]
    stays = ~later | rows["in_block_cohort"].to_numpy(dtype=np.bool_)
    both: pd.DataFrame = pd.concat([rows[stays], joins], ignore_index=True)
    return both


@dataclass(frozen=True, eq=False)
class Membership:
    """Of stored decisions, shape (cases,) each: who was drawn into the cohort and the block cohort when it
    was decided; the cohort's rate for each case, the probability of that; and who was drawn into either
    later, from the store."""

    member: BoolArray
    blocks: BoolArray
    rate: FloatArray
    later: BoolArray
    blocks_later: BoolArray


def membership(
    ledger: Ledger,
    draws: CaseDraws,
    case_type: str,
    rows: pd.DataFrame,
    model_digest: str | None = None,
) -> Membership:
    """The draws of stored decisions.

    Args:
        model_digest: the model whose blocks the block cohort is about. What another one's policies
            blocked is no sample of that beyond the cohort's own rate.

    Raises:
        GateRefused: the audit secret in force is not at hand.
    """
    ours = decided_here(ledger, rows)
    uniform = case_draws(ledger, draws, audit_purpose(case_type), rows)
    rate, block_rate = cohort_rates(ledger, rows, ours, model_digest)
    known = ours & ~np.isnan(uniform)
    member = known & in_cohort(uniform, rate)
    blocks = known & in_cohort(uniform, np.maximum(rate, block_rate))
    if not known.all():
        other, least = _thinned(draws, case_type, rows[~known])
        member[~known], blocks[~known], rate[~known] = other, other, least
    past = pd.DataFrame({"uniform": uniform, "cohort_rate": rate})
    upto = rows[STORE_RATE].to_numpy(dtype=np.float64)
    later = known & from_store(past, upto)
    blocks_later = later & (uniform >= block_rate)
    return Membership(member, blocks, rate, later, blocks_later)


def reserve(
    ledger: Ledger,
    draws: CaseDraws,
    case_type: str,
    rows: pd.DataFrame,
    drawn: Membership,
    begins: tuple[datetime, datetime] | None,
) -> BoolArray:
    """Of stored decisions, those that no generation learns from, stops, calibrates, chooses or
    compares on: the slice held back from the first model, and half of the cohort since; shape
    (cases,).

    Args:
        begins: see `reserve_begins`; None: nothing is set aside.
    """
    if begins is None or rows.empty:
        return np.zeros(len(rows), dtype=np.bool_)
    after, held_back = _since(rows, begins)
    second = case_draws(ledger, draws, f"reserve|{case_type}", rows)
    second = np.where(np.isnan(second), 0.0, second)
    # What is drawn from the store later may have taught a model by then, so it is not set aside.
    return in_reserve(drawn.member & after, drawn.member & held_back, second)


def learning_propensity(
    rows: pd.DataFrame, drawn: Membership, begins: tuple[datetime, datetime] | None
) -> FloatArray:
    """With which designed probability a case is observed *and* not set aside, shape (cases,): what
    weighs a case that a model learns from or is compared on."""
    propensity = rows["propensity"].to_numpy(dtype=np.float64)
    if begins is None or rows.empty:
        return propensity
    after, held_back = _since(rows, begins)
    # A case of the cohort is set aside in half of the draws, whatever else it is.
    return np.where(after & ~held_back, propensity - RESERVE_SHARE * drawn.rate, propensity)


# By home and purpose, a case's draw by its number: it never changes, and a walk asks every night.
_DRAWN: WeakKeyDictionary[object, dict[str, FloatArray]] = WeakKeyDictionary()
_UNASKED = -1.0


def case_draws(ledger: Ledger, draws: CaseDraws, purpose: str, rows: pd.DataFrame) -> FloatArray:
    """`CaseDraws.case_draw` of the rows' cases (`case_id`, `case_number`), each drawn once a process."""
    numbers = rows[CASE_NUMBER].to_numpy(dtype=np.int64)
    kept = _DRAWN.setdefault(ledger.written, {})
    known = kept.get(purpose, np.empty(0))
    if len(numbers) and len(known) <= numbers.max():
        more = np.full(int(numbers.max()) + 1 - len(known), _UNASKED)
        known = kept[purpose] = np.concatenate([known, more])
    asked = known[numbers] == _UNASKED
    if asked.any():
        known[numbers[asked]] = draws.case_draw(purpose, rows["case_id"][asked])
    return np.asarray(known[numbers])


def _since(rows: pd.DataFrame, begins: tuple[datetime, datetime]) -> tuple[BoolArray, BoolArray]:
    since, until = begins
    after = (rows["opened_at"] >= pd.Timestamp(since)).to_numpy(dtype=np.bool_)
    return after, after & (rows["opened_at"] < pd.Timestamp(until)).to_numpy(dtype=np.bool_)


def _thinned(draws: CaseDraws, case_type: str, rows: pd.DataFrame) -> tuple[BoolArray, FloatArray]:
    """Cases whose draws are not ours: by policy each drawn one with the least rate over its own; and
    that rate."""
    found, rate = np.zeros(len(rows), dtype=np.bool_), np.ones(len(rows))
    uniform = draws.case_draw(f"cohort|{case_type}", rows["case_id"])
    uniform = np.where(np.isnan(uniform), 1.0, uniform)
    propensity = rows["propensity"].to_numpy(dtype=np.float64)
    score = rows["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    drawn = rows["drawn"].to_numpy(dtype=np.bool_)
    codes, _ = pd.factorize(rows["policy_id"].astype("str"))
    for place in np.unique(codes):
        mine = codes == place
        if not (propensity[mine] > 0.0).any():
            continue
        least, _ = reviewable_range(np.nan_to_num(score[mine], nan=1.0), propensity[mine])
        found[mine] = thinned(propensity[mine], drawn[mine], uniform[mine], least)
        rate[mine] = least
    return found, rate


def _with_truth(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    rows: pd.DataFrame,
    hoped: Boundary | None,
) -> pd.DataFrame:
    """The truth as far as it may speak: not before maturity, not on hold, not while a contradiction
    is unconfirmed. Each of these delays a look, and nothing more."""
    if rows.empty:
        return rows.assign(given_up=False, waits_for=np.int8(0))
    opened = rows["opened_at"]
    until = snapshot.mature_until(services.case_types, services.second_review_takes, case_type)
    waits_for = np.where(opened >= pd.Timestamp(until), WaitsFor.MATURITY, WaitsFor.NOTHING)
    held = on_hold(
        services.ledger, services.draws, services.reviewer_share_cap, snapshot, case_type
    )
    if len(held):
        stands = np.isin(rows[CASE_NUMBER].to_numpy(dtype=np.int64), held)
        waits_for[stands] = WaitsFor.A_HOLD
    if hoped is not None:
        decidable = rows["automatable"].to_numpy(dtype=np.bool_)
        settled = rows[decidable & (waits_for == WaitsFor.NOTHING)]
        doubted = contradictions(settled, hoped).rows["case_id"]
        # A case drawn later has a second row, which waits with the first.
        waits_for[rows["case_id"].isin(doubted).to_numpy(dtype=np.bool_)] = WaitsFor.SECOND_REVIEW
    bad = np.where(waits_for != WaitsFor.NOTHING, np.nan, rows["bad"].to_numpy(dtype=np.float64))
    patience = _patience(
        services.case_types, services.audit_grace, services.second_review_takes, case_type
    )
    # The patience with a case drawn later begins at that draw.
    begun = opened.where(~rows["from_store"].to_numpy(dtype=np.bool_), rows["entered_at"])
    old = (begun < pd.Timestamp(snapshot.as_of - patience)).to_numpy(dtype=np.bool_)
    unlabelled = (waits_for == WaitsFor.NOTHING) & np.isnan(bad)
    waits_for[unlabelled & ~old] = WaitsFor.A_LABEL
    told: pd.DataFrame = rows.assign(
        bad=bad, given_up=unlabelled & old, waits_for=waits_for.astype(np.int8)
    )
    return told


def what_is_waited_for(frame: pd.DataFrame) -> str:
    """Why cases of a cohort have no settled label, and the command that serves people; "" where all have."""
    found = frame.loc[frame["in_cohort"].to_numpy(dtype=np.bool_), "waits_for"]
    counts = np.bincount(found.to_numpy(dtype=np.int64), minlength=len(WaitsFor))
    said = [f"{counts[why]:,} {words}" for why, words in _WAITED_FOR.items() if counts[why]]
    return f"What they wait for: {'; '.join(said)}." if said else ""


_WAITED_FOR = {
    WaitsFor.SECOND_REVIEW: "a second review (ratchet second-reviews --to FILE)",
    WaitsFor.A_HOLD: "the end of a hold (ratchet release or discard)",
    WaitsFor.A_LABEL: "a label (ratchet open-draws --to FILE)",
    WaitsFor.MATURITY: "the case type's maturity",
}


def _patience(
    case_types: Mapping[str, CaseType],
    audit_grace: timedelta,
    second_review_takes: timedelta,
    case_type: str,
) -> timedelta:
    """From its opening, how long a case's truth is waited for."""
    days = case_types[case_type].maturity_days
    return max(
        timedelta(days=GIVEN_UP_AFTER * days),
        timedelta(days=days) + audit_grace + second_review_takes,
    )
