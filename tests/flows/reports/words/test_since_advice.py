"""How does a query ask for what is new, in the table's own words?"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_source
from flows.reports.words.since_advice import since_advice

DUCKDB = "duckdb:///:memory:"


@pytest.mark.parametrize(
    ("dates", "cells"),
    [
        (None, ["2026-03-01 08:00:00", "2026-03-05 08:00:00", "2026-03-09 08:00:00"]),
        ("dmy", ["01.03.2026", "05.03.2026", "09.03.2026"]),
        ("mdy", ["03/01/2026", "03/05/2026", "03/09/2026"]),
        ("ymd", ["2026/03/01", "2026/03/05", "2026/03/09"]),
    ],
)
def test_what_is_advised_runs_on_text_in_duckdb(
    tmp_path: Path, dates: str | None, cells: list[str]
) -> None:
    """Compared as it stands, text is refused there; as advised it gives what is later."""
    file = tmp_path / "cases.csv"
    file.write_text("Nr,Ein gang\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    asked = f"SELECT * FROM read_csv('{file}', all_varchar=true)"
    condition = re.search(r"add (WHERE .* > :since)", since_advice("Ein gang", DUCKDB, dates))
    assert condition is not None
    said = {
        "name": "loans", "kind": "cases", "url": DUCKDB, "query": f"{asked} {condition[1]}",
        "case_type": "loan", "columns": {"case_id": "Nr", "opened_at": "Ein gang"},
        "watermark": "opened_at", "dates": dates,
    }  # fmt: skip
    rows = read_source(SourceSettings.model_validate(said), datetime(2026, 3, 3, tzinfo=UTC))
    assert list(rows["case_id"]) == ["1", "2"]


def test_other_databases_are_asked_by_the_columns_own_name() -> None:
    """A name that needs quotes has them."""
    assert since_advice("Eingang", "postgresql://h/x") == "add WHERE Eingang > :since"
    assert since_advice('Ein"gang', "sqlite:///x") == 'add WHERE "Ein""gang" > :since'
    assert "where it is text" in since_advice("Eingang", "sqlite:///x", "dmy")
