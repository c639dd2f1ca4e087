"""What does a night say of models beside the one that decides, of other agents, and of causes?"""

from __future__ import annotations

from typing import Any

import pytest

from flows.reports.words.night_told import agent_line, cause_line, shadow_line

AS_OF = "2026-11-30T13:45:00+00:00"


def watched(**said: Any) -> dict[str, Any]:
    known = {
        "case_type": "loan", "since": "2026-11-30T12:45:00+00:00", "decided": 3, "automatic": 1,
        "beyond": 0,
    }  # fmt: skip
    return {**known, **said}


def test_before_an_agent_must_have_the_boundary_nothing_is_counted() -> None:
    """It was "0 of 0 cases since 14:45", said at 13:45."""
    said = agent_line(watched(since="2026-11-30T14:45:00+00:00"), AS_OF)
    assert "has until 2026-11-30T14:45:00Z to fetch it" in said
    assert "decided" not in said.replace("it decides", "")


def test_few_decisions_of_an_agent_make_no_percentage() -> None:
    assert "decided 1 of 3 cases automatically" in agent_line(watched(), AS_OF)
    many = watched(decided=300, automatic=100, beyond=7)
    assert "100 of 300 (33.3%) cases automatically" in agent_line(many, AS_OF)
    assert "7 of them beyond the live boundary" in agent_line(many, AS_OF)


@pytest.mark.parametrize(
    ("decides", "said"), [(True, "it decides by now"), (False, "in shadow; it decides nothing")]
)
def test_a_model_that_decides_is_in_no_shadow(decides: bool, said: str) -> None:
    one = {
        "case_type": "loan", "model_version": "1", "scored": 8_790, "decisions": 8_790, "new": 0,
        "decides": decides,
    }  # fmt: skip
    line = shadow_line(one)
    assert "has scored 8,790 of 8,790 decisions" in line
    assert said in line


def test_a_cause_that_was_looked_for_in_nothing_is_not_none() -> None:
    none = {"case_type": "loan", "cause": "none", "cases": 0}
    assert "was not looked for" in cause_line(none)
    assert cause_line({**none, "cases": 1_200}) == (
        "loan: cause of errors none, judged on 1,200 labelled cases."
    )
