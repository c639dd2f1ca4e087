"""Does a table of an A/B test speak to people: no True, no tested False, no 1e304?"""

from __future__ import annotations

from typing import Any

import pytest

from flows.reports.words.ab_proofs import ab_days_sentences, ab_rows, ab_sentences


def proof(claim: str, evidence: float, tested: bool = True, needed: float = 20.0) -> dict[str, Any]:
    proven = not tested or evidence >= needed
    return {"claim": claim, "evidence": evidence, "needed": needed, "proven": proven, "tested": tested}  # fmt: skip


def test_a_row_a_claim_in_words() -> None:
    told = {
        "method": "betting",
        "proofs": [
            proof("automation", 1.01e304),
            proof("recall", 3.27),
            proof("precision", 0.0, tested=False),
        ],
    }
    rows = [tuple(row.values()) for row in ab_rows(told)]
    assert rows == [
        ("automates more", "proven", "less than 1 in a billion", "1 in 20"),
        ("keeps its recall", "not proven so far", "1 in 3.2", "1 in 20"),
        ("keeps its precision", "nothing to prove: the policies leave such decisions to people", "-", "-"),
    ]  # fmt: skip


def test_a_z_score_is_called_one() -> None:
    told = {"method": "obrien_fleming", "proofs": [proof("recall", 1.234, needed=2.0)]}
    (row,) = ab_rows(told)
    assert row["chance if it were untrue"] == "z-score 1.23"


def test_a_conclusion_of_before_is_read_as_betting() -> None:
    """The ledger has conclusions that do not name their method; what could not be judged has no proof."""
    assert ab_rows({"proofs": [proof("recall", 25.0)]})[0]["proven at"] == "1 in 20"
    assert ab_rows({"proofs": []}) == []


def test_what_comes_next_stands_below_the_verdict() -> None:
    one = {"case_type": "ato", "verdict": "not_judged", "reasons": ["It could not."]}
    assert ab_sentences([one, {**one, "verdict": "stop", "next": "ato: next."}]) == [
        "ato: not judged. It could not.",
        "ato: stop. It could not.",
        "ato: next.",
    ]


OUTLOOK = {
    "days": 20.4,
    "horizon_days": 28.0,
    "by_horizon": 0.93,
    "by_claim": {"automation": 1.0, "recall": 0.93},
    "hardest": "recall",
    "power": 0.8,
    "runs": 200,
    "cases_per_day": 1234.0,
    "maturity_days": 3.0,
    "most_days": 3650.0,
}


def test_the_days_of_a_test_are_named_and_called_simulated() -> None:
    (told,) = ab_days_sentences(OUTLOOK)
    assert told.startswith(
        "Its A/B test, simulated at 1,234 cases a day: 93% of 200 simulated tests"
    )
    assert "it takes 20 days until 80% do, 3 of them before the first case is mature" in told


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"days": 61.0, "by_horizon": 0.2}, "Set `horizon_days` of its `ab_plan` to 61 or more"),
        ({"days": None, "by_horizon": 0.0}, "no horizon up to 3,650 days gives 80%"),
        ({"cases_per_day": 0.0}, "No case came lately"),
    ],
)
def test_what_would_help_is_said(changed: dict[str, Any], said: str) -> None:
    assert said in " ".join(ab_days_sentences({**OUTLOOK, **changed}))
