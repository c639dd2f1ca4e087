"""The command line as a person meets it: instant help, one clear line, the right exit code."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from configs.errors import ServiceUnreachable
from configs.settings import load_settings
from flows.adapters.mlflow.model_registry import ModelElsewhere
from flows.adapters.tables.reading.columns import MissingColumns
from flows.cli import cli, main
from flows.verbs.govern.submit import StaleBase
from flows.verbs.walk.open_walk import open_backtest
from tests.flows.command_line import RATCHET, ROOT, Ratchet, ratchet
from tests.live_sources import write_live_sources

HISTORY = (
    "name: mine\nkind: history\npath: {path}\ncolumns: {{case_id: id, opened_at: t, bad: fraud}}\n"
    "case_type: my_case\nfeatures: [amount]\ntargets: {{recall: 0.9}}\n"
)


def test_help_is_instant() -> None:
    """Half a second of the processor at most, the best of three: nothing heavy is imported."""
    used = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([RATCHET, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(used) < 0.5


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (MissingColumns("1 column is missing.", "mine"), 2),
        (StaleBase("somebody was quicker"), 3),
        (ModelElsewhere("the file is on another machine"), 3),
        (ServiceUnreachable("nobody answers"), 4),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_kind_of_an_error_ends_with_its_code(
    said: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on the error output and no traceback, also of a class that is made from another."""

    def fail(**_: object) -> None:
        raise said

    monkeypatch.setattr(cli, "main", fail)
    # What is meant for a whole process must not stay in this one.
    monkeypatch.setattr("flows.cli._heed_sigterm", lambda: None)
    monkeypatch.setattr("flows.adapters.files.private_home.be_private", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == code
    assert capsys.readouterr().err == f"ratchet: {said}\n"


def test_every_command_is_documented() -> None:
    """A command that the README does not name fails the build."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"ratchet {name}" in readme for name in cli.commands)
    assert all(command.help for command in cli.commands.values())


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["backtest", "nowhere.yaml"], {}, "no such file"),
        (["frobnicate"], {}, "No such command"),
        (["night"], {}, "no source is configured"),
        (["night"], {"RATCHET_TRAINNG__ROUNDS": "3"}, "unknown key 'trainng.rounds'"),
        (["admit", "nowhere.csv", "--contract", "reviews"], {}, "does not exist"),
        (["retrain", "nothing"], {}, "no case type 'nothing'"),
        (
            ["retrain", "ato", "--feature", "colour"],
            {},
            "ato has no feature colour; it has new_device",
        ),
        (["retrain", "ato", "--report", "page.png"], {}, "must end in .html"),
        (["whatif", "ato", "--pass-below", "0.9", "--block-above", "0.1"], {}, "must lie below"),
        (["whatif", "ato", "--best", "--pass-below", "0.1"], {}, "ask for one of them"),
        (["whatif", "ato", "--best", "--report", "move.pdf"], {}, "must end in .html"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_go(
    ratchet_here: Ratchet, tmp_path: Path, arguments: list[str], env: dict[str, str], said: str
) -> None:
    """Exit code 2, what is wrong on stderr, no traceback, and no backtest folder."""
    done = ratchet_here(tmp_path, *arguments, **env)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("backtests/*"))


UNWALKABLE = [
    ("id,fraud,t\n1,0,2026-01-01\n", "", "1 column is missing: 'amount'"),
    ("id,fraud,t,amount\n", "", "is empty"),
    ("id,fraud,t,amount\n1,0,2026-01-01,5\n", "", "within the warm-up"),
    ("id,fraud,t,amount\n", "drop time", "needs a time column"),
]


@pytest.mark.parametrize(("table", "header", "said"), UNWALKABLE)
def test_a_history_that_cannot_be_walked_is_refused_whole(
    ratchet_here: Ratchet,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    table: str,
    header: str,
    said: str,
) -> None:
    """A missing column, an empty file, too short a past, no time column. The flow is its first
    step alone, which refuses; the test below sends the last such refusal through Prefect."""

    def first_step(source: str, home: str, *_: object) -> None:
        open_backtest(load_settings(), Path(source), Path(home))

    monkeypatch.setattr(
        "flows.orchestration.embedded.embedded_prefect", lambda home: home.mkdir(parents=True)
    )
    monkeypatch.setitem(sys.modules, "flows.backtest", SimpleNamespace(backtest=first_step))
    source = write_history(tmp_path, table, header)
    done = ratchet_here(tmp_path / "home", "backtest", str(source))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").glob("backtests/*"))


@pytest.mark.slow
def test_a_refusal_out_of_a_running_flow_is_the_same_clean_line(tmp_path: Path) -> None:
    """A process and a Prefect of its own: exit code 2, the reason, no traceback, no ledger."""
    source = write_history(tmp_path, *UNWALKABLE[2][:2])
    done = ratchet(tmp_path / "home", "backtest", str(source))
    assert done.returncode == 2, done.stderr
    assert UNWALKABLE[2][2] in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").glob("backtests/*/ledger.db"))


def write_history(folder: Path, table: str, header: str) -> Path:
    """A table and its source file, which names no time column where `header` says so."""
    (folder / "cases.csv").write_text(table, encoding="utf-8")
    text = HISTORY.format(path="cases.csv")
    if header:
        text = text.replace(", opened_at: t", "")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return folder / "mine.yaml"


def test_a_failed_batch_exits_2_and_stores_nothing(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """All missing columns are named at once."""
    file = tmp_path / "reviews.csv"
    file.write_text("review_id,case_id\nr1,c1\n", encoding="utf-8")
    done = ratchet_here(tmp_path / "home", "admit", str(file), "--contract", "reviews", "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert (told["rows_in"], told["admitted"]) == (1, 0)
    assert "15 columns are missing from reviews" in done.stderr


@pytest.mark.slow
def test_a_file_of_decisions_is_admitted_once_and_its_rejects_come_back(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Bad rows are handed back with every rule they broke; a second delivery, by another process,
    changes nothing."""
    write_live_sources(tmp_path, days=2, scale=0.02)
    rows = pd.read_parquet(tmp_path / "decisions.parquet")
    rows.loc[0, "score"] = 1.7
    rows.loc[1, "case_id"] = "../../x"
    rows.loc[1, "propensity"] = 0.0
    rows.to_parquet(tmp_path / "decisions.parquet", index=False)
    home, rejects = tmp_path / "home", tmp_path / "rejects.csv"
    arguments = ["admit", str(tmp_path / "decisions.parquet"), "--contract", "decisions", "--json"]

    first = ratchet_here(home, *arguments, "--rejects", str(rejects))
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["rows_in"] == told["admitted"] + told["quarantined"] == len(rows)
    assert told["quarantined"] == 2
    broken = pd.read_csv(rejects)["broken_rules"].tolist()
    assert any("score_is_a_probability" in rules for rules in broken)
    assert any("case_id_is_plain" in r and "propensity_is_recorded" in r for r in broken)

    again = json.loads(ratchet(home, *arguments).stdout)
    assert again["already_stored"] == told["admitted"]
