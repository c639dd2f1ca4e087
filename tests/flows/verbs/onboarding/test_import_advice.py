"""What would bring a proof nearer where an import brought too little evidence?"""

from __future__ import annotations

from dataclasses import replace

from flows.verbs.onboarding.import_advice import what_to_do_now
from flows.verbs.onboarding.import_history import PastOf
from flows.verbs.onboarding.past_truths import PastTruths
from models.vocabulary import Targets
from tests.builders import START

NAME = "small_case"


def test_a_model_that_could_not_be_fitted_asks_for_a_smaller_hold_back() -> None:
    """Never for a larger one: the model lacks what the proof would be given."""
    past = PastOf(NAME, 300, 0, 0, 300, 0, 0, PastTruths(60, 240, 0, 0), None, 0.7)
    why = "No model was fitted: training needs at least 20 bad and 20 good cases in the later slice"
    too_little = {"verdict": "insufficient_evidence"}
    first, *rest = what_to_do_now(past, too_little, Targets(precision=0.95), not_fitted=why)
    assert "`--hold-back` below 0.7" in first
    assert "(the later slice)" in first
    assert "hold-back" not in " ".join(rest)


def test_what_threw_most_of_the_evidence_away_and_what_counts_as_the_worst_is_named() -> None:
    """Before any word on importing more: more of the same would be thrown away, too."""
    past = PastOf(NAME, 300, 0, 0, 270, 0, 30, PastTruths(60, 210, 30, 30), START, 0.7)
    why = "Evidence starts again at 2026-03-30 and pools 215 of 2,100 cases."
    too_little = {"verdict": "insufficient_evidence", "drawn_and_missing": 12}
    drifted, missing, *_ = what_to_do_now(past, too_little, Targets(precision=0.95), restarted=why)
    assert why in drifted
    assert "`turns_with_calendar: true`" in drifted
    assert "12 mature cases have no truth, and each counts as the worst case" in missing
    before_any_model = {"verdict": "insufficient_evidence", "drawn_and_missing": 0}
    (missing, *_) = what_to_do_now(past, before_any_model, Targets(precision=0.95))
    assert missing.startswith("Find out how the open cases ended: 30 mature cases")


def test_what_can_be_done_where_too_little_came_in() -> None:
    """Only what is true of this past: no promise of recall, no word on bad cases; a proof, no word."""
    past = PastOf(NAME, 500, 0, 0, 500, 40, 0, PastTruths(50, 450, 0, 0), START, 0.7)
    too_little = {"verdict": "insufficient_evidence"}
    said = " ".join(what_to_do_now(past, too_little, Targets(precision=0.95, recall=0.99)))
    assert "40 cases are younger" in said
    assert "`--hold-back` above 0.7" in said
    assert "recall is proven by bad cases alone" in said
    bare = replace(past, young=0, held_back_from=None)
    said = " ".join(what_to_do_now(bare, too_little, Targets(precision=0.95)))
    assert "younger" not in said
    assert "hold-back" not in said
    assert "recall" not in said
    assert what_to_do_now(past, {"verdict": "certified"}, Targets(precision=0.95)) == []
