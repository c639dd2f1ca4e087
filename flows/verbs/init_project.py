"""Write a project folder of the user's own from one table: a case type, its sources and a profile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from configs.errors import ServiceUnreachable, UserError
from configs.masking import secrets_of
from configs.places import PROJECT
from configs.settings import load_settings
from configs.sources import SourceSettings, load_source
from data_contracts import CONTRACTS, AdmissionContext
from data_contracts.row_rules import is_plain
from flows.adapters.private_home import modes_for
from flows.adapters.reading.files import RawTable
from flows.adapters.reading_notes import Notes
from flows.adapters.sources import file_pieces, in_our_words, is_table, read_as_it_is
from flows.reports.project_files import (
    FeatureText,
    SourceText,
    case_type_text,
    profile_text,
    source_text,
)
from flows.verbs.column_roles import Roles, matched_columns, roles_in
from flows.verbs.table_columns import Column, flags_of, look_at
from models.vocabulary.names import is_reserved, same_spelling, why_mistakable

Progress = Callable[[int, int | None], object]


def _untold(_: int, __: int | None) -> None:
    """Tells nobody how far it is."""


LIVE = ("cases", "decisions", "reviews", "outcomes")
_MOST_LABELS = 20
_DECIDED = ("score", "action")


@dataclass(frozen=True)
class Asked:
    """What `ratchet init` was asked.

    Attributes:
        case_type: the new case type's name.
        table: a file, a pattern, an fsspec address, or a database's address with `query`.
        to: the project folder; None: the one RATCHET_CONFIG names.
        roles: by our name the column that was named; None: guess, "-": there is none.
        bad_values: the label's values that mean bad, where it does not hold yes and no.
        others: by table name the files of other tables of the same source.
        said: what holds for the source: `timezone`, `dates`, `epoch`, `encoding`.
        external: another agent brings the score.
        case_type_only: write the case type's file and nothing else.
    """

    case_type: str
    table: str
    query: str | None = None
    to: Path | None = None
    roles: Mapping[str, str | None] = field(default_factory=dict)
    bad_values: Sequence[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    external: bool = False
    case_type_only: bool = False


@dataclass(frozen=True)
class Project:
    """What was written.

    Attributes:
        folder: the project folder. files: what was written in it, relative to it.
        kind: what the table was taken for: history, decisions or cases.
        told: guesses and notes, a sentence each.
        features, left_out: the looks at the columns that are features, and at the others.
        rows, columns: the table's size. bad_share: of the rows whose truth is known.
        named: the tables that the profile names. to_do: those for which a table has yet to be named.
        external: another agent brings the score.
    """

    folder: Path
    files: tuple[str, ...]
    kind: str
    told: tuple[str, ...]
    features: tuple[FeatureText, ...]
    left_out: tuple[Column, ...]
    rows: int
    columns: int
    bad_share: float | None
    named: tuple[str, ...]
    to_do: tuple[str, ...]
    external: bool


def init_project(
    asked: Asked, env: Mapping[str, str] = os.environ, progress: Progress = _untold
) -> Project:
    """Look at the table, guess, write the files, and make sure that our own settings read them.

    Nothing is written over; where a file exists already, nothing is written at all.

    Args:
        progress: is told (columns looked at, of all).

    Raises:
        UserError: the folder, the table, a column or an option cannot be used.
        ServiceUnreachable: the table's place does not answer.
    """
    if why := why_mistakable(asked.case_type):
        raise UserError(f"the name of a case type {why}; {asked.case_type!a} was asked for.")
    folder = _folder(asked, env)
    _refuse_existing(folder, _planned(asked))
    source, place = _source_of(asked, env, folder)
    progress(0, None)
    read = Notes(source.name)
    raw = read_as_it_is(source, read)
    if raw.rows.empty:
        raise UserError(f"{_label(asked.table)} is empty: it has columns and no rows.")
    table = raw.rows.rename(columns=str)
    roles = roles_in(table, asked.roles, asked.case_type)
    bad, meanings = _truth(table, roles.columns.get("bad"), asked)
    kind = _kind(table, roles)
    looks, given, left_out = _features(table, roles.columns, kind, bad, progress)
    if not looks and not asked.external:
        why = "; ".join(f"{one.name}: {one.why}" for one in left_out) or "there is no other column"
        raise UserError(
            f"beside {', '.join(roles.columns.values())} no column of the table can be a feature: {why}. "
            "Name another table, or say --scorer external where an agent brings its own score."
        )
    matched, told = _columns(kind, table, roles)
    words, strangers = _their_type(table, matched, asked.case_type)
    codes = [given[one.name] for one in looks if one.is_code]
    drafted = SourceText(
        kind=kind,
        place=place,
        there=True,
        columns=matched,
        features={given[one.name]: one.name for one in looks},
        codes=codes,
        said={**asked.said, **meanings, **words},
    )
    features, codes, notes = _as_read(asked.case_type, source, raw, drafted, looks, given)
    drafted = with_(drafted, codes=codes, features=_to_map(drafted, matched))
    others, more = _others(asked, env, folder, kind, roles, features)
    sources = (*([drafted] if kind == "history" else []), *_in_order(drafted, others))
    texts = _texts(asked, sources, features, left_out, len(table), bad)
    _refuse_unreadable(asked, texts)
    _write(folder, texts)
    return Project(
        folder=folder,
        files=tuple(texts),
        kind=kind,
        told=(
            *map(str, read.told()),
            *roles.told,
            *_odd_ids(table, roles),
            *told,
            *strangers,
            *more,
            *(sentence for one in sources if one.there for sentence in _lacking(one)),
            *notes,
        ),
        external=asked.external,
        features=tuple(features),
        left_out=tuple(left_out),
        rows=len(table),
        columns=len(table.columns),
        bad_share=_share(bad),
        named=tuple(one.kind for one in sources if one.there and one.kind in LIVE),
        to_do=tuple(
            one.kind
            for one in sources
            # What Ratchet decides is stored by itself, and an agent that decides needs no cases.
            if not one.there and one.kind != ("cases" if asked.external else "decisions")
        ),
    )


# Where it goes.


def _folder(asked: Asked, env: Mapping[str, str]) -> Path:
    named = asked.to or (Path(env["RATCHET_CONFIG"]) if env.get("RATCHET_CONFIG") else None)
    if named is None:
        raise UserError(
            "nothing says where your project folder shall be: give --to DIR, or set RATCHET_CONFIG to a "
            "folder of your own, outside the clone."
        )
    folder = named.expanduser().resolve()
    if folder == PROJECT or PROJECT in folder.parents:
        raise UserError(
            f"{folder} lies in the clone, where an update would meet your files; name a folder of your "
            "own outside it (--to DIR)."
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder (--to DIR).")
    return folder


def _planned(asked: Asked) -> list[str]:
    own = f"case_types/{asked.case_type}.yaml"
    if asked.case_type_only:
        return [own]
    kinds = ("history", *LIVE)
    return [own, *(f"sources/{kind}.yaml" for kind in kinds), "profiles/local.yaml"]


def _refuse_existing(folder: Path, files: Sequence[str]) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise UserError(
            f"{folder} has {', '.join(there)} already, and nothing is written over. Name another folder "
            "(--to DIR), move these away, or add a case type to this project by --case-type-only."
        )


# What the table is.


def _source_of(
    asked: Asked, env: Mapping[str, str], folder: Path
) -> tuple[SourceSettings, dict[str, str]]:
    """The table as a source that nothing is known of yet, and its place as it will be written."""
    place = _place(asked.table, asked.query, folder)
    reads = {"url": place["url"], "query": place["query"]} if "url" in place else None
    said = reads or {"path": _absolute(asked.table)}
    return _load(
        {"name": _label(asked.table), "kind": "outcomes", **said, **asked.said}, env
    ), place


def _load(said: Mapping[str, Any], env: Mapping[str, str]) -> SourceSettings:
    """A source as its file would be read, with variables of the environment in their places."""
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "table.yaml"
        file.write_text(yaml.safe_dump(dict(said), allow_unicode=True), encoding="utf-8")
        try:
            return load_source(file, env)
        except UserError as wrong:
            told = (
                str(wrong).replace(f"{file}:", "the table: line ").replace(str(file), "the table")
            )
            raise UserError(told) from None


def _place(table: str, query: str | None, folder: Path) -> dict[str, str]:
    if secrets_of(table):
        raise UserError(
            "the address holds a password or a signature, which would stand in a file; put the address "
            "into a variable of the environment and name that, in single quotes: --from '${CASES_URL}'."
        )
    if query is not None:
        return {"url": table, "query": query}
    if "://" in table and table.split("://", 1)[0].split("+")[0] in (
        "sqlite", "postgresql", "duckdb", "mysql", "mssql", "oracle",
    ):  # fmt: skip
        raise UserError('a database was named and no query; add --query "SELECT * FROM cases".')
    written = _absolute(table)
    within = "://" not in written and "$" not in written and Path(written).is_relative_to(folder)
    return {"path": f"../{Path(written).relative_to(folder).as_posix()}" if within else written}


def _absolute(table: str) -> str:
    if "://" in table or table.startswith("${"):
        return table
    try:
        return str(Path(table).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        raise UserError("--from is no path of a file; correct it.") from None


def _label(table: str) -> str:
    """The table's own name, short enough for a message."""
    return "the database" if "://" in table else Path(table).name or "the table"


