"""Erasure: nothing of a case below the home, proofs stand, the ledger says so, and the night goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.faults.upstream import Upstream
from tests.flows.adapters.killing import killed_at
from tests.flows.commands.conftest import _make_bare
from tests.integration.postgres import _database_numbers, postgres_server, postgres_url

pytestmark = pytest.mark.slow

__all__ = ["_database_numbers", "postgres_server", "postgres_url"]

CANARY, VALUE, WORDS = (
    "canary-case-7",
    1_234_567.25,
    "The canary sang.",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    return Upstream.made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def after_a_night(made: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """A home whose first night took the canary in: decided, reviewed, and once put aside."""
    with pytest.MonkeyPatch.context() as quick:
        _make_bare(quick)
        ours = made.copied(tmp_path_factory.mktemp("erase"))
        decisions, reviews = ours.read("decisions"), ours.read("reviews")
        first = str(decisions["case_id"].iloc[0])
        decisions.loc[decisions["case_id"] == first, "amount_usd"] = VALUE
        reviews.loc[reviews["case_id"] == first, "annotation"] = WORDS
        bad = (
            reviews[reviews["case_id"] == first].iloc[:1].assign(review_id="r-bad", team="nobody's")
        )
        ours.write("decisions", named(decisions, first))
        ours.write("reviews", named(pd.concat([reviews, bad], ignore_index=True), first))
        ours.write("outcomes", named(ours.read("outcomes"), first))
        ours.home.people()
        assert ours.night().code in (0, 3)
    assert (ours.stored("decisions")["case_id"] == CANARY).sum() == 1
    assert (ours.rejected("reviews")["case_id"] == CANARY).any()
    dossiers = ours.home.home / "live" / "dossiers"
    dossiers.joinpath("2020-01-01.json").write_text(json.dumps({"cases": [CANARY, f"{CANARY}1"]}))
    return ours


@pytest.fixture
def upstream(after_a_night: Upstream, tmp_path: Path) -> Upstream:
    """A copy of one's own."""
    ours = after_a_night.copied(tmp_path)
    shutil.copytree(after_a_night.home.home, tmp_path / "home")
    ours.home.tokens.update(after_a_night.home.tokens)
    return ours


def named(rows: pd.DataFrame, first: str) -> pd.DataFrame:
    return rows.assign(case_id=rows["case_id"].replace(first, CANARY))


def erase(upstream: Upstream, *more: str):
    before = dict(os.environ)
    os.environ |= upstream.variables
    try:
        return upstream.home.ask("erase", *(more or (CANARY,)), "--reason", "asked by law", "--yes", by="ana")  # fmt: skip
    finally:
        os.environ.clear()
        os.environ.update(before)


def stands_in(home: Path) -> list[str]:
    """Where the id, the value or the words still stand, Parquet decoded."""
    found = []
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".parquet":
            frame = pq.ParquetFile(path).read().to_pandas()
            text = " ".join(map(str, frame.astype("object").to_numpy().ravel()))
        else:
            text = path.read_bytes().decode("latin-1")
        text = text.replace(f"{CANARY}1", "")
        if any(one in text for one in (CANARY, str(VALUE), "canary sang")):
            found.append(str(path.relative_to(home)))
    return found


def test_nothing_of_the_case_is_left_and_the_proof_still_stands(upstream: Upstream) -> None:
    live = upstream.home.home / "live"
    assert len(stands_in(live)) >= 4  # decisions, reviews, rejects, a dossier
    before = upstream.stored("decisions").sort_values("decided_at", kind="stable")
    said = erase(upstream)
    assert said.code == 0, said.err
    assert "1 rows of decisions" in said.out
    assert "still stands" not in said.err
    assert stands_in(live) == []
    after = upstream.stored("decisions").sort_values("decided_at", kind="stable")
    for name in ("score", "propensity", "action", "decided_at", "policy_id", "received_at"):
        assert after[name].reset_index(drop=True).equals(before[name].reset_index(drop=True)), name
    assert after["amount_usd"].isna().sum() == before["amount_usd"].isna().sum() + 1
    renamed = after.loc[after["case_id"].str.startswith("erased-"), "case_id"].unique()
    assert len(renamed) == 1
    reviews = upstream.stored("reviews")
    assert (reviews["case_id"] == renamed[0]).any()
    assert (
        json.loads((live / "dossiers" / "2020-01-01.json").read_text())["cases"][1] == f"{CANARY}1"
    )


