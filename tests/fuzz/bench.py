"""What is done with one input: which command is given, and which sums must come out?"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import pandas as pd

from configs.settings import CONFIGS, load_case_type, load_settings
from data_contracts import CONTRACTS, AdmissionContext, admit
from flows.cli import cli, main
from flows.verbs import live
from flows.verbs.decide.decide_file import decide_file
from flows.verbs.decide.decide_source import decide_new_cases
from flows.verbs.intake import admit_file as admit_file_verb
from flows.verbs.intake.admit import admit_batch, judge_batch
from flows.verbs.services import Services
from flows.verbs.walk.open_walk import open_backtest
from models.vocabulary import CaseType
from tests.builders import small_settings
from tests.data_contracts import builders
from tests.fuzz import strategies
from tests.fuzz.mutators import NUMBER_CANARY, TEXT_CANARY
from tests.fuzz.strategies import Made


@dataclass(frozen=True)
class Trial:
    """A command on one input.

    Attributes:
        action: gives the command; prints what it prints and raises what it raises.
        sums: given what was printed, a sentence for each sum of rows that does not come out.
        answers: whether a command that ended well may quote the table on stdout (its answer).
        header: text in which a canary may stand because it was read as a header.
        codes: what it may end with.
    """

    action: Callable[[], Any]
    sums: Callable[[str], list[str]] = lambda _: []
    answers: bool = False
    header: str = ""
    codes: tuple[int, ...] = (0, 2, 3, 4)


class Bench:
    """One home with its desk and sound tables, used by many inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables = folder / "tables"
        self.tables.mkdir(parents=True)
        self._stack = ExitStack()
        self._stack.enter_context(
            patch.dict(
                os.environ, {"RATCHET_HOME": str(folder / "home"), "FUZZ_TABLES": str(self.tables)}
            )
        )
        self.settings = small_settings()
        self.services = Services.at(folder / "home" / "live", self.settings, builders.CASE_TYPES)
        # Opening the desk takes longer than most inputs do; what is opened has no state of its own.
        self._stack.enter_context(patch.object(live, "open_services", lambda *_: self.services))
        self._stack.enter_context(
            patch.object(admit_file_verb, "open_services", lambda *_: self.services)
        )
        for name in strategies.CONTRACTS:
            rows = strategies.long_history() if name == "history" else strategies.batch(name)
            if name == "cases":
                rows["case_type"] = "ato"
            self._lay_out(name, rows)
        self.used = 0

    def close(self) -> None:
        self._stack.close()

    def trial(self, made: Made) -> Trial:
        """What is done with an input of that kind."""
        self.used += 1
        return getattr(self, f"_{made.kind.name}")(made, made.draw())

    def home_says(self) -> str:
        """Every alert and dossier of the home."""
        home = self.folder / "home" / "live"
        files = [*home.glob("*.jsonl"), *(home / "dossiers").glob("*")]
        return "\n".join(file.read_text("utf-8", "replace") for file in files)

    def _lay_out(self, name: str, rows: pd.DataFrame) -> None:
        rows.to_csv(self.tables / f"{name}.csv", index=False)
        rows.to_parquet(self.tables / f"{name}.parquet", index=False)
        with sqlite3.connect(self.tables / "tables.db") as database:
            rows.astype(object).map(_plain).to_sql(name, database, index=False)

    def _file(self, name: str, content: bytes) -> Path:
        path = self.folder / f"{self.used}-{name}"
        path.write_bytes(content)
        return path

    # Configuration.

    def _case_types(self, made: Made, draw: Random) -> Trial:
        path = self._file("case_type.yaml", made.subject)
        return Trial(lambda: command(lambda: self._live_on(load_case_type(path), draw)))

    def _live_on(self, case_type: CaseType, draw: Random) -> None:
        """What a case type that was accepted is for: rows of it are admitted and decided."""
        rows = _rows_of(case_type, draw)
        context = AdmissionContext(now=datetime.now(UTC), case_types={case_type.name: case_type})
        admit(rows.assign(bad=rows.index % 2 == 0), CONTRACTS["history"], context)
        if draw.random() < 0.3:
            path = self.folder / f"{self.used}-cases.csv"
            rows.to_csv(path, index=False)
            services = dataclasses.replace(self.services, case_types={case_type.name: case_type})
            told = decide_file(services, path, case_type.name, None, datetime.now(UTC)).counts()
            assert (
                told["rows_in"]
                == len(rows)
                == told["decided"] + told["already_decided"] + told["refused"]
            )

    def _sources(self, made: Made, draw: Random) -> Trial:
        path = self._file("source.yaml", made.subject)
        kind = next(
            (one for one in strategies.CONTRACTS if f"fuzzed_{one}".encode() in made.subject),
            "history",
        )
        if kind == "history":
            walk = self.folder / "walk"
            return Trial(lambda: command(lambda: open_backtest(self.settings, path, walk)))
        return Trial(lambda: command(lambda: self._pull(kind, path, draw)))

    def _pull(self, table: str, path: Path, draw: Random) -> None:
        now = datetime.now(UTC)
        with patch.dict(os.environ, {f"RATCHET_SOURCES__{table.upper()}": str(path)}):
            if table == "cases":
                decide_new_cases(self.services, now)
                return
            for delivery in live.load_deliveries(self.services, now):
                if draw.random() < 0.3:
                    judge_batch(self.services, delivery.table, delivery.rows, now)

    def _settings(self, made: Made, draw: Random) -> Trial:
        folder = self.folder / f"{self.used}-configs"
        (folder / "profiles").mkdir(parents=True)
        (folder / "defaults.yaml").write_bytes((CONFIGS / "defaults.yaml").read_bytes())
        (folder / "profiles" / "fuzzed.yaml").write_bytes(made.subject["profile"])
        env = made.subject["env"]

        def settle() -> None:
            settings = load_settings("fuzzed", env, folder)
            if draw.random() < 0.15:
                Services.at(folder / "home", settings, builders.CASE_TYPES)
            if settings.case_types != self.settings.case_types:
                settings.load_case_types()

        return Trial(lambda: command(settle))

    # Tables.

    def _certify_tables(self, made: Made, draw: Random) -> Trial:
        return self._table(made, draw)

    def _triage_tables(self, made: Made, draw: Random) -> Trial:
        return self._table(made, draw)

    def _contract_files(self, made: Made, draw: Random) -> Trial:
        return self._table(made, draw)

    def _table(self, made: Made, draw: Random) -> Trial:
        use, (ending, content) = made.subject
        return self._used_as(use, self._file(f"table{ending}", content), draw)

    def _csv_bytes(self, made: Made, draw: Random) -> Trial:
        use, content = made.subject
        first = content.lstrip(b"\r\n\xef\xbb\xbf").split(b"\n")[0]
        name = draw.choice(
            [*["t.csv"] * 5, "t.csv.gz", "t.csv.gz", "t.parquet", "t.txt", "t [1]?.csv"]
        )
        if name.endswith(".gz") and draw.random() < 0.7:
            content = gzip.compress(content, 1, mtime=0)
        path = self._file(name, content)
        return dataclasses.replace(self._used_as(use, path, draw), header=first.decode("latin-1"))

    def _parquet_bytes(self, made: Made, draw: Random) -> Trial:
        use, content = made.subject
        path = self._file(
            draw.choice(["t.parquet", "t.parquet", "t.parquet", "t.pq", "t.csv"]), content
        )
        header = content.decode("latin-1") if path.suffix == ".csv" else ""
        return dataclasses.replace(self._used_as(use, path, draw), header=header)

    def _used_as(self, use: str, path: Path, draw: Random) -> Trial:
        """A local file that cannot be read is no service that does not answer."""
        return dataclasses.replace(self._use_of(use, path, draw), codes=(0, 2, 3))

    def _use_of(self, use: str, path: Path, draw: Random) -> Trial:
        if use == "certify":
            options = draw.choice([(), (), ("--incumbent", "0.1,0.9"), ("--days", "30"), ("--false-omission", "0.01"),
                                   ("--incumbent", "-"), ("--incumbent", "nan,0.5"), ("--delta", "0"), ("--json",)])  # fmt: skip
            return Trial(lambda: main(["certify", str(path), *options]), answers=True)
        if use == "triage":
            options = draw.choice([(), (), ("--slice", "network"), ("--slice", "nope"), ("--slice", "x_age"), ("--slice", "bad"), ("--margin", "0"), ("--json",)])  # fmt: skip
            return Trial(lambda: main(["triage", str(path), *options]), answers=True)
        if use == "history":
            source = self._file("source.yaml", _history_source(path))
            walk = self.folder / "walk"
            return Trial(lambda: command(lambda: open_backtest(self.settings, source, walk)))
        if use == "cases":
            out = path.with_name(f"decided-{self.used}{draw.choice(['.csv', '.parquet'])}")
            said = ["decide", str(path), "--case-type", "ato", "--to", str(out), "--json"]
            return Trial(lambda: main(said), _decided_sums)
        rejects = path.with_name(f"rejects-{self.used}{draw.choice(['.csv', '.parquet'])}")
        said = ["admit", str(path), "--contract", use, "--json", "--rejects", str(rejects)]
        said += ["--dry-run"] * (draw.random() < 0.5)
        return Trial(lambda: main(said), _admitted_sums)

    def _contract_frames(self, made: Made, draw: Random) -> Trial:
        """Handed over as they are, as a driver or another verb does."""
        contract, frame = made.subject
        now = datetime.now(UTC)
        context = AdmissionContext(now=now, case_types=builders.CASE_TYPES)

        def hold() -> None:
            if contract in ("history", "cases"):
                click.echo(json.dumps(_counts(admit(frame, CONTRACTS[contract], context))))
            elif draw.random() < 0.7:
                click.echo(json.dumps(_counts(judge_batch(self.services, contract, frame, now))))
            else:
                told = admit_batch(self.services, contract, frame, now, source=f"fuzz {contract}")
                click.echo(json.dumps(told.counts()))

        return Trial(lambda: command(hold), lambda said: _admitted_sums(said, len(frame)))

    def _nights(self, made: Made, draw: Random) -> Trial:
        table, (ending, content) = made.subject
        tables = {one: self.tables / f"{one}.parquet" for one in strategies.CONTRACTS[:3]}
        tables[table] = self._file(f"{table}{ending}", content)
        marks = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
        env = {}
        for name, path in tables.items():
            said = f"name: night_{self.used}_{name}\nkind: {name}\npath: '{path}'\n"
            said += f"watermark: {marks[name]}\n" * (draw.random() < 0.7)
            env[f"RATCHET_SOURCES__{name.upper()}"] = str(self._file(f"{name}.yaml", said.encode()))

        def night() -> None:
            with patch.dict(os.environ, env):
                main(["night"])

        return Trial(night)


