"""More labels by commands: what is priced, filed, refused, and who must agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.commands.govern.sprints import how_to_ask
from tests.flows.commands.conftest import Staffed
from tests.flows.commands.govern.test_after import cases
from tests.flows.commands.live_home import LiveHome, proposed

NAME = "reset_2fa"


@pytest.fixture
def home(staffed: Staffed) -> LiveHome:
    """A live boundary with a day of cases that it decided."""
    home = staffed.home
    policy = proposed(home.services(), staffed.models[NAME], NAME)
    for command in ("approve", "promote"):
        said = home.ask(command, policy.policy_id, *["--yes"] * (command == "approve"), by="ana")
        assert said.code == 0, said.err
    cases(home.services(), NAME, datetime.now(UTC) - timedelta(hours=26), policy)
    return home


def test_a_sprint_is_filed_approved_and_live(home: LiveHome) -> None:
    """The operator asks, an approver agrees and promotes, by the commands of any proposal."""
    said = home.ask("sprint", NAME, "--labels", "30", "--rate", "0.5", by="ola")
    assert said.code == 0, said.err
    assert said.out.startswith("30 audits within ")
    assert "more than at today's 10 %" in said.out
    assert "Asked for by ola" in said.out
    policy_id = home.ask("proposals", NAME, "--ids").out.strip()
    assert "| audits at least | 50 % |" in home.ask("proposals", policy_id, "--dossier").out
    assert home.ask("approve", policy_id, "--yes", by="ana").code == 0
    assert home.ask("promote", policy_id, by="ana").code == 0
    live = home.services().ledger.live_policy(NAME)
    assert live is not None
    assert live.audit.sprint_rate == 0.5


def test_what_waits_for_a_second_person_is_among_the_proposals(home: LiveHome) -> None:
    assert home.ask("halt", NAME, "--reason", "odd passes", by="ola").code == 0
    said = home.ask("proposals").out
    assert "Nothing waits" not in said
    assert f"{NAME}: halted by ola (`ratchet resume {NAME} --reason R`)." in said
    assert home.ask("proposals", "ato").out.strip() == "Nothing waits."
    assert home.ask("proposals", "--json").out.strip() == "[]"


@pytest.mark.parametrize(
    ("rate", "said"), [(1.0, "--labels 42`"), (0.5, "--labels 42 --rate 0.5`")]
)
def test_the_command_that_is_named_asks_for_what_was_priced(rate: float, said: str) -> None:
    """Without its rate it would be a sprint that audits everything."""
    assert f"`ratchet sprint ato {said} asks for it" in how_to_ask("ato", 41.7, rate)


def test_asking_for_the_price_files_nothing(home: LiveHome) -> None:
    said = home.ask("sprint", NAME)
    assert said.code == 0, said.err
    assert home.ask("proposals", NAME).out.strip() == "Nothing waits."


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((NAME, "--labels", "5", "--until", "2999-01-01T00:00:00Z"), "give one"),
        ((NAME, "--until", "2999-01-01"), "has no time zone"),
        ((NAME, "--until", "2001-01-01T00:00:00Z"), "that moment is past"),
        ((NAME, "--labels", "5", "--rate", "0.05"), "above today's 10 %"),
        ((NAME, "--from-store", "last-draw"), "none was drawn there before; begin at go-live"),
        (("kyc_audit", "--from-store", "go-live"), "no boundary of it was ever live"),
        ((NAME, "--until", "2999-01-01T00:00:00Z"), "which is no sprint"),
        ((NAME, "--labels", "5", "--rate", "nan"), "is no number"),
        ((NAME, "--from-store", "go-live", "--rate", "nan"), "is no number"),
        ((NAME, "--labels", "9" * 30), "more than ten years, which is no sprint"),
        ((NAME, "--until", "9999-12-31T23:59:59-12:00"), "the last year that there is"),
        ((NAME, "--until", "0001-01-01T00:00:00+14:00"), "before the first"),
        ((NAME, "--from-store", "go-live", "--rate", "0.1"), "is left to draw at any rate"),
        (("atoo", "--labels", "5"), "there is no case type 'atoo'"),
        (("kyc_audit", "--labels", "5"), "labels come by themselves"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    home: LiveHome, arguments: tuple[str, ...], why: str
) -> None:
    """Exit 2, and what would work."""
    said = home.ask("sprint", *arguments, by="ola")
    assert (said.code, why in said.err) == (2, True), said.err + said.out


def test_an_auditor_reads_and_asks_for_nothing(home: LiveHome) -> None:
    said = home.ask("sprint", NAME, "--labels", "30", by="audrey")
    assert said.code == 3
    assert "takes the role" in said.err


def test_the_label_budget_as_a_table_as_json_and_as_a_page(home: LiveHome, tmp_path: Path) -> None:
    page = tmp_path / "budget.html"
    said = home.ask("label-budget", "--to", str(page))
    assert said.code == 0, said.err
    assert f"Written: {page}" in said.out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    told = json.loads(home.ask("label-budget", "--json").out)
    assert {*told} == {"as_of", "recommendation", "sides", "without_a_price", "to"}
    named = {one["case_type"] for one in told["sides"] + told["without_a_price"]}
    assert named == set(home.services().case_types)
    assert home.ask("label-budget", "--to", "budget.txt").code == 2
