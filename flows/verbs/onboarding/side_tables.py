"""The tables beside the one that `ratchet init` was given: what they hold, or what they will have to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from configs.errors import ServiceUnreachable, UserError
from configs.masking import secrets_of
from data_contracts import CONTRACTS
from flows.adapters.tables.reading_notes import Notes
from flows.adapters.tables.sources import file_pieces, is_table, read_as_it_is
from flows.reports.words.project_files import FeatureText, SourceText
from flows.verbs.onboarding.column_roles import Roles, matched_columns
from flows.verbs.onboarding.day_order import day_order_in
from flows.verbs.onboarding.init_asked import LIVE, Asked
from flows.verbs.onboarding.named_tables import absolute, label_of, load_named, place_of
from flows.verbs.onboarding.number_notation import Notations, carried_over

_FIRST_ROWS = 1_000
_WITH_FEATURES = ("cases", "decisions")


@dataclass(frozen=True)
class MainTable:
    """What is known of the table that was given.

    Attributes:
        kind: what it was taken for. roles: which of its columns play a part.
        features: of the case type.
        notations: how its numbers are written.
        said: what holds for the source: `timezone`, `dates`, `epoch`.
    """

    kind: str
    roles: Roles
    features: Sequence[FeatureText]
    notations: Notations
    said: Mapping[str, str]


def side_tables(
    asked: Asked, env: Mapping[str, str], folder: Path, main: MainTable
) -> tuple[dict[str, SourceText], list[str]]:
    """The other live tables: those that were named or lie beside the table, and what they hold; the
    rest as they would be if they were written as the main table is.

    Returns:
        By table its source file's contents, and a sentence for every guess.

    Raises:
        UserError, ServiceUnreachable: a table that was named cannot be read.
    """
    found: dict[str, SourceText] = {}
    told: list[str] = []
    beside = _beside(asked)
    for name in LIVE:
        if name == main.kind:
            continue
        table = asked.others.get(name) or beside.get(name)
        if table is None:
            found[name] = _not_there(name, main)
            continue
        try:
            rows = _first_rows(name, table, env)
        except (UserError, ServiceUnreachable) as wrong:
            if name in asked.others:
                raise
            # Nobody asked for a table that only lies there.
            told.append(f"{Path(table).name}, beside the table, was left out. {wrong}")
            found[name] = _not_there(name, main)
            continue
        if name not in asked.others:
            told.append(
                f"{name} are in {Path(table).name}, beside the table; --{name} says otherwise."
            )
        columns, guesses = matched_columns(name, [*rows.columns], main.roles.columns)
        told += guesses
        found[name] = _there(name, place_of(table, None, folder), columns, rows, main)
        if found[name].said.get("dates") != main.said.get("dates"):
            told += [f"{name}: {guess}" for guess in day_order_in(rows).told()]
        if lacking := found[name].missing_features:
            told.append(
                f"{name} do not have {', '.join(map(repr, lacking))}: what is not known when a case is "
                "decided can be no feature."
            )
    return found, told


def to_map(features: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """The features that a source must map: renamed ones, and those whose column plays a part, too."""
    taken = set(columns.values())
    return {n: theirs for n, theirs in features.items() if n != theirs or theirs in taken}


def _not_there(kind: str, main: MainTable) -> SourceText:
    """A table that nobody named yet: its columns are called and written as those of the main table."""
    place = {"path": f"../tables/{kind}.parquet"}
    if kind not in _WITH_FEATURES:
        return SourceText(kind, place, there=False, said=dict(main.said))
    fixed = CONTRACTS[kind].schema.names
    columns = {ours: theirs for ours, theirs in main.roles.columns.items() if ours in fixed}
    features = {one.name: one.column.name for one in main.features}
    return SourceText(
        kind,
        place,
        there=False,
        columns=columns,
        features=to_map(features, columns),
        codes=[one.name for one in main.features if one.column.is_code],
        said={
            **main.said,
            **main.notations.by_our_names({**columns, **features}, reads_all=False),
        },
    )


def _there(
    kind: str,
    place: Mapping[str, str],
    columns: Mapping[str, str],
    rows: pd.DataFrame,
    main: MainTable,
) -> SourceText:
    read = main.features if kind in _WITH_FEATURES else ()
    theirs = {one.name: one.column.name for one in read if one.column.name in rows.columns}
    said: dict[str, Any] = dict(main.said)
    if order := day_order_in(rows).order:
        said["dates"] = order
    notations = carried_over(main.notations, rows)
    return SourceText(
        kind,
        place,
        there=True,
        columns=columns,
        features=to_map(theirs, columns),
        codes=[one.name for one in read if one.column.is_code and one.name in theirs],
        said={**said, **notations.by_our_names({**columns, **theirs}, reads_all=True)},
        missing_features=[one.name for one in read if one.name not in theirs],
    )


def _beside(asked: Asked) -> dict[str, str]:
    """Tables that lie beside the one that was named, under the contracts' names."""
    if asked.query is not None or "://" in asked.table or "$" in asked.table:
        return {}
    own = Path(absolute(asked.table))
    folder = own.parent
    if not folder.is_dir():
        return {}
    files = [one for one in sorted(folder.iterdir()) if one.is_file() and is_table(one.name)]
    return {
        name: str(one)
        for name in LIVE
        for one in files
        if one.name.split(".")[0].casefold() == name and one != own
    }


def _first_rows(kind: str, table: str, env: Mapping[str, str]) -> pd.DataFrame:
    if secrets_of(table) or ("://" in table and not is_table(table)):
        raise UserError(f"--{kind} names no file; write a query into sources/{kind}.yaml by hand.")
    source = load_named({"name": label_of(table), "kind": "outcomes", "path": absolute(table)}, env)
    try:
        first = next(file_pieces(source, _FIRST_ROWS), None)
        if first is None:
            # A table without rows yields no piece, and its columns have names all the same.
            first = read_as_it_is(source, Notes(source.name))
    except (UserError, ServiceUnreachable) as wrong:
        away = isinstance(wrong, ServiceUnreachable)
        raise (ServiceUnreachable if away else UserError)(f"--{kind}: {wrong}") from None
    return first.rows.rename(columns=str)
