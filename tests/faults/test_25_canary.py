"""A secret or personal datum in a bad row: absent from logs, Data Docs, MLflow, Prefect and tracebacks
(FAULTS 25).

Injected: a canary in every kind of cell of bad rows of all tables, in cells of the wrong type, and in
what a rule of ours raises; then the night's flow in a process of its own, with every log switched on,
and a search of everything it wrote: its home, its temporary folder, its streams.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from data_contracts import CONTRACTS
from data_contracts.contract import RowRule
from tests.faults.upstream import TABLES, Upstream

CANARY = "zk7-canary-4111111111111111"
BAD = 5

WHERE_IT_MAY_LIE = "quarantine"
"""The rejected rows themselves are kept for people, and nowhere else."""

NIGHT = """
import sys
from pathlib import Path
from flows.orchestration.embedded import embedded_prefect
embedded_prefect(Path(sys.argv[1]))
from flows.nightly_calibration import nightly_calibration
print(nightly_calibration())
"""


def spoiled(upstream: Upstream) -> None:
    """Five rows of each table: an id that is none, words outside the vocabulary, and a long text."""
    for table in TABLES:
        rows = upstream.read(table)
        bad = rows.index[: min(BAD, len(rows) - 1)]
        for name in rows.columns:
            if pd.api.types.is_string_dtype(rows[name]) and name != "case_type":
                rows.loc[bad, name] = f"{CANARY}/{name}"
        upstream.write(table, rows)


def lies_in(folder: Path) -> list[str]:
    """Files below that hold the canary, as it stands or as Parquet packs it."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file() or WHERE_IT_MAY_LIE in path.parts:
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        if CANARY.encode() in content or CANARY.encode("utf-16-le") in content:
            found.append(str(path.relative_to(folder)))
    return found


def rule_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(frame: pd.DataFrame, _: object) -> pd.Series:
        raise ValueError(f"cannot judge {frame['annotation'].iloc[0]}")

    reviews = CONTRACTS["reviews"]
    odd = RowRule("odd_rule", ("annotation",), "It cannot be judged.", raises)
    contract = replace(reviews, row_rules=(*reviews.row_rules, odd))
    monkeypatch.setattr(
        "flows.verbs.intake.delivered_decisions.CONTRACTS", {**CONTRACTS, "reviews": contract}
    )


@pytest.mark.parametrize("kind", ["bad rows", "a rule that raises", "wrong types"])
def test_no_command_says_it_and_nothing_but_the_rejects_keeps_it(
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    kind: str,
) -> None:
    """By hand and in a night, with every logger at its most talkative."""
    spoiled(upstream)
    if kind == "a rule that raises":
        rule_that_raises(monkeypatch)
    if kind == "wrong types":
        for table, column in (("decisions", "score"), ("reviews", "revision"), ("outcomes", "bad")):
            rows = upstream.read(table)
            upstream.write(table, rows.assign(**{column: CANARY}))
    with caplog.at_level(logging.DEBUG):
        said = [upstream.admit(table, "--json") for table in TABLES]
        said += [upstream.night(), upstream.ask("status"), upstream.ask("ledger", "verify")]
    assert [one for one in said if CANARY in one.out + one.err] == []
    assert CANARY not in caplog.text
    assert lies_in(tmp_path / "home") == []
    if kind == "bad rows":  # the canary was there to be seen
        assert CANARY in upstream.rejected("reviews").to_csv()


def test_the_search_finds_what_lies_somewhere(tmp_path: Path) -> None:
    """In plain text, in a database, in packed Parquet; not in the rejects."""
    (tmp_path / "quarantine").mkdir()
    for name in ("a.log", "b.db", "quarantine/c.txt"):
        (tmp_path / name).write_text(f"x{CANARY}x", encoding="utf-8")
    pd.DataFrame({"a": [CANARY] * 999}).to_parquet(tmp_path / "d.parquet", compression="zstd")
    assert sorted(lies_in(tmp_path)) == ["a.log", "b.db", "d.parquet"]


@pytest.mark.slow
def test_the_nights_flow_leaves_it_in_no_log_no_page_and_no_database(
    upstream: Upstream, tmp_path: Path
) -> None:
    """Prefect's own server and log, Great Expectations' folders, MLflow's files, both streams."""
    spoiled(upstream)
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir(exist_ok=True)
    scratch.mkdir()
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PREFECT_"))}
    talkative = {
        "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_SERVER_LOGGING_LEVEL": "DEBUG",
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG", "PREFECT_LOGGING_TO_API_ENABLED": "true",
        "RATCHET_HOME": str(home), "TMPDIR": str(scratch), **upstream.variables,
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", NIGHT, str(home)],
        env=quiet | talkative, capture_output=True, text=True, timeout=300, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (home / "live" / "ledger.db").exists(), ran.stderr[-2_000:]
    assert list((home / "prefect").rglob("*.db")), "Prefect wrote somewhere else"
    assert "nightly_calibration" in (ran.stdout + ran.stderr)
    assert len(upstream.rejected("reviews")) >= BAD, ran.stderr[-2_000:]
    assert CANARY not in ran.stdout + ran.stderr
    assert lies_in(home) == []
    assert lies_in(scratch) == []
