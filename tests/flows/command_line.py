"""What does the `ratchet` command print, and which exit code does it end with?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RATCHET = str(Path(sys.executable).parent / "ratchet")
_PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


Ratchet = Callable[..., Said]


def ratchet(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell starts it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PREFECT_"))}
    return subprocess.run(
        [RATCHET, *arguments],
        env={**clean, "RATCHET_HOME": str(home), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
    )
