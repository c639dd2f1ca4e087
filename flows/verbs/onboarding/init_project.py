"""Write a project folder of the user's own from one table: a case type, its sources and a profile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from configs.errors import UserError
from configs.places import PROJECT
from configs.settings import load_settings
from configs.sources import SourceSettings, load_source
from data_contracts import CONTRACTS, AdmissionContext
from data_contracts.row_rules import is_plain
from flows.adapters.files.private_home import modes_for
from flows.adapters.tables.reading.files import RawTable
from flows.adapters.tables.reading_notes import Notes
from flows.adapters.tables.sources import in_our_words, read_as_it_is
from flows.reports.words.project_files import (
    FeatureText,
    SourceText,
    case_type_text,
    profile_text,
    source_text,
)
from flows.verbs.onboarding.column_roles import Roles, matched_columns, roles_in, yes_no_columns
from flows.verbs.onboarding.day_order import DayOrder, day_order_in, refuse_unsettled
from flows.verbs.onboarding.init_asked import LIVE, Asked
from flows.verbs.onboarding.label_words import (
    LabelWord,
    ReadLabel,
    label_candidates,
    read_label,
    told_of_label,
)
from flows.verbs.onboarding.named_tables import label_of, source_of
from flows.verbs.onboarding.number_notation import (
    Notations,
    in_other_money,
    notations_in,
    stated_notations,
)
from flows.verbs.onboarding.side_tables import MainTable, side_tables, to_map
from flows.verbs.onboarding.table_columns import Column, look_at
from models.vocabulary.names import is_reserved, same_spelling, why_mistakable

Progress = Callable[[int, int | None], object]


def _untold(_: int, __: int | None) -> None:
    """Tells nobody how far it is."""


_DECIDED = ("score", "action")


@dataclass(frozen=True)
class Project:
    """What was written.

    Attributes:
        folder: the project folder. files: what was written in it, relative to it.
        kind: what the table was taken for: history, decisions or cases.
        told: guesses and notes, a sentence each.
        features, left_out: the looks at the columns that are features, and at the others.
        rows, columns: the table's size. bad_share: of the rows whose truth is known.
        label: how each word of the label is read, a line each; label_words: the same as values.
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
    label: tuple[str, ...]
    label_words: tuple[LabelWord, ...]
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
    source, place = source_of(asked, env, folder)
    progress(0, None)
    read = Notes(source.name)
    raw = read_as_it_is(source, read)
    if raw.rows.empty:
        raise UserError(f"{label_of(asked.table)} is empty: it has columns and no rows.")
    table = raw.rows.rename(columns=str)
    dates = DayOrder() if "dates" in asked.said else day_order_in(table)
    said = {**({"dates": dates.order} if dates.order else {}), **asked.said}
    named = [asked.roles.get(one) for one in ("case_id", "opened_at", "bad")]
    notations = notations_in(
        table, stated_notations(asked.numbers), [one for one in named if one is not None]
    )
    table = notations.plainly(table)
    roles = roles_in(table, asked.roles, asked.case_type)
    if "dates" not in said:
        refuse_unsettled(table[roles.columns["opened_at"]], roles.columns["opened_at"])
    label = _truth(table, roles.columns.get("bad"), asked)
    bad = None if label is None else label.bad
    meanings = {} if label is None else label.meanings
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
    features = {given[one.name]: one.name for one in looks}
    codes = [given[one.name] for one in looks if one.is_code]
    if kind != "history":
        # Read with the rest, and of no use: kept as text, so that nobody has to say how it is written.
        codes += [
            one for one in notations.unread if one not in {*features.values(), *matched.values()}
        ]
    drafted = SourceText(
        kind=kind,
        place=place,
        there=True,
        columns=matched,
        features=features,
        codes=codes,
        said={
            **said,
            **meanings,
            **words,
            **notations.by_our_names({**matched, **features}, reads_all=kind != "history"),
        },
    )
    texts_of, codes, notes = _as_read(asked.case_type, source, raw, drafted, looks, given)
    mapped = features if kind == "history" else to_map(features, matched)
    drafted = with_(drafted, codes=codes, features=mapped)
    shared = {key: value for key, value in said.items() if key != "encoding"}
    others, more = side_tables(
        asked, env, folder, MainTable(kind, roles, texts_of, notations, shared)
    )
    sources = (
        *([drafted] if kind == "history" else []),
        *(drafted if name == kind else others[name] for name in LIVE),
    )
    texts = _texts(asked, sources, texts_of, left_out, len(table), bad)
    _refuse_unreadable(asked, texts)
    _write(folder, texts)
    return Project(
        folder=folder,
        files=tuple(texts),
        kind=kind,
        told=(
            *_no_label(asked, table, roles, kind),
            *map(str, read.told()),
            *roles.told,
            *dates.told(),
            *notations.told(),
            *_other_money(roles, notations),
            *_odd_ids(table, roles),
            *told,
            *strangers,
            *more,
            *(sentence for one in sources if one.there for sentence in _lacking(one)),
            *notes,
        ),
        external=asked.external,
        features=tuple(texts_of),
        left_out=tuple(left_out),
        rows=len(table),
        columns=len(table.columns),
        bad_share=_share(bad),
        label=()
        if label is None
        else tuple(told_of_label(roles.columns["bad"], label.words, bool(asked.bad_values))),
        label_words=() if label is None else label.words,
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


def _truth(table: pd.DataFrame, label: str | None, asked: Asked) -> ReadLabel | None:
    """The label as it was read; None: the table has none."""
    if label is not None:
        return read_label(table, label, asked)
    if asked.bad_values or asked.unknown_values:
        raise UserError(
            "--bad-value and --unknown-value say what the label's values mean; name it by --label."
        )
    return None


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
            "Say it by an option (--dates, --epoch, --timezone, --encoding, --numbers COLUMN=EXAMPLE), as "
            f"there is no source file yet; a column that plays no part is given to none by `-`. {wrong}"
        ) from None


def _no_label(asked: Asked, table: pd.DataFrame, roles: Roles, kind: str) -> list[str]:
    """A sentence where nobody said that the truth is unknown, and no column was found to be it."""
    if kind != "cases" or asked.roles.get("bad") == "-":
        return []
    flags = yes_no_columns(table, set(roles.columns.values()))
    listed = f" Yes/no columns: {', '.join(flags)}." if flags else ""
    maybe = label_candidates(table, {*roles.columns.values(), *flags})
    listed += f" Of few words: {'; '.join(maybe)}." if maybe else ""
    return [
        f"No label was found, so these are taken for new cases and nothing can be learned from them."
        f"{listed} If a column says whether the case was bad, remove what was written and say --label "
        "COLUMN (with --bad-value and --unknown-value where it is not yes or no); --label - says that there is none."
    ]


def _other_money(roles: Roles, notations: Notations) -> list[str]:
    theirs = roles.columns.get("amount_usd")
    money = None if theirs is None else in_other_money(theirs, notations.of.get(theirs))
    if money is None:
        return []
    return [
        f"{theirs!r} is in {money}, and is taken as it stands for US dollars: convert it at the source, "
        f"or give costs and limits in {money}, too."
    ]


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
        table=label_of(asked.table),
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
