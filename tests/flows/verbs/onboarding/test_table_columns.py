"""What a column seems to hold is told from its name and its cells, and a leak is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.adapters.tables.column_names import words_of
from flows.verbs.onboarding.table_columns import look_at

ROWS = 200
DRAW = np.random.default_rng(3)
BAD = (np.arange(ROWS) % 4 == 0).astype(float)


def column(cells: list[object]) -> pd.Series:
    """The cells again and again, as many rows as the label has."""
    return pd.Series((cells * ROWS)[:ROWS])


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("amount", pd.Series(DRAW.normal(50, 9, ROWS).round(2)), "numeric"),
        ("amount", pd.Series(DRAW.normal(50, 9, ROWS).round(2).astype(str)), "numeric"),
        ("tries", column([0, 1, 2, 5]), "numeric"),
        ("vip", column(["yes", "no", "no", None]), "boolean"),
        ("vip", column([1, 0, 0]), "boolean"),
        ("vip", column([True, False]), "boolean"),
        ("country", column(["DE", "NA", "FR"]), "categorical"),
        ("zip", column(["01069", "10115", "99084"]), "categorical"),
        ("mcc", column([5411, 5812, 7995]), "categorical"),
    ],
)
def test_kinds_are_told_from_the_cells(name: str, values: pd.Series, kind: str) -> None:
    """Text as CSV brings it, and types as Parquet does."""
    assert look_at(name, values, DRAW.integers(0, 2, ROWS).astype(float)).kind == kind


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("customer_id", column(["C1", "C2", "C3"] + [f"C{n}" for n in range(40)]), "an id, by its name"),
        ("row", pd.Series(range(ROWS)), "never repeat"),
        ("token", pd.Series([f"t{n}" for n in range(ROWS)]), "never repeat"),
        ("currency", column(["USD"]), "one value"),
        ("note", pd.Series([f"He said that case {n % 90} was quite odd" for n in range(ROWS)]), "free text"),
        ("shop", pd.Series([f"shop {n % 90}" for n in range(ROWS)]), "90 levels"),
        ("closed", column(["2026-01-05 10:00:00", "2026-01-06T11:00:00Z"]), "moments"),
        ("closed", column(["03/04/2026", "17.12.2025"]), "moments"),
        ("nothing", column([None]), "empty"),
        ("price", column(["1.320,50", "17,00", "3,20"]), "thousands"),
        ("score", pd.Series(DRAW.random(ROWS)), "a column of ours"),
        ("phi_x", pd.Series(DRAW.random(ROWS)), "a column of ours"),
        ("steps", column([["a"], ["b"]]), "lists"),
    ],
)  # fmt: skip
def test_what_is_left_out_says_why(name: str, values: pd.Series, why: str) -> None:
    """Ids, constants, free text, moments, names that are taken: none is a feature."""
    found = look_at(name, values, BAD)
    assert found.kind is None
    assert why in found.why


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(BAD * 10 + DRAW.random(ROWS)),
        pd.Series(-(BAD * 10 + DRAW.random(ROWS))),
        pd.Series(np.where(BAD == 1, "loss", "fine")),
        pd.Series(np.where(BAD == 1, "stolen card", None)),
        pd.Series(np.where(BAD == 1, 7.0 + DRAW.integers(0, 5, ROWS), np.nan)),
    ],
)
def test_a_copy_of_the_label_is_a_leak(values: pd.Series) -> None:
    """Either way round, as words, and where only one side is filled in."""
    found = look_at("closed_as", values, BAD)
    assert found.kind is None
    assert (found.leak or 0) >= 0.99 or "one value" in found.why


def test_a_strong_but_honest_feature_stays() -> None:
    """Three standard deviations apart is an AUC of 0.98, and no copy."""
    values = pd.Series(BAD * 3 + np.random.default_rng(5).normal(size=ROWS))
    assert look_at("signal", values, BAD).kind == "numeric"


@pytest.mark.parametrize(("bad_rows", "leaks"), [(4, False), (5, True)])
def test_few_bad_rows_show_a_leak_only_without_any_error(bad_rows: int, leaks: bool) -> None:
    """Four bad rows may come first by chance; five of 200 do so in one of 2.5 billion columns."""
    bad = np.zeros(ROWS)
    bad[:bad_rows] = 1.0
    values = pd.Series(bad * 5 + DRAW.random(ROWS))
    assert (look_at("signal", values, bad).leak is not None) is leaks
    values.iloc[-1] = 7.0
    assert look_at("signal", values, bad).leak is None


def test_rare_levels_are_no_leak() -> None:
    """Forty levels of five rows repeat the label of their rows by chance alone where rows are few."""
    draw = np.random.default_rng(11)
    bad = (draw.random(ROWS) < 0.05).astype(float)
    assert look_at("shop", pd.Series([f"s{n % 45}" for n in range(ROWS)]), bad).leak is None


def test_words_of_a_name() -> None:
    """However it is written."""
    assert (
        words_of("TxAmount") == words_of("TX_AMOUNT") == words_of("tx-amount") == ["tx", "amount"]
    )
