"""Are slices with too many errors found, named readably, and only they?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.triage.procedure.error_slices import SliceReport, find_error_slices
from models.triage.procedure.slice_conditions import Relation, SliceCondition, text_of

ROWS = 6_000


def world(seed: int = 0, rows: int = ROWS) -> tuple[pd.DataFrame, np.ndarray, np.random.Generator]:
    """Columns without meaning, and probabilities of error between 1 % and 30 %."""
    rng = np.random.default_rng(seed)
    columns = pd.DataFrame(
        {
            "age_minutes": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(60.0, rows)),
            "attempts": rng.poisson(2.0, rows),
            "country_changed": rng.random(rows) < 0.15,
            "channel": pd.Series(rng.choice(["app", "web", "api"], rows), dtype="str"),
        }
    )
    return columns, rng.uniform(0.01, 0.3, rows) ** 1.5, rng


def drawn(expected: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Errors: as expected outside, in half of the cases inside."""
    return rng.random(len(expected)) < np.where(inside, 0.5, expected)


@pytest.mark.parametrize(
    ("text", "select"),
    [
        ("country_changed=true", lambda c: c["country_changed"]),
        ("channel=api", lambda c: c["channel"] == "api"),
        ("age_minutes is missing", lambda c: c["age_minutes"].isna()),
        ("attempts>3.5", lambda c: c["attempts"] > 3),
    ],
)
def test_one_planted_pattern_is_one_finding(text: str, select: object) -> None:
    """A boolean, a level, a missing value, a number: each named as people would."""
    columns, expected, rng = world()
    inside = np.asarray(select(columns), dtype=bool)  # type: ignore[operator]
    wrong = drawn(expected, inside, rng)
    report = find_error_slices(columns, wrong, expected)
    assert [found.slice for found in report.findings] == [text]
    found = report.findings[0]
    assert np.array_equal(found.holds(columns), inside)
    assert (found.cases, found.errors) == (inside.sum(), (inside & wrong).sum())
    assert found.expected == pytest.approx(expected[inside].sum())
    assert 1.5 < found.low < found.ratio < found.high
    assert not found.configured


def test_two_conditions_together_are_found_as_such() -> None:
    """Errors where the country changed in a young session, not in either alone."""
    columns, expected, rng = world(3)
    inside = (columns["country_changed"] & (columns["age_minutes"] <= 40.0)).to_numpy()
    report = find_error_slices(columns, drawn(expected, inside, rng), expected)
    assert len(report.findings) == 1
    found = report.findings[0]
    assert found.columns == ("age_minutes", "country_changed")
    assert found.slice.startswith("age_minutes<=")
    assert found.slice.endswith(" and country_changed=true")
    same = (found.holds(columns) & inside).sum() / (found.holds(columns) | inside).sum()
    assert same > 0.9  # the threshold is an estimate from half the cases


def test_a_configured_column_is_tested_on_all_cases() -> None:
    """With one stratum of expected probability, by hand: binomial given all errors."""
    columns, _, rng = world(1)
    expected = np.full(ROWS, 0.04)
    inside = (columns["channel"] == "web").to_numpy()
    wrong = rng.random(ROWS) < np.where(inside, 0.12, 0.04)
    report = find_error_slices(columns, wrong, expected, configured=["channel"])
    assert [(f.slice, f.configured) for f in report.findings] == [("channel=web", True)]
    found = report.findings[0]
    at_most = 1.5 * inside.sum() / (1.5 * inside.sum() + (~inside).sum())
    assert found.p_value == pytest.approx(
        stats.binom.sf((wrong & inside).sum() - 1, wrong.sum(), at_most)
    )
    assert found.ratio == pytest.approx(wrong[inside].mean() / wrong[~inside].mean())


def test_errors_as_expected_or_everywhere_too_many_make_no_finding() -> None:
    """Simulated nulls, perfect and twice too many everywhere: none in 2 x 10 runs."""
    found = 0
    for seed in range(10):
        columns, expected, rng = world(100 + seed, 4_000)
        for factor in (1.0, 2.0):
            wrong = rng.random(4_000) < factor * expected
            report = find_error_slices(columns, wrong, expected, configured=["channel"], seed=seed)
            found += len(report.findings)
    assert found == 0


def test_two_planted_patterns_are_two_findings() -> None:
    """The second tree sees what the first one's slice hid."""
    columns, expected, rng = world(4, 12_000)
    api, many = columns["channel"] == "api", columns["attempts"] > 4
    wrong = drawn(expected, (api | many).to_numpy(), rng)
    report = find_error_slices(columns, wrong, expected)
    assert {found.slice for found in report.findings} == {"channel=api", "attempts>4.5"}


def test_too_few_errors_are_no_finding() -> None:
    """Twelve errors where one was expected, in a configured slice of twelve cases."""
    columns = pd.DataFrame({"clerk": ["a"] * 12 + ["b"] * 1_000})
    expected, wrong = np.full(1_012, 0.05), np.zeros(1_012, dtype=bool)
    wrong[:12], wrong[12:60] = True, True
    few, enough = (
        find_error_slices(columns, wrong, expected, configured=["clerk"], fewest_errors=n).findings
        for n in (20, 12)
    )
    assert few == ()
    assert [(found.slice, found.errors) for found in enough] == [("clerk=a", 12)]


