"""A batch delivered twice: no change; two labels in conflict: quarantined (FAULTS 20).

Injected: the same tables again by hand, by the next night, doubled inside one file and in another order;
a review and an outcome that say the opposite under the same name, in one file and a file later.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd

from flows.verbs.evidence.truth import load_snapshot
from tests.faults.upstream import TABLES, Upstream

OPPOSITE = {"pass": "block", "block": "pass", "TN": "FN", "TP": "FP", "FN": "TN", "FP": "TP"}


def state(upstream: Upstream) -> dict[str, str]:
    store = upstream.services().store
    return {table: store.digest(table) for table in TABLES}


def contradicted(review: pd.DataFrame) -> pd.DataFrame:
    """The same review and revision with the opposite word."""
    return review.assign(
        verdict=review["verdict"].map(OPPOSITE),
        label=review["label"].map(OPPOSITE),
        feedback_path="B",
        root_cause="close_call",
    )


def truth(upstream: Upstream, case_id: str) -> list[bool]:
    """What the night takes for the truth of a case."""
    snapshot = load_snapshot(upstream.services(), datetime.now(UTC))
    decided = snapshot.decisions
    number = decided.loc[decided["case_id"] == case_id, "case_number"]
    return snapshot.truth.loc[snapshot.truth["case_number"].isin(number), "bad"].tolist()


def test_the_same_tables_again_change_nothing(upstream_on_either: Upstream) -> None:
    """By another night, by hand, shuffled, and with every row twice in one file."""
    upstream = upstream_on_either
    assert upstream.night().code == 0
    before = state(upstream)
    rows = {table: len(upstream.stored(table)) for table in TABLES}
    assert rows == {table: len(upstream.read(table)) for table in TABLES}
    assert upstream.night().code == 0
    for table in TABLES:
        once = upstream.read(table)
        told = json.loads(upstream.admit(table, "--json").out)
        assert (told["already_stored"], told["quarantined"]) == (len(once), 0)
        upstream.write(table, once.sample(frac=1.0, random_state=3))
        told = json.loads(upstream.admit(table, "--json").out)
        assert (told["already_stored"], told["quarantined"]) == (len(once), 0)
    assert {table: len(upstream.stored(table)) for table in TABLES} == rows
    assert state(upstream) == before
    for table in TABLES:
        once = upstream.read(table)
        upstream.write(table, pd.concat([once, once]))
    upstream.night()
    stored = {table: upstream.stored(table) for table in TABLES}
    assert {table: len(found) for table, found in stored.items()} == rows
    assert state(upstream) == before


def test_two_words_under_one_name_in_one_file_are_both_put_aside(
    upstream_on_either: Upstream,
) -> None:
    """Nobody knows which of them holds; all other rows are admitted."""
    upstream = upstream_on_either
    reviews, outcomes = upstream.read("reviews"), upstream.read("outcomes")
    torn = reviews[reviews["label"] == "TN"].iloc[[0]]
    fact = outcomes.iloc[[0]]
    upstream.write("reviews", pd.concat([reviews, contradicted(torn)]))
    upstream.write("outcomes", pd.concat([outcomes, fact.assign(bad=~fact["bad"])]))
    upstream.night()
    aside = upstream.rejected("reviews")
    assert aside["review_id"].tolist() == torn["review_id"].tolist() * 2
    assert set(aside["broken_rules"]) == {"revision_appears_once"}
    aside = upstream.rejected("outcomes")
    assert aside["case_id"].tolist() == fact["case_id"].tolist() * 2
    assert set(aside["broken_rules"]) == {"outcome_does_not_contradict_itself"}
    assert len(upstream.stored("reviews")) == len(reviews) - 1
    assert len(upstream.stored("outcomes")) == len(outcomes) - 1


def test_a_later_word_under_the_same_name_is_put_aside_and_the_first_stays(
    upstream_on_either: Upstream,
) -> None:
    """A correction has a number of its own: as the next revision it counts."""
    upstream = upstream_on_either
    settled = set(upstream.read("outcomes")["case_id"])
    reviews = upstream.read("reviews")
    torn = reviews[(reviews["label"] == "TN") & ~reviews["case_id"].isin(settled)].iloc[[0]]
    case_id = torn["case_id"].iloc[0]
    assert upstream.night().code == 0
    assert truth(upstream, case_id) == [False]
    upstream.write("reviews", contradicted(torn))
    told = json.loads(upstream.admit("reviews", "--json").out)
    assert (told["admitted"], told["rejections"]) == (0, {"revision_appears_once": 1})
    assert truth(upstream, case_id) == [False]
    upstream.write("reviews", contradicted(torn).assign(revision=1))
    told = json.loads(upstream.admit("reviews", "--json").out)
    assert (told["admitted"], told["quarantined"]) == (1, 0)
    assert truth(upstream, case_id) == [True]


def test_a_later_fact_that_contradicts_an_earlier_one_of_that_moment_is_put_aside(
    upstream_on_either: Upstream,
) -> None:
    upstream = upstream_on_either
    assert upstream.night().code == 0
    fact = upstream.read("outcomes").iloc[[0]]
    before = truth(upstream, fact["case_id"].iloc[0])
    upstream.write("outcomes", fact.assign(bad=~fact["bad"]))
    told = json.loads(upstream.admit("outcomes", "--json").out)
    assert (told["admitted"], told["quarantined"]) == (0, 1)
    assert truth(upstream, fact["case_id"].iloc[0]) == before