def command(action: Callable[[], Any]) -> None:
    """Run a verb as a command runs it: the command line says what was raised and ends with its code."""
    with patch.object(cli, "main", lambda **_: action()):
        main([])


def _counts(judged: Any) -> dict[str, Any]:
    return {
        "rows_in": judged.rows_in,
        "admitted": judged.admitted,
        "quarantined": judged.quarantined,
        "failed": list(judged.failed),
    }


def _admitted_sums(said: str, rows: int | None = None) -> list[str]:
    told = _json(said)
    if told is None:
        return []
    wrong = []
    if told["rows_in"] != told["admitted"] + told["quarantined"]:
        wrong.append(
            f"{told['rows_in']} rows in, {told['admitted']} admitted, {told['quarantined']} quarantined"
        )
    if told.get("already_stored", 0) > told["admitted"]:
        wrong.append("more rows were stored before than were admitted")
    if rows is not None and told["rows_in"] != rows:
        wrong.append(f"{rows} rows were handed over, {told['rows_in']} came in")
    return wrong


def _decided_sums(said: str) -> list[str]:
    told = _json(said)
    if told is None:
        return []
    parts = told["decided"] + told["already_decided"] + told["refused"]
    return [] if told["rows_in"] == parts else [f"{told['rows_in']} rows in, {parts} accounted for"]


