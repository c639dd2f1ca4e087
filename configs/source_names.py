"""Does a source file name only columns that can be what it says they are?"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from configs.configured import configured_features
from configs.errors import UserError
from configs.number_styles import NumberStyle, named_in
from configs.yaml_lines import Document, Location
from models.vocabulary.names import (
    CONTRACT_COLUMNS,
    SCORED_HISTORY,
    column_of,
    same_spelling,
    why_mistakable,
    why_unprintable,
)

if TYPE_CHECKING:
    from configs.sources import CaseTypeOverrides, SourceSettings

TOLD_BY_TRUTH = {"bad": "the truth itself", "case_id": "each case's id", "opened_at": "the time"}
"""What a history maps and a model must not read, and what it is."""

_ALWAYS_THERE = ("priority", "amount_usd", "case_type", "opened_at", "case_id")


def refuse_names(
    source: SourceSettings, document: Document, env: Mapping[str, str] = os.environ
) -> None:
    """Nothing, if every name is a column of this kind of source, and no feature gives the truth away.

    Raises:
        UserError: a mapping that nothing reads (with the nearest name that is read), a feature
            listed twice or that is the label, the id or the time of a history, a name that cannot
            be shown, or a time zone that there is not; each with its line.
    """
    wrong = [
        *_wrong_mappings(source, document, env),
        *_wrong_features(source, document),
        *_wrong_case_types(source, document),
        *_wrong_zone(source, document),
        *_wrong_numbers(source, document),
    ]
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))


def _wrong_mappings(
    source: SourceSettings, document: Document, env: Mapping[str, str]
) -> Iterator[str]:
    known = {*CONTRACT_COLUMNS[source.kind], *_named_by(source)}
    known |= set(SCORED_HISTORY) if source.kind == "history" else set()
    if source.watermark is not None and source.kind != "history":
        known.add(source.watermark)
    unknown = [name for name in source.columns if name not in known and not name.startswith("phi_")]
    if unknown and source.kind in ("history", "decisions", "cases"):
        known |= configured_features(_case_type_names(source), env)
        unknown = [name for name in unknown if name not in known]
    for name in unknown:
        where = document.place_of(("columns", name))
        near = difflib.get_close_matches(name.casefold(), sorted(known), n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        yield (
            f"{where}: {name!r} under `columns:` is no column of {source.kind}, and no feature. "
            f"{hint}Known are {', '.join(CONTRACT_COLUMNS[source.kind])}, the features and the "
            "segments."
        )
    for name, theirs in source.columns.items():
        if why := why_unprintable(theirs):
            yield f"{document.place_of(('columns', name))}: the column mapped to {name!r} {why}."
    if source.kind == "history":
        label = source.columns["bad"]
        for name, theirs in source.columns.items():
            if name != "bad" and theirs == label:
                yield (
                    f"{document.place_of(('columns', name))}: {name!r} is mapped to {label!r}, which "
                    "is the truth (`bad`); map another column."
                )


def _wrong_features(source: SourceSettings, document: Document) -> Iterator[str]:
    for location, layer in _layers(source):
        names = layer.features or ()
        read: dict[str, str] = {}
        spelt: dict[str, str] = {}
        for place, name in enumerate(names):
            where = document.place_of((*location, "features", place))
            if why := why_unprintable(name):
                yield f"{where}: a feature's name {why}; write the column's name."
                continue
            theirs = _read_by(source, name)
            before = spelt.get(same_spelling(name)) or read.get(theirs)
            if before is not None:
                also = (
                    "is listed twice"
                    if before == name
                    else f"and {before!r} are two spellings of one column"
                )
                yield f"{where}: the feature {name!r} {also}; keep one."
            spelt[same_spelling(name)] = read[theirs] = name
            yield from _not_to_be_read(source, where, name, theirs)
        yield from _wrong_readers(source, layer, location, document)


def _not_to_be_read(source: SourceSettings, where: str, name: str, theirs: str) -> Iterator[str]:
    if source.kind != "history":
        if column_of(name) != name:
            yield (
                f"{where}: a feature cannot be called {name!r}: a column of ours has that name. "
                f"Give it another name, and map that name to {name!r} under `columns:`."
            )
        return
    for ours, what in TOLD_BY_TRUTH.items():
        if theirs == source.columns[ours]:
            then = "it would decide" if ours == "bad" else "it says nothing of new cases"
            yield (
                f"{where}: the feature {name!r} is the column mapped to `{ours}`, {what}; {then}. "
                "Leave it out of `features:`."
            )


def _wrong_readers(
    source: SourceSettings, layer: CaseTypeOverrides, location: Location, document: Document
) -> Iterator[str]:
    """Segments and patterns of a history read what is among its features, and nothing else."""
    names = set(layer.features or source.features or ())
    if source.kind != "history" or not names:
        return
    for key in ("categorical", "may_be_missing", "turns_with_calendar", "monotone"):
        for place, name in enumerate(getattr(layer, key) or ()):
            if name not in names:
                where = document.place_of((*location, key, name if key == "monotone" else place))
                yield f"{where}: `{key}` names {name!r}; list it under `features:` too."
    for place, name in enumerate(layer.segments or ()):
        if name not in names:
            where = document.place_of((*location, "segments", place))
            yield f"{where}: the segment {name!r} is no feature; list it under `features:` too."
    for place, pattern in enumerate(layer.senior_patterns or ()):
        for condition in pattern.conditions:
            if condition.column not in names and condition.column not in _ALWAYS_THERE:
                where = document.place_of((*location, "senior_patterns", place))
                yield (
                    f"{where}: the pattern {pattern.name!r} looks at {condition.column!r}, which is "
                    "no feature; list it under `features:` too."
                )


def _wrong_case_types(source: SourceSettings, document: Document) -> Iterator[str]:
    for location, name in [
        (("case_type",), source.case_type),
        *((("case_types", name), name) for name in source.case_types),
    ]:
        if name is not None and (why := why_mistakable(name)):
            yield f"{document.place_of(location)}: the name of a case type {why}."


def _wrong_zone(source: SourceSettings, document: Document) -> Iterator[str]:
    try:
        ZoneInfo(source.timezone)
    except (LookupError, ValueError, OSError):
        yield (
            f"{document.place_of(('timezone',))}: `timezone` names no time zone; write one like UTC "
            "or Europe/Berlin."
        )


def _wrong_numbers(source: SourceSettings, document: Document) -> Iterator[str]:
    """A history reads what it maps and lists; of other kinds every column of the table is read."""
    if source.kind != "history":
        return
    known = {*source.columns, *_named_by(source)}
    by_list = isinstance(source.numbers, NumberStyle)
    for place, name in enumerate(named_in(source.numbers)):
        if name not in known:
            where = document.place_of(
                ("numbers", "columns", place) if by_list else ("numbers", name)
            )
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            yield (
                f"{where}: `numbers:` names {name!r}, which this history does not read. {hint}Use our "
                "names: what is mapped under `columns:` or listed under `features:`."
            )


def _read_by(source: SourceSettings, name: str) -> str:
    """The column of the source that a feature of this name reads."""
    return source.columns.get(name, name) if column_of(name) == name else name


def _layers(source: SourceSettings) -> list[tuple[Location, CaseTypeOverrides]]:
    each: Mapping[str, CaseTypeOverrides] = source.case_types
    return [((), source), *((("case_types", name), one) for name, one in each.items())]


def _named_by(source: SourceSettings) -> set[str]:
    return {
        name
        for _, layer in _layers(source)
        for names in (layer.features, layer.segments)
        for name in names or ()
    }


def _case_type_names(source: SourceSettings) -> set[str] | None:
    """The case types whose features this source may map; None: all that are configured."""
    if source.case_type is not None:
        return {source.case_type}
    return set(source.case_types) or None
