"""Cells that start with = + - @, TAB, CR or full-width ＝ in an exported batch: neutralised; the number -5
stays a number (FAULTS 26).

Injected: such cells, and column names, in a delivered file whose rejects are handed back, and in the
decisions of a file of cases.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.upstream import Upstream

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(A1)",
    '=cmd|"/C calc"!A0',
    '=HYPERLINK("http://x.example","y")',
    "-2+3+cmd|' /C calc'!A0",
    " =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b=1+1",
]
PLAIN = ["-5", "+5", "-0.5", "1e5", "Nothing unusual.", "a=b", "2-1", "", "（等号）＝"]


def harmless(cell: str) -> bool:
    """Not even after what a spreadsheet trims: blanks and signs without a width."""
    bare = cell.lstrip(" \u00a0\ufeff\u200b\u2060\u3000")
    return not bare.startswith(STARTS) or _is_number(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.fixture
def cells(upstream: Upstream, tmp_path: Path) -> list[dict[str, str]]:
    """Reviews that are all put aside, exported; annotation holds each cell in turn."""
    wanted = [*FORMULAS, *PLAIN]
    upstream.admit("decisions")
    rows = upstream.read("reviews").iloc[: len(wanted)].assign(
        annotation=wanted, team="=outhouse()", revision=-5
    )  # fmt: skip
    rows["=evil()"] = "x"
    rows["-5"] = -5.25
    upstream.write("reviews", rows)
    said = upstream.admit("reviews", "--rejects", str(tmp_path / "rejects.csv"))
    assert f"{len(wanted)} quarantined" in said.out, said.out + said.err
    with (tmp_path / "rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_cell_and_no_heading_of_the_rejects_begins_like_a_formula(
    cells: list[dict[str, str]],
) -> None:
    """In any column, delivered ones that we do not know included."""
    assert len(cells) == len(FORMULAS) + len(PLAIN)
    assert [cell for row in cells for cell in row.values() if not harmless(cell)] == []
    assert [name for name in cells[0] if not harmless(name)] == []


def test_what_was_made_harmless_is_the_same_word_behind_an_apostrophe(
    cells: list[dict[str, str]],
) -> None:
    """And nothing else was touched: plain words, and the number -5 in a column of text or numbers."""
    told = [row["annotation"] for row in cells]
    assert told[: len(FORMULAS)] == ["'" + one for one in FORMULAS]
    assert told[len(FORMULAS) :] == PLAIN
    assert {row["revision"] for row in cells} == {"-5"}
    assert {row["-5"] for row in cells} == {"-5.25"}
    assert {row["team"] for row in cells} == {"'=outhouse()"}


def test_rejects_in_parquet_are_the_same(upstream: Upstream, tmp_path: Path) -> None:
    """A spreadsheet opens those, too."""
    upstream.admit("decisions")
    rows = upstream.read("reviews").iloc[:3].assign(annotation=FORMULAS[:3], team="x", revision=-5)
    upstream.write("reviews", rows)
    upstream.admit("reviews", "--rejects", str(tmp_path / "rejects.parquet"))
    told = pd.read_parquet(tmp_path / "rejects.parquet")
    assert told["annotation"].tolist() == ["'" + one for one in FORMULAS[:3]]
    assert told["revision"].tolist() == [-5, -5, -5]
