"""`--as-of` before the first stored row, for every command: an answer, not a traceback.

Injected: a home with two days of evidence, and every command that takes `--as-of`, asked about a year
before them, and in an empty home.
"""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from flows.cli import cli
from tests.flows.commands.live_home import LiveHome
from tests.live_sources import write_live_sources

BEFORE = "2020-01-01T00:00:00Z"
NEEDS = {"retrain": ["ato"], "whatif": ["ato", "--pass-below", "0.1", "--block-above", "0.9"]}


def commands_with_as_of() -> list[str]:
    return sorted(
        name
        for name, command in cli.commands.items()
        if isinstance(command, click.Command)
        and any("--as-of" in option.opts for option in command.params)
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> LiveHome:
    folder = tmp_path_factory.mktemp("as_of")
    with pytest.MonkeyPatch.context() as here:
        for name, value in write_live_sources(folder / "up", days=2, scale=0.02).items():
            here.setenv(name, value)
        home = LiveHome(folder / "home")
        assert home.ask("night").code == 0
    return home


def test_the_commands_that_take_a_moment_are_known() -> None:
    """A new one is tried here, too."""
    assert {"night", "retrain", "history", "tickets", "validate-ab", "whatif"} <= set(
        commands_with_as_of()
    )


@pytest.mark.parametrize("command", commands_with_as_of())
@pytest.mark.parametrize("empty", [True, False])
def test_every_command_answers_as_of_a_moment_before_anything(
    filled: LiveHome, tmp_path: Path, command: str, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0, or 2 or 3 with a sentence; `ask` fails on a traceback."""
    home = LiveHome(tmp_path / "home") if empty else filled
    up = filled.home.parent / "up"
    for table in ("decisions", "reviews", "outcomes"):
        monkeypatch.setenv(f"RATCHET_SOURCES__{table.upper()}", str(up / f"{table}.yaml"))
    said = home.ask(command, *NEEDS.get(command, []), "--as-of", BEFORE)
    assert said.code in (0, 2, 3), said.err
    assert (said.out + said.err).strip()


def test_a_night_as_of_before_the_first_delivery_finds_nothing(filled: LiveHome) -> None:
    """Without a source: what had been received by then is nothing, and that is no failure."""
    empty = filled.home.parent / "up" / "none.yaml"
    empty.write_text("name: none\nkind: outcomes\npath: outcomes.parquet\nwatermark: observed_at\n")
    with pytest.MonkeyPatch.context() as here:
        here.setenv("RATCHET_SOURCES__OUTCOMES", str(empty))
        said = filled.ask("night", "--as-of", BEFORE)
    assert "Traceback" not in said.out + said.err
    assert said.code in (0, 3)