def _truth(
    table: pd.DataFrame, label: str | None, asked: Asked
) -> tuple[npt.NDArray[np.float64] | None, dict[str, Any]]:
    """The label as 1, 0 or NaN a row, and the `values:` that a source file needs to read it so."""
    if label is None:
        if asked.bad_values:
            raise UserError("--bad-value says what the label's values mean; name it by --label.")
        return None, {}
    values = table[label]
    if not asked.bad_values:
        flags = flags_of(values)
        if flags is None:
            raise UserError(
                f"the label {label!r} does not hold yes and no; say which of its values mean bad: "
                "--bad-value VALUE (once for each; all others are good)."
            )
        return flags.values.to_numpy(dtype="float64", na_value=np.nan), {}
    text = values.astype("str").where(values.notna()).str.strip()
    words = sorted(text.dropna().unique())
    lost = sorted(set(asked.bad_values) - set(words))
    if lost or len(words) > _MOST_LABELS:
        why = f"holds no {', '.join(map(repr, lost))}" if lost else f"holds {len(words):,} values"
        raise UserError(f"the label {label!r} {why}; name its values that mean bad by --bad-value.")
    bad = text.isin(list(asked.bad_values)).astype("float64").where(text.notna())
    meaning = {word: word in asked.bad_values for word in words}
    return np.asarray(bad, dtype=np.float64), {"values": {"bad": meaning}}


