"""How are the rows of some cases rewritten without personal data, so that proofs still stand?

A row keeps what a proof is made of (score, action, designed probability, policy, stamps, labels) under
an invented case id; everything else in it is emptied. Contributions and quarantined rows go whole. A
part is written anew beside the old one, all of them change places in one transaction of the index, and
the old files are removed afterwards: killed in between, either the old parts count or the new ones, and
the same call goes on.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, insert, select, update

from data_contracts.digests import UInts, readable, row_digests
from flows.adapters.evidence.evidence_index import BATCHES, ERASED_CASES, ERASURES, REVISIONS
from flows.adapters.evidence.parquet_parts import CONTENT_HASH, KEY_HASH, Kind, ParquetParts
from flows.adapters.files.kill_points import kill_point
from flows.adapters.sql.database import reading, writing

PREFIX = "erased-"
"""How the invented ids of erased cases begin."""

_KEPT = frozenset(
    {
        KEY_HASH, CONTENT_HASH, "case_type", "opened_at", "decided_at", "score", "recommendation",
        "action", "propensity", "audited", "arm", "policy_id", "model_version", "priority", "override",
        "queue", "in_cohort", "control_action", "treatment_action", "revision", "reviewer_id", "team",
        "kind", "blind", "queued_at", "resolved_at", "verdict", "label", "feedback_path", "root_cause",
        "feature_ref", "sop_clause", "language", "observed_at", "bad", "source", "scored_at",
    }
)  # fmt: skip
_KINDS: tuple[Kind, ...] = ("part", "quarantine")
_RENAMED = ("case_id", "review_id")
_REMOVED_FROM = ("contributions",)
"""Tables whose rows say nothing but what a case's features were worth."""


@dataclass
class Erasure:
    """What was rewritten: rows by table, quarantined rows, and parts that took others' places."""

    rows: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    parts: int = 0

    @property
    def found(self) -> bool:
        return bool(self.rows or self.quarantined)

    def plain(self) -> dict[str, Any]:
        return {"rows": self.rows, "quarantined": self.quarantined, "parts": self.parts}


def case_digests(case_ids: pd.Series) -> UInts:
    """One 64-bit digest a case id, as stored in the index."""
    return row_digests(pd.DataFrame({"case_id": case_ids}))


def erased_cases(connection: Connection) -> UInts:
    """The digests of all erased cases, sorted."""
    found = connection.execute(select(ERASED_CASES.c.case_digest)).scalars()
    return np.array(sorted(int(one, 16) for one in found), dtype=np.uint64)


def are_erased(frame: pd.DataFrame, erased: UInts) -> npt.NDArray[np.bool_]:
    """Which rows are about an erased case; one boolean a row."""
    if not len(erased) or "case_id" not in frame or frame.empty:
        return np.zeros(len(frame), dtype=np.bool_)
    ids = frame["case_id"].map(readable, na_action="ignore").astype("object")
    return np.isin(case_digests(ids), erased) & ids.notna().to_numpy()


