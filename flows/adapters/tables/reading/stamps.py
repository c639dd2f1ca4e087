"""What moment does a cell name, and what is said about those that name none?

ISO 8601 is read as it stands, with an offset of two or four digits, `Z`, `UTC` or `GMT` behind it.
Whether 03/04/2024 is a day in March or in April, and what a bare number counts, is never guessed:
the source says `dates:` or `epoch:`, or it is refused with that question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings
from data_contracts.words import MISSING_VALUE, ROW_FAULT_SHARE
from flows.adapters.tables.reading_notes import Notes

_UTC = pd.DatetimeTZDtype("us", "UTC")
_BY_SLASHES = re.compile(
    r"^(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})"
    r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([AaPp]\.?[Mm]\.?)?)?\s*(Z|UTC|GMT|[+-]\d.*)?$"
)
_DAY = re.compile(r"^(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})")
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d*)?")
_FIRST = pd.Timestamp("0001-01-02", tz="UTC").as_unit("us")
_LAST = pd.Timestamp("9999-12-31 12:00:00", tz="UTC").as_unit("us")
_ENDLESS = frozenset({"infinity", "-infinity", "+infinity", "inf", "-inf"})
_ORDER = {"dmy": (3, 2, 0), "mdy": (3, 0, 2), "ymd": (0, 2, 3)}


def in_utc(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    """A column as moments, `datetime64[us, UTC]`; what is no moment is missing, and counted.

    Raises:
        UserError: too much of the column is no moment, or is written in a way that has to be told.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    stamps = _read(source, name, values, notes)
    # A moment that Python's own clock cannot hold would stop every later comparison.
    beyond = (stamps > _LAST) | (stamps < _FIRST)
    if beyond.any():
        notes.add(
            f"cells of {name} outside the years 1 to 9999, read as missing", int(beyond.sum())
        )
        stamps = stamps.mask(beyond)
    return stamps