def test_the_ledger_says_what_was_done_and_names_nobody(upstream: Upstream) -> None:
    assert erase(upstream).code == 0
    (entry,) = [one for one in upstream.services().ledger.history() if one.kind == "person_erased"]
    told = dict(entry.dossier)
    assert told["rows"]["decisions"] == 1
    assert told["quarantined"]["reviews"] >= 1
    assert len(told["case_digests"]) == told["cases"] == 1
    assert CANARY not in json.dumps(told)
    assert "cannot_be_made_again" in told
    assert upstream.ask("ledger", "verify").code == 0


@pytest.mark.slow
def test_a_delivery_does_not_bring_it_back_and_the_night_goes_on(upstream: Upstream) -> None:
    """The sources still hold the case, even corrected; the other rows are as they were."""
    assert erase(upstream).code == 0
    reviews = upstream.read("reviews")
    mine = reviews[reviews["case_id"] == CANARY].iloc[:1]
    corrected = mine.assign(review_id="r-new", annotation=WORDS)
    upstream.write("reviews", pd.concat([reviews, corrected], ignore_index=True))
    rows = len(upstream.stored("decisions"))
    assert upstream.night().code in (0, 3)
    assert upstream.admit("reviews").code in (0, 2)
    assert upstream.admit("decisions").code in (0, 2)
    assert stands_in(upstream.home.home / "live") == []
    assert len(upstream.stored("decisions")) == rows
    assert upstream.ask("ledger", "verify").code == 0


@pytest.mark.slow
def test_a_model_learns_from_the_others(upstream: Upstream) -> None:
    """A case without features is no row to learn from, and no column changes its type."""
    assert erase(upstream).code == 0
    kind = str(upstream.stored("decisions")["case_type"].mode()[0])
    said = upstream.ask("retrain", kind)
    assert said.code in (0, 3), said.err


@pytest.mark.slow
@pytest.mark.parametrize("point", ["erase.parts_written", "erase.before_commit", "erase.swapped", "erase.texts", "erase.entered"])  # fmt: skip
def test_killed_anywhere_the_same_command_goes_on(upstream: Upstream, point: str) -> None:
    """In between every row counts once, old or new; afterwards there is nothing left."""
    rows = len(upstream.stored("decisions"))
    assert killed_at(point, lambda: erase(upstream)) == 9
    stored = upstream.stored("decisions")
    known = stored["case_id"].eq(CANARY) | stored["case_id"].str.startswith("erased-")
    assert (len(stored), int(known.sum())) == (rows, 1)
    said = erase(upstream)
    assert said.code == 0, said.err
    assert stands_in(upstream.home.home / "live") == []
    kinds = [one.kind.value for one in upstream.services().ledger.history()]
    assert kinds.count("person_erased") >= 1
    assert upstream.services().store.eraser.unfinished() == []


def test_bad_input_is_told(upstream: Upstream, tmp_path: Path) -> None:
    nobody = erase(upstream, "no-such-case")
    assert (nobody.code, "Nothing is kept here" in nobody.err) == (2, True)
    assert erase(upstream, "--file", str(tmp_path)).code == 2
    told = upstream.home.ask("erase", CANARY, "--reason", f"{CANARY} asked", "--yes", by="ana")
    assert (told.code, "say it without" in told.err) == (2, True)
    empty = tmp_path / "ids.txt"
    empty.write_text("\n\n")
    assert "no case id" in erase(upstream, "--file", str(empty)).err
    audrey = upstream.home.ask("erase", CANARY, "--reason", "x", "--yes", by="audrey")
    assert audrey.code == 3
    assert np.any(upstream.stored("decisions")["case_id"] == CANARY)


def test_an_id_in_a_file_of_somebody_elses_is_named(upstream: Upstream) -> None:
    """What cannot be rewritten is told, and makes the exit code 3."""
    note = upstream.home.home / "live" / "mlflow" / "note.txt"
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"look at {CANARY}.")
    said = erase(upstream)
    assert (said.code, "mlflow/note.txt" in said.err) == (3, True)


@pytest.mark.slow
def test_on_postgres_nothing_is_left_either(
    made: Upstream, tmp_path: Path, postgres_url: str
) -> None:
    ours = made.copied(tmp_path, postgres_url)
    first = str(ours.read("decisions")["case_id"].iloc[0])
    assert ours.night().code in (0, 3)
    said = ours.ask("people", "add", "ana", "--role", "approver")
    ours.home.tokens["ana"] = said.out.split("\n\n  ")[1].split("\n")[0]
    assert erase(ours, first).code == 0
    assert not ours.stored("decisions")["case_id"].eq(first).any()
    assert ours.night().code in (0, 3)
    assert not ours.stored("decisions")["case_id"].eq(first).any()
    assert ours.ask("ledger", "verify").code == 0
