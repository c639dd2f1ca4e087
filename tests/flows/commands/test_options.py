"""What may be written on the command line: numbers that are none, and moments at the edge of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import pytest

from configs.errors import UserError
from flows.cli import cli
from flows.commands.options import Number, in_utc


def numbers(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
    """Every option of a command, and of those below it, that takes a fraction."""
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            yield from numbers(one, f"{name} {below}")
    for one in command.params:
        if isinstance(one.type, click.types.FloatParamType):
            yield f"{name} {one.opts[0]}", one


OPTIONS = dict(numbers(cli, "ratchet"))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "-inf", "1e999"])
def test_no_option_takes_what_is_no_number(name: str, text: str) -> None:
    """By click's comparisons NaN lies within 0 and 1."""
    with pytest.raises(click.BadParameter):
        OPTIONS[name].type.convert(text, None, None)


def test_a_number_in_its_range_is_taken() -> None:
    assert Number(0, 1, min_open=True).convert("0.25", None, None) == 0.25
    with pytest.raises(click.BadParameter, match="not in the range"):
        Number(0, 1, min_open=True).convert("0", None, None)


def test_a_moment_is_said_in_utc() -> None:
    assert in_utc(datetime.fromisoformat("2026-05-04T02:00:00+05:30")) == datetime(
        2026, 5, 3, 20, 30, tzinfo=UTC
    )
    for text, why in (
        ("2026-05-04T02:00:00", "no time zone"),
        ("9999-12-31T23:59:59-12:00", "after the last year"),
        ("0001-01-01T00:00:00+14:00", "before the first"),
    ):
        with pytest.raises(UserError, match=why):
            in_utc(datetime.fromisoformat(text))
