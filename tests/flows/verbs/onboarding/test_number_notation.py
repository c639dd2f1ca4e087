"""How numbers are written is guessed where cells settle it, and asked for all columns at once where not."""

from __future__ import annotations

import pandas as pd
import pytest

from configs.errors import UserError
from flows.verbs.onboarding.number_notation import (
    Notation,
    carried_over,
    in_other_money,
    notations_in,
    stated_notations,
)


def table(**columns: list[str | None]) -> pd.DataFrame:
    """Twenty rows, the cells again and again."""
    return pd.DataFrame(
        {name: pd.Series((cells * 20)[:20], dtype="str") for name, cells in columns.items()}
    )


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands", "unit", "first"),
    [
        (["€21,080.42", "€3.10"], ".", ",", "€", 21080.42),
        (["15.0%", "7.25%"], ".", "", "%", 15.0),
        (["1.320,50", "17,00"], ",", ".", "", 1320.5),
        (["1 320,5 EUR", "17 EUR"], ",", " ", "EUR", 1320.5),
        (["12,5", "3,25"], ",", "", "", 12.5),
        (["1,234", "0,123"], ",", "", "", 1.234),  # nobody writes a nought before thousands
        (["1,234,567", "1,234"], ".", ",", "", 1234567.0),
        (["-$5.00", "$1,200.00", "N/A", None], ".", ",", "$", -5.0),
        (["1'234.50", "3"], ".", "'", "", 1234.5),
    ],
)
def test_one_way_of_writing_is_guessed(
    cells: list[str | None], decimal: str, thousands: str, unit: str, first: float
) -> None:
    """The cells fit it, and mean one number by it."""
    rows = table(x=cells)
    found = notations_in(rows, {})
    assert found.of == {"x": Notation(decimal, thousands, unit)}
    assert found.plainly(rows)["x"].iloc[0] == first
    assert len(list(found.told())) == 1


@pytest.mark.parametrize(
    "cells",
    [
        ["1320.5", "-1e3"],  # plain
        ["DE", "FR"],  # words
        ["30/11/2025 14:05", "01.12.2025"],  # moments
        ["1,2,3", "red"],  # lists, more or less
    ],
)
def test_what_needs_no_word_gets_none(cells: list[str | None]) -> None:
    """Plain numbers, words and moments."""
    found = notations_in(table(x=cells), {})
    assert (found.of, found.unread) == ({}, ())


def test_two_units_in_a_column_are_no_notation() -> None:
    """Euros and dollars are no numbers to compare."""
    found = notations_in(table(x=["€3.10", "$4.20"]), {})
    assert (found.of, found.unread) == ({}, ("x",))


def test_all_columns_that_can_be_read_in_two_ways_are_asked_at_once() -> None:
    """1,234 is 1234 or 1.234: each column with both examples, and no cell in the message."""
    rows = table(paid=["8,712", "950"], debt=["7,431 EUR", "20 EUR"], sure=["1,200.50", "3"])
    with pytest.raises(UserError) as refused:
        notations_in(rows, {})
    said = str(refused.value)
    assert "2 columns hold numbers that can be read in two ways" in said
    for name in ("paid", "debt"):
        assert f"--numbers '{name}'=1,234.56" in said
        assert f"--numbers '{name}'=1234,56" in said
    assert "sure" not in said
    assert "8,712" not in said
    stated = stated_notations(["paid=1,234.56", "debt=1234,56"])
    found = notations_in(rows, stated)
    assert found.of == {
        "paid": Notation(".", ",", ""),
        "debt": Notation(",", "", "EUR"),  # the unit is in the cells
        "sure": Notation(".", ",", ""),
    }
    assert found.guessed == ("sure",)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("x", "is no COLUMN=EXAMPLE"),
        ("x=1,234", "is no COLUMN=EXAMPLE"),
        ("x=1,234,56", "is no COLUMN=EXAMPLE"),
        ("x=21234.56", "is no COLUMN=EXAMPLE"),
        ("y=1,234.56", "which the table does not have; it has x"),
        ("x=1234.56", "too many of its cells are not written so"),
    ],
)
def test_an_example_that_does_not_fit_is_refused(option: str, said: str) -> None:
    """With what would work."""
    with pytest.raises(UserError, match=r"--numbers") as refused:
        notations_in(table(x=["1.320,50", "17,00"]), stated_notations([option]))
    assert said in str(refused.value)


def test_another_table_is_written_as_the_main_one_or_as_its_own_cells_show() -> None:
    """The main table's way settles what is unclear; plain cells under a decimal comma stay plain."""
    main = notations_in(table(a=["1.320,50"], b=["1.320,50"], c=["5%"]), {})
    other = table(a=["1.234"], b=["1234.5"], c=["7 %"], d=["$3.00"])
    assert carried_over(main, other).of == {
        "a": Notation(",", "."),
        "c": Notation(unit="%"),
        "d": Notation(unit="$"),
    }


@pytest.mark.parametrize(
    ("name", "unit", "money"),
    [
        ("amount", "€", "€"), ("amount", "$", None), ("amount", "USD", None), ("amount", "", None),
        ("amount_eur", "", "EUR"), ("European_amount", "", None),
    ],
)  # fmt: skip
def test_money_that_is_not_dollars_is_known_by_its_unit_or_its_name(
    name: str, unit: str, money: str | None
) -> None:
    """Costs and limits are in US dollars."""
    assert in_other_money(name, Notation(unit=unit)) == money
