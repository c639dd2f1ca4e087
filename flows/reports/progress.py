"""How far is a long walk, or a large file?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
_QUIET_SECONDS = 2.0


def tracked(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield items under a progress bar on a terminal; elsewhere a line every tenth part."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=label, console=Console(stderr=True))
        return
    if os.environ.get("RATCHET_LOG") == "json":
        yield from items
        return
    tenth = max(len(items) // 10, 1)
    for place, item in enumerate(items, start=1):
        yield item
        if place % tenth == 0 or place == len(items):
            sys.stderr.write(f"{label}: {place} of {len(items)}\n")
            sys.stderr.flush()


@contextmanager
def counted(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function to be told (done, of all, where known): a bar on a terminal; elsewhere a line every
    two seconds, so that what is quick stays silent."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    told = time.monotonic()
    silent = os.environ.get("RATCHET_LOG") == "json"  # a line of the log is an object

    def tell(done: int, total: int | None) -> None:
        nonlocal told
        if silent or time.monotonic() - told < _QUIET_SECONDS:
            return
        told = time.monotonic()
        of_all = "" if total is None else f" of {total:,}"
        sys.stderr.write(f"{label}: {done:,}{of_all}\n")
        sys.stderr.flush()

    yield tell
