"""How is each word of somebody's label read: bad, good, or not known?

A word that is not named is good where others are named bad, so every word is told with its count: an
open case that passes for a good one teaches the model, and proves the boundary, wrongly.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import UserError
from flows.adapters.tables.column_names import words_of
from flows.verbs.onboarding.init_asked import Asked
from flows.verbs.onboarding.table_columns import flags_of

BAD, GOOD, NOT_KNOWN = "bad", "good", "not known"
EMPTY = "(empty)"
MOST_LABELS = 20
"""A label of more words is none."""

_STATES = {"status", "state", "outcome", "result", "resolution", "disposition", "ending", "verdict"}
_BAD_WORDS = {
    "default", "defaulted", "fraud", "fraudulent", "chargeback", "bad", "loss", "scam", "delinquent",
    "off", "late", "rejected", "declined", "confirmed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelWord:
    """One word of the label: in how many rows, and how it is read (`bad`, `good`, `not known`)."""

    word: str
    rows: int
    read_as: str


@dataclass(frozen=True, eq=False)
class ReadLabel:
    """A label as it was read.

    Attributes:
        bad: 1, 0 or NaN (not known) a row, shape (rows,).
        meanings: the `values:` that a source file needs to read it so; empty: none are needed.
        words: every word with its count, the most frequent first.
    """

    bad: npt.NDArray[np.float64]
    meanings: Mapping[str, Any]
    words: tuple[LabelWord, ...]


def read_label(table: pd.DataFrame, label: str, asked: Asked) -> ReadLabel:
    """The label's cells as bad, good or not known.

    Raises:
        UserError: it holds other words than yes and no and nobody says which mean bad, a named word is
            not there, one is named for both, or it holds too many words.
    """
    values = table[label]
    text = _as_written(values)
    counts = text.value_counts()
    words = sorted(map(str, counts.index))
    _refuse_words(label, words, asked)
    open_ = text.isin(list(asked.unknown_values)).to_numpy(dtype=np.bool_)
    meaning: dict[str, bool | None] = dict.fromkeys(asked.unknown_values)
    if asked.bad_values:
        known = text.notna().to_numpy(dtype=np.bool_) & ~open_
        is_bad = text.isin(list(asked.bad_values)).to_numpy(dtype=np.bool_)
        bad = np.where(known, is_bad.astype(np.float64), np.nan)
        meaning |= {word: word in asked.bad_values for word in words if word not in meaning}
    else:
        flags = flags_of(values.mask(open_))
        if flags is None:
            raise UserError(
                f"the label {label!r} does not hold yes and no; it holds {_listed(counts)}. Say which of "
                "its values mean bad: --bad-value VALUE, once for each, and which say that the truth is "
                "not known yet: --unknown-value VALUE. All others are then good."
            )
        bad = flags.values.to_numpy(dtype="float64", na_value=np.nan)
    told = _words(text, bad)
    return ReadLabel(bad, {"values": {"bad": meaning}} if meaning else {}, told)


def told_of_label(label: str, words: Sequence[LabelWord], named: bool) -> list[str]:
    """How the label is read, a line each: its words with their counts.

    Args:
        named: whether words were named bad, so that every other one passes for good.
    """
    if not words:
        return []
    lines = [f"The label {label!r}, word by word:"]
    lines += [f"  {one.word}: {one.rows:,} rows, {one.read_as}" for one in words]
    if named:
        lines.append(
            "  A word that nobody named is good. Where one says that a case is still open, remove what was "
            "written and name it by --unknown-value WORD: its cases are then neither bad nor good."
        )
    return lines


def label_candidates(table: pd.DataFrame, taken: Collection[str]) -> list[str]:
    """Columns of few words that may be the label though they are not yes or no: each with its words
    and the options that would make it one, for a sentence."""
    found = []
    for name in map(str, table.columns):
        if name in taken:
            continue
        values = table[name]
        if pd.api.types.is_numeric_dtype(values.dtype) or not values.notna().any():
            continue
        text = values.dropna().astype("str").str.strip()
        counts = text[text.ne("")].value_counts()
        if not 2 <= len(counts) <= MOST_LABELS:
            continue
        bad = [str(word) for word in counts.index if _BAD_WORDS & set(words_of(str(word)))]
        if _STATES & set(words_of(name)) or bad:
            options = " ".join(f"--bad-value {_quoted(word)}" for word in bad) or "--bad-value WORD"
            found.append(f"{name!r} ({_listed(counts)}): --label {_quoted(name)} {options}")
    return found


def _refuse_words(label: str, words: Sequence[str], asked: Asked) -> None:
    named = [*asked.bad_values, *asked.unknown_values]
    both = sorted(set(asked.bad_values) & set(asked.unknown_values))
    if both:
        raise UserError(
            f"{', '.join(map(repr, both))} of the label {label!r} cannot be bad and not known; name it by "
            "--bad-value or by --unknown-value."
        )
    lost = sorted(set(named) - set(words))
    if named and (lost or len(words) > MOST_LABELS):
        holds = f": {', '.join(map(repr, words))}" if len(words) <= MOST_LABELS else ""
        why = (
            f"holds no {', '.join(map(repr, lost))}; it holds {len(words):,} values{holds}"
            if lost
            else f"holds {len(words):,} values"
        )
        raise UserError(
            f"the label {label!r} {why}. Name its values that mean bad by --bad-value, and those that mean "
            "that nothing is known by --unknown-value."
        )


def _as_written(values: pd.Series) -> pd.Series:
    """Cells as somebody would name them in an option: 2.0 beside empty cells is 2; missing if empty."""
    if pd.api.types.is_float_dtype(values.dtype) and bool((values.dropna() % 1 == 0).all()):
        values = values.astype("Int64")
    text = values.astype("str").where(values.notna()).str.strip()
    return text.where(text.ne("").fillna(False))


def _words(text: pd.Series, bad: npt.NDArray[np.float64]) -> tuple[LabelWord, ...]:
    """The words with their counts; none where there are too many to list."""
    read = np.where(np.isnan(bad), NOT_KNOWN, np.where(bad == 1.0, BAD, GOOD))
    counted = (
        pd.DataFrame({"word": text.fillna(EMPTY).astype("str"), "read": read})
        .value_counts(["word", "read"])
        .reset_index(name="rows")
    )
    if len(counted) > MOST_LABELS + 1:
        return ()
    return tuple(
        LabelWord(str(word), int(rows), str(how))
        for word, how, rows in zip(counted["word"], counted["read"], counted["rows"], strict=True)
    )


def _listed(counts: pd.Series) -> str:
    shown = [f"{word} ({rows:,})" for word, rows in counts.iloc[:MOST_LABELS].items()]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _quoted(text: str) -> str:
    return shlex.quote(text)
