"""What does the evidence say around a move: proven limits, risk by candidate, reliability near it?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flows.verbs.certify.peek import Peek
from models.replay.candidate_limits import candidate_limits, limits_at
from models.replay.reliability_bins import bins_around, reliability_bins
from models.vocabulary import Boundary


def proven(
    seen: Peek | None, current: Boundary | None, moved: Boundary | None
) -> dict[str, dict[str, float | None]]:
    """By promise: its target, and the limit proven for the current and for the moved boundary.

    Args:
        current: None where today's boundary belongs to another model than the one peeked at.
        moved: None where there is no move.
    """
    if seen is None:
        return {}
    nothing = Boundary.everything_reviewed()
    sides = [
        limits_at(seen.evidence, seen.targets, seen.incumbent, boundary or nothing)
        for boundary in (current, moved)
    ]
    promised = seen.targets.named()
    return {
        risk: {"target": promised[risk], "current": sides[0][risk], "moved": sides[1][risk]}
        for risk in sides[0]
    }


def risk_curves(
    seen: Peek | None, current: Boundary | None, moved: Boundary | None
) -> list[dict[str, Any]]:
    """Each promise over the candidates of its side, outward; what is not known is None.

    `automation` says where the two boundaries (as for `proven`) stand on the curve; `certified` is
    the cut that a look would certify, None where it would certify none.
    """
    if seen is None:
        return []
    curves = candidate_limits(seen.evidence, seen.targets, seen.incumbent)
    boundary = seen.certificate.boundary
    certified = {"pass": boundary.pass_at_or_below, "block": boundary.block_at_or_above}
    return [
        {
            "risk": curve.risk,
            "side": curve.side,
            "target": curve.target,
            "test": curve.test,
            "confidence": 1.0 - seen.targets.delta,
            "certified": certified[curve.side] if seen.found else None,
            "automation": {
                "current": _automation(seen, current, curve.side),
                "moved": _automation(seen, moved, curve.side),
            },
            "candidates": _plain(curve.candidates),
        }
        for curve in curves
    ]


def near_the_boundary(
    seen: Peek | None, current: Boundary | None, moved: Boundary | None
) -> list[dict[str, Any]]:
    """Reliability of the score in bins around each cut: of the moved boundary, else of today's."""
    if seen is None:
        return []
    free = seen.evidence.score[seen.evidence.automatable]
    nothing = Boundary.everything_reviewed()
    shown = moved or current or nothing
    sides = []
    if shown.pass_at_or_below is not None:
        # A case at the pass cut is passed, so the upper bin begins just above it.
        edge = float(np.nextafter(shown.pass_at_or_below, np.inf))
        sides.append(("pass", shown.pass_at_or_below, edge))
    if shown.block_at_or_above is not None:
        sides.append(("block", shown.block_at_or_above, shown.block_at_or_above))
    return [
        {
            "side": side,
            "cut": cut,
            "whose": "moved" if moved is not None else "current",
            "bins": _plain(reliability_bins(seen.evidence, bins_around(free, edge))),
        }
        for side, cut, edge in sides
    ]


def _automation(seen: Peek, boundary: Boundary | None, side: str) -> float | None:
    """Share of the evidence's cases that one side of a boundary decides; None: there is no cut."""
    nothing = Boundary.everything_reviewed()
    asked = boundary or nothing
    cut = asked.pass_at_or_below if side == "pass" else asked.block_at_or_above
    if cut is None:
        return None
    one_side = Boundary(cut, None) if side == "pass" else Boundary(None, cut)
    return seen.evidence.automation_rate(one_side)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain numbers, None for what is not known, so that they can be filed as JSON."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
