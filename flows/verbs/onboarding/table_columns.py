"""What does each column of somebody's table seem to hold: a feature of which kind, or nothing a model reads?

Guesses, for a person to correct in the file that is written from them: a column that is left out says
why, and one that all but repeats the label is named as a leak.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from data_contracts.words import (
    MISSING_TEXT,
    ROW_FAULT_SHARE,
    ReadCells,
    read_flags,
    read_numbers,
)
from flows.adapters.tables.column_names import words_of
from models.vocabulary.case_type import FeatureKind
from models.vocabulary.names import is_reserved, why_unprintable

MOST_LEVELS = 50
"""A category of more levels is left out: most of them are too rare to say anything."""

LEAK_AUC = 0.99
"""A column that alone ranks bad before good so well repeats the label; no honest feature does."""

FEWEST_TO_TELL = 20
"""Among fewer bad or good rows than this only a ranking without any error is a leak, and fewer rows show
no id."""

FEWEST_AT_ALL = 5
"""Fewer bad or good rows than this are ranked without an error by chance."""

_ID_WORDS = {"id", "uuid", "guid", "iban", "phone", "email", "hash", "ref", "reference", "username"}
_CODE_WORDS = {"code", "mcc", "zip", "zipcode", "postcode", "postal", "type", "category", "bin"}
_STAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:?\d{2}.*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}(?:[ T,].*)?|\d{4}[/.]\d{1,2}[/.]\d{1,2}(?:[ T,].*)?"
)
_LOOKED_AT = 1_000
_WORDS_OF_A_TEXT = 4
_LETTERS_OF_A_TEXT = 40


@dataclass(frozen=True, slots=True)
class Column:
    """What one column seems to hold.

    Attributes:
        name: as the table has it.
        kind: of the feature; None: it is left out, and `why` says why.
        missing: share of rows without a value.
        levels: how many distinct values a category has (0: it is none).
        is_code: a category whose cells look like numbers, so that a source must say `categorical:`.
        leak: how well it alone ranks bad before good (AUC), where that is too well to be true.
        note: what is strange though the column is kept.
    """

    name: str
    kind: FeatureKind | None
    missing: float
    why: str = ""
    levels: int = 0
    is_code: bool = False
    leak: float | None = None
    note: str = ""


def look_at(name: str, values: pd.Series, bad: npt.NDArray[np.float64] | None = None) -> Column:
    """What a column seems to hold.

    Args:
        values: as the table has them: text throughout from CSV, typed from Parquet and SQL.
        bad: 1.0, 0.0 or NaN a row, where the truth is known; shape (rows,).
    """
    found = _look_at(name, values)
    if found.kind is None or bad is None:
        return found
    auc = _auc(_ranked(values, found.kind, bad), bad)
    if auc is None or auc[0] < (LEAK_AUC if auc[1] >= FEWEST_TO_TELL else 1.0):
        return found
    return Column(
        name,
        None,
        found.missing,
        f"alone it ranks bad before good almost without error (AUC {auc[0]:.3f}): it repeats the label, "
        "and will not be there when a case is new",
        leak=auc[0],
    )


def is_stamp(values: pd.Series) -> bool:
    """Whether the cells are moments, or text that is written like one."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return True
    if not _is_text(values):
        return False
    some = values.dropna().iloc[:_LOOKED_AT]
    text = some[some.map(lambda cell: isinstance(cell, str)).astype(bool)].astype("str").str.strip()
    text = text[~text.str.casefold().isin(MISSING_TEXT)]
    return len(text) > 0 and bool(text.str.fullmatch(_STAMP.pattern).mean() >= 1 - ROW_FAULT_SHARE)


def flags_of(values: pd.Series) -> ReadCells | None:
    """The cells as yes and no; None where some are neither, or nothing stands there."""
    read = _read(read_flags, values)
    return read if read is not None and not read.stray and read.present else None


