"""The loop walked over a small simulated history."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.walk.evaluation import evaluate_walk, observed_list
from flows.verbs.walk.walk import Walk
from models.boundary.proof.hindsight import HindsightCounts
from models.hub.record.entries import EntryKind
from tests.builders import small_history, small_walk, walked

PRICED = r"labels still needed|more labels"


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return small_history()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, history: pd.DataFrame) -> Walk:
    return walked(tmp_path_factory.mktemp("first"), history)


def decisions_of(walk: Walk) -> pd.DataFrame:
    return pd.concat(walk.decisions, ignore_index=True)


@pytest.mark.slow
def test_the_truth_of_cases_the_loop_was_not_shown_changes_nothing(
    walk: Walk, history: pd.DataFrame, tmp_path: Path
) -> None:
    """Flipping every unobserved truth leaves decisions, boundaries and models as they were."""
    shown = set(observed_list(walk)["case_id"])
    hidden = ~history["case_id"].isin(shown)
    assert hidden.mean() >= 0.10, "the test needs cases that stay unobserved"

    flipped = history.assign(bad=np.where(hidden, ~history["bad"], history["bad"]))
    again = walked(tmp_path, flipped)

    pd.testing.assert_frame_equal(decisions_of(again), decisions_of(walk))
    pd.testing.assert_frame_equal(observed_list(again), observed_list(walk))
    # The head of the hash chain covers every boundary, model digest, look and evidence digest.
    assert again.services.ledger.head() == walk.services.ledger.head()


def test_the_truth_of_cases_the_loop_was_shown_does_matter(
    walk: Walk, history: pd.DataFrame, tmp_path: Path
) -> None:
    """The test above could not fail if labels were never used: flipping shown ones shows. Each
    entry's hash covers all before it, so ledgers that parted in a night never meet again."""
    shown = history["case_id"].isin(observed_list(walk)["case_id"])
    some = shown & (np.arange(len(history)) % 7 == 0)
    flipped = history.assign(bad=np.where(some, ~history["bad"], history["bad"]))
    again = small_walk(tmp_path, flipped)
    again.warm_up()
    for step in range(again.upstream.steps):
        again.night_and_day(step)
        theirs = [entry.own_hash for entry in again.services.ledger.history()]
        if theirs != [entry.own_hash for entry in walk.services.ledger.history()[: len(theirs)]]:
            return
    raise AssertionError("the ledgers never parted, so no label was ever used")


def test_a_boundary_is_promoted_and_its_policy_decides_from_then_on(walk: Walk) -> None:
    """After a promotion every decision names the promoted policy."""
    entries = walk.services.ledger.history("small_case")
    promoted = [entry for entry in entries if entry.kind is EntryKind.PROMOTED]
    assert promoted
    last = [step for step in walk.steps if step["policy_id"]][-1]
    assert last["policy_id"] == walk.services.ledger.live_policy("small_case").policy_id
    assert last["auto_passed"] > 0
    assert walk.services.ledger.verify().ok


def test_every_case_is_decided_once_and_admitted(walk: Walk, history: pd.DataFrame) -> None:
    """Rows in = admitted + quarantined, and no case is lost on the way."""
    rows_in, admitted, quarantined = walk.services.store.counts("decisions")
    assert rows_in == admitted + quarantined == len(history)
    stored = walk.services.store.read("decisions", columns=["case_id"])["case_id"]
    assert sorted(stored) == sorted(history["case_id"])


def test_key_users_are_never_decided_automatically(walk: Walk) -> None:
    """Priority 75 and above goes to a person whatever the score."""
    decided = decisions_of(walk)
    assert set(decided.loc[decided["priority"] >= 75, "action"]) == {"escalate"}


