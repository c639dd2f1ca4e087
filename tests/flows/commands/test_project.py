"""A project of one's own from one table, and a check of its sources that leaves no trace."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.places import PROJECT
from configs.settings import load_case_type, load_settings
from configs.sources import load_source
from tests.flows.command_line import Ratchet
from tests.outside_agent import decided, reviewed

OPENED = datetime(2026, 5, 4, 8, tzinfo=UTC)
COUNT = 120


def past(folder: Path, name: str = "past.csv") -> Path:
    """Past cases under somebody else's names: an id, a time, the truth, features, and what is none."""
    draw = np.random.default_rng(7)
    bad = draw.random(COUNT) < 0.3
    rows = pd.DataFrame(
        {
            "ticket": [f"T-{number:04d}" for number in range(COUNT)],
            "created": pd.date_range(OPENED, periods=COUNT, freq="h").strftime("%Y-%m-%d %H:%M:%S"),
            "is_fraud": np.where(bad, "yes", "no"),
            "amount_usd": draw.lognormal(4, 1, COUNT).round(2),
            "customer_priority": draw.integers(0, 100, COUNT),
            "country": draw.choice(["DE", "FR", "NA"], COUNT),
            "zip": draw.choice(["01069", "10115"], COUNT),
            "new_device": draw.choice(["true", "false", ""], COUNT),
            "closed_as": np.where(bad, "loss", "fine"),
            "currency": "USD",
            "customer_id": draw.choice(["C1", "C2", "C3"], COUNT),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / name, index=False)
    return folder / name


def trace(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: when each file was changed, and what it holds."""
    files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    return {str(one): (one.stat().st_mtime_ns, one.read_bytes()) for one in files}


def test_a_table_becomes_a_project_that_our_settings_read(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Roles, kinds and levels are guessed and said; ids, constants and a leak are left out by name."""
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(past(tmp_path)), RATCHET_CONFIG=str(project)
    )
    assert done.returncode == 0, done.stderr
    for sentence in (
        "case_id is the column 'ticket'",
        "opened_at is the column 'created'",
        "bad is the column 'is_fraud'",
        "priority is the column 'customer_priority'",
        "Leak: closed_as",
        f"ratchet import-history {project}/sources/history.yaml",
    ):
        assert sentence in done.stdout

    kind = load_case_type(project / "case_types" / "loan.yaml")
    assert {one.name: one.kind for one in kind.features} == {
        "amount": "numeric", "country": "categorical", "zip": "categorical", "new_device": "boolean",
    }  # fmt: skip
    assert {one.name: one.levels for one in kind.features if one.levels} == {
        "country": ("DE", "FR", "NA"), "zip": ("01069", "10115"),
    }  # fmt: skip
    assert [one.name for one in kind.features if one.may_be_missing] == ["new_device"]
    env = {"RATCHET_CONFIG": str(project)}
    assert load_settings("local", env).case_types == ("loan",)
    history = load_source(project / "sources" / "history.yaml", env)
    assert history.columns["amount"] == history.columns["amount_usd"] == "amount_usd"
    assert history.categorical == ("zip",)
    for table in ("decisions", "reviews", "outcomes", "cases"):
        assert load_source(project / "sources" / f"{table}.yaml", env).watermark is not None


def test_what_was_written_is_checked_and_admitted(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """From the table to the check without touching a file; and no home is made."""
    project, home = tmp_path / "mine", tmp_path / "home"
    ratchet_here(home, "init", "loan", "--from", str(past(tmp_path)), "--to", str(project))
    done = ratchet_here(home, "check", "--json", RATCHET_CONFIG=str(project))
    assert done.returncode == 0, done.stderr
    (history,) = json.loads(done.stdout)["sources"]
    assert (history["table"], history["rows"], history["admitted"]) == ("history", COUNT, COUNT)
    assert not home.exists()


def test_a_table_beside_that_is_empty_is_mapped_or_left_out_by_name(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """No outcome has come yet: a header alone is mapped; a file without even that stops nothing; and a
    file of none of the columns is written down without a key that could not be read back."""
    past(tmp_path)
    (tmp_path / "outcomes.csv").write_text("ticket,observed_at,bad,source\n", encoding="utf-8")
    (tmp_path / "reviews.csv").write_text("", encoding="utf-8")
    (tmp_path / "decisions.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(tmp_path / "past.csv"), "--to", str(project)
    )
    assert done.returncode == 0, done.stderr
    assert "reviews.csv, beside the table, was left out." in done.stdout
    outcomes = load_source(project / "sources" / "outcomes.yaml", {})
    assert outcomes.columns == {
        "case_id": "ticket", "observed_at": "observed_at", "bad": "bad", "source": "source",
    }  # fmt: skip
    assert load_source(project / "sources" / "reviews.yaml", {}).columns["resolved_at"]
    written = (project / "sources" / "decisions.yaml").read_text(encoding="utf-8")
    assert "\n# columns:\n" in written
    load_source(project / "sources" / "decisions.yaml", {})


def test_nothing_is_written_over(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """One file that is there stops all of them, and is named."""
    project = tmp_path / "mine"
    file = project / "sources" / "reviews.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("mine", encoding="utf-8")
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(past(tmp_path)), "--to", str(project)
    )
    assert done.returncode == 2
    assert "has sources/reviews.yaml already" in done.stderr
    assert list(project.rglob("*.yaml")) == [file]
    assert file.read_text(encoding="utf-8") == "mine"
    done = ratchet_here(
        tmp_path,
        "init",
        "loan",
        "--from",
        str(past(tmp_path)),
        "--to",
        str(project),
        "--case-type-only",
    )
    assert done.returncode == 0, done.stderr
    assert (project / "case_types" / "loan.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--label", "fraud"], "--label names 'fraud', which is no column"),
        (["--label", "country"], "does not hold yes and no"),
        (["--label", "country", "--bad-value", "XX"], "holds no 'XX'"),
        (["--id", "created", "--opened-at", "created"], "both name 'created'"),
        (["--query", "SELECT 1"], "database URL cannot be understood"),
        (["--reviews", "nowhere.csv"], "--reviews: "),
        (["--to", str(PROJECT / "configs")], "lies in the clone"),
        (["--to", str(PROJECT / "mine")], "lies in the clone"),
        (["--timezone", "Mars/Base"], "`timezone` names no time zone"),
        (["--encoding", "rot13"], "no known encoding"),
    ],
)
def test_what_cannot_be_used_is_said(
    ratchet_here: Ratchet, tmp_path: Path, arguments: list[str], said: str
) -> None:
    """Exit code 2, the option by name, and nothing is written."""
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(past(tmp_path)), "--to", str(project), *arguments
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not project.exists()


