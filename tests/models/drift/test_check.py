"""Is the evidence still one population?"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.comparison import slices
from models.drift import Sample, check_drift
from models.drift.check import FEWEST_ROWS, _without_rare_bins, p_values, stability_indices
from models.drift.multiple_testing import discoveries, holm
from models.drift.tally import Ruler
from models.triage.procedure import error_codes
from tests.models.drift.samples import window


def plain(values: object, rows: int = 400, name: str = "x") -> Sample:
    """A sample that differs from others in one feature alone: even scores, all reviewed."""
    scores = (np.arange(rows) + 0.5) / rows
    bad = (np.arange(rows) % 2).astype(float)
    return Sample(scores, pd.DataFrame({name: values}, index=range(rows)), bad, np.ones(rows))


def test_one_population_is_quiet() -> None:
    """The same simulated source twice: ten tests were made and none found anything."""
    generator = np.random.default_rng(3)
    verdict = check_drift(window(generator, 4_000), window(generator, 3_000))
    assert verdict.quiet
    assert verdict.findings == ()
    assert verdict.tested == 1 + 5 + 3  # score, features, zones


def test_false_alarms_stay_below_alpha_without_the_floor_on_size() -> None:
    """Quantile bins come from one of the samples; the p-values hold all the same.

    300 simulated pairs, each test by itself at .05: no test rejects more often than the 99.9 %
    binomial limit for .05, and all together they reject about as often as they should.
    """
    generator = np.random.default_rng(11)
    rejected = np.zeros(9)
    for _ in range(300):
        a, b = window(generator, 900), window(generator, 500)
        rejected += raw_p_values(a, b) <= 0.05
    assert (rejected <= stats.binom.ppf(0.999, 300, 0.05)).all()
    assert 0.03 < rejected.sum() / (300 * 9) < 0.06


def test_false_alarms_of_the_whole_check_stay_at_alpha() -> None:
    """250 simulated pairs at alpha .05: alarms within the 99 % binomial limit."""
    generator = np.random.default_rng(12)
    alarms = sum(
        not check_drift(window(generator, 700), window(generator, 300), alpha=0.05).quiet
        for _ in range(250)
    )
    assert alarms <= stats.binom.ppf(0.99, 250, 0.05)


@pytest.mark.parametrize(
    ("change", "kind", "what"),
    [
        ({"shift": 0.5}, "feature", "amount"),
        ({"new_level": 0.06}, "feature", "country"),
        ({"missing": 0.2}, "feature", "age"),
        ({"miss_factor": 3.0}, "risk", "pass"),
    ],
)
def test_a_planted_change_is_found_and_named(
    change: dict[str, float], kind: str, what: str
) -> None:
    """Ten simulated pairs of 4,000 cases: found in nine or more, and nothing else with it."""
    generator = np.random.default_rng(5)
    found = [
        check_drift(window(generator, 4_000), window(generator, 4_000, **change)).findings
        for _ in range(10)
    ]
    named = [[(one.kind, one.what) for one in findings] for findings in found]
    assert sum(names == [(kind, what)] for names in named) >= 9


def test_what_is_significant_but_small_stays_quiet() -> None:
    """A shift of .05 standard deviations in 200,000 cases: p is tiny, and nobody should act on it."""
    generator = np.random.default_rng(6)
    a, b = window(generator, 100_000), window(generator, 100_000, shift=0.05)
    assert raw_p_values(a, b)[1] < 1e-6
    assert check_drift(a, b).quiet


def test_a_risk_that_rose_by_less_than_the_floor_stays_quiet() -> None:
    """4 % to 4.6 % bad among the passed is surely a rise; its interval does not clear 1.25."""
    generator = np.random.default_rng(7)
    a = window(generator, 60_000, audit=1.0)
    b = window(generator, 60_000, audit=1.0, miss_factor=1.15)
    assert raw_p_values(a, b)[6] < 0.001
    assert check_drift(a, b).quiet


def test_scores_that_moved_are_found() -> None:
    """Even scores against scores squared."""
    a = plain(0.0)
    b = Sample(a.scores**2, a.features, a.bad, a.propensity)
    kinds = [one.kind for one in check_drift(a, b).findings]
    assert kinds == ["score"]


@pytest.mark.parametrize("rows", [0, FEWEST_ROWS - 1])
def test_too_few_cases_are_not_judged(rows: int) -> None:
    """A constant 1 becomes a constant 2, but in 199 cases at most."""
    verdict = check_drift(plain(1.0), plain(2.0, rows))
    assert (verdict.quiet, verdict.too_few_to_judge, verdict.tested) == (True, True, 0)


def test_a_constant_that_changes_is_found_whatever_its_type() -> None:
    """A number, a flag and a category that never varied, until they did."""
    for before, after in ((1.0, 2.0), (True, False), ("a", "b"), (3, None)):
        verdict = check_drift(plain(before), plain(after))
        assert [one.what for one in verdict.findings] == ["x"], (before, after)


def test_the_sentence_says_where_the_change_is() -> None:
    """A fifth of the ages goes missing."""
    ages = np.tile(np.arange(40.0), 10)
    gone = np.where(np.arange(400) % 5 == 0, np.nan, ages)
    (finding,) = check_drift(plain(ages), plain(gone)).findings
    assert "Feature 'x' has moved" in finding.sentence
    assert "missing: 0.0% of the cases before, 20.0% now" in finding.sentence


def test_storage_of_a_column_is_no_drift() -> None:
    """Flags as bool, nullable boolean and 0/1; levels as text and as category."""
    flags = np.arange(400) % 3 == 0
    text = pd.Series(np.where(flags, "a", "b"), dtype="str")
    for before, after in (
        (flags, pd.array(flags, dtype="boolean")),
        (flags, flags.astype(np.int64)),
        (flags.astype(float), pd.array(flags.astype(int), dtype="Int64")),
        (text, text.astype("category")),
    ):
        assert check_drift(plain(before), plain(after)).quiet


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_the_p_values_and_bonferroni_and_keeps_their_order(
    p_values: list[float],
) -> None:
    """Adjusted values are never below the given ones nor above their number times them."""
    given_values = np.array(p_values)
    adjusted = holm(given_values)
    assert (adjusted >= given_values).all()
    assert (adjusted <= np.minimum(given_values * len(p_values), 1.0)).all()
    assert (np.diff(adjusted[np.argsort(given_values, kind="stable")]) >= 0).all()


def test_holm_of_three_known_p_values() -> None:
    """.01 x 3, then .02 x 2, then .04, none below the one before."""
    assert holm(np.array([0.04, 0.01, 0.02])) == pytest.approx([0.04, 0.03, 0.04])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12))
def test_the_stability_index_is_symmetric_finite_and_zero_for_equal_histograms(
    pairs: list[tuple[int, int]],
) -> None:
    """Empty bins included; of several columns each has the index it has by itself."""
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    begins = np.zeros(1, dtype=np.int64)
    (index,) = stability_indices(a, b, begins)
    assert stability_indices(b, a, begins) == pytest.approx(index)
    assert np.isfinite(index)
    assert index >= -1e-12
    assert stability_indices(a, a, begins) == 0.0
    c, d, twice = np.arange(3), np.arange(3)[::-1], np.array([0, len(a)])
    alone = stability_indices(c, d, begins)[0]
    both = stability_indices(np.append(a, c), np.append(b, d), twice)
    assert both == pytest.approx([index, alone])


def test_the_stability_index_of_two_known_histograms() -> None:
    """Half a case added: shares 10.5/21 and 5.5/21, then the other way round for the second bin."""
    (index,) = stability_indices(np.array([10, 10]), np.array([5, 15]), np.zeros(1, dtype=int))
    first, second = (5.5 - 10.5) / 21 * np.log(5.5 / 10.5), (15.5 - 10.5) / 21 * np.log(15.5 / 10.5)
    assert index == pytest.approx(first + second)


def test_many_rare_levels_are_no_drift_by_chance_alone() -> None:
    """700 levels in 3,000 cases: the index of all of them is large, and nothing is found."""
    generator = np.random.default_rng(21)
    before, after = (plain(generator.integers(700, size=3_000).astype(str), 3_000) for _ in "ab")
    ruler = Ruler.laid_on(before)
    a, b = ruler.tally(before), ruler.tally(after)
    assert stability_indices(a.counts, b.counts, ruler.begins)[1] > 0.1
    assert check_drift(before, after, alpha=0.9).quiet


def test_samples_that_cannot_be_compared_are_refused_with_the_reason() -> None:
    """Another feature, another type, a stamp, an alpha that is none."""
    numbers = plain(np.arange(400.0))
    with pytest.raises(ValueError, match="only one of them has 'x', 'y'"):
        check_drift(numbers, plain(np.arange(400.0), name="y"))
    with pytest.raises(ValueError, match="holds numbers in one sample and str"):
        check_drift(numbers, plain(pd.Series(["a"] * 400, dtype="str")))
    stamped = plain(pd.Series(pd.date_range("2026-01-01", periods=400, tz="UTC")))
    with pytest.raises(ValueError, match="numbers, flags and categories"):
        check_drift(stamped, stamped)
    with pytest.raises(ValueError, match="different boundaries"):
        check_drift(numbers, window(np.random.default_rng(1), 300))
    with pytest.raises(ValueError, match="between 0 and 1"):
        check_drift(numbers, numbers, alpha=1.0)


def raw_p_values(earlier: Sample, later: Sample) -> np.ndarray:
    """One p-value a test before any correction or floor."""
    ruler = Ruler.laid_on(earlier)
    return p_values(ruler, ruler.tally(earlier), ruler.tally(later))


def test_counts_of_32_bits_do_not_overflow() -> None:
    """1.5 billion cases a bin: their sum has no place in 32 bits, and the index says nothing moved."""
    many = np.array([1_500_000_000, 1_500_000_000, 700_000_000])
    moved = np.array([1_500_000_000, 700_000_000, 1_500_000_000])
    begins = np.zeros(1, dtype=np.int64)
    for later in (many, moved):
        narrow = stability_indices(many.astype(np.int32), later.astype(np.int32), begins)
        assert narrow == pytest.approx(stability_indices(many, later, begins))
    assert stability_indices(many.astype(np.int32), moved.astype(np.int32), begins) > 0.1


def test_bins_too_rare_for_chi_square_are_put_together_by_the_smaller_sample() -> None:
    """A tenth as many cases later: what they expect of a bin counts, not what the many do."""
    table = np.array([[900, 900, 30, 20], [90, 90, 3, 2]])
    assert _without_rare_bins(table).tolist() == [[900, 900, 50], [90, 90, 5]]


def test_many_new_levels_are_told_together() -> None:
    """60 levels of 6 cases each that were never seen, and 82 % of the cases as before."""
    before = plain(np.repeat(["a", "b"], 1_000), 2_000)
    new = np.array([f"new{number}" for number in range(60)])
    after = plain(np.concatenate([np.repeat(["a", "b"], 820), np.repeat(new, 6)]), 2_000)
    found = check_drift(before, after)
    assert [one.what for one in found.findings if one.kind == "feature"] != []


def test_rare_bins_that_both_samples_fill_are_not_thrown_away() -> None:
    """Levels seen once or twice before make up a fifth of the cases now."""
    rare = [f"level{number}" for number in range(40)]
    before = plain(np.array(["a"] * 1_940 + rare + rare[:20]), 2_000)
    after = plain(np.array(["a"] * 1_640 + rare * 9), 2_000)
    found = check_drift(before, after)
    assert [one.what for one in found.findings if one.kind == "feature"] != []


@pytest.mark.parametrize(("p_values", "rate", "found"), [
    ([0.03, 0.5, 0.01, 0.9, 0.02], 0.05, 3),
    ([0.1, 0.1, 0.1], 0.1, 3),
    ([0.05], 0.05, 1),
    ([0.0125, 0.0375, 0.025, 0.06], 0.05, 3),
    ([0.05 / 7 * k for k in range(1, 8)], 0.05, 7),
    ([0.0501], 0.05, 0),
    ([], 0.05, 0),
])  # fmt: skip
def test_a_p_value_on_benjamini_and_hochbergs_line_is_a_discovery(
    p_values: list[float], rate: float, found: int
) -> None:
    """Exactly `rate * k / m`, whichever way its last digit is rounded."""
    assert int(discoveries(np.array(p_values), rate).sum()) == found


@pytest.mark.parametrize("module", [error_codes, slices])
def test_there_is_one_benjamini_and_hochberg(module: ModuleType) -> None:
    """Two versions differed where a p-value lay on the line."""
    assert module.discoveries is discoveries  # type: ignore[attr-defined]