def test_what_cannot_be_judged_is_named_with_its_reason() -> None:
    """Constant, all missing, too many levels, dates, a configured number; nothing crashes."""
    columns, expected, rng = world(2, 500)
    columns = columns.assign(
        one=1.0,
        nothing=np.nan,
        ident=[f"case {i}" for i in range(500)],
        day=pd.Timestamp("2026-01-05"),
        copy=columns["attempts"],
        endless=np.where(columns["attempts"] > 2, np.inf, -np.inf),
        maybe=pd.array([True, None] * 250, dtype="boolean"),
        mixed=pd.Series([True, None] * 250, dtype=object),
    )
    report = find_error_slices(
        columns, rng.random(500) < expected, expected, configured=["age_minutes", "one"]
    )
    why = dict(report.not_judged)
    assert set(why) == {"one", "nothing", "ident", "day", "age_minutes"}
    assert why["one"] == "constant"
    assert why["nothing"] == "all missing"
    assert why["ident"].startswith("500 levels, more than 50")
    assert why["day"] == "holds neither numbers, booleans nor text"
    assert why["age_minutes"].endswith("values, more than 50; group them first")


@pytest.mark.parametrize("errors", [0, 1, 400])
def test_no_error_or_nothing_but_errors_make_no_finding(errors: int) -> None:
    """Nothing to compare with."""
    columns, expected, _ = world(2, 400)
    wrong = np.arange(400) < errors
    assert find_error_slices(columns, wrong, expected, configured=["channel"]).findings == ()


def test_an_empty_table_has_no_findings() -> None:
    """No labelled case yet."""
    columns, _, _ = world(0, 0)
    empty = np.zeros(0)
    assert find_error_slices(columns, empty.astype(bool), empty).findings == ()


def test_cases_in_which_the_error_cannot_happen_change_nothing() -> None:
    """A false positive needs a recommendation to block: other cases count in `cases` alone."""
    columns, expected, rng = world()
    wrong = drawn(expected, columns["country_changed"].to_numpy(), rng)
    twice = pd.concat([columns, columns], ignore_index=True)
    some = find_error_slices(columns, wrong, expected)
    more = find_error_slices(
        twice, np.append(wrong, np.zeros(ROWS, dtype=bool)), np.append(expected, np.zeros(ROWS))
    )
    assert [(f.slice, f.p_value, f.errors) for f in some.findings] == [
        (f.slice, f.p_value, f.errors) for f in more.findings
    ]
    assert more.findings[0].cases == 2 * some.findings[0].cases


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    """Not even the half on which slices are looked for."""
    columns, expected, rng = world(7, 2_000)
    wrong = drawn(expected, columns["country_changed"].to_numpy(), rng)
    order = np.random.default_rng(seed).permutation(2_000)

    def told(report: SliceReport) -> list[tuple[object, ...]]:
        return [
            (f.slice, f.cases, f.errors, round(f.expected, 9), round(f.ratio, 9))
            for f in report.findings
        ]

    here = find_error_slices(columns, wrong, expected, configured=["channel"])
    there = find_error_slices(
        columns.iloc[order], wrong[order], expected[order], configured=["channel"]
    )
    assert told(here) == told(there)
    assert len(here.findings) == 1


def test_a_finding_selects_rows_of_other_tables_and_refuses_those_without_its_columns() -> None:
    """Levels may be fewer there, and rows missing."""
    columns, expected, rng = world()
    wrong = drawn(expected, (columns["channel"] == "api").to_numpy(), rng)
    found = find_error_slices(columns, wrong, expected).findings[0]
    later = pd.DataFrame({"channel": ["web", "api", None, "post"]})
    assert found.holds(later).tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match="needs column 'channel'"):
        found.holds(pd.DataFrame({"other": [1]}))


def test_conditions_read_as_people_write_them() -> None:
    """Thresholds keep four digits and no exponent; a missing value satisfies no comparison."""
    conditions = (
        SliceCondition("amount_usd", Relation.ABOVE, 12_340.0),
        SliceCondition("country", Relation.IS_NOT, "fr"),
        SliceCondition("age", Relation.KNOWN),
    )
    assert text_of(conditions) == "amount_usd>12340 and country!=fr and age is known"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"configured": ["nowhere"]}, "configured columns 'nowhere' are not among"),
        ({"columns": pd.DataFrame([[1, 2]] * 100, columns=["a", "a"])}, "share a name: a"),
        ({"wrong": np.zeros(3, dtype=bool)}, "one value a case"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(change: dict[str, object], says: str) -> None:
    """An unknown or doubled column, and shapes that do not fit."""
    columns, expected, rng = world(0, 100)
    call = {"columns": columns, "wrong": rng.random(100) < 0.1, "expected": expected} | change
    with pytest.raises(ValueError, match=says):
        find_error_slices(**call)  # type: ignore[arg-type]