def _kind(table: pd.DataFrame, roles: Roles) -> str:
    if "bad" in roles.columns:
        return "history"
    return "decisions" if set(_DECIDED) <= set(map(str, table.columns)) else "cases"


def _share(bad: npt.NDArray[np.float64] | None) -> float | None:
    known = None if bad is None else bad[~np.isnan(bad)]
    return None if known is None or not len(known) else float(known.mean())


def _features(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    kind: str,
    bad: npt.NDArray[np.float64] | None,
    progress: Progress,
) -> tuple[list[Column], dict[str, str], list[Column]]:
    """The columns that are features, what each is called here, and the columns that are none."""
    amount = roles.get("amount_usd")
    parts = {theirs for theirs in roles.values() if theirs != amount}
    if kind != "history":
        parts |= set(matched_columns(kind, list(table.columns), roles)[0].values()) - {amount}
    kept: list[Column] = []
    left_out: list[Column] = []
    given: dict[str, str] = {}
    spelt: set[str] = set()
    for place, name in enumerate(table.columns):
        progress(place, len(table.columns))
        if name in parts:
            continue
        ours = name
        if name == amount and is_reserved(name):
            # The amount at stake is worth reading, too; only its name is taken.
            ours = next(
                one for one in ("amount", "case_amount", "amount_at_stake") if one not in table
            )
        found = look_at(ours, table[name], bad)
        found = with_(found, name=name)
        if found.kind is not None and same_spelling(ours) in spelt:
            found = with_(found, kind=None, why="another column has a name that reads the same")
        if found.kind is None:
            left_out.append(found)
            continue
        spelt.add(same_spelling(ours))
        given[name] = ours
        kept.append(found)
    return kept, given, left_out


