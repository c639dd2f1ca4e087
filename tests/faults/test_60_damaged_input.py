"""Fault 60: unknown database drivers, damaged Parquet and ids of bytes: exit 2 with a sentence.

Injected: every kind of cut and flipped byte in a Parquet file, pandas' remarks about it destroyed,
files that are not what their endings say, addresses with drivers that nobody installed, and bytes
where an id is due; the exit code is asked of the command itself.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_source
from flows.cli import main

SECRET = "SECRET-VALUE"
FRAME = pd.DataFrame(
    {"case_id": ["1", "2"], "observed_at": ["2024-01-01T10:00:00Z"] * 2, "note": [SECRET] * 2}
)


def outcomes(**said: str) -> SourceSettings:
    return SourceSettings(name="late", kind="outcomes", **said)


def test_a_parquet_file_with_a_damaged_byte_is_read_or_refused(tmp_path: Path) -> None:
    """Two hundred bytes flipped and forty cuts: an answer or a sentence, and no cell in it."""
    path = tmp_path / "late.parquet"
    FRAME.to_parquet(path)
    whole, rng = path.read_bytes(), np.random.default_rng(60)
    sentences = []
    for place in rng.integers(0, len(whole), 240).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged) if place % 6 else whole[:place])
        sentences.append(sentence_of(outcomes(path=str(path))))
    told = [one for one in sentences if one is not None]
    assert len(told) > 50
    assert not [one for one in told if SECRET in one or "\n" in one]


def sentence_of(source: SourceSettings) -> str | None:
    """Why a source was refused; None: it was read."""
    try:
        read_source(source)
    except UserError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("remark", [b"{", b"[]", b'{"index_columns": 3}', b"\xff\xfe"])
def test_damaged_remarks_of_pandas_harm_nobody(tmp_path: Path, remark: bytes) -> None:
    """They say nothing that is needed."""
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    pq.write_table(table.replace_schema_metadata({b"pandas": remark}), tmp_path / "late.parquet")
    assert len(read_source(outcomes(path=str(tmp_path / "late.parquet")))) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("late.parquet", b""),
        ("late.parquet", b"PAR1PAR1"),
        ("late.parquet", b"case_id,note\n1,SECRET-VALUE\n"),
        ("late.csv.gz", b"case_id,note\n1,SECRET-VALUE\n"),
        ("late.csv.gz", gzip.compress(b"case_id,note\n1,SECRET-VALUE\n" * 99, mtime=0)[:60]),
        ("late.csv.zip", b"PK\x03\x04SECRET-VALUE"),
        ("late.csv", b"case_id,note\n1,\xff\xfeSECRET-VALUE\n"),
        ("late.csv", b""),
        ("late.xlsx", b"SECRET-VALUE"),
    ],
)
def test_a_file_that_is_not_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    """Exit code 2, one sentence, no cell."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["admit", str(path), "--contract", "outcomes", "--dry-run"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("ratchet: ")
    assert SECRET not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nosuch://host/db", "No driver"),
        ("mysql://ana:hunter2@host/db", "not installed|No driver"),
        ("oracle+cx_oracle://ana:hunter2@host/db", "not installed|No driver"),
        ("postgresql+asyncpg://ana:hunter2@host/db", "not installed|cannot be used"),
        ("sqlite+nosuch:///x.db", "No driver"),
        ("not an address", "cannot be understood"),
    ],
)
def test_a_driver_that_is_not_here(url: str, said: str) -> None:
    """The sentence names what would work, and no password."""
    with pytest.raises(UserError, match=said) as refused:
        read_source(outcomes(url=url, query="SELECT 1"))
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Neither SQLite's nor DuckDB's."""
    (tmp_path / "x.db").write_bytes(b"SECRET-VALUE" * 500)
    for url in (f"sqlite:///{tmp_path}/x.db", f"duckdb:///{tmp_path}/x.db"):
        with pytest.raises(UserError, match="no sound database") as refused:
            read_source(outcomes(url=url, query="SELECT * FROM late"))
        assert SECRET not in str(refused.value)


def test_ids_of_bytes_are_named(tmp_path: Path) -> None:
    """From a database as from Parquet."""
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE late (case_id BLOB, observed_at TEXT)")
        connection.execute("INSERT INTO late VALUES (x'0102', '2024-01-01')")
    connection.close()
    pq.write_table(
        pa.table({"case_id": pa.array([b"\x01\x02"]), "observed_at": ["2024-01-01"]}),
        tmp_path / "late.parquet",
    )
    for source in (
        outcomes(url=f"sqlite:///{tmp_path}/x.db", query="SELECT * FROM late"),
        outcomes(path=str(tmp_path / "late.parquet")),
    ):
        with pytest.raises(UserError, match=r"case_id'? holds bytes"):
            read_source(source)


def test_what_a_database_says_of_a_cell_is_not_passed_on() -> None:
    """DuckDB quotes the text that it cannot cast; we say what kind of error it was."""
    source = outcomes(
        url="duckdb:///:memory:",
        query=f"SELECT CAST(x AS INTEGER) AS case_id FROM (SELECT '{SECRET}' AS x)",
    )
    with pytest.raises(UserError, match="refused the query: ConversionException") as refused:
        read_source(source)
    assert SECRET not in json.dumps(str(refused.value))
