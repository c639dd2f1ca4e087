"""Is the evidence still one population?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from models.drift.multiple_testing import holm
from models.drift.rates import RateChange, compare_rates
from models.drift.sample import ZONES, FloatArray, IntArray, Sample
from models.drift.tally import Ruler, Tally

FEWEST_ROWS = 200
"""Either sample smaller than this: nothing is judged."""

STABILITY_FLOOR = 0.1
"""Population stability index from which a moved distribution matters; below it, evidence pools."""

RATIO_FLOOR = 1.25
"""A risk has changed when the 95 % interval of its rate ratio lies beyond this factor."""

_FEWEST_EXPECTED = 5.0  # cases expected in a bin below which chi-square's distribution is no guide


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One thing that moved.

    Attributes:
        kind: "score", "feature" or "risk"; what: "score", the feature's name, or the risk's zone.
        p_value: adjusted by Holm over everything tested.
        size: population stability index, or for a risk its rate ratio (later by earlier).
        sentence: for people.
    """

    kind: Literal["score", "feature", "risk"]
    what: str
    p_value: float
    size: float
    sentence: str


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """Whether later cases may be pooled with earlier ones.

    Attributes:
        quiet: nothing moved that was both significant and large enough to matter.
        findings: what moved, most significant first.
        too_few_to_judge: a sample had fewer than `FEWEST_ROWS` cases, so nothing was tested.
        tested: number of tests that Holm's correction covered.
    """

    quiet: bool
    findings: tuple[DriftFinding, ...] = ()
    too_few_to_judge: bool = False
    tested: int = 0


def check_drift(earlier: Sample, later: Sample, alpha: float = 0.01) -> DriftVerdict:
    """Compare scores, each feature and the risk in each score band of two samples.

    Scores (20 quantile bins of the earlier sample) and features (10, or one a level; missing is a
    bin of its own) by the chi-square test of homogeneity, design-weighted risks by
    `compare_rates`; Holm (1979) over all of them at `alpha`. As any difference is significant in
    100,000 cases, a finding must also be large: a population stability index of
    `STABILITY_FLOOR`, or a rate ratio whose 95 % interval lies beyond `RATIO_FLOOR`.

    Raises:
        ValueError: the samples have different features, column types or boundaries, or alpha is
            not a probability.
    """
    ruler = Ruler.laid_on(earlier)
    return compare(ruler, ruler.tally(earlier), ruler.tally(later), alpha)


def compare(ruler: Ruler, earlier: Tally, later: Tally, alpha: float) -> DriftVerdict:
    """As `check_drift`, for two samples counted with one ruler."""
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is the accepted false alarm rate, between 0 and 1; got {alpha!r}")
    if min(earlier.rows, later.rows) < FEWEST_ROWS:
        return DriftVerdict(quiet=True, too_few_to_judge=True)
    changes = _risk_changes(earlier, later)
    tested = len(ruler.columns) + len(changes)
    indices = stability_indices(earlier.counts, later.counts, ruler.begins)
    if (indices < STABILITY_FLOOR).all() and not any(map(_is_large, changes.values())):
        # Only what is large can be a finding, so no p-value could change the answer.
        return DriftVerdict(quiet=True, tested=tested)
    adjusted = holm(p_values(ruler, earlier, later))
    shifts = [
        _shifted(ruler, earlier, later, index, float(p_value))
        for index, p_value in enumerate(adjusted[: len(indices)])
        if p_value <= alpha and indices[index] >= STABILITY_FLOOR
    ]
    risks = [
        _changed(zone, change, float(p_value))
        for (zone, change), p_value in zip(changes.items(), adjusted[len(indices) :], strict=True)
        if p_value <= alpha and _is_large(change)
    ]
    # Many rare levels are a large index by chance alone; put together they are not.
    found = [*(shift for shift in shifts if shift.size >= STABILITY_FLOOR), *risks]
    found.sort(key=lambda finding: finding.p_value)
    return DriftVerdict(quiet=not found, findings=tuple(found), tested=tested)


def p_values(ruler: Ruler, earlier: Tally, later: Tally) -> FloatArray:
    """One p-value a test before any correction: the score, each feature, each zone's risk."""
    columns = _columns(ruler, earlier, later)
    risks = _risk_changes(earlier, later).values()
    return np.array([*map(_homogeneity, columns), *(change.p_value for change in risks)])


