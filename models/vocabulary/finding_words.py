"""How large is a finding, and did its remedy hold, in words that need no formula?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WEIGHT, IGNORED = "relative weight", "logits per standard deviation"
SHIFT, RATIO = "logits", "times as many errors"
"""The units of a finding's effect."""

HELD, DID_NOT_HOLD, NOT_TOLD = "held", "did not hold", "cannot be told yet"


def plain_size(effect: float, unit: str) -> str:
    """An effect as a comparison of the model with what its labels support.

    A relative weight of d means that the labels support (1 + d) times the model's weight, so the model's
    is 1 / (1 + d) times theirs.

    >>> plain_size(-0.375, WEIGHT)
    '1.6 times what the labels say'
    >>> plain_size(1.0, WEIGHT)
    '0.50 times what the labels say'
    """
    if unit == WEIGHT:
        if effect <= -1.0:
            return "the labels say the opposite" if effect < -1.0 else "the labels say none"
        return f"{times(1.0 / (1.0 + effect))} times what the labels say"
    if unit == SHIFT:
        return f"odds {times(_exp(-effect))} times what the labels say"
    if unit == IGNORED:
        change = times(_exp(abs(effect)))
        return f"the labels' odds change {change} times per standard deviation, the score's do not"
    return f"{times(effect)} {unit}"


def plain_interval(low: float, high: float, unit: str) -> str:
    """The 95 % interval of `plain_size`, its smaller end first; of a weight whose labels may support
    none, only that end."""
    if unit == WEIGHT:
        smaller = times(1.0 / (1.0 + high)) if high > -1.0 else ""
        if low <= -1.0:
            return f"at least {smaller}" if smaller else "the opposite"
        return f"{smaller} to {times(1.0 / (1.0 + low))}"
    ends = [_exp(-high), _exp(-low)] if unit == SHIFT else [low, high]
    if unit == IGNORED:
        ends = sorted(_exp(abs(one)) for one in (low, high))
    return " to ".join(map(times, ends))


def remedy_of(path: str, counterfactual: Mapping[str, Any] | None) -> str | None:
    """Whether a Type A finding's correction, fitted on earlier cases, helped on later ones; None for
    other causes, whose remedy is nobody's to try on the past.

    Args:
        counterfactual: as `Finding.plain()` tells it.
    """
    if path != "A":
        return None
    if counterfactual is None:
        return NOT_TOLD
    fewer = counterfactual["errors_after"] < counterfactual["errors_before"]
    return HELD if counterfactual["low"] > 0.0 and fewer else DID_NOT_HOLD


def times(ratio: float) -> str:
    """A ratio with as many digits as a reader can use."""
    return f"{ratio:.2f}" if ratio < 1.0 else f"{ratio:.1f}" if ratio < 10.0 else f"{ratio:.0f}"


def _exp(logits: float) -> float:
    return math.exp(min(logits, 700.0))
