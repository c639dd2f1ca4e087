"""A user's own project folder as text: a case type, its sources and a profile, every key explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from data_contracts import CONTRACTS
from data_contracts.meanings import MEANINGS, PURPOSES, presence, type_words
from flows.adapters.tables.column_names import words_of
from flows.reports.words.since_advice import since_advice

if TYPE_CHECKING:
    from flows.verbs.onboarding.table_columns import Column

WATERMARKS: Mapping[str, str] = {
    "decisions": "decided_at",
    "reviews": "resolved_at",
    "outcomes": "observed_at",
    "cases": "opened_at",
}
"""By table the column that tells how far its source was read."""

_CALENDAR = {"month", "quarter", "season", "week", "year"}
_RARE = 0.02
_WHEN: Mapping[str, str] = {
    "decisions": "Needed only where another agent decides; what Ratchet decides is stored by itself.",
    "reviews": "Needed every night: what people say of escalated and audited cases.",
    "outcomes": "Optional: truth that comes by itself. It refutes what reviewers and model missed.",
    "cases": "Needed where Ratchet decides: new cases, by `ratchet decide` or every 15 minutes.",
}


@dataclass(frozen=True)
class SourceText:
    """What one source file says.

    Attributes:
        kind: of the source, which is its file's name, too.
        place: `path`, or `url` and `query`, as it is written.
        there: whether that place was named and looked at; else it is for a person to fill in.
        columns: by our name the table's column, of what was found.
        features: by feature the table's column, where a mapping has to say it.
        codes: categories whose cells look like numbers.
        said: further keys, such as `dates` or `values`.
        missing_features: features that the table does not have.
    """

    kind: str
    place: Mapping[str, str]
    there: bool
    columns: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    codes: Sequence[str] = ()
    said: Mapping[str, Any] = field(default_factory=dict)
    missing_features: Sequence[str] = ()


@dataclass(frozen=True)
class FeatureText:
    """One feature of the case type: its look at the table, its name here, and its levels."""

    name: str
    column: Column
    levels: Sequence[str] = ()


def case_type_text(
    name: str,
    features: Sequence[FeatureText],
    left_out: Sequence[Column],
    *,
    table: str,
    rows: int,
    bad_share: float | None,
    external: bool,
) -> str:
    """`case_types/NAME.yaml`: the features as they were seen, promises and costs to be filled in."""
    lines = [
        f"# Case type {_shown(name)}: guessed by `ratchet init` from {rows:,} rows of {_shown(table)}.",
        "# You know your cases: correct it. `ratchet check` says what then fits and what does not.",
        f"name: {_scalar(name)}",
        'description: ""',
        "",
        "# Whose score decides: `internal` (a model that Ratchet trains) or `external` (another agent's,",
        "# delivered with each decision: score and model_version).",
        f"scorer: {'external' if external else 'internal'}",
        "",
        "# What the model reads. Only what is known when a case is new. Kinds: numeric, boolean,",
        "# categorical (with every level that may occur: another one sends its case to a person).",
        "# `monotone: 1` (or -1) says that the risk may only rise (or fall) with the value;",
        "# `family: device` groups features for people.",
        "features:" if features else "features: []",
    ]
    for one in features:
        lines += _feature_lines(one)
    if left_out:
        lines += ["  # Left out, and why:"]
        lines += [f"  #   {_shown(one.name)}: {_shown(one.why)}." for one in left_out]
    lines += ["", *_promises(bad_share), *_rest(features)]
    return "\n".join(lines) + "\n"


def source_text(case_type: str, source: SourceText) -> str:
    """`sources/KIND.yaml`: every column of the contract with its type and its meaning."""
    kind = source.kind
    lines = [f"# {PURPOSES[kind]}"]
    if kind in _WHEN:
        lines.append(f"# {_WHEN[kind]}")
    lines += ["# Every rule that its rows are held to: `ratchet contracts " + kind + "`."]
    lines += [f"name: {_scalar(f'{case_type}_{kind}')}", f"kind: {kind}"]
    if kind in ("decisions", "cases", "history"):
        lines += [f"case_type: {_scalar(case_type)}  # of all rows; or map `case_type` below"]
    lines += ["", *_place_lines(case_type, source), ""]
    lines += [*_stamp_lines(source), ""]
    if kind == "history":
        lines += _history_lines(source)
    lines += ["# Our name: yours. Each is told by its type and whether it may be empty."]
    columns = [*_column_lines(source)]
    # A key without a value is refused when the file is read.
    none = all(line.lstrip().startswith("#") for line in columns)
    lines += ["# columns:" if none else "columns:", *columns]
    return "\n".join(lines) + "\n"


def profile_text(case_type: str, sources: Sequence[SourceText]) -> str:
    """`profiles/local.yaml`: the case type, and the sources whose table is known."""
    lines = [
        "# What is set here lies over the clone's configs/defaults.yaml, which lists every key.",
        f"case_types: [{_scalar(case_type)}]",
        "",
        "# Which source file each table comes from. Take the # of a line away once its file says where your",
        "# table is.",
        "sources:",
    ]
    for one in sources:
        if one.kind in WATERMARKS:
            lines.append(f"  {'' if one.there else '# '}{one.kind}: sources/{one.kind}.yaml")
    if any(one.kind == "history" for one in sources):
        lines += [
            "",
            "# Past cases stand in no profile: `ratchet import-history` and `ratchet backtest` are",
        ]
        lines += ["# given sources/history.yaml by name."]
    return "\n".join(lines) + "\n"


def _feature_lines(one: FeatureText) -> Iterator[str]:
    column = one.column
    told = [f"{column.missing:.1%} missing" if column.missing else "never missing"]
    if column.kind == "categorical":
        told.append(f"{len(one.levels)} levels seen")
    if one.name != column.name:
        told.append(f"the table's column {_shown(column.name)}")
    if column.note:
        told.append(_shown(column.note))
    if _CALENDAR & set(words_of(column.name)):
        told.append("follows the date by itself? Then add turns_with_calendar: true")
    said = [f"name: {_scalar(one.name)}", f"kind: {column.kind}"]
    if column.missing:
        said.append("may_be_missing: true")
    yield f"  # {', '.join(told)}"
    if column.kind != "categorical":
        yield f"  - {{{', '.join(said)}}}"
        return
    yield f"  - {said[0]}"
    yield from (f"    {each}" for each in said[1:])
    yield f"    levels: {_list(one.levels)}"


def _promises(bad_share: float | None) -> list[str]:
    rare = bad_share is not None and bad_share < _RARE
    seen = [] if bad_share is None else [f"# {bad_share:.2%} of the cases in the table were bad."]
    by_recall = "targets: {precision: 0.95, recall: 0.99, delta: 0.05}"
    limit = 0.01 if bad_share is None else float(f"{bad_share / 4:.1g}") or 0.001
    by_omission = f"targets: {{precision: 0.95, false_omission_rate: {limit}, delta: 0.05}}"
    return [
        "# What every promoted boundary must be proven to keep. `precision`: of the cases blocked without a",
        "# person, the share that is bad, at least. `recall`: of all bad cases, the share that is not passed",
        "# without a person, at least. `false_omission_rate`: of the cases passed without a person, the share",
        "# that is bad, at most. `delta` is the accepted probability that a boundary breaks a promise. Where",
        "# bad is rare, a limit on the share of bad among the passed leaves more to automate than recall does.",
        *seen,
        by_omission if rare else by_recall,
        f"# {by_recall if rare else by_omission}",
        "# TO DO: days from when a case is new until its truth is settled. 14 suits what shows soon; card",
        "# chargebacks take 60 to 120, a loan as long as it may default. Younger cases prove nothing.",
        "maturity_days: 14",
        "# How long a proof is believed, counted from the end of its evidence. That lies maturity_days back, so",
        "# the proof of tonight has certificate_days minus maturity_days left: it must be the longer of the",
        "# two by far (maturity_days: 365 needs some 545), and by the horizon of an ab_plan, too.",
        "certificate_days: 180",
        "",
    ]


def _rest(features: Sequence[FeatureText]) -> list[str]:
    levels = [one.name for one in features if one.column.kind == "categorical"]
    return [
        "# TO DO: what a review and each kind of error costs you. Reports count with it, and with",
        "# `choose: cheapest` it picks among the proven boundaries; no promise depends on it.",
        "costs:  # US dollars a case",
        "  review_usd: 4.0",
        "  false_positive_usd: 40.0",
        "  false_negative_usd: 400.0",
        "",
        "# TO DO: who reviews; hours in UTC. Waiting times are computed from it.",
        "staffing:",
        "  handling_minutes: 10.0",
        "  sla_hours: 4.0",
        "  shifts:",
        "    - {start_hour: 0, end_hour: 24, reviewers: 4}",
        "",
        "# TO DO: the share of automatic decisions that is drawn for a review all the same. A higher rate costs",
        "# reviews and brings proofs sooner.",
        "audit_rate: 0.05",
        "# never_auto_pass_above_usd: 10000",
        f"segments: {_list(levels[:3])}  # every report breaks its figures down by these",
        "",
        "# A proposed boundary may be tried on a share of the cases before it is promoted:",
        "# ab_plan: {horizon_days: 42}",
        "# High-risk patterns that go to a senior whatever the score says:",
        "# senior_patterns:",
        "#   - name: large_and_new",
        "#     conditions:",
        "#       - {column: amount_usd, operator: at_least, value: 50000}",
    ]


def _place_lines(case_type: str, source: SourceText) -> Iterator[str]:
    yield "# Where the table is. `path`: a .parquet or .csv file, a folder, a pattern or any fsspec address;"
    yield "# relative to this file. ${NAME} stands for a variable of the environment."
    if not source.there:
        yield f"# TO DO: name your table, then take the # before `{source.kind}:` away in profiles/local.yaml."
        if source.columns or source.said:
            yield "# Columns and notations below are those of the table that `ratchet init` looked at."
    yield from (f"{key}: {_scalar(value)}" for key, value in source.place.items())
    if "url" in source.place:
        return
    mark = WATERMARKS.get(source.kind)
    theirs = source.columns.get(mark, mark) if mark else None
    where = f" WHERE {_shown(theirs)} > :since" if theirs else ""
    yield "# Or a query, in place of `path`; keep passwords in the environment:"
    yield "# url: postgresql+psycopg://${DB_USER}:${DB_PASSWORD}@HOST/NAME"
    yield f"# query: SELECT * FROM {source.kind}{where}"


def _stamp_lines(source: SourceText) -> Iterator[str]:
    said = dict(source.said)
    yield f"timezone: {_scalar(said.pop('timezone', 'UTC'))}  # of stamps that do not name one"
    for key, hint in (("dates", "dmy      # or mdy, ymd: how 03/04/2026 is meant"),
                      ("epoch", "s        # or ms, us, ns: what stamps that are numbers count")):  # fmt: skip
        value = said.pop(key, None)
        yield f"{key}: {_scalar(value)}" if value else f"# {key}: {hint}"
    mark = WATERMARKS.get(source.kind)
    if mark is not None:
        asks = "url" not in source.place or ":since" in source.place.get("query", "")
        found = not source.there or mark in source.columns
        yield "# How far the table was read; each night looks on from there, and 48 hours behind it. Without"
        yield "# it the whole table is judged every night; a query needs `WHERE ... > :since`, too."
        yield f"{'' if found else '# '}watermark: {mark}"
        theirs = source.columns.get(mark)
        if not asks and theirs is not None:
            advice = since_advice(theirs, source.place["url"], source.said.get("dates"))
            yield f"# The query has no :since, so all of it is read each time: {_shown(advice)}."
    for key, value in said.items():
        yield f"{key}: {_flow(value)}"
    if source.codes:
        yield "# Codes that look like numbers, kept as text."
        yield f"categorical: {_list(source.codes)}"
    yield '# missing: ["-1", unknown]                       # words that mean nothing is known'
    if "numbers" not in source.said:
        yield "# How numbers are written, for all columns or by column, by our column names:"
        yield '# numbers: {decimal: ",", thousands: ".", unit: EUR}'
        yield '# numbers: {amount_usd: {thousands: ",", unit: "€"}, COLUMN: {unit: "%"}}'
    yield "# values: {COLUMN: {THEIRS: OURS}}                # their word to our value, by our column names"


def _history_lines(source: SourceText) -> Iterator[str]:
    yield "# The features, as case_types/ has them: in a history a model reads what is listed here."
    yield f"features: {_list(list(source.features))}"
    yield "# How a backtest walks it:"
    yield "warm_up_days: 30  # everything is reviewed; the first model is trained here"
    yield "retrain_days: 14"
    yield "seed: 7"
    yield ""


def _column_lines(source: SourceText) -> Iterator[str]:
    contract = CONTRACTS[source.kind]
    for name in contract.schema.names:
        known = presence(contract, name)
        if name == "case_type":
            yield f"  # {type_words(contract, name)}, {known}. {MEANINGS[source.kind][name]}"
            yield _mapping(name, source.columns.get(name), off="COLUMN")
            continue
        yield f"  # {type_words(contract, name)}, {known}. {MEANINGS[source.kind][name]}"
        theirs = source.columns.get(name)
        if not source.there and known != "optional":
            if theirs is None and (hint := _without(name)):
                yield f"  # TO DO: name your column{hint}"
            yield _mapping(name, theirs or name)
        elif theirs is None and source.there and known != "optional":
            yield f"  # TO DO: no column of the table was found to be this one{_without(name)}"
            yield _mapping(name, None, off="COLUMN")
        else:
            yield _mapping(name, theirs, off=name)
    told = {
        name: theirs
        for name, theirs in source.features.items()
        if source.kind != "history" or name != theirs
    }
    if source.kind == "history" and not told:
        return
    if contract.carries_features:
        yield "  # The features of the case type. A column of the same name needs a line only where a line above"
        yield "  # takes it for something else."
        yield from (_mapping(name, theirs) for name, theirs in told.items())
        for name in source.missing_features:
            yield f"  # TO DO: the table has no column {_shown(name)}"
            yield _mapping(name, None, off="COLUMN")


def _without(name: str) -> str:
    if name not in ("priority", "amount_usd"):
        return ""
    return (
        f". Where there is none, read the table with `url: 'duckdb:///:memory:'` and `query: SELECT *, 0 AS "
        f"{name} FROM 'FILE'`"
    )


def _mapping(ours: str, theirs: str | None, off: str = "") -> str:
    if theirs is None:
        return f"  # {_scalar(ours)}: {off}"
    return f"  {_scalar(ours)}: {_scalar(theirs)}"


def _scalar(value: Any) -> str:
    """A value as YAML reads it back, also within brackets and braces."""
    return _list([value])[1:-1]


def _list(values: Sequence[Any]) -> str:
    return _flow(list(values))


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False
    )
    return text.strip()


def _shown(text: str) -> str:
    """Text in a comment: on one line, and nothing that moves a cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))