def stability_indices(earlier: IntArray, later: IntArray, begins: IntArray) -> FloatArray:
    """Population stability index of each column: the sum of (q - p) log(q / p) over its bins.

    Half a case is added to each bin that either sample fills, so that a bin empty in one of them
    is large but finite, and one empty in both says nothing.

    Args:
        earlier, later: cases a bin of all columns, one after another, shape (all bins,).
        begins: where each column begins, ascending from 0, shape (columns,).

    Returns:
        Shape (columns,).
    """
    # Sums of counts that were stored in 32 bits need more.
    earlier, later = earlier.astype(np.int64), later.astype(np.int64)
    filled = (earlier + later) > 0

    def shares(counts: IntArray) -> FloatArray:
        smoothed = counts + 0.5 * filled
        totals = np.add.reduceat(smoothed, begins)
        sizes = np.diff(np.append(begins, len(counts)))
        return np.where(filled, smoothed / np.repeat(np.maximum(totals, 1.0), sizes), 1.0)

    before, after = shares(earlier), shares(later)
    found: FloatArray = np.add.reduceat((after - before) * np.log(after / before), begins)
    return found


def _columns(ruler: Ruler, earlier: Tally, later: Tally) -> list[IntArray]:
    """Cases a bin before and after of each column, shape (2, bins)."""
    counts = np.stack([earlier.counts, later.counts]).astype(np.int64)
    return np.split(counts, ruler.begins[1:], axis=1)


def _homogeneity(table: IntArray) -> float:
    """P-value of the chi-square test against one distribution in both rows, shape (2, bins)."""
    table = _without_rare_bins(table)
    return float(stats.chi2_contingency(table, correction=False)[1]) if len(table[0]) > 1 else 1.0


def _without_rare_bins(table: IntArray) -> IntArray:
    """Bins too rare for chi-square put together; what is rare even then joins the next rarest."""
    total = table.sum(axis=0)
    # The product of two counts may be too large for an integer of 64 bits.
    expected = total * (float(table.sum(axis=1).min()) / max(int(table.sum()), 1))
    rare = expected < _FEWEST_EXPECTED
    kept, rest = table[:, ~rare], table[:, rare].sum(axis=1)
    if not rest.any():
        return kept
    if expected[rare].sum() >= _FEWEST_EXPECTED or not kept.size:
        return np.column_stack([kept, rest])
    kept = kept.copy()
    kept[:, kept.sum(axis=0).argmin()] += rest
    return kept


def _risk_changes(earlier: Tally, later: Tally) -> dict[str, RateChange]:
    """By zone, where both samples have labels."""
    compared = {
        zone: compare_rates(before, after)
        for zone, before, after in zip(ZONES, earlier.risks, later.risks, strict=True)
    }
    return {zone: change for zone, change in compared.items() if change is not None}


def _is_large(change: RateChange) -> bool:
    return change.low > RATIO_FLOOR or change.high < 1.0 / RATIO_FLOOR


def _shifted(
    ruler: Ruler, earlier: Tally, later: Tally, index: int, p_value: float
) -> DriftFinding:
    name, bins = ruler.columns[index]
    table = _columns(ruler, earlier, later)[index]
    before, after = _without_rare_bins(table)
    size = float(stability_indices(before, after, np.zeros(1, dtype=np.int64))[0])
    shares = table / table.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    subject = f"Feature {name!r} has" if index else "The scores have"
    sentence = (
        f"{subject} moved (population stability index {size:.2f}, limit {STABILITY_FLOOR}), most at "
        f"{bins.label(most)}: {shares[0, most]:.1%} of the cases before, {shares[1, most]:.1%} now."
    )
    return DriftFinding("feature" if index else "score", name, p_value, size, sentence)


def _changed(zone: str, change: RateChange, p_value: float) -> DriftFinding:
    moved = "rose" if change.later > change.earlier else "fell"
    sentence = (
        f"The share of {change.of} cases in the {zone} zone {moved} from {change.earlier:.2%} to "
        f"{change.later:.2%} (factor {change.ratio:.2f}, 95 % interval {change.low:.2f} to {change.high:.2f})."
    )
    return DriftFinding("risk", zone, p_value, change.ratio, sentence)
