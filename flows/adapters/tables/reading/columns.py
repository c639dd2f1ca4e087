"""Which columns of somebody else's table are read, and what are they called here?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings


class MissingColumns(UserError):
    """A table lacks columns that its source file names; `what` says which, without what would work."""

    def __init__(self, what: str, source: str) -> None:
        self.what = what
        super().__init__(
            f"Source {source!r}: {what} Map them under `columns:` or correct `features:` in the source file."
        )


def mapping(source: SourceSettings, names: Sequence[str]) -> dict[str, str]:
    """Our names to theirs for every column of the result.

    Raises:
        UserError: columns are missing (all of them are named, with those that are there), or one
            that is read stands there more than once.
    """
    wanted = {**source.columns}
    if source.case_type_column is not None:
        wanted.setdefault("case_type", source.case_type_column)
    for feature, theirs in source.feature_columns(names).items():
        wanted.setdefault(feature, theirs)
    missing = sorted({theirs for theirs in wanted.values() if theirs not in names})
    if missing:
        many = len(missing) > 1
        raise MissingColumns(
            f"{len(missing)} column{'s are' if many else ' is'} missing: "
            f"{', '.join(map(repr, missing))}. There are: {', '.join(map(str, names))}.",
            source.name,
        )
    if source.kind != "history":
        taken = {*wanted.values(), *wanted}
        wanted |= {name: name for name in names if name not in taken}
    read = set(wanted.values())
    twice = sorted({name for name in names if name in read and list(names).count(name) > 1})
    if twice:
        raise UserError(
            f"Source {source.name!r}: {', '.join(map(repr, twice))} "
            f"{'stands' if len(twice) == 1 else 'stand'} more than once among the columns, and "
            "nothing says which one counts; rename or drop all but one."
        )
    return wanted


def wanted_columns(source: SourceSettings, names: Sequence[str]) -> list[str]:
    """Which of a table's columns are read (UserError: as `mapping`)."""
    return list(dict.fromkeys(mapping(source, names).values()))


def renamed(source: SourceSettings, raw: pd.DataFrame) -> pd.DataFrame:
    """The rows under our names, with their case type where the source has one alone."""
    theirs = mapping(source, [str(name) for name in raw.columns])
    rows = pd.DataFrame({ours: raw[name] for ours, name in theirs.items()}, index=raw.index)
    if source.case_type is not None and "case_type" not in rows:
        rows["case_type"] = pd.Series(source.case_type, index=rows.index, dtype="str")
    return rows


def features(source: SourceSettings) -> set[str]:
    """Our columns of the features that a source names, over all its case types."""
    return set(source.feature_columns(()))


def ids(source: SourceSettings) -> set[str]:
    """Our names of columns that identify something; they are text."""
    ours = {*source.columns, "case_id", "review_id", "reviewer_id", "policy_id"}
    return {name for name in ours if name.endswith("_id")} - features(source)


def their_ids(source: SourceSettings, names: Sequence[str]) -> set[str]:
    """Their names of the columns that are ids or declared categories here."""
    own = {source.columns.get(ours, ours) for ours in ids(source)}
    theirs = source.feature_columns(names)
    return own | {theirs[name] for name in source.categorical_columns() if name in theirs}


def stamps(source: SourceSettings, names: Collection[str]) -> list[str]:
    """Our names of the columns that hold moments.

    Raises:
        UserError: the watermark is none of the columns.
    """
    if source.watermark is not None and source.watermark not in names:
        raise UserError(
            f"Source {source.name!r}: the watermark {source.watermark!r} is none of its columns: "
            f"{', '.join(names)}. Name one of ours, like 'opened_at'."
        )
    own = features(source)
    return [
        name
        for name in names
        if name == source.watermark or (name.endswith("_at") and name not in own)
    ]
