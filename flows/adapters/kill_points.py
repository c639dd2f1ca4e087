"""Where may a test cut the power, to prove that the next start converges?"""

from __future__ import annotations

import os
import signal

VARIABLE = "RATCHET_KILL_POINT"


def kill_point(name: str) -> None:
    """End this process at once, without any clean-up, when the environment names this point.

    Only the fault tests set `RATCHET_KILL_POINT`.
    """
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
