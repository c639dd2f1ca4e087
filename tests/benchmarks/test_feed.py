"""The upstream of the live feed: it grows, it is judged by people who err and correct, and it repeats."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.feed import TABLES, Agent, Feed, Habits
from data_contracts import CONTRACTS

START = pd.Timestamp("2026-03-02", tz="UTC")


def feed(ours: bool = False) -> Feed:
    rng = np.random.default_rng(4)
    size = 2_000
    opened = START + pd.to_timedelta(np.sort(rng.integers(0, 10 * 86_400, size)), unit="s")
    bad = rng.random(size) < 0.1
    cases = pd.DataFrame(
        {
            "case_id": [f"case-{one:04d}" for one in range(size)],
            "case_type": "simulated",
            "opened_at": pd.Series(opened).astype("datetime64[us, UTC]"),
            "priority": 0,
            "amount_usd": 10.0,
            "score": np.clip(rng.normal(0.2 + 0.4 * bad, 0.2), 0.0, 1.0),
            "bad": bad,
        }
    )
    agent = Agent("theirs", "v1", 0.45, 0.9, audit_rate=0.2)
    mine = rng.random(size) < 0.5 if ours else None
    return Feed(cases, agent, seed=4, habits=Habits(wrong=0.05, late_chargebacks=8), ours=mine)


def test_what_is_there_stays_there_and_late_chargebacks_come_behind_later_ones() -> None:
    """Between two moments a table only grows; some chargebacks lie behind rows that were there."""
    one, early, later = feed(), START + pd.Timedelta(days=5), START + pd.Timedelta(days=30)
    for table in TABLES:
        before, after = one.there(table, early), one.there(table, later)
        assert 0 < len(before) < len(after)
        pd.testing.assert_frame_equal(after.iloc[: len(before)], before)
        assert set(CONTRACTS[table].required) <= set(after)
    assert len(one.late_chargebacks(later)) == 8
    behind = one.there("outcomes", later)["observed_at"].diff() < -pd.Timedelta(days=2)
    assert behind.any()


def test_people_err_at_the_stated_rate_and_correct_most_of_it() -> None:
    """Every escalated and audited case has one review; revisions mend wrong verdicts and nothing else."""
    one = feed()
    reviews = one.there("reviews", START + pd.Timedelta(days=60))
    decided = one.there("decisions", START + pd.Timedelta(days=60))
    drawn = decided[(decided["action"] == "escalate") | decided["audited"]]
    first = reviews[reviews["revision"] == 0].set_index("case_id")
    assert set(first.index) == set(drawn["case_id"])
    assert first.index.is_unique
    truth = one.cases.set_index("case_id")["bad"].map({True: "block", False: "pass"})
    wrong = first["verdict"] != truth[first.index]
    assert wrong.mean() == pytest.approx(0.05, abs=0.02)
    mended = reviews[reviews["revision"] == 1].set_index("case_id")
    assert 0.4 < len(mended) / wrong.sum() < 0.8
    assert (mended["verdict"] == truth[mended.index]).all()
    assert set(mended.index) <= set(first.index[wrong])
    misjudged = reviews["label"].isin(["FP", "FN"])
    assert (reviews["feedback_path"] != "none").equals(misjudged)


def test_a_bad_case_that_nobody_stopped_comes_back_and_no_other() -> None:
    """Passed and not audited, or called good by its reviewer."""
    one = feed()
    late = START + pd.Timedelta(days=60)
    decided = one.there("decisions", late).set_index("case_id")
    said = one.there("reviews", late).query("revision == 0").set_index("case_id")["verdict"]
    bad = one.cases.set_index("case_id")["bad"]
    stopped = (decided["action"] == "auto_block") | (said.reindex(decided.index) == "block")
    assert set(one.there("outcomes", late)["case_id"]) == set(decided.index[bad & ~stopped])


def test_cases_that_are_ours_follow_only_what_we_decided() -> None:
    """They are in no table of the other agent until we say what we did with them."""
    one, late = feed(ours=True), START + pd.Timedelta(days=60)
    mine = set(one.cases["case_id"][one.ours])
    assert not mine & set(one.there("decisions", late)["case_id"])
    assert not mine & set(one.there("reviews", late)["case_id"])
    cases = one.to_decide(START, START + pd.Timedelta(days=3))
    assert set(cases["case_id"]) <= mine
    assert not {"bad", "score"} & set(cases)
    one.decided_here(
        cases.assign(decided_at=cases["opened_at"], action="escalate", audited=False, recommendation="pass")
    )  # fmt: skip
    assert mine & set(one.there("reviews", late)["case_id"]) == set(cases["case_id"])


def test_a_table_may_be_empty_or_hold_every_row_twice(tmp_path: Path) -> None:
    """What was asked for is what stands in the files."""
    one, at = feed(), START + pd.Timedelta(days=8)
    plain = one.write(tmp_path, at)
    odd = one.write(tmp_path, at, empty=["outcomes"], doubled=["decisions", "reviews"])
    assert odd == {
        "decisions": 2 * plain["decisions"],
        "reviews": 2 * plain["reviews"],
        "outcomes": 0,
    }
    assert len(pd.read_parquet(tmp_path / "decisions.parquet")) == odd["decisions"]
    assert list(pd.read_parquet(tmp_path / "outcomes.parquet")) == list(
        CONTRACTS["outcomes"].required
    )
    with sqlite3.connect(tmp_path / "desk.db") as connection:
        (rows,) = connection.execute("SELECT count(*) FROM reviews").fetchone()
    assert rows == odd["reviews"]