def _json(said: str) -> dict[str, Any] | None:
    start = said.find("{")
    return None if start < 0 else json.loads(said[start:])


def _rows_of(case_type: CaseType, draw: Random, rows: int = 6) -> pd.DataFrame:
    """Sound rows of a case type as its file describes it."""
    random = np.random.default_rng(draw.getrandbits(32))
    frame = strategies.batch("cases", rows)[
        ["case_id", "case_type", "opened_at", "amount_usd", "priority"]
    ]
    columns = {
        "numeric": lambda one: random.normal(size=rows) + float(f"0.00{NUMBER_CANARY}"),
        "boolean": lambda one: random.random(rows) < 0.5,
        "categorical": lambda one: random.choice(
            list(one.levels) or [f"{TEXT_CANARY}-level"], rows
        ),
    }
    features = {one.name: columns[one.kind](one) for one in case_type.features}
    return frame.assign(case_type=case_type.name).assign(
        **{k: v for k, v in features.items() if k not in frame}
    )


def _history_source(path: Path) -> bytes:
    columns = ", ".join(
        f"{name}: {name}" for name in ("case_id", "opened_at", "bad", "amount_usd", "priority")
    )
    features = ", ".join(builders.ATO.feature_names)
    return (
        f"name: fuzzed\nkind: history\npath: '{path}'\ncolumns: {{{columns}}}\ncase_type: ato\n"
        f"features: [{features}]\nmay_be_missing: [email_age]\ntargets: {{precision: 0.95}}\nwarm_up_days: 1\n"
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=" ")
    return value if value is None or isinstance(value, int | float | str) else str(value)
