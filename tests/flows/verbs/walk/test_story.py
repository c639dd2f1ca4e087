"""What a walk tells of itself: its events in order, what stood proven, and where the truth broke a promise."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from flows.reports.words.story_events import WORDS, Event
from flows.verbs.walk.evaluation import WalkEvaluation, _broken_on, evaluate_walk
from flows.verbs.walk.story import Planted, _kind, story_of
from flows.verbs.walk.walk import Walk
from models.hub.record.entries import EntryKind
from models.vocabulary import Targets
from tests.builders import small_history, walked


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return walked(tmp_path_factory.mktemp("story"), small_history())


@pytest.fixture(scope="module")
def told(walk: Walk) -> WalkEvaluation:
    return evaluate_walk(walk, 1.0, staffed=False)


def test_the_first_promotion_is_the_first_certificate_and_says_what_is_proven(walk: Walk) -> None:
    """On the night of its ledger entry, with the cuts, the automation and the limits."""
    entries = walk.services.ledger.history("small_case")
    first = next(one for one in entries if one.kind is EntryKind.PROMOTED)
    (told,) = [one for one in story_of(walk) if one.kind == "certificate"]
    assert told.date == first.at.date().isoformat()
    assert walk.upstream.start + told.step * walk.upstream.step == first.at
    proposed = next(one for one in entries if one.kind is EntryKind.PROPOSED)
    limit, share = proposed.dossier["limits"]["recall"], proposed.dossier["automation_rate"]
    assert told.what.startswith(f"First certificate: {share:.1%} is decided automatically, pass at")
    assert f"recall at least {limit:.2%}" in told.what


def test_every_promotion_and_every_later_model_is_an_event_in_order(walk: Walk) -> None:
    """As many as the ledger has, no night before the one before it."""
    entries = walk.services.ledger.history("small_case")
    counted = [one.kind for one in entries]
    story = story_of(walk)
    promoted = [one for one in story if one.kind in ("certificate", "notch", "wider", "recovered")]
    assert len(promoted) == counted.count(EntryKind.PROMOTED) > 0
    models = counted.count(EntryKind.GENERATION_STARTED)
    turned_down = sum(not one.filed for _, one in walk.fits)
    assert sum(one.kind == "retrain" for one in story) == models - 1 + turned_down
    assert [one.step for one in story] == sorted(one.step for one in story)
    assert {one.kind for one in story} <= set(WORDS)


def test_a_planted_episode_comes_first_on_its_night(walk: Walk) -> None:
    """What was planted is told before what followed from it."""
    night = story_of(walk)[0].step
    walk.planted = (Planted(night, "small_case", "A wave.", 4),)
    try:
        assert story_of(walk)[0] == Event(
            night, story_of(walk)[0].date, "small_case", "planted", "Planted: A wave.", 4
        )
    finally:
        walk.planted = ()


def test_a_step_holds_its_automation_what_is_proven_and_what_happened(told: WalkEvaluation) -> None:
    """And the summary's story is the events of all steps."""
    live = [one for one in told.steps if one["auto_passed"] + one["auto_blocked"]]
    assert live
    for step in live:
        share = (step["auto_passed"] + step["auto_blocked"]) / step["cases"]
        assert step["automation_rate"] == pytest.approx(share)
        assert step["proven"]["recall"] >= 0.9  # what the case type promises
    happened = [kind for step in told.steps for kind in step["events"]]
    assert sorted(happened) == sorted(one["kind"] for one in told.summary["story"])


@pytest.mark.parametrize(
    ("first", "fell", "other_model", "sprinted", "kind"),
    [
        (True, False, True, False, "certificate"),
        (False, False, False, False, "notch"),
        (False, False, False, True, "sprint_notch"),
        (False, False, True, True, "wider"),
        (False, True, True, True, "recovered"),
        (False, True, False, False, "recovered"),
    ],
)
def test_a_promotion_is_told_by_what_came_before_it(
    first, fell, other_model, sprinted, kind
) -> None:
    """After a fall it is a recovery, from another model the retrain's, after a draw the sprint's."""
    assert _kind(first, fell, other_model, sprinted) == kind


def life(missed: list[int], bad: int = 50) -> pd.DataFrame:
    """One boundary's nights: of `bad` bad cases a night so many are passed, beside 100 good ones."""
    rows = []
    for step, wrong in enumerate(missed):
        for place in range(bad + 100):
            action = "auto_pass" if place < wrong or place >= bad else "escalate"
            rows.append((step, "x", "p", action, float(place < bad)))
    return pd.DataFrame(rows, columns=["step", "case_type", "policy_id", "action", "bad"])


def broken_on(missed: list[int], broken: str) -> dict[tuple[int, str], str]:
    kinds = {"x": SimpleNamespace(targets=Targets(recall=0.99))}
    walk = SimpleNamespace(services=SimpleNamespace(case_types=kinds))
    boundaries = [{"case_type": "x", "policy_id": "p", "broken": broken}]
    return _broken_on(walk, life(missed), boundaries)  # type: ignore[arg-type]


def test_a_violation_is_marked_on_the_nights_whose_own_truth_rejects_the_promise() -> None:
    """10 of 50 bad cases passed is far above 1 %, 1 of 50 is not."""
    assert broken_on([0, 1, 10, 10, 0], "recall") == {(2, "x"): "recall", (3, "x"): "recall"}


def test_a_slow_violation_is_marked_from_the_night_on_that_its_life_shows_it() -> None:
    """2 of 50 a night: one night is noise (P = .09), two are not (4 of 100: P = .02)."""
    assert list(broken_on([2, 2, 2, 2], "recall")) == [(1, "x"), (2, "x"), (3, "x")]


def test_a_boundary_that_kept_its_promise_has_no_mark_on_a_bad_night() -> None:
    """Single days are noise."""
    assert broken_on([0, 10, 0], "") == {}
