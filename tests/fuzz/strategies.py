"""Which kinds of input are tried, what is a sound one of each, and how may it be damaged?

An input is its kind and its number: both together are the seed of everything drawn for it, so that
`python -m tests.fuzz KIND NUMBER` makes the same one again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from configs.settings import CONFIGS
from tests.data_contracts import builders
from tests.fuzz import mutators as by
from tests.fuzz.mutators import NUMBER_CANARY, TEXT_CANARY, Change

CONTRACTS = ("decisions", "reviews", "outcomes", "history", "cases")
_STAMP = pd.Timestamp(f"2026-02-20 08:00:00.{NUMBER_CANARY}0", tz="UTC")

Subject = Any


@dataclass(frozen=True)
class Stage:
    """A form that an input passes through, and the damage that may be done to it there."""

    enter: Callable[[Subject, Random], Subject]
    changes: tuple[Change, ...]
    weight: int = 1


@dataclass(frozen=True)
class Kind:
    """One kind of input: how many are tried, a sound one, and its stages up to what is handed over."""

    name: str
    inputs: int
    sound: Callable[[Random], Subject]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Made:
    """One input, and what was done to it."""

    kind: Kind
    number: int
    subject: Subject
    said: tuple[str, ...]

    def draw(self) -> Random:
        """Random numbers for what is done with it (options, the file's ending)."""
        return Random(f"{self.kind.name}/{self.number}/use")


def made(kind: Kind, number: int, without: Collection[int] = ()) -> Made:
    """Input `number` of a kind; `without` leaves some of its changes out (to find the smallest)."""
    draw = Random(f"{kind.name}/{number}")
    drawn = [_drawn(kind, draw) for _ in range(draw.choice([1, 1, 1, 2, 2, 3]))]
    base = draw.random()
    subject: Subject = kind.sound(Random(base))
    said: list[str] = []
    for at, stage in enumerate(kind.stages):
        subject = stage.enter(subject, Random(f"{base}/{at}"))
        for which, (stage_at, change, seed) in enumerate(drawn):
            if stage_at == at and which not in without:
                subject, what = change(subject, Random(seed))
                said.append(what)
    return Made(kind, number, subject, tuple(said))


def changes_of(kind: Kind, number: int) -> int:
    """How many changes input `number` has."""
    return Random(f"{kind.name}/{number}").choice([1, 1, 1, 2, 2, 3])


def _drawn(kind: Kind, draw: Random) -> tuple[int, Change, float]:
    open_to_change = [at for at, stage in enumerate(kind.stages) if stage.changes]
    weights = [kind.stages[at].weight for at in open_to_change]
    at = draw.choices(open_to_change, weights)[0]
    return at, draw.choice(kind.stages[at].changes), draw.random()


# Sound inputs.


def case_type_file(draw: Random) -> dict[str, Any]:
    """One of the project's own, or a small one."""
    files = sorted((CONFIGS / "case_types").glob("*.yaml"))
    small = {
        "name": "fuzzed",
        "features": [
            {"name": "age", "kind": "numeric", "monotone": -1},
            {"name": "network", "kind": "categorical", "levels": ["home", "vpn"], "may_be_missing": True},
            {"name": "fresh", "kind": "boolean", "family": "account"},
        ],
        "targets": {"precision": 0.95, "recall": 0.99},
        "maturity_days": 14,
        "costs": {"review_usd": 7.0},
        "staffing": {"shifts": [{"start_hour": 0, "end_hour": 24, "reviewers": 5}], "handling_minutes": 12.0},
        "audit_rate": 0.1,
        "segments": ["network"],
        "never_auto_pass_above_usd": 1000,
        "ab_plan": {"horizon_days": 42},
        "certificate_days": 180,
        "senior_patterns": [{"name": "p", "conditions": [{"column": "age", "operator": "at_most", "value": 24}]}],
    }  # fmt: skip
    return small if draw.random() < 0.7 else yaml.safe_load(draw.choice(files).read_text("utf-8"))


def source_file(draw: Random) -> dict[str, Any]:
    """A source of any kind over a sound table that the bench has laid out as TABLE.ENDING."""
    kind = draw.choice(CONTRACTS)
    said: dict[str, Any] = {"name": f"fuzzed_{kind}", "kind": kind}
    if draw.random() < 0.25:
        said |= {"url": "sqlite:///${FUZZ_TABLES}/tables.db", "query": f"SELECT * FROM {kind}"}
    else:
        said["path"] = f"${{FUZZ_TABLES}}/{kind}.{draw.choice(['csv', 'parquet'])}"
    said["timezone"] = draw.choice(["UTC", "Europe/Berlin"])
    if kind == "history":
        names = ("case_id", "opened_at", "bad", "amount_usd", "priority")
        return said | {
            "columns": {name: name for name in names},
            "case_type": "ato",
            "features": list(builders.ATO.feature_names),
            "categorical": ["network"],
            "may_be_missing": ["email_age"],
            "monotone": {"session_age": -1},
            "targets": {"precision": 0.95, "recall": 0.99},
            "label_delay_days": 7,
            "warm_up_days": 5,
            "step_days": 1,
            "retrain_days": 14,
            "audit_rate": 0.05,
            "seed": 7,
            "segments": ["network"],
        }
    watermarks = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
    return said | {
        "columns": {"case_id": "case_id"},
        "watermark": watermarks.get(kind, "opened_at"),
    }


def settings(draw: Random) -> dict[str, Any]:
    """A profile and an environment: two mappings, each with some of the defaults' keys."""
    defaults = yaml.safe_load((CONFIGS / "defaults.yaml").read_text("utf-8"))
    groups = [name for name in defaults if isinstance(defaults[name], dict)]
    some = draw.sample(groups, 2)
    env = {
        f"RATCHET_{group}__{key}".upper(): defaults[group][key]
        for group in some
        for key in draw.sample(sorted(defaults[group]), 1)
    }
    env |= {"RATCHET_DATABASE_URL": draw.choice([None, "sqlite://", f"postgresql+psycopg://me:{TEXT_CANARY}@127.0.0.1:1/x"])}  # fmt: skip
    profile = {name: dict(defaults[name]) for name in draw.sample(groups, 2)}
    return {"profile": profile, "env": env}


def evidence(draw: Random, rows: int = 80) -> pd.DataFrame:
    """A table for `certify` and `triage`; the canaries are in what no answer quotes."""
    random = np.random.default_rng(draw.getrandbits(32))
    score = np.round(random.random(rows), 3) + float(f"0.000{NUMBER_CANARY}")
    frame = pd.DataFrame(
        {
            "case_type": np.where(np.arange(rows) % 4 == 0, "reset_2fa", "ato"),
            "score": np.clip(score, 0, 1),
            "bad": random.random(rows) < score,
            "propensity": float(f"0.5{NUMBER_CANARY}"),
            "drawn": True,
            "automatable": random.random(rows) < 0.9,
            "opened_at": _STAMP + pd.to_timedelta(np.arange(rows), unit="h"),
            "margin": np.log(score / np.clip(1 - score, 1e-6, 1)),
            "phi_age": random.normal(size=rows),
            "x_age": random.normal(size=rows) + float(f"0.000{NUMBER_CANARY}"),
            "x_network": random.choice(["home", "vpn"], rows),
            "feedback_path": random.choice(["A", "B", "C", "none"], rows),
            "root_cause": random.choice(["threshold", "sop_gap", None], rows),
            "sop_clause": random.choice(["1.2", "3.4", None], rows),
            "annotation": f"The {TEXT_CANARY} selfie matches. It does.",
            "language": "en",
        }
    )
    frame.loc[0, "bad"] = False
    return frame if draw.random() < 0.6 else frame.drop(columns=_OPTIONAL)


_OPTIONAL = ["drawn", "automatable", "x_network", "feedback_path", "root_cause", "sop_clause", "annotation", "language"]  # fmt: skip


def batch(contract: str, rows: int = 6) -> pd.DataFrame:
    """Valid rows of a contract with canaries wherever a free value stands."""
    frame = builders.BUILDERS[contract](rows)
    moved = (_STAMP - builders.OPENED.floor("D")).floor("D")
    for name in [one for one in frame if one.endswith("_at")]:
        frame[name] = frame[name] + moved + pd.Timedelta(f"0.{NUMBER_CANARY}0s")
    free = {
        "policy_id": "p1",
        "model_version": "7",
        "region": "eu",
        "annotation": "The selfie matches.",
    }
    for name, was in free.items():
        if name in frame:
            frame[name] = f"{TEXT_CANARY} {was}"
    for name in ("case_id", "review_id", "reviewer_id"):
        if name in frame:
            frame[name] = f"{TEXT_CANARY}-" + frame[name]
    for name in ("amount_usd", "session_age", "email_age"):
        if name in frame:
            frame[name] = frame[name] + float(f"0.00{NUMBER_CANARY}")
    return frame


def long_history() -> pd.DataFrame:
    """Enough past days to be walked."""
    frame = batch("history", 120)
    return frame.assign(opened_at=_STAMP + pd.to_timedelta(np.arange(120) * 2 - 240, unit="h"))


def any_batch(draw: Random) -> tuple[str, pd.DataFrame]:
    contract = draw.choice(CONTRACTS)
    return contract, batch(contract)


def any_table(draw: Random) -> tuple[str, pd.DataFrame]:
    """Of any use; the cheap uses more often."""
    use = draw.choice([*["certify"] * 5, "triage", *CONTRACTS])
    return use, evidence(draw, 40) if use in ("certify", "triage") else batch(use)


# Stages: changes of the part of an input that is in that form; the table's use goes along.


def _on_table(change: Change) -> Change:
    def applied(subject: tuple[str, Any], draw: Random) -> tuple[Any, str]:
        changed, said = change(subject[1], draw)
        return (subject[0], changed), said

    return applied


def _on_profile(change: Change) -> Change:
    def applied(subject: dict[str, Any], draw: Random) -> tuple[Any, str]:
        changed, said = change(subject["profile"], draw)
        return {**subject, "profile": changed}, said

    return applied


def _as_is(subject: Subject, _: Random) -> Subject:
    return subject


def _as_file(data: dict[str, Any], _: Random) -> bytes:
    return by.written(data)


def _as_settings(data: Any, _: Random) -> dict[str, Any]:
    """The profile as a file; the environment as texts, as a shell would give them."""
    said = data if isinstance(data, dict) else {}
    env = said.get("env")
    env = env if isinstance(env, dict) else {"RATCHET_TRAINING": env}
    texts = {name: value if isinstance(value, str) else by.written(value).decode("utf-8", "surrogatepass").removesuffix("\n").removesuffix("\n...")
             for name, value in env.items()}  # fmt: skip
    return {"profile": by.written(said.get("profile")), "env": texts}


def _as_table(subject: tuple[str, pd.DataFrame], draw: Random) -> tuple[str, Any]:
    """Arrow, for Parquet, or None for CSV, with the frame beside it."""
    return subject[0], (subject[1], draw.random() < 0.5)


def _written(subject: tuple[str, tuple[pd.DataFrame, bool]], _: Random) -> tuple[str, Any]:
    use, (frame, as_csv) = subject
    if as_csv:
        return use, (".csv", csv_bytes(frame))
    return use, (".parquet", parquet_bytes(arrow_of(frame)))


def _groups_named(subject: tuple[str, pd.DataFrame], _: Random) -> tuple[str, pd.DataFrame]:
    """The case types of an evidence table head each part of the answer: they are no secret."""
    use, frame = subject
    for at in np.flatnonzero([name == "case_type" for name in frame.columns]):
        plain = frame.iloc[:, at].map(_without_canaries)
        frame = by.with_column(frame, int(at), plain)
    return use, frame


def _without_canaries(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.replace(TEXT_CANARY, "type").replace(NUMBER_CANARY, "12345")
    return "type" if TEXT_CANARY in str(cell) or NUMBER_CANARY in str(cell) else cell


def _as_csv(subject: tuple[str, pd.DataFrame], _: Random) -> tuple[str, bytes]:
    return subject[0], csv_bytes(subject[1])


def _as_arrow(subject: tuple[str, pd.DataFrame], _: Random) -> tuple[str, pa.Table]:
    return subject[0], arrow_of(subject[1])


def _as_parquet(subject: tuple[str, pa.Table], draw: Random) -> tuple[str, bytes]:
    return subject[0], parquet_bytes(subject[1], draw.choice(["snappy", "zstd", "gzip", "none"]))


def arrow_of(frame: pd.DataFrame) -> pa.Table:
    """As pandas writes it; a column that no Arrow type holds becomes text."""
    try:
        return pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        names = list(map(str, frame.columns))
        columns = [_arrow_column(frame.iloc[:, at]) for at in range(len(names))]
        return pa.Table.from_arrays(columns, names=names)


def _arrow_column(column: pd.Series) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return pa.array([str(value).encode("utf-8", "replace").decode() for value in column])


def parquet_bytes(table: pa.Table, compression: str = "snappy") -> bytes:
    """A Parquet file; a column that Parquet does not hold becomes text."""
    try:
        return _parquet(table, compression)
    except (pa.ArrowException, NotImplementedError):
        columns = [
            _arrow_column(pd.Series(column.to_pylist(), dtype=object)) for column in table.columns
        ]
        return _parquet(pa.Table.from_arrays(columns, names=table.column_names), compression)


def _parquet(table: pa.Table, compression: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression=compression, row_group_size=25)
    return file.getvalue()


def csv_bytes(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode("utf-8", "surrogatepass")


_YAML = (by.odd_value, by.odd_value, by.odd_value, by.odd_value_again, by.near_number, by.missing_key, by.another_key, by.wrapped)  # fmt: skip
_TEXT = (by.flipped, by.truncated, by.moved, by.odd_bytes, by.odd_bytes, by.encoded)
_FRAME = (by.odd_cell, by.odd_cell, by.odd_cell, by.column_cast, by.column_cast, by.column_dropped,
          by.column_renamed, by.column_added, by.odd_rows, by.odd_index)  # fmt: skip
_ARROW = (by.pandas_metadata, by.pandas_metadata, by.arrow_type, by.arrow_type, by.arrow_column_twice, by.arrow_shape)  # fmt: skip
_PARQUET = (by.flipped, by.flipped_at_the_end, by.flipped_at_the_end, by.truncated, by.overwritten, by.moved, by.zipped)  # fmt: skip
_CSV = (by.other_separator, by.other_line_ends, by.odd_line, by.odd_line, by.odd_header, by.odd_header, by.encoded, by.zipped,
        by.flipped, by.truncated, by.overwritten, by.moved, by.odd_bytes)  # fmt: skip


def _tables(*changes: Change) -> tuple[Change, ...]:
    return tuple(map(_on_table, changes))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "case_types", 1400, case_type_file,
            (Stage(_as_is, _YAML, 5), Stage(_as_file, _TEXT, 1), Stage(_as_is, (by.bomb,), 1)),
        ),
        Kind(
            "sources", 1400, source_file,
            (Stage(_as_is, _YAML, 6), Stage(_as_file, _TEXT, 1)),
        ),
        Kind(
            "settings", 900, settings,
            (Stage(_as_is, _YAML, 5), Stage(_as_settings, tuple(map(_on_profile, _TEXT)), 1),
             Stage(_as_is, (_on_profile(by.bomb),), 1)),
        ),
        Kind(
            "certify_tables", 500, lambda draw: ("certify", evidence(draw)),
            (Stage(_as_is, _tables(*_FRAME)), Stage(_groups_named, ()), Stage(_as_table, ()), Stage(_written, ())),
        ),
        Kind(
            "triage_tables", 400, lambda draw: ("triage", evidence(draw)),
            (Stage(_as_is, _tables(*_FRAME)), Stage(_groups_named, ()), Stage(_as_table, ()), Stage(_written, ())),
        ),
        Kind("contract_frames", 600, any_batch, (Stage(_as_is, _tables(*_FRAME)),)),
        Kind(
            "contract_files", 500, any_batch,
            (Stage(_as_is, _tables(*_FRAME)), Stage(_as_table, ()), Stage(_written, ())),
        ),
        Kind("csv_bytes", 500, any_table, (Stage(_as_is, _tables(by.odd_cell)), Stage(_as_csv, _tables(*_CSV), 8))),
        Kind(
            "parquet_bytes", 700, any_table,
            (Stage(_as_is, _tables(by.odd_cell)), Stage(_as_arrow, _tables(*_ARROW), 5), Stage(_as_parquet, _tables(*_PARQUET), 5)),
        ),
        Kind(
            "nights", 100, lambda draw: (lambda name: (name, batch(name)))(draw.choice(CONTRACTS[:3])),
            (Stage(_as_is, _tables(*_FRAME)), Stage(_as_table, ()), Stage(_written, ())),
        ),
    )
}  # fmt: skip