def test_a_password_does_not_get_into_a_file(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """An address with one is refused, without showing it; a variable of the environment will do."""
    address = "postgresql+psycopg://ana:hunter2@db.example/cases"
    done = ratchet_here(
        tmp_path,
        "init",
        "loan",
        "--from",
        address,
        "--query",
        "SELECT 1",
        "--to",
        str(tmp_path / "m"),
    )
    assert done.returncode == 2
    assert "${CASES_URL}" in done.stderr
    assert "hunter2" not in done.stderr


def agents_tables(folder: Path) -> Path:
    """Another agent's decisions and their reviews, each with a few rows that break a rule."""
    decisions = decided(OPENED, COUNT, case_type="loan").drop(columns="case_type")
    reviews = reviewed(decisions)
    decisions.loc[[3, 4, 9, 11], "propensity"] = 0.0
    reviews.loc[[7], "verdict"] = "maybe"
    folder.mkdir(parents=True)
    decisions.to_parquet(folder / "decisions.parquet", index=False)
    reviews.to_parquet(folder / "reviews.parquet", index=False)
    return folder


@pytest.fixture
def agents_project(ratchet_here: Ratchet, tmp_path: Path) -> Path:
    """A project folder for another agent's tables."""
    tables = agents_tables(tmp_path / "tables")
    done = ratchet_here(
        tmp_path / "home", "init", "loan", "--from", str(tables / "decisions.parquet"),
        "--to", str(tmp_path / "mine"), "--scorer", "external",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tmp_path / "mine"


def test_rejects_are_told_by_rule_with_their_rows(
    ratchet_here: Ratchet, tmp_path: Path, agents_project: Path
) -> None:
    """Rows count from 1; reviews are judged against the decisions of the same delivery."""
    home = tmp_path / "home"
    done = ratchet_here(home, "check", RATCHET_CONFIG=str(agents_project))
    assert done.returncode == 0, done.stderr
    assert f"{COUNT} rows = {COUNT - 4} admitted + 4 rejected." in done.stdout
    assert "4 rows by propensity_is_recorded (rows 4, 5, 10, ...)" in done.stdout
    # Of the rejected decisions' reviews nobody knows the case; one review is broken by itself.
    assert "4 rows by decision_is_known (rows 4, 5, 10, ...)" in done.stdout
    assert "1 row by known_verdict (row 8)" in done.stdout
    assert not home.exists()


@pytest.mark.slow
def test_a_home_that_is_there_is_read_and_left_as_it_was(
    ratchet_here: Ratchet, tmp_path: Path, agents_project: Path
) -> None:
    """What is stored counts: decisions of a table that is gone are known, and nothing is touched."""
    home, env = tmp_path / "home", {"RATCHET_CONFIG": str(agents_project)}
    assert ratchet_here(home, "night", **env).returncode in (0, 3)
    before = trace(home)
    profile = agents_project / "profiles" / "local.yaml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace("  decisions:", "  # decisions:"), encoding="utf-8")
    done = ratchet_here(home, "check", "--json", **env)
    assert done.returncode == 0, done.stderr
    (reviews,) = json.loads(done.stdout)["sources"]
    assert reviews["admitted"] == reviews["stored_already"] == COUNT - 5
    assert trace(home) == before


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("watermark: resolved_at", "# none"), 0, "no `watermark:`"),
        (("kind: reviews", "kind: outcomes"), 2, "is no column of outcomes"),
        (("  verdict: verdict", "  verdict: answer"), 2, "'answer'"),
        (("  verdict: verdict", "  # none"), 0, "rejected"),
        (("path: ", "path: /nowhere/"), 2, "does not exist"),
    ],
)
def test_each_kind_of_trouble_has_its_code(
    ratchet_here: Ratchet,
    tmp_path: Path,
    agents_project: Path,
    change: tuple[str, str],
    code: int,
    said: str,
) -> None:
    """A source that is configured wrongly does not keep the others from being judged."""
    file = agents_project / "sources" / "reviews.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    done = ratchet_here(tmp_path / "home", "check", RATCHET_CONFIG=str(agents_project))
    assert done.returncode == code, done.stdout
    assert said in done.stdout
    assert f"{COUNT - 4} admitted" in done.stdout