def numbers_of(values: pd.Series) -> ReadCells | None:
    """The cells as numbers; None where more than a few are none."""
    read = _read(read_numbers, values)
    if read is None or not read.present or not read.rows_are_at_fault:
        return None
    return read


def _look_at(name: str, values: pd.Series) -> Column:
    missing = float(values.isna().mean()) if len(values) else 1.0
    left_out = _why_not_read(name, values)
    if left_out:
        return Column(name, None, missing, left_out)
    flags = flags_of(values)
    if flags is not None:
        missing = float(flags.values.isna().mean())
        if flags.values.dropna().nunique() < 2:
            return Column(name, None, missing, "it holds one value")
        return Column(name, "boolean", missing)
    # A number with a zero in front is a code, such as a postal one; a number would lose the zero.
    is_code = _led_by_zero(values) or (_has_word(name, _CODE_WORDS) and _is_whole(values))
    numbers = None if is_code else numbers_of(values)
    if numbers is not None:
        return _number(name, numbers)
    foreign = _read(read_numbers, values)
    if not is_code and foreign is not None and foreign.foreign > 0.5 * foreign.present:
        why = (
            "its numbers have thousands, a decimal comma, a currency or a percent sign: say `numbers:` "
            "in the source files and add it here as numeric"
        )
        return Column(name, None, missing, why)
    return _words(name, values, is_code)


def _why_not_read(name: str, values: pd.Series) -> str:
    """Why nobody could use a column, whatever its kind; "" where nothing speaks against it."""
    if why := why_unprintable(name):
        return f"its name {why}"
    if values.isna().all():
        return "it is empty"
    if is_stamp(values):
        return "it holds moments, and a model takes none: give a number, such as hours since then"
    if _holds_no_cells(values):
        return "it holds lists, records or bytes: give one value a cell"
    if values.dropna().astype("str").nunique() < 2:
        return "it holds one value"
    if is_reserved(name):
        return (
            f"a column of ours has this name: to use it, call the feature otherwise (`its_{name}`, say), "
            f"and map `its_{name}: {name}` under `columns:` in the source files"
        )
    return ""


def _number(name: str, numbers: ReadCells) -> Column:
    values = numbers.values
    missing = float(values.isna().mean())
    present = values.dropna()
    if present.nunique() < 2:
        return Column(name, None, missing, "it holds one value")
    whole = bool((present % 1 == 0).all())
    share = present.nunique() / len(present)
    if whole and len(present) >= FEWEST_TO_TELL and share == 1.0:
        return Column(name, None, missing, "its whole numbers never repeat: an id or a counter")
    if whole and words_of(name)[-1:] and words_of(name)[-1] in _ID_WORDS:
        return Column(name, None, missing, "an id, by its name: it says nothing of other cases")
    note = f"{numbers.stray:,} cells are no numbers and count as missing" if numbers.stray else ""
    return Column(name, "numeric", missing, note=note)


def _words(name: str, values: pd.Series, is_code: bool) -> Column:
    text = _levels_of(values)
    present = text.dropna()
    missing = float(text.isna().mean())
    levels = int(present.nunique())
    if levels < 2:
        return Column(name, None, missing, "it holds one value")
    long = present.drop_duplicates().iloc[:_LOOKED_AT]
    words = long.map(lambda level: len(str(level).split())).mean()
    letters = long.map(lambda level: len(str(level))).mean()
    if levels > FEWEST_TO_TELL and (words > _WORDS_OF_A_TEXT or letters > _LETTERS_OF_A_TEXT):
        return Column(name, None, missing, "it holds free text")
    if len(present) >= FEWEST_TO_TELL and levels == len(present):
        return Column(name, None, missing, "its values never repeat: an id")
    if words_of(name)[-1:] and words_of(name)[-1] in _ID_WORDS:
        return Column(name, None, missing, "an id, by its name: it says nothing of other cases")
    if levels > MOST_LEVELS:
        return Column(
            name,
            None,
            missing,
            f"it has {levels:,} levels, and {MOST_LEVELS} are the most that is taken: group them",
        )
    if any(why_unprintable(level) for level in present.unique()):
        return Column(name, None, missing, "a level is empty or holds a sign that cannot be seen")
    return Column(
        name, "categorical", missing, levels=levels, is_code=is_code or _all_numbers(text)
    )


