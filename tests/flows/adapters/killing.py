"""What is left when a process dies at one of the points where ours can be killed?"""

import os
from collections.abc import Callable

from flows.adapters.files.kill_points import VARIABLE


def killed_at(point: str, act: Callable[[], object]) -> int:
    """The signal that ended another process, which did `act()` until `point`.

    A fork of this process: everything it needs is imported, and nothing waits for a new start. A
    process that reaches its end was killed by no signal (0).
    """
    child = os.fork()
    if child == 0:
        try:
            os.environ[VARIABLE] = point
            act()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])