@pytest.mark.slow
def test_a_delivery_that_would_fail_and_one_that_does_not_answer(
    ratchet_here: Ratchet, tmp_path: Path, agents_project: Path
) -> None:
    """Exit code 3 for a table without the columns due, 4 for a database that is away."""
    table = tmp_path / "tables" / "reviews.parquet"
    pd.read_parquet(table).drop(columns="blind").to_parquet(table)
    file = agents_project / "sources" / "reviews.yaml"
    text = file.read_text(encoding="utf-8").replace("  blind: blind\n", "")
    file.write_text(text, encoding="utf-8")
    env = {"RATCHET_CONFIG": str(agents_project)}
    done = ratchet_here(tmp_path / "home", "check", **env)
    assert done.returncode == 3, done.stdout
    assert "FAIL as a whole" in done.stdout
    assert "'blind'" in done.stdout

    url = "url: postgresql+psycopg://127.0.0.1:1/nothing\nquery: SELECT * FROM reviews"
    file.write_text(
        "\n".join(url if line.startswith("path:") else line for line in text.splitlines()),
        encoding="utf-8",
    )
    done = ratchet_here(tmp_path / "home", "check", **env)
    assert done.returncode == 4, done.stdout
    assert "DOES NOT ANSWER" in done.stdout
    assert "add WHERE resolved_at > :since" in done.stdout


