"""How far is a long walk?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def tracked(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield items under a progress bar on a terminal; elsewhere a line every tenth part."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=label, console=Console(stderr=True))
        return
    tenth = max(len(items) // 10, 1)
    for place, item in enumerate(items, start=1):
        yield item
        if place % tenth == 0 or place == len(items):
            sys.stderr.write(f"{label}: {place} of {len(items)}\n")
            sys.stderr.flush()