class Eraser:
    """Rewrites the parts of one store."""

    def __init__(self, engine: Engine, files: ParquetParts) -> None:
        self._engine, self._files = engine, files

    def erase(self, case_ids: Collection[str], told: Mapping[str, Any]) -> Erasure:
        """Rewrite every part that holds one of these cases, and store no row of them again.

        Args:
            told: what the ledger is to say of it; kept until it does (`unfinished`).
        """
        names = {one: f"{PREFIX}{secrets.token_hex(8)}" for one in case_ids}
        salt, done = secrets.token_hex(16), Erasure()
        while True:
            with reading(self._engine) as connection:
                batches = connection.execute(select(BATCHES)).mappings().all()
                revisions = dict(connection.execute(select(REVISIONS)).tuples().all())
            done = Erasure()
            swapped: list[tuple[str, Kind, str]] = []
            for row in batches:
                for kind in _KINDS:
                    if row[kind] is None:
                        continue
                    new = self._rewritten(row["table_name"], row[kind], kind, names, salt, done)
                    if new is not None:
                        swapped.append((row["batch_id"], kind, new))
            kill_point("erase.parts_written")
            if not done.found:
                return done
            if self._swap(swapped, revisions, names, {**told, **done.plain()}):
                kill_point("erase.swapped")
                return done

    def note(self, case_ids: Collection[str], told: Mapping[str, Any]) -> None:
        """Keep that cases were erased of which no part held a row."""
        while True:
            with reading(self._engine) as connection:
                revisions = dict(connection.execute(select(REVISIONS)).tuples().all())
            if self._swap([], revisions, case_ids, {**told, **Erasure().plain()}):
                return

    def remove_what_no_longer_counts(self) -> int:
        """Remove every part that no index row names and that holds an erased case, in this home and at
        a team's store; how many.

        Raises:
            ServiceUnreachable: the store does not answer.
        """
        with reading(self._engine) as connection:
            erased = erased_cases(connection)
            if not len(erased):
                return 0
            named = {
                name
                for row in connection.execute(select(BATCHES.c.part, BATCHES.c.quarantine))
                for name in row
            }
            tables = set(connection.execute(select(BATCHES.c.table_name)).scalars())
        removed = 0
        for path in self._files.all_files(tables):
            if path.stem not in named and self._holds_erased(path, erased):
                path.unlink(missing_ok=True)
                removed += 1
        for table in sorted(tables):
            for kind in _KINDS:
                for name in sorted(self._files.at_shared(table, kind) - named):
                    holds = partial(self._holds_erased, erased=erased)
                    removed += self._files.remove_at_shared(table, kind, name, holds)
        return removed

    def unfinished(self) -> list[dict[str, Any]]:
        """The erasures that the ledger does not tell of yet."""
        query = select(ERASURES).where(ERASURES.c.entered == 0)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [{"erasure_id": row["erasure_id"], **json.loads(row["told"])} for row in rows]

    def entered(self, erasure_id: str) -> None:
        """The ledger tells of an erasure from now on."""
        done = update(ERASURES).where(ERASURES.c.erasure_id == erasure_id).values(entered=1)
        with writing(self._engine) as connection:
            connection.execute(done)

    def _rewritten(
        self,
        table: str,
        name: str,
        kind: Kind,
        names: Mapping[str, str],
        salt: str,
        done: Erasure,
    ) -> str | None:
        """The name of a part's new version; None where it holds none of the cases."""
        path = self._files.path(table, name, kind)
        self._files.shape(table, name, kind)  # only what has its own bytes is rewritten
        if kind == "quarantine":
            rows = pq.ParquetFile(path).read()
            about = _tells_of(rows, names)
            if not about.any():
                return None
            done.quarantined[table] = done.quarantined.get(table, 0) + int(about.sum())
            done.parts += 1
            return self._files.write(table, kind, rows.filter(pa.array(~about)))
        if "case_id" not in pq.read_schema(path).names:
            return None
        ids = pq.ParquetFile(path).read(columns=["case_id"])["case_id"].cast(pa.string())
        about = np.asarray(
            pc.fill_null(pc.is_in(ids, pa.array(list(names), pa.string())), False).to_numpy()
        )
        if not about.any():
            return None
        done.rows[table] = done.rows.get(table, 0) + int(about.sum())
        done.parts += 1
        rows = pq.ParquetFile(path).read()
        if table in _REMOVED_FROM:
            return self._files.write(table, kind, rows.filter(pa.array(~about)))
        return self._files.write(table, kind, _emptied(rows, about, names, salt))

    def _swap(
        self,
        swapped: list[tuple[str, Kind, str]],
        revisions: Mapping[str, int],
        names: Collection[str],
        told: Mapping[str, Any],
    ) -> bool:
        """Let the new parts count, in one transaction; False where a table was appended to since."""
        with writing(self._engine) as connection:
            if dict(connection.execute(select(REVISIONS)).tuples().all()) != dict(revisions):
                return False
            for batch_id, kind, new in swapped:
                connection.execute(
                    update(BATCHES).where(BATCHES.c.batch_id == batch_id).values({kind: new})
                )
            # An append that saw the parts of before starts again, and leaves the cases out.
            connection.execute(update(REVISIONS).values(revision=REVISIONS.c.revision + 1))
            known = set(erased_cases(connection).tolist())
            digests = case_digests(pd.Series(sorted(names), dtype="object")).tolist()
            fresh = sorted({one for one in digests if one not in known})
            if fresh:
                values = [{"case_digest": f"{one:016x}"} for one in fresh]
                connection.execute(insert(ERASED_CASES), values)
            row = {"erasure_id": secrets.token_hex(16), "told": json.dumps(told), "entered": 0}
            connection.execute(insert(ERASURES).values(row))
            kill_point("erase.before_commit")
        return True

    def _holds_erased(self, path: Any, erased: UInts) -> bool:
        if "case_id" not in pq.read_schema(path).names:
            return False
        ids = pq.ParquetFile(path).read(columns=["case_id"]).to_pandas()
        return bool(are_erased(ids, erased).any())


def without_erased(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose features are still there, each column of the type it had before some were emptied."""
    erased = rows["case_id"].astype("str").str.startswith(PREFIX).to_numpy(dtype=np.bool_)
    return rows[~erased].infer_objects() if erased.any() else rows


def tokens_of(case_ids: Collection[str]) -> re.Pattern[str]:
    """Finds any of these ids in a text, and none that is only a part of another one."""
    longest_first = sorted(case_ids, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def _emptied(
    rows: pa.Table, about: npt.NDArray[np.bool_], names: Mapping[str, str], salt: str
) -> pa.Table:
    mask = pa.array(about)
    for place, item in enumerate(rows.schema):
        column = rows.column(place)
        if item.name in _KEPT:
            continue
        if item.name in _RENAMED:
            told = column.cast(pa.string()).to_pandas()
            told[about] = told[about].map(
                lambda one: names.get(one) or f"{PREFIX}{_hash(salt, one)}", na_action="ignore"
            )
            array = pa.array(told, pa.string(), from_pandas=True)
            rows = rows.set_column(place, item.name, array)
            continue
        nothing = pa.nulls(len(rows), item.type)
        rows = rows.set_column(
            place, item.name, pc.if_else(mask, nothing, column.combine_chunks())
            if not pa.types.is_nested(item.type)
            else _nested(column, about),
        )  # fmt: skip
    return rows


def _nested(column: pa.ChunkedArray, about: npt.NDArray[np.bool_]) -> pa.Array:
    kept = column.to_pandas().astype("object")
    kept[about] = None
    return pa.array(kept, column.type, from_pandas=True)


def _tells_of(rows: pa.Table, names: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which quarantined rows have one of the ids in any cell, whatever is wrong with them."""
    pattern = tokens_of(names).pattern
    about = np.zeros(len(rows), dtype=np.bool_)
    for cells in _texts(rows.to_pandas()):
        about |= cells.str.contains(pattern, regex=True, na=False).to_numpy(dtype=np.bool_)
    return about


def _texts(frame: pd.DataFrame) -> Iterator[pd.Series]:
    for name in frame:
        yield frame[name].map(readable, na_action="ignore").astype("str")


def _hash(salt: str, text: str) -> str:
    import hashlib

    return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()[:16]