def _columns(
    kind: str, table: pd.DataFrame, roles: Roles
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which column is which of the contract's: the roles, and what else is told by its name."""
    if kind == "history":
        return dict(roles.columns), ()
    matched, told = matched_columns(kind, list(table.columns), roles.columns)
    return {**matched, **roles.columns}, tuple(
        one for one in told if not any(f": {ours} is" in one for ours in roles.columns)
    )


def _their_type(
    table: pd.DataFrame, matched: Mapping[str, str], case_type: str
) -> tuple[dict[str, Any], list[str]]:
    """The `values:` that make their only name of the case type ours; where there are several, what to
    do about the others."""
    if "case_type" not in matched:
        return {}, []
    named = table[matched["case_type"]].dropna().astype("str").unique()
    strangers = [one for one in named if one != case_type]
    if not strangers:
        return {}, []
    if len(named) == 1:
        told = f"case_type is called otherwise in the table; `values:` makes it {case_type!r}."
        return {"values": {"case_type": {strangers[0]: case_type}}}, [told]
    return {}, [
        f"the table's case_type holds {len(named)} names; rows of those that are not in `case_types:` are "
        "rejected. Map a name by `values:`, and add each type by --case-type-only."
    ]


def _as_read(
    case_type: str,
    source: SourceSettings,
    raw: RawTable,
    drafted: SourceText,
    looks: Sequence[Column],
    given: Mapping[str, str],
) -> tuple[list[FeatureText], list[str], list[str]]:
    """The features as our reader sees them, so that the levels are those it will meet."""
    codes = list(drafted.codes)
    while True:
        notes = Notes(source.name)
        features = {"features": list(drafted.features)} if drafted.kind == "history" else {}
        reader = SourceSettings.model_validate(
            {
                **source.model_dump(exclude_unset=True),
                **drafted.said,
                "kind": drafted.kind,
                "case_type": case_type,
                "columns": {**drafted.columns, **drafted.features},
                "categorical": codes,
                **features,
            }
        )
        rows = _in_our_words(reader, raw, notes)
        more = [
            given[one.name]
            for one in looks
            if one.kind == "categorical"
            and given[one.name] not in codes
            and pd.api.types.is_numeric_dtype(rows[given[one.name]].dtype)
        ]
        if not more:
            break
        codes += more
    told = []
    for one in looks:
        name = given[one.name]
        values = rows[name]
        levels = sorted(values.dropna().astype("str").unique()) if one.kind == "categorical" else ()
        missing = one.missing if one.kind == "boolean" else float(values.isna().mean())
        # A number that is none is missing to a history, and the row's fault elsewhere.
        told.append(FeatureText(name, with_(one, missing=max(missing, one.missing)), levels))
    return told, codes, [str(note) for note in notes.told()]


def _in_our_words(reader: SourceSettings, raw: RawTable, notes: Notes) -> pd.DataFrame:
    try:
        return in_our_words(reader, raw.rows, notes, typed=raw.typed)
    except UserError as wrong:
        raise UserError(
            f"{wrong} While there is no source file yet, --timezone, --dates, --epoch and --encoding say "
            "so here; any other column may be given to none of the roles by its option, as `-`."
        ) from None


def _odd_ids(table: pd.DataFrame, roles: Roles) -> list[str]:
    """A sentence where ids break the rule that every table's ids are held to."""
    theirs = roles.columns["case_id"]
    ids = pd.DataFrame({"case_id": table[theirs].astype("str")})
    context = AdmissionContext(now=datetime.now(UTC), case_types={})
    rule = is_plain("case_id_is_plain", "case_id")
    odd = int((~rule.holds(ids, context)).sum())
    if not odd:
        return []
    return [f"{odd:,} of {len(ids):,} ids in {theirs!r} will be rejected: {rule.why}"]


def _to_map(drafted: SourceText, matched: Mapping[str, str]) -> dict[str, str]:
    """The features that a source must map: renamed ones, and those whose column plays a part, too."""
    if drafted.kind == "history":
        return dict(drafted.features)
    taken = set(matched.values())
    return {n: theirs for n, theirs in drafted.features.items() if n != theirs or theirs in taken}


def _lacking(source: SourceText) -> list[str]:
    """A sentence where a table has no column for what its contract asks for."""
    asked = [name for name in CONTRACTS[source.kind].required if name != "case_type"]
    lacking = [name for name in asked if name not in source.columns]
    if not lacking:
        return []
    return [
        f"{source.kind}: no column was found to be {', '.join(lacking)}, and a delivery without fails; "
        f"sources/{source.kind}.yaml says what would work."
    ]


# The other tables.


def _others(
    asked: Asked,
    env: Mapping[str, str],
    folder: Path,
    kind: str,
    roles: Roles,
    features: Sequence[FeatureText],
) -> tuple[dict[str, SourceText], list[str]]:
    """The other live tables: those that were named or lie beside the table, and what they hold."""
    found: dict[str, SourceText] = {}
    told: list[str] = []
    beside = _beside(asked)
    for name in LIVE:
        if name == kind:
            continue
        table = asked.others.get(name) or beside.get(name)
        if table is None:
            found[name] = SourceText(name, {"path": f"../tables/{name}.parquet"}, there=False)
            continue
        if name not in asked.others:
            told.append(
                f"{name} are in {Path(table).name}, beside the table; --{name} says otherwise."
            )
        names = _header(name, table, env)
        columns, guesses = matched_columns(name, names, roles.columns)
        told += guesses
        found[name] = _other(asked, name, _place(table, None, folder), columns, names, features)
        if lacking := found[name].missing_features:
            told.append(
                f"{name} do not have {', '.join(map(repr, lacking))}: what is not known when a case is "
                "decided can be no feature."
            )
    return found, told


def _other(
    asked: Asked,
    kind: str,
    place: Mapping[str, str],
    columns: Mapping[str, str],
    names: Sequence[str],
    features: Sequence[FeatureText],
) -> SourceText:
    read = features if kind in ("cases", "decisions") else ()
    theirs = {one.name: one.column.name for one in read if one.column.name in names}
    taken = set(columns.values())
    return SourceText(
        kind,
        place,
        there=True,
        columns=columns,
        features={name: own for name, own in theirs.items() if name != own or own in taken},
        codes=[one.name for one in read if one.column.is_code and one.name in theirs],
        said={key: value for key, value in asked.said.items() if key != "encoding"},
        missing_features=[one.name for one in read if one.name not in theirs],
    )


def _beside(asked: Asked) -> dict[str, str]:
    """Tables that lie beside the one that was named, under the contracts' names."""
    if asked.query is not None or "://" in asked.table or "$" in asked.table:
        return {}
    own = Path(_absolute(asked.table))
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


def _header(kind: str, table: str, env: Mapping[str, str]) -> list[str]:
    if secrets_of(table) or ("://" in table and not is_table(table)):
        raise UserError(f"--{kind} names no file; write a query into sources/{kind}.yaml by hand.")
    source = _load({"name": _label(table), "kind": "outcomes", "path": _absolute(table)}, env)
    try:
        first = next(file_pieces(source, 1_000), None)
    except (UserError, ServiceUnreachable) as wrong:
        raise type(wrong)(f"--{kind}: {wrong}") from None
    return [] if first is None else [str(name) for name in first.rows.columns]


def _in_order(drafted: SourceText, others: Mapping[str, SourceText]) -> list[SourceText]:
    return [drafted if name == drafted.kind else others[name] for name in LIVE]


# Writing.


def _texts(
    asked: Asked,
    sources: Sequence[SourceText],
    features: Sequence[FeatureText],
    left_out: Sequence[Column],
    rows: int,
    bad: npt.NDArray[np.float64] | None,
) -> dict[str, str]:
    own = case_type_text(
        asked.case_type,
        features,
        left_out,
        table=_label(asked.table),
        rows=rows,
        bad_share=_share(bad),
        external=asked.external,
    )
    texts = {f"case_types/{asked.case_type}.yaml": own}
    if asked.case_type_only:
        return texts
    for one in sources:
        texts[f"sources/{one.kind}.yaml"] = source_text(asked.case_type, one)
    texts["profiles/local.yaml"] = profile_text(asked.case_type, sources)
    return texts


def _refuse_unreadable(asked: Asked, texts: Mapping[str, str]) -> None:
    """Nothing, if our own settings read what will be written.

    Raises:
        UserError: they do not, with the line; what a column is called may be the reason.
    """
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        env = {**_variables_beside(), "RATCHET_CONFIG": str(folder)}
        try:
            if asked.case_type_only:
                env["RATCHET_CASE_TYPES"] = f"[{yaml.safe_dump(asked.case_type).splitlines()[0]}]"
            load_settings("local", env).load_case_types(env)
            for name in texts:
                if name.startswith("sources/"):
                    load_source(folder / name, env)
        except UserError as wrong:
            raise UserError(
                "the table's names do not fit into settings, and nothing was written. "
                + str(wrong).replace(f"{folder}/", "")
            ) from None


def _variables_beside() -> dict[str, str]:
    """The environment without our own variables, which would lay themselves over the files."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RATCHET_")}


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """All of the files or none; one that appeared in the meantime is not written over."""
    _refuse_existing(folder, list(texts))
    written: list[Path] = []
    with modes_for(folder.parent):
        try:
            for name, text in texts.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    written.append(path)
                    file.write(text)
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise
