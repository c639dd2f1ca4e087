"""Two unknown precisions compared at a margin, by capital and by z-score."""

from __future__ import annotations

import numpy as np
import pytest

from models.boundary import AbRows
from models.boundary.ab.ab_claims import LargestWeights
from models.boundary.ab.ab_rows import CaseKinds, FloatArray, tally
from models.boundary.ab.precision_margin import (
    BLOCKS_BEFORE_A_BET,
    NUISANCE_SHARE,
    PRECISIONS,
    margin_log_capital,
    margin_z_scores,
)
from models.boundary.proof.wagers import AB_WAGERS
from tests.models.boundary.ab_worlds import AUDIT, BLOCK, PASS, REVIEW, ab_table

LARGEST = LargestWeights(1 / AUDIT, 1 / AUDIT, 2.0)


def zones(today: float, moved: float, dropped: float = 0.0) -> tuple:
    """Both block 15 %, the treatment 5 % more; optionally it drops 5 % that the control blocks."""
    kept = ((PASS, PASS, 0.3, 0.01), (REVIEW, REVIEW, 0.4, 0.4), (BLOCK, BLOCK, 0.15, today),
            (REVIEW, BLOCK, 0.05, moved))  # fmt: skip
    return (*kept, (BLOCK, REVIEW, 0.05, dropped)) if dropped else kept


def told(table_zones: tuple, cases: int, seed: int) -> tuple[CaseKinds, FloatArray]:
    return tally(AbRows.from_frame(ab_table(cases, seed, table_zones)), 0.5, 28)


def capital_at(kinds: CaseKinds, counts: FloatArray, precision: float, margin: float) -> FloatArray:
    """Second road: the capital at the last day for one known precision of today, by wager."""
    log = np.zeros(len(AB_WAGERS))
    treatment = control = 0.0
    for day in counts:
        ratio = (treatment + 1) / (control + 1)
        loss = max(5 * (abs(1 - ratio) - margin), 2 * (1 - margin), 2 * ratio)
        for kind, number in enumerate(day):
            pull = kinds.treatment_blocks[kind] - ratio * kinds.control_blocks[kind]
            z = kinds.weight[kind] * (
                pull * (kinds.bad[kind] - precision) + margin * kinds.treatment_blocks[kind]
            )
            if control >= BLOCKS_BEFORE_A_BET:
                log += number * np.log(1 + AB_WAGERS / loss * z)
        treatment += day @ kinds.treatment_blocks
        control += day @ kinds.control_blocks
    return log


def ends(kinds: CaseKinds, counts: FloatArray, delta: float) -> tuple[float, float]:
    """Second road: the last precision ruled out from below, and the first from above."""
    low, high = 0.0, 1.0
    for precision in PRECISIONS:
        rise, fall = np.zeros(len(AB_WAGERS)), np.zeros(len(AB_WAGERS))
        for day in counts:
            for kind in np.flatnonzero(kinds.control_blocks):
                stake = AB_WAGERS / 5 * kinds.weight[kind]
                rise += day[kind] * np.log(1 + stake * (kinds.bad[kind] - precision))
                fall += day[kind] * np.log(1 - stake * (kinds.bad[kind] - precision))
            if np.exp(rise).mean() >= 2 / delta:
                low = max(low, precision)
            if np.exp(fall).mean() >= 2 / delta:
                high = min(high, precision)
    return low, high


@pytest.mark.parametrize("thin", [slice(0, 14), slice(14, 28), slice(0, 0)])
def test_the_capital_is_that_of_the_least_favourable_precision_of_today(thin: slice) -> None:
    """Each wager keeps the smaller of its two capitals at the ends of the sequence; block rates that
    rise, fall or stay (the moved band is empty on some days) make either end the worse one."""
    kinds, counts = told(zones(0.98, 0.97), 6_000, 1)
    counts = counts.copy()
    counts[thin, kinds.treatment_blocks & ~kinds.control_blocks] = 0.0
    found = margin_log_capital(kinds, counts, 0.05, 0.05, LARGEST)[-1]
    low, high = ends(kinds, counts, NUISANCE_SHARE * 0.05)
    assert low < 0.98 < high
    least = np.minimum(*(capital_at(kinds, counts, end, 0.05) for end in (low, high)))
    assert found == pytest.approx(np.log(np.exp(least).mean() * (1 - NUISANCE_SHARE)))
    for precision in np.linspace(low, high, 7):
        known = np.exp(capital_at(kinds, counts, precision, 0.05)).mean()
        assert found <= np.log(known * (1 - NUISANCE_SHARE)) + 1e-9


