"""What a replayed threshold move says, in sentences and a table."""

import pytest

from flows.reports.words.move import (
    boundary_text,
    cheapest_text,
    move_table,
    move_verdict,
    proof_text,
)
from tests.flows.reports.moves import a_move, no_move


def test_a_given_move_is_told_before_and_after():
    """Automation and the simulated queue, both ways; nothing about a certificate."""
    said = move_verdict(a_move())
    assert "from 30.0% to 45.0%" in said
    assert "simulated queue" in said
    assert "certified" not in said


def test_the_best_move_says_that_it_is_a_peek():
    """What was found, for which model, and that nothing was spent or proposed."""
    said = move_verdict(a_move(best=True))
    assert said.startswith("The widest certified boundary: pass at or below 0.02")
    assert "spends no look and proposes nothing" in said
    told = a_move(best=True)
    told["certificate"]["decides"] = False
    assert "of model 4, which is under test" in move_verdict(told)


def test_a_refuted_boundary_is_said_to_be_one():
    """The narrowed rest is no widening, and the alarm comes first."""
    told = a_move(best=True)
    told["certificate"] |= {
        "verdict": "incumbent_uncertified",
        "reasons": ["Today's pass side is refuted by the evidence; it narrows at once."],
    }
    said = move_verdict(told)
    assert said.startswith("Today's pass side is refuted")
    assert "What is left of it: pass at or below 0.02" in said


def test_no_certified_move_is_one_line_with_its_price():
    """Labels by zone and the days they take."""
    said = move_verdict(no_move())
    assert "\n" not in said
    assert "ato: no certified move." in said
    assert "1,200 in the pass zone" in said
    assert "The pass zone has its labels after 12 days" in said
    assert move_table(no_move()) == []


def test_limits_stand_beside_the_replay():
    """One row a promise, with its target; what is not estimable is said so, as is 'unsupported'."""
    rows = {row["figure"]: (row["current"], row["moved"]) for row in move_table(a_move())}
    assert rows["proven recall (target 0.99)"] == (0.985, 0.975)
    assert rows["proven precision (target 0.95)"] == ("not estimable", "not estimable")
    assert rows["pass_at_or_below"] == (0.01, 0.02)
    assert rows["false_blocks"] == ("unsupported", "unsupported")
    assert "queue by_hour" not in rows


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (None, None, "everything is reviewed"),
        (0.01, None, "pass at or below 0.01"),
        (0.01, 0.9, "pass at or below 0.01, block at or above 0.9"),
    ],
)
def test_a_boundary_in_words(low, high, said):
    """Either side may be reviewed."""
    assert boundary_text({"pass_at_or_below": low, "block_at_or_above": high}) == said


def test_the_cheapest_boundary_is_told_with_its_warning():
    """The boundary, what it would have cost, and that nothing is proven about it."""
    said = cheapest_text(a_move())
    assert "pass at or below 0.015 (an estimated 4,321 USD)" in said
    assert "keeps no promise" in said


def test_the_proof_of_the_live_boundary_stands_beside_what_today_says():
    """When, on how much, by whom, and each limit then and now; a narrowing and the end are told."""
    told = a_move()
    (risk, limit), *_ = told["limits"].items()
    proof = {
        "policy_id": "ab" * 32, "proven_at": "2026-04-01T02:00:00+00:00", "limits": {risk: 0.9612},
        "delta": 0.003, "rows": 20_000, "labelled": 8_000, "bad": None, "approved_by": ["ana", "ben"],
        "forced": False, "narrowed_at": "2026-04-09T02:00:00+00:00", "valid_until": None,
    }  # fmt: skip
    today = "not estimable" if limit["current"] is None else f"{limit['current']:.2%}"
    assert proof_text({**told, "proof": proof}) == (
        "The live boundary (abababababab) rests on the certificate of 2026-04-01T02:00:00Z, approved by "
        f"ana and ben, on 20,000 cases, 8,000 labelled: {risk.replace('_', ' ')} 96.12% (today: {today}). "
        "It was narrowed since, at 2026-04-09T02:00:00Z."
    )
    forced = {**proof, "forced": True}
    assert "was forced by ana and ben: it rests on no proof" in proof_text(
        {**told, "proof": forced}
    )
    assert proof_text({**told, "proof": None}) == ""
