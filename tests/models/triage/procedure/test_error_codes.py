"""Is an excess of errors under one code or in one group found, however people mark?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.triage.procedure.error_codes import find_code_excess, find_group_excess


def sure_and_doubtful(errors: dict[str, int]) -> tuple[pd.Series, np.ndarray, np.ndarray]:
    """1,000 cases sure at .01 (10 errors expected), 200 doubtful at .3; errors are sure ones."""
    expected = np.repeat([0.01, 0.3], [1_000, 200])
    codes = [code for code, count in errors.items() for _ in range(count)]
    wrong = np.arange(1_200) < len(codes)
    return pd.Series([*codes, *[None] * (1_200 - len(codes))], dtype="str"), wrong, expected


def test_more_sure_errors_with_one_code_than_of_all_kinds_expected() -> None:
    """40 errors say so where 10 of all kinds are expected; by hand, Poisson and Garwood."""
    code, wrong, expected = sure_and_doubtful({"sop_gap": 40, "other": 8})
    (found,) = find_code_excess(code, wrong, expected)
    assert (found.code, found.errors, found.errors_there) == ("sop_gap", 40, 40)
    assert (found.at_most, found.expected_there) == (0.02, pytest.approx(10.0))
    assert found.p_value == pytest.approx(4 * stats.poisson.sf(39, 1.5 * 10.0))
    assert found.ratio == pytest.approx(4.0)
    # The exact limits of a count: as few, or as many, have a chance of 2.5 %.
    assert stats.poisson.sf(39, found.low * 10.0) == pytest.approx(0.025)
    assert stats.poisson.cdf(40, found.high * 10.0) == pytest.approx(0.025)


def test_errors_that_the_model_expects_make_no_code_a_finding() -> None:
    """60 doubtful errors of 60 expected, all of one code: reviewers explain errors somehow."""
    expected = np.full(200, 0.3)
    wrong = np.arange(200) < 60
    code = pd.Series(np.where(wrong, "sop_gap", None), dtype="str")
    assert find_code_excess(code, wrong, expected, bins=(0.5,)) == []


def test_the_careless_share_of_a_found_cause_is_no_second_finding() -> None:
    """One in five of 200 misread cases is marked otherwise; with 100 so marked it is a finding."""
    code, wrong, expected = sure_and_doubtful({"sop_gap": 160, "overweighted": 40})
    assert [found.code for found in find_code_excess(code, wrong, expected)] == ["sop_gap"]
    code, wrong, expected = sure_and_doubtful({"sop_gap": 160, "overweighted": 100})
    both = find_code_excess(code, wrong, expected)
    assert [found.code for found in both] == ["sop_gap", "overweighted"]
    assert both[1].p_value == pytest.approx(4 * stats.poisson.sf(99, 15.0 + 0.25 * 160))


def test_codes_of_right_decisions_are_not_looked_at() -> None:
    """A code on a thousand right cases is no error."""
    code, wrong, expected = sure_and_doubtful({"other": 5})
    assert find_code_excess(code.fillna("agreed"), wrong, expected) == []


def test_too_few_errors_carry_no_finding() -> None:
    """19 where 20 are asked for, 20 where 20 are, of a quarter expected."""
    expected = np.full(1_000, 0.00025)
    for errors, findings in ((19, 0), (20, 1)):
        wrong = np.arange(1_000) < errors
        code = pd.Series(np.where(wrong, "sop_gap", None), dtype="str")
        assert len(find_code_excess(code, wrong, expected)) == findings


def test_no_way_of_marking_makes_a_finding_of_expected_errors() -> None:
    """Simulated: errors as expected, all of one code or of two by how sure they are; 400 runs.

    The promise is .05; with half as many errors again tolerated it is hardly ever touched, so a
    ratio of 1 is asked for here. Tolerance: three standard errors of .05 in 400 runs.
    """
    rng = np.random.default_rng(11)
    false = 0
    for _ in range(400):
        expected = rng.beta(0.4, 4.0, 1_500)
        wrong = rng.random(1_500) < expected
        code = pd.Series(np.where(expected < 0.06, "sure", "doubtful"), dtype="str")
        alone = pd.Series(["one"] * 1_500, dtype="str")
        marks = code if rng.random() < 0.5 else alone
        false += bool(find_code_excess(marks, wrong, expected, least_ratio=1.0, fewest_errors=1))
    assert false / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_order_of_rows_nor_index_changes_a_finding(seed: int) -> None:
    """Codes and groups alike."""
    code, wrong, expected = sure_and_doubtful({"sop_gap": 50, "other": 9})
    group = pd.Series(np.arange(1_200) % 60 < 3).map({True: "KYC-14", False: None}).astype("str")
    group[:50] = "KYC-14"
    order = np.random.default_rng(seed).permutation(1_200)
    for find, marks in ((find_code_excess, code), (find_group_excess, group)):
        here = find(marks, wrong, expected)  # type: ignore[operator]
        there = find(marks.iloc[order], wrong[order], expected[order])  # type: ignore[operator]
        assert len(here) == 1
        assert str(here) == str(there) or here[0].p_value == pytest.approx(there[0].p_value)


def test_a_clause_with_more_than_its_share_is_found_and_so_is_none() -> None:
    """Errors at twice and more the rate of others, by hand; null is a group of its own."""
    expected = np.full(3_000, 0.05)
    clause = np.repeat(["KYC-11", "KYC-14", ""], 1_000)
    for guilty in ("KYC-14", ""):
        rate = np.where(clause == guilty, 0.2, 0.05)
        wrong = (np.arange(3_000) % 100) < 100 * rate
        group = pd.Series(clause, dtype="str").replace("", None)
        (found,) = find_group_excess(group, wrong, expected)
        assert found.group == (guilty or None)
        assert (found.cases, found.errors) == (1_000, 200)
        assert found.expected == pytest.approx(50.0)
        assert found.ratio == pytest.approx(0.2 / 0.05)
        share = 1.5 * 50 / (1.5 * 50 + 100)
        assert found.p_value == pytest.approx(stats.binom.sf(199, 200 + 100, share))


def test_groups_without_an_excess_or_without_errors_are_not_found() -> None:
    """All alike, one group only, and no case at all."""
    expected, wrong = np.full(600, 0.1), np.arange(600) % 10 == 0
    alike = pd.Series(np.repeat(["a", "b", "c"], 200))
    assert find_group_excess(alike, wrong, expected) == []
    assert find_group_excess(pd.Series(["a"] * 600), wrong, expected) == []
    nothing = pd.Series([], dtype="str")
    none = np.zeros(0)
    assert find_group_excess(nothing, none.astype(bool), none) == []
    assert find_code_excess(nothing, none.astype(bool), none) == []


def test_shapes_and_bins_that_make_no_sense_are_refused() -> None:
    """Named, with what was given."""
    code, wrong, expected = sure_and_doubtful({"sop_gap": 40})
    with pytest.raises(ValueError, match="one value a case"):
        find_group_excess(code[:5], wrong, expected)
    for bins in ((), (0.1, 1.5)):
        with pytest.raises(ValueError, match="bins must lie in"):
            find_code_excess(code, wrong, expected, bins=bins)
