"""Great Expectations raises inside a rule: the batch fails, nothing is trained (FAULTS 14).

Injected: an expectation about a column that is not there (the engine hides its exception), an engine
that cannot start, an answer that is left out, and a rule of ours that raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from data_contracts import CONTRACTS
from data_contracts.admission import engine
from data_contracts.contract import RowRule
from tests.faults.upstream import Upstream

ONLY_REVIEWS = "known_team"
"""A rule that no other contract has."""


def _on_a_missing_column(patched: pytest.MonkeyPatch) -> None:
    original = engine._expectation

    def elsewhere(rule):
        expectation = original(rule)
        if rule.name == ONLY_REVIEWS:
            expectation.column = "nowhere"
        return expectation

    patched.setattr(engine, "_expectation", elsewhere)


def _an_answer_left_out(patched: pytest.MonkeyPatch) -> None:
    original = engine._run_suite

    def fewer(judged, checks):
        results = original(judged, checks)
        return results[1:] if ONLY_REVIEWS in [check.name for check in checks] else results

    patched.setattr(engine, "_run_suite", fewer)


def _no_engine(patched: pytest.MonkeyPatch) -> None:
    original = engine._run_suite

    def broken(judged, checks):
        if ONLY_REVIEWS in [check.name for check in checks]:
            raise MemoryError("0123456789")
        return original(judged, checks)

    patched.setattr(engine, "_run_suite", broken)


def _our_rule(patched: pytest.MonkeyPatch) -> None:
    def raises(frame: pd.DataFrame, _: object) -> pd.Series:
        raise KeyError(frame["reviewer_id"].iloc[0])

    rule = RowRule("odd_rule", ("reviewer_id",), "It cannot be judged.", raises)
    reviews = CONTRACTS["reviews"]
    odd = replace(reviews, row_rules=(*reviews.row_rules, rule))
    patched.setattr(
        "flows.verbs.intake.delivered_decisions.CONTRACTS", {**CONTRACTS, "reviews": odd}
    )


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "a missing column": (_on_a_missing_column, "raised inside 'known_team'"),
    "an answer left out": (_an_answer_left_out, "Great Expectations answered"),
    "no engine": (_no_engine, "Great Expectations raised MemoryError"),
    "a rule of ours": (_our_rule, "'odd_rule' raised KeyError"),
}


@pytest.mark.parametrize(("inject", "named"), FAULTS.values(), ids=FAULTS)
def test_the_batch_fails_by_name_and_nothing_is_trained(
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    inject: Callable[[pytest.MonkeyPatch], None],
    named: str,
) -> None:
    """Decisions came in, no review did; mended, the same rows are read again and nothing is missing."""
    reviews = upstream.read("reviews")
    with monkeypatch.context() as broken:
        inject(broken)
        by_hand = upstream.admit("reviews")
        assert by_hand.code == 2
        said = upstream.night()
        assert named in said.out + said.err
        assert reviews["reviewer_id"].iloc[0] not in said.out + said.err + by_hand.err
        assert upstream.services().store.counts("reviews") == (0, 0, 0)
        assert len(upstream.stored("decisions")) == len(upstream.read("decisions"))
        asked = upstream.ask("retrain", "ato")
        assert (asked.code, "No model was fitted" in asked.out) == (3, True)
        assert upstream.learned() == []
    again = upstream.night()
    assert again.code == 0, again.err
    assert len(upstream.stored("reviews")) == len(reviews)
