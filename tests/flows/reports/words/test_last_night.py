"""Does the screen say what moved and ended nothing, and nothing where nothing did?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flows.reports.words.last_night import last_night_lines
from flows.verbs.record.night_results import NightResults, moved

NOW = datetime(2026, 5, 4, 3, tzinfo=UTC)
SENTENCE = "ato: among good cases, since 2026-04-20: Feature 'channel' has moved."


def screen(sentences: list[str]) -> list[str]:
    told: dict[str, Any] = {
        "as_of": "2026-05-04T02:00:00+00:00",
        "before": None,
        "verdict": "Everything was done; nothing is held.",
        "not_done": [],
        "moved": sentences,
        **{
            name: []
            for name in ("live", "tables", "holds", "shadow", "changed", "waits", "expires")
        },
        "ledger": "",
    }
    return last_night_lines(told, NOW)


def test_what_moved_stands_below_the_verdict() -> None:
    lines = screen([SENTENCE])
    assert lines[1:4] == ["", "Moved, and no evidence ended:", f"  {SENTENCE}"]
    assert not any("Moved" in line for line in screen([]))


def test_what_is_told_holds_and_fails_nothing() -> None:
    results = NightResults()
    results.case_type("ato").told.append(SENTENCE)
    plain = results.plain()
    assert plain["case_types"]["ato"] == {"state": "done", "why": [], "told": [SENTENCE]}
    assert moved(plain) == [SENTENCE]


@pytest.mark.parametrize("old", [{}, {"case_types": {"ato": {"state": "done", "why": []}}}])
def test_a_dossier_of_before_tells_nothing(old: dict[str, Any]) -> None:
    assert moved(old) == []


def test_what_follows_a_stopped_test_is_on_the_screen() -> None:
    told = {
        "as_of": "2026-05-04T02:00:00+00:00", "before": None, "verdict": "Done.",
        **{n: [] for n in ("not_done", "moved", "live", "tables", "holds", "shadow", "changed", "waits", "expires")},
        "ledger": "", "next": ["ato: the A/B test ended. Next: approve it."],
    }  # fmt: skip
    lines = last_night_lines(told, NOW)
    assert lines[1:4] == ["", "A/B tests:", "  ato: the A/B test ended. Next: approve it."]