def _levels_of(values: pd.Series) -> pd.Series:
    """Cells as text, without words for missing."""
    if pd.api.types.is_float_dtype(values.dtype):
        values = values.astype("Int64") if _is_whole(values) else values
    text = values.astype("str").where(values.notna())
    return text.mask(text.str.strip().str.casefold().isin(MISSING_TEXT))


def _all_numbers(text: pd.Series) -> bool:
    """Whether a reader that is told nothing would take the levels for numbers, or for yes and no."""
    return _read(read_numbers, text) is not None and not read_numbers(text).stray


def _ranked(
    values: pd.Series, kind: FeatureKind, bad: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """The column as numbers to rank by; what is missing counts as lowest, and as highest."""
    if kind == "categorical":
        level = _levels_of(values).fillna("").to_numpy(dtype=object)
        codes, _ = pd.factorize(level)
        known = ~np.isnan(bad)
        hits = np.bincount(codes[known], weights=bad[known], minlength=int(codes.max()) + 1)
        size = np.bincount(codes[known], minlength=int(codes.max()) + 1)
        # A level that few rows hold repeats their labels by itself.
        rate = np.where(size >= FEWEST_AT_ALL, hits / np.maximum(size, 1), np.nanmean(bad))
        return [rate[codes]]
    read = read_flags(values) if kind == "boolean" else read_numbers(values)
    found = read.values.to_numpy(dtype="float64", na_value=np.nan)
    if not np.isnan(found).any():
        return [found]
    return [np.where(np.isnan(found), end, found) for end in (-np.inf, np.inf)]


def _auc(
    columns: list[npt.NDArray[np.float64]], bad: npt.NDArray[np.float64]
) -> tuple[float, int] | None:
    """How well the best of these ranks bad before good, either way round, and how many of the rarer
    class that rests on; None: too few to tell."""
    known = ~np.isnan(bad)
    truth = bad[known] == 1.0
    most, least = int(truth.sum()), int((~truth).sum())
    if min(most, least) < FEWEST_AT_ALL:
        return None
    best = 0.5
    for each in columns:
        ranks = rankdata(each[known])
        auc = (ranks[truth].sum() - most * (most + 1) / 2) / (most * least)
        best = max(best, auc, 1.0 - auc)
    return float(best), min(most, least)


def _read(reader: Callable[[pd.Series], ReadCells], values: pd.Series) -> ReadCells | None:
    try:
        return reader(values)
    except (TypeError, ValueError, ArithmeticError):
        return None  # stamps, bytes, lists: neither numbers nor flags


def _is_text(values: pd.Series) -> bool:
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def _holds_no_cells(values: pd.Series) -> bool:
    if values.dtype != object:
        return False
    some = values.dropna().iloc[:_LOOKED_AT]
    return bool(
        some.map(lambda cell: isinstance(cell, list | dict | tuple | bytes | np.ndarray)).any()
    )


def _has_word(name: str, words: set[str]) -> bool:
    return bool(words & set(words_of(name)))


def _is_whole(values: pd.Series) -> bool:
    read = _read(read_numbers, values)
    if read is None or read.stray or not read.present:
        return False
    return bool((read.values.dropna() % 1 == 0).all())


def _led_by_zero(values: pd.Series) -> bool:
    if not _is_text(values):
        return False
    text = values.dropna().astype("str").str.strip()
    return bool(len(text)) and bool(text.str.fullmatch(r"0\d+").any()) and _is_whole(values)
