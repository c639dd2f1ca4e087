"""Which column of somebody's table is the case's id, its time, its truth, its amount and its priority?

What is given counts; the rest is guessed by name and by what the cells hold, and every guess is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from configs.errors import UserError
from data_contracts import CONTRACTS
from flows.adapters.tables.column_names import words_of
from flows.verbs.onboarding.table_columns import flags_of, is_stamp, numbers_of

OPTIONS: Mapping[str, str] = {
    "case_id": "--id",
    "opened_at": "--opened-at",
    "bad": "--label",
    "amount_usd": "--amount",
    "priority": "--priority",
}
"""By our name of a role the option that says which column it is."""

_OPENED = (
    "opened_at", "created_at", "opened", "created", "requested_at", "submitted_at", "tx_datetime",
    "transaction_datetime", "transaction_time", "event_time", "timestamp", "datetime", "time", "date",
)  # fmt: skip
_LATER = {"closed", "resolved", "updated", "decided", "observed", "reviewed", "modified", "birth"}
_LABELS = {
    "bad", "fraud", "fraudulent", "label", "target", "chargeback", "chargedback", "scam", "defaulted",
    "delinquent", "chargeoff", "writeoff",
}  # fmt: skip
_LABEL_PAIRS = {
    ("charged", "off"), ("charge", "off"), ("written", "off"), ("write", "off"), ("charged", "back"),
    ("charge", "back"),
}  # fmt: skip
_BESIDE_DEFAULT = {
    "is", "was", "has", "in", "on", "flag", "ind", "indicator", "loan", "credit", "payment", "next",
    "month", "ever",
}  # fmt: skip
"""With one of these `default` is a loan's; `default_address` is not."""
_EARLIER = {"before", "earlier", "former", "history", "past", "previous", "previously", "prior"}
"""With one of these a word for bad is about other cases."""
_AMOUNTS = {"amount", "usd", "sum"}
_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    "decided_at": ("decision_time", "scored_at"),
    "score": ("risk_score", "probability"),
    "model_version": ("model",),
    "policy_id": ("policy",),
    "reviewer_id": ("reviewer", "agent", "analyst", "analyst_id"),
    "queued_at": ("assigned_at", "received", "queued"),
    "resolved_at": ("reviewed_at", "closed_at", "resolved"),
    "annotation": ("comment", "note", "remark"),
    "observed_at": ("reported_at", "known_at"),
    "bad": ("is_bad", "fraud", "is_fraud"),
    "source": ("channel", "reported_by"),
}
"""By our names what such columns are called elsewhere, in small words joined by underscores."""


@dataclass(frozen=True)
class Roles:
    """Which column plays which part.

    Attributes:
        columns: by our name, the table's own column.
        told: a sentence for every guess.
    """

    columns: Mapping[str, str]
    told: tuple[str, ...] = field(default=())


def roles_in(table: pd.DataFrame, given: Mapping[str, str | None], case_type: str) -> Roles:
    """The roles of a table of cases.

    Args:
        given: by our name the column that was named, or None where it is to be guessed; "-" where
            the table has none.

    Raises:
        UserError: a named column is not there, or no column can be the id or the time; with the
            option that says which.
    """
    names = [str(name) for name in table.columns]
    found: dict[str, str] = {}
    for ours, theirs in given.items():
        if theirs in (None, "-"):
            continue
        if theirs not in names:
            raise UserError(
                f"{OPTIONS[ours]} names {theirs!r}, which is no column of the table; it has "
                f"{', '.join(names)}."
            )
        twice = [other for other, taken in found.items() if taken == theirs]
        if twice:
            raise UserError(
                f"{OPTIONS[ours]} and {OPTIONS[twice[0]]} both name {theirs!r}; a column plays one part."
            )
        found[ours] = str(theirs)
    told: list[str] = []
    for ours, guess in (
        ("bad", _label), ("opened_at", _opened), ("case_id", _id),
        ("amount_usd", _amount), ("priority", _priority),
    ):  # fmt: skip
        if given.get(ours) is not None:
            continue
        free = [name for name in names if name not in found.values()]
        theirs, why = guess(table, free, case_type)
        if theirs is not None:
            found[ours] = theirs
            if theirs != ours:
                told.append(
                    f"{ours} is the column {theirs!r} ({why}); {OPTIONS[ours]} says otherwise."
                )
    for ours, what in (("case_id", "the case's id"), ("opened_at", "when the case was opened")):
        if ours not in found:
            raise UserError(
                f"no column can be told to be {what}; name it by {OPTIONS[ours]}. The table has "
                f"{', '.join(names)}."
            )
    return Roles({ours: found[ours] for ours in OPTIONS if ours in found}, tuple(told))


