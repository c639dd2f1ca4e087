"""Where do this clone, its data and its state live?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from configs.errors import UserError

PROJECT = Path(__file__).resolve().parent.parent


def _beside() -> Path:
    """The clone; where an installed wheel runs, the working folder (its packages are nobody's home)."""
    return PROJECT if (PROJECT / "pyproject.toml").is_file() else Path.cwd()


def ratchet_home(env: Mapping[str, str] = os.environ) -> Path:
    """`RATCHET_HOME`, by default `.ratchet/` in the clone: all state lives below it."""
    return Path(env.get("RATCHET_HOME") or _beside() / ".ratchet").expanduser().resolve()


def ratchet_data(env: Mapping[str, str] = os.environ) -> Path:
    """`RATCHET_DATA`, by default `../shared/data` beside the clone: real data for backtests."""
    return (
        Path(env.get("RATCHET_DATA") or _beside().parent / "shared" / "data").expanduser().resolve()
    )


def ratchet_config(env: Mapping[str, str] = os.environ) -> Path | None:
    """`RATCHET_CONFIG`: a folder of the user's own, laid out as `configs/` (`case_types/`, `sources/`,
    `profiles/`) and lying over it; None: there is none.

    Raises:
        UserError: it names no folder.
    """
    named = env.get("RATCHET_CONFIG")
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(
            f"RATCHET_CONFIG names {folder}, which is no folder; make it, or unset the variable."
        )
    return folder


def located(file: str | Path, below: Path = PROJECT, env: Mapping[str, str] = os.environ) -> Path:
    """A relative path in the user's own folder where it is there, else below `below`."""
    own = ratchet_config(env)
    return own / file if own is not None and (own / file).exists() else below / file
