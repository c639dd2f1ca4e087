"""Is a value out of a document what it must be?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


def number(name: str, value: object) -> float:
    """A finite number as a float; `name` is what the refusal calls it.

    Raises:
        ValueError: it is text, a truth value, not finite, or nothing.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value) + 0.0  # -0.0 and 0.0 are one value and must have one spelling


def check_names(what: str, document: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a document with an unknown or a missing key.

    Raises:
        ValueError: with the keys by name.
    """
    known = set(known)
    unknown, missing = sorted(set(document) - known), sorted(known - set(document))
    if unknown:
        raise ValueError(
            f"{what}: unknown key {', '.join(map(repr, unknown))}; known: {sorted(known)}"
        )
    if missing:
        raise ValueError(f"{what}: missing key {', '.join(map(repr, missing))}")