def test_nothing_configured_is_said(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """Without a project there is nothing to check."""
    done = ratchet_here(tmp_path, "check")
    assert done.returncode == 2
    assert "ratchet init" in done.stderr


@pytest.mark.slow
def test_the_sample_is_a_project_and_passes_its_check(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Simulated tables under other names than ours, and every row of them is admitted."""
    for scorer, first in (("internal", "history"), ("external", "decisions")):
        tables, project = tmp_path / scorer, tmp_path / f"{scorer}-project"
        done = ratchet_here(
            tmp_path,
            "sample",
            "--to",
            str(tables),
            "--scorer",
            scorer,
            "--days",
            "20",
            "--per-day",
            "40",
        )
        assert done.returncode == 0, done.stderr
        assert "simulated" in done.stdout
        done = ratchet_here(
            tmp_path, "init", "withdrawal", "--from", str(tables / f"{first}.parquet"),
            "--to", str(project), "--scorer", scorer,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = ratchet_here(tmp_path / "home", "check", "--json", RATCHET_CONFIG=str(project))
        assert done.returncode == 0, done.stdout
        found = json.loads(done.stdout)["sources"]
        assert {one["table"] for one in found} >= {first}
        assert all(one["admitted"] == one["rows"] for one in found)
    done = ratchet_here(tmp_path, "sample", "--to", str(tmp_path / "internal"))
    assert done.returncode == 2
    assert "history.parquet" in done.stderr


def test_epoch_and_day_first_stamps_are_asked_for(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """What 03/04/2026 means is never guessed."""
    rows = pd.read_csv(past(tmp_path))
    moments = [OPENED + timedelta(hours=number) for number in range(COUNT)]
    rows["created"] = [f"{one:%d/%m/%Y %H:%M}" for one in moments]
    rows.to_csv(tmp_path / "slashes.csv", index=False)
    asked = [
        "init",
        "loan",
        "--from",
        str(tmp_path / "slashes.csv"),
        "--to",
        str(tmp_path / "mine"),
    ]
    done = ratchet_here(tmp_path, *asked)
    assert done.returncode == 2
    assert "dates" in done.stderr
    done = ratchet_here(tmp_path, *asked, "--dates", "dmy")
    assert done.returncode == 0, done.stderr
    assert "\ndates: dmy" in (tmp_path / "mine/sources/history.yaml").read_text(encoding="utf-8")


def test_decide_without_a_file_reads_the_configured_cases(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Under their own names; before a model is there everybody goes to a person, each case once."""
    project, home, env = tmp_path / "mine", tmp_path / "home", {}
    cases = pd.read_csv(past(tmp_path)).drop(columns=["is_fraud", "closed_as"])
    cases.to_csv(tmp_path / "new.csv", index=False)
    done = ratchet_here(
        home, "init", "loan", "--from", str(tmp_path / "new.csv"), "--to", str(project)
    )
    assert done.stdout.endswith("ratchet check\n  ratchet decide\n")
    env = {"RATCHET_CONFIG": str(project)}
    done = ratchet_here(home, "decide", "--json", **env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loan"]["actions"] == {"escalate": COUNT}
    done = ratchet_here(home, "decide", "--json", **env)
    assert json.loads(done.stdout)["loan"]["already_decided"] == COUNT
    done = ratchet_here(home, "decide", "--case-type", "loan", **env)
    assert done.returncode == 2
    assert "goes with a FILE" in done.stderr

    # The stored decision of every case, whenever it was made, without a file of our names.
    done = ratchet_here(home, "decide", "--to", str(tmp_path / "decided.csv"), **env)
    assert done.returncode == 0, done.stderr
    assert f"every case that was read is in {tmp_path / 'decided.csv'}." in done.stdout
    decided = pd.read_csv(tmp_path / "decided.csv")
    assert list(decided["case_id"]) == list(cases["ticket"])
    assert set(decided["action"]) == {"escalate"}
    done = ratchet_here(home, "decide", "--to", str(tmp_path / "new.csv"), **env)
    assert (done.returncode, "holds the cases" in done.stderr) == (2, True)
    asked = ("decide", str(tmp_path / "new.csv"), "--case-type", "loan")
    done = ratchet_here(home, *asked, **env)
    assert done.returncode == 2
    assert "give `ratchet decide --to DECISIONS` without the file" in done.stderr
    assert "source file" not in done.stderr


def test_a_query_is_read_by_an_address_from_the_environment(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """The variable, and not what it holds, stands in the file; several lines of SQL stay what they are."""
    with sqlite3.connect(tmp_path / "desk.db") as connection:
        pd.read_csv(past(tmp_path)).to_sql("closed", connection, index=False)
    connection.close()
    query = "SELECT * FROM closed\nWHERE ticket <> '' -- all: of them"
    env = {
        "CASES_URL": f"sqlite:///{tmp_path / 'desk.db'}",
        "RATCHET_CONFIG": str(tmp_path / "mine"),
    }
    done = ratchet_here(tmp_path, "init", "loan", "--from", "${CASES_URL}", "--query", query, **env)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "mine" / "sources" / "history.yaml"
    assert "url: ${CASES_URL}" in file.read_text(encoding="utf-8").replace("'", "")
    assert load_source(file, env).query == query
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", "sqlite:///x.db", RATCHET_CONFIG=str(tmp_path / "b")
    )
    assert done.returncode == 2
    assert "add --query" in done.stderr


def test_a_table_inside_the_project_is_named_from_there(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """So that the folder may be moved as a whole."""
    project = tmp_path / "mine"
    table = past(project / "tables")
    done = ratchet_here(tmp_path, "init", "loan", "--from", str(table), "--to", str(project))
    assert done.returncode == 0, done.stderr
    text = (project / "sources" / "history.yaml").read_text(encoding="utf-8")
    assert "\npath: ../tables/past.csv\n" in text
    project.rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    source = load_source(moved / "sources" / "history.yaml", {"RATCHET_CONFIG": str(moved)})
    assert source.path == str(moved / "tables" / "past.csv")


def test_other_words_for_bad_and_for_the_case_type(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """What they mean is written under `values:`, so that every later reading knows it, too."""
    rows = pd.read_csv(past(tmp_path), keep_default_na=False).rename(columns={"is_fraud": "ending"})
    rows["ending"] = rows["ending"].map({"yes": "charged back", "no": "paid"})
    rows.to_csv(tmp_path / "words.csv", index=False)
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(tmp_path / "words.csv"), "--to", str(project),
        "--label", "ending", "--bad-value", "charged back",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = load_source(project / "sources" / "history.yaml", {"RATCHET_CONFIG": str(project)})
    assert source.values == {"bad": {"charged back": True, "paid": False}}

    decisions = decided(OPENED, COUNT, case_type="credit")
    decisions.to_parquet(tmp_path / "credit.parquet", index=False)
    other = tmp_path / "other"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(tmp_path / "credit.parquet"), "--to", str(other),
        "--scorer", "external",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = load_source(other / "sources" / "decisions.yaml", {"RATCHET_CONFIG": str(other)})
    assert source.values == {"case_type": {"credit": "loan"}}
    assert load_case_type(other / "case_types" / "loan.yaml").scorer == "external"


def test_a_column_that_the_contract_asks_for_and_the_table_lacks_is_named(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """At once, in the source file, and by the check: exit code 3."""
    cases = pd.read_csv(past(tmp_path)).drop(columns=["is_fraud", "closed_as", "customer_priority"])
    cases.to_csv(tmp_path / "new.csv", index=False)
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", str(tmp_path / "new.csv"), "--to", str(project)
    )
    assert done.returncode == 0, done.stderr
    assert "no column was found to be priority" in done.stdout
    text = (project / "sources" / "cases.yaml").read_text(encoding="utf-8")
    assert "SELECT *, 0 AS priority FROM 'FILE'" in text
    done = ratchet_here(tmp_path / "home", "check", RATCHET_CONFIG=str(project))
    assert done.returncode == 3
    assert "'priority'" in done.stdout
