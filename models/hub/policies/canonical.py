"""How is a document written so that the same content always has the same bytes, and so one digest?"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import numpy as np


def canonical_json(document: object) -> str:
    """JSON with sorted keys, no spaces, floats by shortest round trip and stamps in UTC (ASCII only).

    Accepts mappings with text keys, sequences, text, numbers (NumPy scalars too), booleans, None
    and tz-aware datetimes.

    Raises:
        ValueError: a number is not finite, a stamp has no time zone, a key is not text, or a value
            has no JSON form.
    """
    plain = plain_document(document)
    return json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def plain_document(value: object) -> Any:
    """The same content as plain dicts, lists, text, numbers, booleans and None (raises as above)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain_document(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic):
        return plain_document(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, datetime):
        return utc_stamp(value)
    if isinstance(value, Mapping):
        return {_text_key(key): plain_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_document(item) for item in value]
    raise ValueError(
        f"a {type(value).__name__} has no canonical form; use text, numbers, booleans, None, "
        "tz-aware datetimes, lists and mappings"
    )


def sha256_of(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def utc_stamp(at: datetime) -> str:
    """A tz-aware instant as fixed-width text in UTC; the text sorts as the instants do.

    Raises:
        ValueError: `at` has no time zone.
    """
    return in_utc(at).isoformat(timespec="microseconds")


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC (ValueError without a time zone)."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no time zone; give a tz-aware instant, such as UTC")
    instant = at.astimezone(UTC)
    # A plain datetime: subclasses (pandas' Timestamp) write themselves differently.
    return datetime.combine(instant.date(), instant.time(), tzinfo=UTC)


def is_sha256(text: object) -> bool:
    """Whether a value is a SHA-256 digest in lower-case hex."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number!r} cannot be recorded; only finite numbers can")
    return float(number) + 0.0  # -0.0 and 0.0 are one value and must have one spelling


def _text_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"the key {key!r} is not text; a canonical document has text keys only")
    return str(key)
