"""An empty batch, a one-class batch, a contract with no checks: fails closed (FAULTS 13).

Injected: a table without a row, a file without a header, 300 reviews that all say the same, and a contract
stripped of its rules, each through the night and the command that admits by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_contracts import CONTRACTS
from flows.verbs.evidence.truth import load_snapshot
from tests.faults.nights import night
from tests.faults.upstream import TABLES, Upstream
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, hub_desk
from tests.outside_agent import decided, reviewed


def nothing_was_learned(upstream: Upstream) -> None:
    """No model, no proposal, nothing live; and asked for a model, it says why there is none."""
    assert upstream.learned() == []
    asked = upstream.ask("retrain", "ato")
    assert asked.code == 3, asked.out + asked.err
    assert "No model was fitted" in asked.out
    assert upstream.learned() == []


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_admitted_by_hand_is_refused(upstream: Upstream, table: str) -> None:
    """A delivery of nothing is a broken delivery, not a good one."""
    upstream.write(table, upstream.read(table).iloc[:0])
    said = upstream.admit(table)
    assert said.code == 2
    assert "no rows" in said.err
    assert upstream.services().store.counts(table) == (0, 0, 0)


def test_a_file_without_even_a_header_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes(b"")
    said = upstream.ask("admit", str(tmp_path / "reviews.csv"), "--contract", "reviews")
    assert said.code == 2
    assert "empty" in said.err


def test_a_night_whose_reviews_are_empty_says_so_and_learns_nothing(upstream: Upstream) -> None:
    """Once the rows are there, they are admitted: nothing was marked as read."""
    whole = upstream.read("reviews")
    upstream.write("reviews", whole.iloc[:0])
    said = upstream.night()
    assert "'desk_reviews': its table has columns and no rows" in said.out + said.err
    assert upstream.services().store.counts("reviews") == (0, 0, 0)
    nothing_was_learned(upstream)
    upstream.write("reviews", whole)
    assert upstream.night().code == 0
    assert len(upstream.stored("reviews")) == len(whole)


@pytest.mark.parametrize("table", ["decisions", "reviews"])
def test_a_table_that_held_rows_and_holds_none_is_a_failed_delivery(
    upstream: Upstream, table: str
) -> None:
    """An export that broke: said first, exit 3, and read again with the next one."""
    assert upstream.night().code == 0
    whole = upstream.read(table)
    upstream.write(table, whole.iloc[:0])
    said = upstream.night()
    assert said.code == 3
    assert said.out.startswith(f"Failed: {table}.")
    upstream.write(table, whole)
    assert upstream.night().code == 0


@pytest.mark.parametrize("bad", [0.0, 1.0])
def test_reviews_of_one_class_are_stored_and_prove_nothing(tmp_path: Path, bad: float) -> None:
    """300 of one case type that all say the same: named, on hold, and left out of what widens."""
    services = hub_desk(tmp_path)
    cases = decided(NOW - DAY, 300)
    told = night(services, NOW, decisions=cases, reviews=reviewed(cases, bad))
    assert told["rows_new"] == 600
    assert told["verdict"].startswith("Held: reviews, small_case.")
    word = "bad" if bad else "good"
    assert f"All 300 labels are {word}" in told["holds"][0]["reason"]
    mature = load_snapshot(services, NOW + 10 * DAY).mature(services, NAME)
    assert len(mature) == 300
    assert not mature["bad"].notna().any()


@pytest.mark.parametrize("table", TABLES)
def test_a_contract_without_a_check_admits_nothing(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """By hand and in a night; what has its checks is not held up for it, and comes in later."""
    bare = {**CONTRACTS, table: replace(CONTRACTS[table], row_rules=())}
    with monkeypatch.context() as stripped:
        stripped.setattr("flows.verbs.intake.delivered_decisions.CONTRACTS", bare)
        by_hand = upstream.admit(table)
        assert by_hand.code == 2
        assert "nothing would be checked" in by_hand.err
        said = upstream.night()
        assert "nothing would be checked" in said.out + said.err
        assert upstream.services().store.counts(table)[1] == 0
        nothing_was_learned(upstream)
    upstream.night()
    assert len(upstream.stored(table)) == len(upstream.read(table))