def _read(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.astype(_UTC)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _localised(source, name, values.astype("datetime64[us]"), notes)
    if values.isna().all():
        return pd.Series(pd.NaT, index=values.index, dtype=_UTC)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _from_numbers(source, name, values, notes)
    return _from_text(source, name, values, notes)


def zone_of(source: SourceSettings) -> ZoneInfo:
    """The zone of a source's naive stamps.

    Raises:
        UserError: there is no such zone.
    """
    try:
        return ZoneInfo(source.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"Source {source.name!r}: {source.timezone!r} is no time zone; name one like UTC or "
            "Europe/Berlin under `timezone:`."
        ) from None


def _from_numbers(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    known = numbers[~np.isnan(numbers)]
    days = ((known >= 19000101) & (known <= 99991231) & (known % 1 == 0)).all()
    if source.epoch is None and source.dates == "ymd" and days:
        text = values.astype("Int64").astype("str").where(values.notna())
        return _from_text(source, name, text, notes)
    if source.epoch is None:
        guess = _epoch_guess(float(np.median(np.abs(known))) if len(known) else 0.0, bool(days))
        raise UserError(
            f"Source {source.name!r}: {name} holds numbers, and nothing says what they count{guess}. "
            "Say `epoch: s`, `ms`, `us` or `ns` in the source file, or give stamps or text like "
            "2024-05-01 13:00:00."
        )
    scale = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[source.epoch]
    whole = pd.api.types.is_integer_dtype(values.dtype)
    micros = _micros(values, source.epoch) if whole else np.round(numbers * scale)
    # Beyond the year 9999 nothing here can write the moment down.
    sound = np.isfinite(micros) & (np.abs(micros.astype("float64")) < 253_402_300_800e6)
    stamps = pd.Series(pd.NaT, index=values.index, dtype=_UTC)
    if sound.any():
        read = pd.to_datetime(micros[sound].astype("int64"), unit="us", utc=True).as_unit("us")
        stamps[sound] = pd.Series(read, index=values.index[sound], dtype=_UTC)
    lost = int((~sound & ~np.isnan(numbers)).sum())
    _refuse_misread(source, name, lost, len(known))
    if lost:
        notes.add(f"cells of {name} that count to no moment, read as missing", lost)
    return stamps


def _micros(values: pd.Series, epoch: str) -> np.ndarray:
    """Whole numbers without the rounding of a float: 2**53 microseconds end in the year 2255."""
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    if values.isna().any():
        return np.round(numbers * {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[epoch])
    exact = values.to_numpy(dtype="int64")
    if epoch == "ns":
        return exact // 1000
    factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[epoch]
    fits = np.abs(numbers * factor) < 2.0**62
    return np.where(fits, np.where(fits, exact, 0) * factor, 2**62)


def _epoch_guess(middle: float, days: bool) -> str:
    if days:
        return " (dates like 20240501? say `dates: ymd`)"
    for unit, low in (("nanoseconds", 1e17), ("microseconds", 1e14), ("milliseconds", 1e11),
                      ("seconds", 1e8)):  # fmt: skip
        if middle >= low:
            return f" ({unit} since 1970?)"
    return ""


def _from_text(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    written = _as_text(source, name, values)
    known, naive = _iso(written)
    left = written.notna() & known.isna() & naive.isna()
    if left.any():
        rest = written[left]
        word = rest.str.casefold()
        nothing = word.isin(MISSING_VALUE)
        endless = word.isin(_ENDLESS)
        if (nothing & rest.ne("")).any():
            notes.add(f"cells of {name} with a word for missing, read so",
                      int((nothing & rest.ne("")).sum()))  # fmt: skip
        if endless.any():
            notes.add(f"cells of {name} that are infinity, read as missing", int(endless.sum()))
        rest = rest[~nothing & ~endless]
        more_known, more_naive, unread = _other_ways(source, name, rest, int(written.notna().sum()))
        known = known.fillna(more_known.reindex(known.index))
        naive = naive.fillna(more_naive.reindex(naive.index))
        present = int(written.notna().sum()) - int(nothing.sum())
        if unread == present and present:
            raise UserError(
                f"Source {source.name!r}: no value of {name} is a stamp; write them like "
                "2024-05-01 13:00:00, or map another column."
            )
        _refuse_misread(source, name, unread, present)
        if unread:
            notes.add(f"cells of {name} that are no stamp, read as missing", unread)
    return known.fillna(_localised(source, name, naive, notes))


def _as_text(source: SourceSettings, name: str, values: pd.Series) -> pd.Series:
    if values.dtype == object:
        kind = pd.api.types.infer_dtype(values, skipna=True)
        if kind in ("bytes", "mixed"):
            raise UserError(
                f"Source {source.name!r}: {name} holds {'bytes' if kind == 'bytes' else 'cells of several types'}, "
                "which are no stamps; cast it to text or a timestamp at the source."
            )
    return values.astype("str").where(values.notna()).str.strip()


def _iso(written: pd.Series) -> tuple[pd.Series, pd.Series]:
    """(moments of the cells with an offset, local times of those without), NaT elsewhere."""
    sane = written.str.contains(_YEAR_FIRST, regex=True, na=False)
    if sane.all():
        at_once = _all_iso(written)
        if at_once is not None:
            return at_once
    spelled = written.where(sane).str.replace(_SPELLED_UTC, "+00:00", regex=True)
    has_offset = spelled.str.contains(_HAS_OFFSET, regex=True, na=False)
    spelled = spelled.str.replace(_SHORT_OFFSET, r"\1\2:00", regex=True)
    known, local = (
        pd.to_datetime(cells, utc=True, format="ISO8601", errors="coerce").astype(_UTC)
        for cells in (spelled.where(has_offset), spelled.where(~has_offset))
    )
    return known, local.dt.tz_localize(None)


def _all_iso(written: pd.Series) -> tuple[pd.Series, pd.Series] | None:
    """The same in one go, where every cell is written alike; None where it is not."""
    try:
        parsed = pd.to_datetime(written, format="ISO8601")
    except (ValueError, OverflowError):
        return None
    if isinstance(parsed.dtype, pd.DatetimeTZDtype):
        return parsed.astype(_UTC), _no_stamps(written.index).dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(parsed.dtype):
        return _no_stamps(written.index), parsed.astype("datetime64[us]")
    return None


def _no_stamps(index: pd.Index) -> pd.Series:
    return pd.Series(pd.NaT, index=index, dtype=_UTC)


# Text, not compiled: pandas then leaves them to Arrow, which is ten times as fast.
_YEAR_FIRST = r"^\d{4}(?:-|\d{4}(?:[Tt ]|$))"
_SPELLED_UTC = r" *(?:Etc/UTC|UTC|GMT)$"
_HAS_OFFSET = r"[Tt ]\d.*(?:[Zz]|[+-]\d{2}:?(?:\d{2})?)$"
_SHORT_OFFSET = r"([Tt ]\d.*?)([+-]\d{2})$"


def _other_ways(
    source: SourceSettings, name: str, rest: pd.Series, present: int
) -> tuple[pd.Series, pd.Series, int]:
    """Cells that are not ISO: (moments, local times, how many are neither)."""
    if rest.empty:
        return _no_stamps(rest.index), _no_stamps(rest.index).dt.tz_localize(None), 0
    digits = rest.str.fullmatch(_DIGITS, na=False)
    if digits.sum() > ROW_FAULT_SHARE * present or (source.epoch and digits.any()):
        numbers = _from_numbers(
            source, name, pd.to_numeric(rest.where(digits), errors="coerce"), Notes(source.name)
        )
    else:
        numbers = _no_stamps(rest.index)
    parts = rest.where(~digits).str.extract(_BY_SLASHES)
    by_slashes = parts[0].notna()
    year_first = by_slashes & parts[0].str.len().eq(4)
    unsettled = by_slashes & ~year_first
    if source.dates is None and unsettled.sum() > ROW_FAULT_SHARE * present:
        raise UserError(
            f"Source {source.name!r}: {int(unsettled.sum()):,} cells of {name} are written like "
            "03/04/2024. Does the day come first, or the month? Say `dates: dmy` or `dates: mdy` in "
            "the source file, or give stamps like 2024-05-01 13:00:00."
        )
    iso = pd.Series(np.nan, index=rest.index, dtype="str")
    if year_first.any():
        iso = iso.where(~year_first, _as_iso(parts, "ymd"))
    if source.dates in ("dmy", "mdy") and unsettled.any():
        iso = iso.where(~unsettled, _as_iso(parts, source.dates))
    known, naive = _iso(iso)
    known = known.fillna(numbers)
    return known, naive, int((known.isna() & naive.isna()).sum())


@dataclass(frozen=True, slots=True)
class SlashCells:
    """Cells like 03/04/2026, whose order of day and month has to be told.

    Attributes:
        count: how many there are. present: cells that hold something.
        day_first, month_first: of these, whose day is above 12, so that there is one way to read them.
        settles: every one of them is a day of the calendar in the order that is forced, and no year
            has two digits, which could be a day.
    """

    count: int
    present: int
    day_first: int
    month_first: int
    settles: bool

    @property
    def too_many(self) -> bool:
        """Whether a reader that is not told the order would ask for it."""
        return self.count > ROW_FAULT_SHARE * self.present


def cells_with_slashes(values: pd.Series) -> SlashCells:
    """What the cells of a column say about the order of day and month."""
    if not (values.dtype == object or isinstance(values.dtype, pd.StringDtype)):
        return SlashCells(0, int(values.notna().sum()), 0, 0, True)
    # A table of moments has few days, however many rows.
    counts = values.dropna().astype("str").str.strip().str.slice(0, 10).value_counts()
    parts = counts.index.to_series().str.extract(_DAY)
    parts = parts[parts[0].notna() & parts[0].str.len().ne(4)]
    times = counts.reindex(parts.index)
    first, second = parts[0].astype("int64"), parts[2].astype("int64")
    return SlashCells(
        count=int(times.sum()),
        present=int(counts.sum()),
        day_first=int(times[(first > 12) & (second <= 12)].sum()),
        month_first=int(times[(second > 12) & (first <= 12)].sum()),
        settles=bool(
            parts[3].str.len().eq(4).all()
            and first.between(1, 31).all()
            and second.between(1, 31).all()
            and ((first <= 12) | (second <= 12)).all()
        ),
    )


def _as_iso(parts: pd.DataFrame, order: str) -> pd.Series:
    year, month, day = (parts[place] for place in _ORDER[order])
    century = year.where(year.str.len().ne(2), "20" + year)
    hour = pd.to_numeric(parts[4]).fillna(0)
    half = parts[7].str[0].str.casefold()
    hour = (hour % 12 + 12 * half.eq("p")).where(half.notna(), hour).astype("int64")
    clock = hour.astype("str").str.zfill(2) + ":" + parts[5].fillna("00")
    clock = clock + ":" + parts[6].fillna("00").str.replace(",", ".", regex=False)
    date = century + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return date + "T" + clock + parts[8].fillna("").str.strip()


def _localised(source: SourceSettings, name: str, naive: pd.Series, notes: Notes) -> pd.Series:
    """Local times as moments; an hour that happened twice, or never, is not guessed: it is missing."""
    zone = zone_of(source)
    certain = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    unsure = naive.notna() & certain.isna()
    if unsure.any():
        shifted = naive[unsure].dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
        twice = int(shifted.isna().sum())
        never = int(unsure.sum()) - twice
        why = (
            f"in {source.timezone}, where the clocks change, read as missing (export the column in "
            "UTC or with its offset)"
        )
        if twice:
            notes.add(f"cells of {name} in an hour that happened twice {why}", twice)
        if never:
            notes.add(f"cells of {name} in an hour that never happened {why}", never)
    return pd.Series(certain, index=naive.index).astype(_UTC)


def _refuse_misread(source: SourceSettings, name: str, unread: int, present: int) -> None:
    if unread > max(1, ROW_FAULT_SHARE * present):
        raise UserError(
            f"Source {source.name!r}: {unread:,} of {present:,} cells of {name} are no stamp; write "
            "them like 2024-05-01 13:00:00, say `dates:` or `epoch:`, or map another column."
        )
