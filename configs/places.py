"""Where do this clone, its data and its state live?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def ratchet_home(env: Mapping[str, str] = os.environ) -> Path:
    """`RATCHET_HOME`, by default `.ratchet/` in the clone: all state lives below it."""
    return Path(env.get("RATCHET_HOME") or PROJECT / ".ratchet").expanduser().resolve()


def ratchet_data(env: Mapping[str, str] = os.environ) -> Path:
    """`RATCHET_DATA`, by default `../shared/data` beside the clone: real data for backtests."""
    return (
        Path(env.get("RATCHET_DATA") or PROJECT.parent / "shared" / "data").expanduser().resolve()
    )
