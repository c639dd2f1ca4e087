"""Is this row the same as another one, whatever types a delivery gave its columns?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

UInts = npt.NDArray[np.uint64]

_LARGEST_EXACT = 2.0**53
"""Up to here every whole number is a float, so that 7 and 7.0 are one value."""

_WORDS_TO_LOOK_AT = 1_000


def row_digests(frame: pd.DataFrame, columns: Sequence[str] | None = None) -> UInts:
    """One 64-bit digest a row over `columns` (default all), the same on every machine and run.

    The order of columns, a missing column against an empty one, 7 against 7.0, a category against
    its text, and the zone a stamp is written in make no difference. It tells re-deliveries from corrections; it is
    no protection against somebody who searches for collisions.
    """
    names = list(frame.columns) if columns is None else list(columns)
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in names:
        values = frame[name]
        present = values.notna().to_numpy(dtype=bool)
        if not present.any():
            continue  # an empty column adds nothing, as a missing one
        hashed = _mixed(_value_hashes(values) + _salt(str(name)))
        total += np.where(present, hashed, np.uint64(0))  # unsigned sums wrap, as intended
    return _mixed(total)


def digest_of(parts: Sequence[str], *digests: UInts) -> str:
    """The SHA-256 (hex) of some names and of row digests in any order."""
    whole = hashlib.sha256("\n".join([*parts, ""]).encode("utf-8"))
    for rows in digests:
        whole.update(f"{len(rows)}\n".encode("ascii"))
        whole.update(np.sort(rows).astype("<u8").tobytes())
    return whole.hexdigest()


def nested_as_text(values: pd.Series) -> pd.Series:
    """Lists and mappings in a column as canonical JSON text; other values as they are."""
    if not _has_nested(values):
        return values
    return pd.Series([_text_of_nested(value) for value in values], index=values.index, dtype=object)


def without_category(values: pd.Series) -> pd.Series:
    """A categorical column as plain values; other columns as they are."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values
    return values.astype(object if values.hasnans else values.cat.categories.dtype)


def readable(value: object) -> str:
    """Any value as text that can be stored: half a character pair is spelled out."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _has_nested(values: pd.Series) -> bool:
    """Whether a column holds lists or mappings."""
    return bool(
        values.dtype == object
        and values.map(lambda value: isinstance(value, list | tuple | dict | np.ndarray)).any()
    )


def _value_hashes(values: pd.Series) -> UInts:
    values = without_category(values)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _stamp_hashes(values)
    if values.dtype == object:
        values = _typed(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _number_hashes(values)
    return _text_hashes(values)


def _text_hashes(values: pd.Series) -> UInts:
    text = values.to_numpy(dtype=object)
    if values.dtype == object:
        text = np.array([readable(value) for value in nested_as_text(values)], dtype=object)
    # Hashing each different word once pays where words repeat; on ids it takes seven times as long.
    start = text[:_WORDS_TO_LOOK_AT]
    repeats = len(pd.unique(start)) <= len(start) / 2
    hashed = pd.util.hash_array(text, categorize=repeats)
    return np.asarray(hashed, dtype=np.uint64)


def _typed(values: pd.Series) -> pd.Series:
    """Numbers and booleans that came as objects, because some are missing, as what they are."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "boolean":
        return values.astype("boolean")
    if kind in ("integer", "floating", "mixed-integer-float"):
        return values.astype("float64")
    return values


def _stamp_hashes(values: pd.Series) -> UInts:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    micros = values.to_numpy(dtype="datetime64[us]")
    return np.asarray(micros.view(np.uint64), dtype=np.uint64)


def _number_hashes(values: pd.Series) -> UInts:
    floats = values.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # one spelling of zero
    hashed = floats.view(np.uint64).copy()
    if pd.api.types.is_integer_dtype(values.dtype):
        wide = np.abs(floats) > _LARGEST_EXACT
        if wide.any():
            hashed[wide] = values[wide].to_numpy(dtype=np.int64).view(np.uint64)
    return hashed


def _mixed(values: UInts) -> UInts:
    """Spread every bit over all 64 (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = values.copy()
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _salt(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "little"))


def _text_of_nested(value: object) -> object:
    if isinstance(value, list | tuple | dict | np.ndarray):
        return json.dumps(value, sort_keys=True, default=_plain, separators=(",", ":"))
    return value


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
