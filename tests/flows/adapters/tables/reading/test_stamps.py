"""Does a cell name the moment that its writer meant, and is no other one guessed?"""

import pandas as pd
import pytest

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.reading.stamps import in_utc
from flows.adapters.tables.reading_notes import Notes


def read(cells, **said):
    """(the moments as text, what was told)."""
    source = SourceSettings(name="desk", kind="outcomes", path="x", **said)
    notes = Notes("desk")
    found = in_utc(source, "opened_at", pd.Series(cells), notes)
    assert str(found.dtype) == "datetime64[us, UTC]"
    return found.dt.strftime("%Y-%m-%d %H:%M").tolist(), [str(one) for one in notes.told()]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2025-01-01 01:58:28+00", "2025-01-01 01:58"),  # COPY of PostgreSQL, DuckDB
        ("2025-01-01 01:58:28.5-03", "2025-01-01 04:58"),
        ("2025-01-01 01:58+0530", "2024-12-31 20:28"),
        ("2025-01-01 01:58:28 UTC", "2025-01-01 01:58"),
        ("2025-01-01T01:58:28Z", "2025-01-01 01:58"),
        ("20250101T015828Z", "2025-01-01 01:58"),
        ("2025/01/31 01:58", "2025-01-31 01:58"),  # the year first leaves one reading
        ("2025-01-31", "2025-01-31 00:00"),
        ("9999-12-31 00:00:00+00", "9999-12-31 00:00"),
    ],
)
def test_iso_in_the_ways_of_the_world(cell, moment):
    """Alone, and beside a stamp that is written another way."""
    assert read([cell]) == ([moment], [])
    assert read([cell, "2024-05-01 10:00:00"]) == ([moment, "2024-05-01 10:00"], [])


@pytest.mark.parametrize("cell", ["31/12/2024 10:00", "03/04/2024", "1.2.2024", "03-04-2024 10:00"])
def test_day_or_month_first_is_asked(cell):
    """Even where one cell could tell: the next one would not."""
    with pytest.raises(UserError, match="Does the day come first, or the month") as refused:
        read([cell, cell])
    assert cell not in str(refused.value).replace("03/04/2024", "", 1) or cell == "03/04/2024"


def test_day_or_month_first_is_said():
    """The same cell under either setting; the clock of twelve hours, too."""
    cells = ["03/04/2024 11:30 PM", "3.4.24 00:05", "03/04/2024 12:10 am"]
    by_day = ["2024-04-03 23:30", "2024-04-03 00:05", "2024-04-03 00:10"]
    by_month = ["2024-03-04 23:30", "2024-03-04 00:05", "2024-03-04 00:10"]
    assert read(cells, dates="dmy") == (by_day, [])
    assert read(cells, dates="mdy") == (by_month, [])
    assert read([20240131, 20240201], dates="ymd") == (["2024-01-31 00:00", "2024-02-01 00:00"], [])


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("epoch", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_numbers_count_what_the_source_says(epoch, factor, as_text):
    """1767225600 s are the start of 2026; without `epoch:` they are refused with the question."""
    cells = [1_767_225_600 * factor, 1_767_229_200 * factor]
    cells = [str(one) for one in cells] if as_text else cells
    assert read(cells, epoch=epoch) == (["2026-01-01 00:00", "2026-01-01 01:00"], [])
    with pytest.raises(UserError, match="Say `epoch: s`") as refused:
        read(cells)
    assert "17672" not in str(refused.value)


def test_what_is_no_moment_is_missing_and_counted():
    """Infinity, a word, a word for missing, the year 10000: each is told by its count."""
    sound = ["2024-05-01 10:00:00"] * 27
    moments, told = read([*sound, "infinity", "soon", "NULL", "9999-12-31 23:00:00-05"])
    assert pd.isna(moments).sum() == 4
    assert told == [
        "Source 'desk': cells of opened_at with a word for missing, read so: 1.",
        "Source 'desk': cells of opened_at that are infinity, read as missing: 1.",
        "Source 'desk': cells of opened_at that are no stamp, read as missing: 1.",
        "Source 'desk': cells of opened_at outside the years 1 to 9999, read as missing: 1.",
    ]


def test_a_column_of_other_things_is_refused():
    """All, or more than a tenth; the message shows none of them."""
    for cells, said in (
        (["soon", "late"], "no value of opened_at is a stamp"),
        (["2024-05-01"] * 8 + ["soon"] * 2, "2 of 10 cells of opened_at are no stamp"),
        ([b"2024"], "holds bytes"),
        ([True, False], "holds numbers"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            read(cells)
        assert "soon" not in str(refused.value)


def test_the_hour_that_happened_twice_costs_its_rows():
    """02:30 of that night in Berlin is two moments, and one in spring is none (FAULT 55)."""
    cells = ["2024-10-27 02:30:00", "2024-03-31 02:30:00", "2024-07-01 12:00:00"]
    moments, told = read(cells, timezone="Europe/Berlin")
    assert pd.isna(moments).tolist() == [True, True, False]
    assert moments[2] == "2024-07-01 10:00"
    assert [one.rsplit(": ", 1)[1] for one in told] == ["1.", "1."]
    with_offset = ["2024-10-27 02:30:00+02:00", "2024-10-27 02:30:00+01:00"]
    assert read(with_offset, timezone="Europe/Berlin") == (
        ["2024-10-27 00:30", "2024-10-27 01:30"],
        [],
    )
