"""The chart that a demo's page opens with: lanes, words, marks and what it says to who does not see it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from flows.reports.pages.story_chart import _labels, described, story_chart
from flows.reports.words.story_events import WORDS, Event

NIGHTS = 30
REFERENCES = {
    "ato": {"oracle": 0.5, "tuned_once": 0.6},
    "reset_2fa": {"oracle": 0.4, "tuned_once": None},
}


def steps(broken: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Two case types, 100 cases a night, a third of them automatic."""
    return [
        {"step": step, "case_type": name, "cases": 100, "auto_passed": 30, "auto_blocked": 3,
         "violation": "recall" if name == "ato" and step in broken else ""}
        for step in range(NIGHTS)
        for name in ("ato", "reset_2fa")
    ]  # fmt: skip


def event(step: int, kind: str, case_type: str = "ato", days: int = 0) -> Event:
    return Event(step, "2026-01-05", case_type, kind, "What happened.", days)


STORY = (
    event(0, "certificate"),
    event(9, "tripped"),
    event(9, "rolled_back"),
    event(12, "recovered"),
)


def words_of(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def crosses(svg: str) -> int:
    """Marks of a broken promise: uses of the one marker that is filled in red, the legend's included."""
    return len(re.findall(r"<use [^>]*fill: #b00020[^>]*stroke: #ffffff", svg))


def test_each_night_of_a_lane_has_its_words_and_each_case_type_a_lane() -> None:
    """What happened in one night stands together."""
    said = words_of(story_chart(steps(), STORY, REFERENCES))
    for expected in ("first certificate", "guard trips, rollback", "recovered", "ato", "reset_2fa"):
        assert expected in said


def test_the_legend_names_the_references_and_says_simulated() -> None:
    """Oracle and the threshold tuned once are drawn beside what was automated."""
    said = words_of(story_chart(steps(), STORY, REFERENCES))
    assert "decided automatically (simulated)" in said
    assert "oracle, in hindsight" in said
    assert "threshold tuned once" in said


def test_a_broken_promise_is_marked_on_its_nights_alone() -> None:
    """Three nights broke one: three crosses more than in a walk that broke none."""
    calm = crosses(story_chart(steps(), STORY, REFERENCES))
    assert crosses(story_chart(steps(broken=(4, 5, 6)), STORY, REFERENCES)) == calm + 3


def test_who_does_not_see_it_hears_what_happened_and_when() -> None:
    """The alternative text is the story by case type."""
    said = described(STORY, ["ato", "reset_2fa"])
    assert said == (
        "Simulated: automation by night and what moved it. ato: first certificate on night 0, guard "
        "trips on night 9, rollback on night 9, recovered on night 12; reset_2fa: nothing happened."
    )
    assert f'aria-label="{said}"' in story_chart(steps(), STORY, REFERENCES)


def test_a_narrow_chart_is_narrower_and_says_the_same() -> None:
    """The same words for a screen of 400 px."""
    wide, narrow = (story_chart(steps(), STORY, REFERENCES, narrow=it) for it in (False, True))
    width = [float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1)) for svg in (wide, narrow)]  # type: ignore[union-attr]
    assert width[1] < 0.5 * width[0]
    assert {"first certificate", "recovered"} <= set(words_of(narrow))


def test_words_of_two_nights_never_touch() -> None:
    """A label goes to the lowest row where it has room, and ends at its night near the right edge."""
    many = [event(step, "sprint") for step in range(NIGHTS)]
    labels = _labels(many, "ato", NIGHTS, units=300.0)
    length = 300.0 / NIGHTS
    spans = sorted((one.row, one.left * length) for one in labels)
    needed = len(WORDS["sprint"]) * 4.0
    assert all(
        right - left >= needed
        for (row, left), (next_row, right) in pairwise(spans)
        if row == next_row
    )
    assert len({one.row for one in labels}) > 1


def test_a_night_without_cases_is_a_gap_and_no_night_is_refused() -> None:
    """No case came: there is no share to draw."""
    empty = [{**one, "cases": 0, "auto_passed": 0, "auto_blocked": 0} for one in steps()]
    assert "nan" not in story_chart(empty, (), REFERENCES).lower()
    with pytest.raises(ValueError, match="no night"):
        story_chart([], (), {})


def test_many_things_of_one_night_are_stacked_in_rows_that_fit() -> None:
    """What fits in no row of the lane goes on in the next one, the first things uppermost."""
    kinds = ("evidence", "tripped", "rolled_back", "narrowed", "look_back")
    labels = _labels([event(20, kind) for kind in kinds], "ato", NIGHTS, units=190.0)
    assert [one.words for one in sorted(labels, key=lambda one: -one.row)] == [
        "evidence starts again", "guard trips, rollback", "narrowed, look-back",
    ]  # fmt: skip
