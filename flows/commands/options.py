"""What may be written on the command line, and what does it mean?"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path, dir_okay=False)


class Number(click.FloatRange):
    """A finite number in a range: NaN lies in every range by click's comparisons."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number in the range {self._describe_range()}.", param, ctx)
        return number


SHARE = Number(0, 1, min_open=True, max_open=True)


class _Moment(click.ParamType[datetime]):
    """A stamp as ISO 8601 writes it; whether it needs a time zone is said where it is used."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment; write it like 2026-05-04T02:00:00Z.", param, ctx)


UTC_STAMP = _Moment()


def in_utc(moment: datetime) -> datetime:
    """A moment, future ones too, in UTC.

    Raises:
        UserError: it has no time zone, or is none that UTC can say.
    """
    from configs.errors import UserError

    if moment.tzinfo is None:
        raise UserError(
            f"{moment.isoformat()} has no time zone; write it as {moment.isoformat()}Z."
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UserError(
            f"{moment.isoformat()} is before the first or after the last year that there is in UTC."
        ) from None


ACTOR = click.option(
    "--as", "actor", metavar="NAME", help="Who asks (default RATCHET_ACTOR); proven by a token."
)


def boundary(text: str | None) -> Any:
    """`A,B` as a boundary; '-' (or nothing) on a side means that it is reviewed."""
    from configs.errors import UserError
    from models.vocabulary import Boundary

    if text is None:
        return None
    sides = [side.strip() for side in text.split(",")]
    try:
        low, high = (None if side in ("", "-") else float(side) for side in sides)
        return Boundary(low, high)
    except ValueError as wrong:
        raise UserError(
            f"--incumbent {text!r} is no boundary ({wrong}). Give two scores, as in 0.02,0.97; "
            "'-' for a side that is reviewed."
        ) from None
