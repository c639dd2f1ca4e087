"""The demo tells its whole story: what is planted and planned in the settings, and how the loop answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from tests.flows.command_line import RATCHET, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600)]

DEMO = load_settings(env={}).demo
BIASED, SPRINTED, WAVED = (one.case_type for one in (DEMO.past_bias, DEMO.sprint, DEMO.wave))
_PATIENCE_SECONDS = 3_000
NOTCHES = ("notch", "sprint_notch", "wider")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A demo as `ratchet demo` runs it: its folder, and what it printed."""
    home = tmp_path_factory.mktemp("demo")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PREFECT_"))}
    run = subprocess.run(
        [RATCHET, "demo"],
        env={**clean, "RATCHET_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    (folder,) = (home / "backtests").iterdir()
    return folder, run.stdout


@pytest.fixture(scope="module")
def result(demo: tuple[Path, str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((demo[0] / "result.json").read_text(encoding="utf-8"))
    return told


def nights_of(result: dict[str, Any], kind: str, case_type: str) -> list[int]:
    story = result["summary"]["story"]
    return [one["step"] for one in story if (one["kind"], one["case_type"]) == (kind, case_type)]


def test_each_case_type_has_its_first_certificate_before_anything_else(
    result: dict[str, Any],
) -> None:
    """Nothing is automated before it."""
    for name in DEMO.case_types:
        (first,) = nights_of(result, "certificate", name)
        before = [s for s in result["steps"] if s["case_type"] == name and s["step"] < first]
        assert not any(step["auto_passed"] + step["auto_blocked"] for step in before)


def test_three_notches_in_two_case_types_and_one_by_the_draw_from_the_store(
    result: dict[str, Any],
) -> None:
    """What the draw paid is promoted after it."""
    notched = [one["case_type"] for one in result["summary"]["story"] if one["kind"] in NOTCHES]
    assert len(notched) >= 3
    assert len(set(notched)) >= 2
    assert min(nights_of(result, "sprint_notch", SPRINTED)) > DEMO.sprint.night


def test_the_planted_bias_becomes_a_ticket_a_retrain_and_a_wider_boundary(
    result: dict[str, Any],
) -> None:
    """In this order, and the ticket names the feature that was planted."""
    ticket = nights_of(result, "ticket", BIASED)[0]
    retrain, wider = nights_of(result, "retrain", BIASED)[0], nights_of(result, "wider", BIASED)[0]
    assert ticket < retrain <= wider
    said = [one["what"] for one in result["summary"]["story"] if one["kind"] == "ticket"]
    assert any(f"the weight of {DEMO.past_bias.feature} is too high" in one for one in said)


def test_the_wave_is_answered_by_a_rollback_a_look_back_and_a_recovery(
    result: dict[str, Any],
) -> None:
    """The guard trips once the wave's truth is in; a later promotion brings automation back."""
    tripped = nights_of(result, "tripped", WAVED)[0]
    assert tripped > DEMO.wave.night
    assert nights_of(result, "rolled_back", WAVED)[0] == tripped
    assert nights_of(result, "look_back", WAVED)[0] == tripped
    recovered = nights_of(result, "recovered", WAVED)[0]
    assert recovered > tripped
    rate = {s["step"]: s["automation_rate"] for s in result["steps"] if s["case_type"] == WAVED}
    assert rate[recovered] > rate[tripped]


def test_only_what_the_wave_met_is_in_violation_and_only_on_its_nights(
    result: dict[str, Any],
) -> None:
    """Every other boundary kept its promises over its whole life."""
    wave = range(DEMO.wave.night, DEMO.wave.night + DEMO.wave.days)
    broken = [one for one in result["boundaries"] if one["broken"]]
    met = {s["policy_id"] for s in result["steps"] if s["case_type"] == WAVED and s["step"] in wave}
    assert {one["policy_id"] for one in broken} <= met
    marked = {(s["case_type"], s["step"]) for s in result["steps"] if s["violation"]}
    assert marked <= {(WAVED, night) for night in wave}


def test_the_story_is_printed_in_order_and_every_figure_is_simulated(
    demo: tuple[Path, str], result: dict[str, Any]
) -> None:
    """One line an event, before the summary; the page opens with the chart and its words."""
    folder, printed = demo
    nights = [int(found) for found in re.findall(r"^night +(\d+) ", printed, flags=re.MULTILINE)]
    assert nights == [one["step"] for one in result["summary"]["story"]]
    assert "What happened (simulated):" in printed
    assert printed.index("What happened") < printed.index("Simulated. ")
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "every figure on this page comes from a simulated exchange" in html
    opening = html[: html.index('<section id="s2"')]
    assert "It did so on nights of the planted wave alone." in opening
    for words in (
        "first certificate",
        "rollback",
        "recovered",
        "decided automatically (simulated)",
    ):
        assert words in opening