def matched_columns(
    contract: str, names: Sequence[str], main: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """A contract's columns in the header of another table, and a sentence for each that was guessed.

    Args:
        main: what was found in the table of cases; the same name means the same elsewhere.
    """
    spelt = {"_".join(words_of(name)): name for name in reversed(names)}
    found: dict[str, str] = {}
    told = []
    for ours in CONTRACTS[contract].schema.names:
        if ours in names:
            found[ours] = ours
            continue
        if main.get(ours) in names:
            found[ours] = main[ours]
            continue
        others = [one for one in _OTHER_WORDS.get(ours, ()) if one in spelt]
        if ours in spelt:
            found[ours] = spelt[ours]
        elif others:
            found[ours] = spelt[others[0]]
        else:
            continue
        told.append(f"{contract}: {ours} is the column {found[ours]!r}.")
    return found, tuple(told)


def yes_no_columns(table: pd.DataFrame, taken: Collection[str] = ()) -> list[str]:
    """The columns that hold yes and no, both of them, and play no part yet."""
    found = []
    for name in [str(one) for one in table.columns if one not in taken]:
        flags = flags_of(table[name])
        if flags is not None and flags.values.dropna().nunique() == 2:
            found.append(name)
    return found


def _label(table: pd.DataFrame, names: Sequence[str], _: str) -> tuple[str | None, str]:
    for name in sorted(names, key=lambda one: len(words_of(one))):
        if _says_bad(words_of(name)) and flags_of(table[name]) is not None:
            return name, "by its name, and it holds yes and no"
    return None, ""


def _says_bad(words: Sequence[str]) -> bool:
    pairs = set(pairwise(words))
    defaults = "default" in words and set(words) <= {"default", *_BESIDE_DEFAULT}
    if _EARLIER & set(words):
        return False
    return bool(_LABELS & set(words) or _LABEL_PAIRS & pairs or defaults)


def _opened(table: pd.DataFrame, names: Sequence[str], _: str) -> tuple[str | None, str]:
    stamps = [name for name in names if not _LATER & set(words_of(name)) and is_stamp(table[name])]
    by_name = {"_".join(words_of(name)): name for name in reversed(stamps)}
    for likely in _OPENED:
        if likely in by_name:
            return by_name[likely], "by its name, and it holds moments"
    return (stamps[0], "the first that holds moments") if stamps else (None, "")


def _id(table: pd.DataFrame, names: Sequence[str], case_type: str) -> tuple[str | None, str]:
    spelt = {"_".join(words_of(name)): name for name in reversed(names)}
    own = "_".join(words_of(case_type))
    likely = [spelt[one] for one in ("case_id", f"{own}_id", "id") if one in spelt]
    ends = [
        n for n in names if words_of(n)[-1:] and words_of(n)[-1] in ("id", "uuid", "number", "ref")
    ]
    for name in dict.fromkeys([*likely, *ends]):
        if _names_each_row(table[name]):
            return name, "by its name, and no value of it repeats"
    for name in _unique(table, names):
        return name, "no value of it repeats"
    return None, ""


def _amount(table: pd.DataFrame, names: Sequence[str], _: str) -> tuple[str | None, str]:
    for name in sorted(names, key=lambda one: "usd" not in words_of(one)):
        if _AMOUNTS & set(words_of(name)) and _lies_in(table[name], 0.0, float("inf")):
            return name, "by its name; it is taken as US dollars"
    return None, ""


def _priority(table: pd.DataFrame, names: Sequence[str], _: str) -> tuple[str | None, str]:
    for name in names:
        if "priority" in words_of(name) and _lies_in(table[name], 0.0, 100.0):
            return name, "by its name, and it lies in 0 to 100; from 75 on a person decides"
    return None, ""


def _unique(table: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        values = table[name]
        wordy = values.dtype == object or isinstance(values.dtype, pd.StringDtype)
        if (wordy or pd.api.types.is_integer_dtype(values.dtype)) and _names_each_row(values):
            yield name


def _names_each_row(values: pd.Series) -> bool:
    try:
        return bool(len(values) and values.notna().all() and values.is_unique)
    except TypeError:  # lists and records name nothing
        return False


def _lies_in(values: pd.Series, low: float, high: float) -> bool:
    read = numbers_of(values)
    return (
        read is not None and not read.stray and bool(read.values.dropna().between(low, high).all())
    )