def test_only_drawn_cases_are_observed_and_only_after_their_delay(
    walk: Walk, history: pd.DataFrame
) -> None:
    """An escalated or audited case's truth is seen three days after it was opened, no sooner."""
    decided = decisions_of(walk)
    drawn = set(decided.loc[(decided["action"] == "escalate") | decided["audited"], "case_id"])
    after = observed_list(walk).merge(history[["case_id", "opened_at"]], on="case_id")
    walked_on = after[after["case_id"].isin(decided["case_id"])]
    assert set(walked_on["case_id"]) <= drawn
    assert ((after["observed_at"] - after["opened_at"]) == pd.Timedelta(days=3)).all()


def test_the_summary_follows_from_the_decisions_and_the_observed_list(
    walk: Walk, history: pd.DataFrame
) -> None:
    """Everything in the JSON can be recomputed from what was written down (DESIGN 7)."""
    told = evaluate_walk(walk, 1.0, staffed=False).summary
    decided = decisions_of(walk).merge(history[["case_id", "bad"]], on="case_id")
    passed, blocked = (decided["action"] == name for name in ("auto_pass", "auto_block"))
    bad = decided["bad"]
    assert told["automation_rate"] == pytest.approx((passed | blocked).mean())
    assert told["true_recall"] == pytest.approx(1 - (passed & bad).sum() / bad.sum())
    assert told["true_false_omission"] == pytest.approx((passed & bad).sum() / passed.sum())
    assert told["labels_used"] == len(observed_list(walk))
    by_step = pd.DataFrame(walk.steps)
    assert by_step["cases"].sum() == told["cases"] == len(decided)
    assert by_step["auto_passed"].sum() == passed.sum()


def test_steps_carry_the_truth_of_their_own_day(walk: Walk, history: pd.DataFrame) -> None:
    """One visible day, recomputed by hand."""
    evaluation = evaluate_walk(walk, 1.0, staffed=False)
    step = next(one for one in evaluation.steps if one["auto_passed"] > 0)
    day = decisions_of(walk).merge(history[["case_id", "bad"]], on="case_id")
    day = day[day["opened_at"].dt.date.astype("str") == step["date"]]
    tally = HindsightCounts.of(
        (day["action"] == "auto_pass").to_numpy(),
        (day["action"] == "auto_block").to_numpy(),
        day["bad"].to_numpy(),
    )
    assert step["bad"] == tally.bad
    assert step["true_recall"] == tally.rates()["true_recall"]


@pytest.mark.slow
def test_a_jump_in_the_observed_base_rate_is_held_and_said(tmp_path: Path) -> None:
    """From day 18 on half of all cases are bad: the labels are stored, wait, and teach nothing."""
    history = small_history(days=26, per_day=260)
    jumped = history["opened_at"] > history["opened_at"].min() + pd.Timedelta(days=18)
    half = np.arange(len(history)) % 2 == 0
    walk = walked(tmp_path, history.assign(bad=history["bad"] | (jumped & half)), warm_up_days=20)

    held = [night for night in walk.nights if night["verdict"].startswith("Held: outcomes")]
    assert len(held) >= 2
    assert held[0]["holds"][0]["rule"] == "base_rate_near_trailing"
    stored = walk.services.store.read("outcomes", columns=["case_id"])["case_id"]
    assert stored.isin(history.loc[jumped, "case_id"]).any()
    snapshot = load_snapshot(
        walk.services, walk.upstream.start + walk.upstream.steps * walk.upstream.step
    )
    (name,) = walk.services.case_types
    mature = snapshot.mature(walk.services, name)
    labelled = mature.loc[mature["bad"].notna().to_numpy(), "case_id"]
    assert not labelled.isin(history.loc[jumped, "case_id"]).any()


def test_every_insufficient_evidence_names_its_price(walk: Walk) -> None:
    """Labels by zone on every such night, the very first one included; days once there is traffic."""
    lacking = [
        judged
        for night in walk.nights
        for judged in night["certificates"]
        if judged["verdict"] == "insufficient_evidence"
    ]
    assert lacking
    assert all(judged["labels_needed"] for judged in lacking)
    assert all(re.search(PRICED, " ".join(judged["reasons"])) for judged in lacking)
    seen = [judged for judged in lacking if judged["labelled"]]
    assert seen
    assert all(judged["days_needed"] for judged in seen)