def test_equal_precisions_are_proven_and_worse_ones_are_not() -> None:
    """Margin .05, true differences 0, -.01 and -.12 (moved band .5 instead of .98). A bet on what is
    untrue wins next to nothing: .5 is far below the log 20 = 3.0 of a proof."""
    shown = [
        margin_log_capital(*told(zones(0.98, moved), 12_000, 4), 0.05, 0.05, LARGEST).max()
        for moved in (0.98, 0.94, 0.50)
    ]
    assert shown[0] >= np.log(20)
    assert shown[1] >= np.log(20)
    assert shown[2] < 0.5


def test_blocks_the_new_policy_drops_count_on_the_side_of_the_old() -> None:
    """Dropping good blocks (.99) for bad ones (.80) is a loss of some .05; margins .01 and .2. A bet on
    what is untrue wins next to nothing, a proof takes log 20 = 3.0."""
    kinds, counts = told(zones(0.98, 0.80, dropped=0.99), 12_000, 6)
    assert margin_log_capital(kinds, counts, 0.01, 0.05, LARGEST).max() < 0.5
    assert margin_log_capital(kinds, counts, 0.20, 0.05, LARGEST).max() >= np.log(20)


def test_missing_labels_only_take_away() -> None:
    """With every tenth label of a block missing the evidence is lower at each day's end."""
    table = ab_table(8_000, 8, zones(0.98, 0.97))
    full = tally(AbRows.from_frame(table), 0.5, 28)
    blocked = table["treatment_action"] == BLOCK
    table.loc[blocked & (np.arange(len(table)) % 10 == 0), "bad"] = np.nan
    short = tally(AbRows.from_frame(table), 0.5, 28)
    more, less = (margin_log_capital(*one, 0.05, 0.05, LARGEST) for one in (full, short))
    assert (less <= more + 1e-9).all()
    assert less[-1] < more[-1]


def test_a_missing_label_of_a_dropped_block_counts_as_bad() -> None:
    """The z-score is lower than with the label 'good': the new policy may have let a bad case go."""
    table = ab_table(8_000, 12, zones(0.98, 0.97, dropped=0.5))
    dropped = (table["control_action"] == BLOCK) & (table["treatment_action"] == REVIEW)
    scores = []
    for label in (0.0, np.nan):
        kinds, counts = tally(
            AbRows.from_frame(table.assign(bad=table["bad"].mask(dropped, label))), 0.5, 28
        )
        scores.append(float(margin_z_scores(kinds, counts.sum(axis=0), 0.05, 0.9)))
    assert scores[1] < scores[0] - 1


def test_nothing_is_bet_before_the_block_rates_are_known() -> None:
    """With fewer than 30 blocks of the control there is no capital to speak of."""
    kinds, counts = told(zones(0.98, 0.97), 100, 9)
    assert margin_log_capital(kinds, counts, 0.05, 0.05, LARGEST) == pytest.approx(
        np.log(1 - NUISANCE_SHARE)
    )


def test_the_z_score_agrees_with_a_bootstrap_of_the_difference() -> None:
    """Second road: (difference + margin) over its bootstrap spread, within 25 % (the score keeps to
    the promise's spread where today's precision is better)."""
    kinds, counts = told(zones(0.93, 0.90), 20_000, 10)
    totals = counts.sum(axis=0)
    rng = np.random.default_rng(0)

    def difference(sample: FloatArray) -> FloatArray:
        sides = []
        for blocks in (kinds.treatment_blocks, kinds.control_blocks):
            weight = kinds.weight * blocks
            sides.append((sample @ (weight * kinds.bad)) / (sample @ weight))
        return sides[0] - sides[1]

    spread = difference(rng.poisson(totals, (2_000, len(totals)))).std()
    expected = (difference(totals) + 0.02) / spread
    assert margin_z_scores(kinds, totals, 0.02, 0.9) == pytest.approx(expected, rel=0.25)
