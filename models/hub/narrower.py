"""Does one boundary decide less than another?"""

from __future__ import annotations

import math

from models.vocabulary import Boundary


def is_narrower(boundary: Boundary, than: Boundary) -> bool:
    """Whether a boundary automates strictly less: no side further out, at least one further in."""
    passes, blocks = _reach(boundary)
    passed, blocked = _reach(than)
    return passes <= passed and blocks >= blocked and (passes, blocks) != (passed, blocked)


def _reach(boundary: Boundary) -> tuple[float, float]:
    passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
    return (-math.inf if passes is None else passes, math.inf if blocks is None else blocks)
