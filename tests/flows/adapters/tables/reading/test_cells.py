"""Does a cell say the same in CSV, Parquet and SQL, and is all that was altered told with its count?"""

import sqlite3

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_delivery

N = 40
COLUMNS = {"case_id": "id", "opened_at": "seen", "bad": "label"}


def the_table(**columns):
    """Forty sound cases; what a test is about is laid over."""
    table = pd.DataFrame(
        {
            "id": [f"c{n}" for n in range(N)],
            "seen": [f"2024-01-{n % 28 + 1:02d} 10:00:00" for n in range(N)],
            "label": [str(n % 2) for n in range(N)],
            "x": [str(n + 0.5) for n in range(N)],
        }
    )
    return table.assign(**{name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def written(table, road, folder):
    """The same cells, as text, by one road."""
    if road == "csv":
        table.to_csv(folder / "t.csv", index=False)
        return {"path": str(folder / "t.csv")}
    if road == "parquet":
        table.astype("str").where(table.notna()).to_parquet(folder / "t.parquet")
        return {"path": str(folder / "t.parquet")}
    with sqlite3.connect(folder / "t.db") as connection:
        table.to_sql("t", connection, index=False)
    connection.close()
    return {"url": f"sqlite:///{folder}/t.db", "query": "SELECT * FROM t"}


def read(table, road, folder, **said):
    source = SourceSettings(
        name="desk", kind="history", columns=COLUMNS, case_type="card", features=("x",),
        **written(table, road, folder), **said,
    )  # fmt: skip
    found = read_delivery(source)
    return (
        found.rows["x"],
        [str(note) for note in found.notes if "written as text" not in note.what],
        found,
    )


roads = pytest.mark.parametrize("road", ["csv", "parquet", "sqlite"])


@roads
@pytest.mark.parametrize("word", ["NA", r"\N", "N/A", "-", "NULL", "None", "#N/A", ""])
def test_a_word_for_missing_leaves_a_number_a_number(tmp_path, road, word):
    """Two of forty cells; a word is told, an empty cell says it itself."""
    cells = [word, word, *(str(n) for n in range(2, N))]
    x, told, _ = read(the_table(x=cells), road, tmp_path)
    np.testing.assert_array_equal(x, [np.nan, np.nan, *range(2, N)])
    assert len(told) == (word != "")
    assert all(
        note.endswith("of x with a word for missing (such as NA), read so: 2.") for note in told
    )


@roads
@pytest.mark.parametrize("word", ["NA", "None", "none", "-"])
def test_a_category_may_be_called_like_this(tmp_path, road, word):
    """Namibia, or no channel: by every road the same levels."""
    x, told, _ = read(the_table(x=[word, "web"] * (N // 2)), road, tmp_path)
    assert (x.tolist(), told) == ([word, "web"] * (N // 2), [])


@roads
@pytest.mark.parametrize("word", ["NULL", "N/A", "nan"])
def test_what_databases_write_for_nothing_is_nothing_in_text(tmp_path, road, word):
    """Unless the column is declared a category: then it is the word it is."""
    table = the_table(x=[word, "web"] * (N // 2))
    x, [told], _ = read(table, road, tmp_path)
    assert x.isna().tolist() == [True, False] * (N // 2)
    assert told.endswith("such as NULL), read so: 20.")
    (tmp_path / "declared").mkdir()
    x, told, _ = read(table, road, tmp_path / "declared", categorical=("x",))
    assert (x.tolist(), told) == ([word, "web"] * (N // 2), [])


def test_zeros_in_front_of_numbers_are_told_where_they_are_lost(tmp_path):
    """A postal code is text to who wrote it; a 0, and 0.5, are the numbers they are."""
    codes = ["00501", "0", "7", *(f"{n:05d}" for n in range(3, N))]
    x, told, _ = read(the_table(x=codes), "csv", tmp_path)
    assert x.tolist() == [501, 0, *[7], *range(3, N)]
    (note,) = told
    assert note.endswith(
        "of x that start with a zero, such as a postal code, read as numbers (list it under "
        "`categorical:` to keep the text): 38."
    )
    plain = ["0", "0.5", *(str(n) for n in range(2, N))]
    assert read(the_table(x=plain), "csv", tmp_path)[1] == []
    kept, told, _ = read(the_table(x=codes), "csv", tmp_path, categorical=("x",))
    assert (kept.tolist(), told) == (codes, [])


@roads
@pytest.mark.parametrize("cell", ["1,320.50", "1320,50", "$1320", "1320 EUR", "99%"])
def test_a_number_in_another_format_is_asked_about(tmp_path, road, cell):
    """One of forty shows that the column is written so; the message does not show the cell."""
    table = the_table(x=[cell, *(str(n) for n in range(1, N))])
    with pytest.raises(UserError, match="1 of 40 cells of x are numbers with thousands") as refused:
        read(table, road, tmp_path)
    assert cell not in str(refused.value)


@roads
def test_a_stated_format_is_read(tmp_path, road):
    """Also where every cell would be a number without it: 1.320 is not 1.32."""
    for numbers, cells in (
        ({"decimal": ",", "thousands": "."}, ["1.320,5"] * N),
        ({"thousands": ","}, ["1,320.5"] * N),
        ({"unit": "USD"}, ["1320.5 USD"] * N),
    ):
        folder = tmp_path / "_".join(numbers)
        folder.mkdir()
        x, _, _ = read(the_table(x=cells), road, folder, numbers=numbers)
        assert set(x) == {1320.5}
    x, _, _ = read(
        the_table(x=["1.320"] * N), "parquet", tmp_path, numbers={"decimal": ",", "thousands": "."}
    )
    assert set(x) == {1320.0}


@roads
def test_a_few_words_among_numbers_are_missing_and_counted(tmp_path, road):
    """Four of forty; with eight it is text, and that is told, too."""
    x, [told], _ = read(the_table(x=["odd"] * 4 + ["7"] * (N - 4)), road, tmp_path)
    assert x.isna().sum() == 4
    assert told.endswith("read as missing (first in row 1): 4.")
    (tmp_path / "more").mkdir()
    x, [told], _ = read(the_table(x=["odd"] * 8 + ["7"] * (N - 8)), road, tmp_path / "more")
    assert x.tolist() == ["odd"] * 8 + ["7"] * (N - 8)
    assert "numbers among words" in told


@roads
@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("True", "False"), ("TRUE", "FALSE")])
def test_true_and_false_with_empty_cells_are_flags(tmp_path, road, yes, no):
    """Not a category of text."""
    cells = [yes, no, None, *([yes] * (N - 3))]
    x, told, _ = read(the_table(x=cells), road, tmp_path)
    np.testing.assert_array_equal(x, [1.0, 0.0, np.nan, *([1.0] * (N - 3))])
    assert told == []


@roads
def test_one_odd_label_stays_for_the_contract(tmp_path, road):
    """The others are what they were."""
    labels = ["pending", *(str(n % 2) for n in range(1, N))]
    _, _, found = read(the_table(label=labels), road, tmp_path)
    assert found.rows["bad"].tolist() == labels


@roads
def test_the_sources_own_words(tmp_path, road):
    """`values:` maps, `missing:` leaves out; what is named and not there is refused."""
    table = the_table(label=["fraud", "ok"] * (N // 2), x=["-999", *(str(n) for n in range(1, N))])
    said = {"values": {"bad": {"fraud": True, "ok": False}}, "missing": ("-999",)}
    x, told, found = read(table, road, tmp_path, **said)
    assert found.rows["bad"].astype(bool).tolist() == [True, False] * (N // 2)
    assert np.isnan(x[0])
    assert told == ["Source 'desk': cells of x with a word that the source calls missing: 1."]
    (tmp_path / "again").mkdir()
    with pytest.raises(UserError, match="`values:` names 'verdict'"):
        read(table, road, tmp_path / "again", values={"verdict": {"a": "b"}})
