"""What may be written on the command line, and what does it mean?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path, dir_okay=False)
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
UTC_STAMP = click.DateTime(
    formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d"]
)
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
