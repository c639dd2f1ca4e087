"""What answers when `mlflow models serve` runs on an exported folder?

MLflow runs a copy of this file as the model's code. Beside the copy stand `code/models` (our own
source, so that the folder needs no clone) and `pinned/`: the policy, its model's bytes, the case
type's costs and the digests of all three. Nothing in the folder is a pickle.

A served folder is pinned to one policy, and reads the ledger again and again, only ever reading:
halted, superseded (by a promotion, a roll-back or a narrowing) or unable to read it, it sends every
case to a person and names the reason. So it does once its certificate has expired. An A/B test does
not reach it: it goes on as the live policy's, and its cases are in no test.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc.model import PythonModel
from sqlalchemy import Engine, RowMapping, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from models.boundary.decision.audit import audit_key, audit_purpose, secret_check
from models.hub import GENESIS_HASH, Entry, is_halted, live_policy_id
from models.hub.policies.deciding import HALTED, SUPERSEDED, UNREADABLE_LEDGER
from models.hub.policies.pinned import PinnedPolicy
from models.vocabulary import Costs

AUDIT_KEY_VARIABLE, LEDGER_VARIABLE = "RATCHET_AUDIT_KEY", "RATCHET_LEDGER"
POLL_SECONDS = 1.0
"""A halt is heard after so long at the latest."""
CONNECT_SECONDS = 3
_ENTRIES = text("SELECT * FROM ledger_entries WHERE seq >= :seq ORDER BY seq")
_LOG = logging.getLogger("ratchet.served")
MODEL_FILE, POLICY_FILE, CASE_TYPE_FILE, PIN_FILE = (
    "model.ubj",
    "policy.json",
    "case_type.json",
    "pin.json",
)


class ServedPolicy(PythonModel):
    """One pinned policy behind MLflow's scoring protocol."""

    def load_context(self, context: Any) -> None:
        """Read what is pinned, or refuse to start (ValueError; see `read_pinned`, `watch_of`)."""
        folder = Path(__file__).parent / "pinned"
        self._pinned = read_pinned(folder, os.environ)
        self._watch = watch_of(folder, os.environ)
        self._pinned.model.lookup  # noqa: B018  tabulated now, not under the first case

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One answer a case, as plain values; see `PinnedPolicy.answers`.

        Raises:
            Malformed: no table was sent, or one that holds no cases of this type.
        """
        if not isinstance(model_input, pd.DataFrame):
            raise Malformed("send the cases as a table: dataframe_records or dataframe_split")
        try:
            now = max(datetime.now(UTC), self._watch.exported_at)
            return self._pinned.answers(model_input, now, self._watch.why_withheld())
        except ValueError as wrong:
            raise Malformed(f"{wrong}.") from None


class Malformed(MlflowException):
    """What was sent cannot be read as cases; the sentence says what, and no case is quoted."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=BAD_REQUEST)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """MLflow puts every row that was sent before the message; only the sentence goes out."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


class LedgerWatch:
    """What the ledger says of the pinned policy, asked at most once in `POLL_SECONDS`.

    The chain is checked from its first entry on, and must run through the entry that was the last at
    the export and through every one seen since: a cut or a rewritten ledger withholds everything.
    """

    def __init__(
        self,
        url: str,
        case_type: str,
        policy_id: str,
        exported_at: datetime,
        seq: int,
        own_hash: str,
    ) -> None:
        self.exported_at = exported_at
        self._engine = _reader(url)
        self._case_type, self._policy_id = case_type, policy_id
        self._pinned = (seq, own_hash)
        self._entries: list[Entry] = []
        self._asked, self._why = -POLL_SECONDS, UNREADABLE_LEDGER
        self._lock = threading.Lock()

    def why_withheld(self) -> str:
        """Why the policy may decide nothing by itself at the moment, or ""."""
        with self._lock:
            if time.monotonic() - self._asked >= POLL_SECONDS:
                self._why = self._ask()
                self._asked = time.monotonic()
            return self._why

    def _ask(self) -> str:
        try:
            self._follow()
        except (SQLAlchemyError, OSError, ValueError, TypeError, KeyError) as problem:
            # The message may hold the address of the database, and that a password.
            _LOG.warning("the ledger cannot be read (%s); every case is escalated", _kind(problem))
            return UNREADABLE_LEDGER
        if is_halted(self._entries, self._case_type):
            return HALTED
        live = live_policy_id(self._entries, self._case_type)
        return "" if live == self._policy_id else SUPERSEDED

    def _follow(self) -> None:
        """Take in the entries since the last time (ValueError: the chain is broken)."""
        seen = self._entries[-1] if self._entries else None
        from_seq = seen.seq if seen is not None else 1
        with self._engine.connect() as connection:
            rows = connection.execute(_ENTRIES, {"seq": from_seq}).mappings().all()
        found = [_entry(row) for row in rows]
        if seen is not None and (not found or found.pop(0).own_hash != seen.own_hash):
            raise ValueError("the ledger was cut or rewritten")
        last = seen
        for entry in found:
            before = (0, GENESIS_HASH) if last is None else (last.seq, last.own_hash)
            if (entry.seq - 1, entry.previous_hash) != before or not entry.is_intact:
                raise ValueError("the ledger is not as it was written")
            last = entry
        entries = [*self._entries, *found]
        seq, own_hash = self._pinned
        if len(entries) < seq or (seq and entries[seq - 1].own_hash != own_hash):
            raise ValueError("this is not the ledger that the policy was exported from")
        self._entries = entries


def watch_of(folder: Path, environment: Mapping[str, str]) -> LedgerWatch:
    """The watch over the ledger that a folder was exported from; it is read with the first case.

    Raises:
        ValueError: the ledger's address is not given, or cannot be understood.
    """
    url = environment.get(LEDGER_VARIABLE)
    if not url:
        raise ValueError(
            f"{LEDGER_VARIABLE} is not set, so a halt would not reach this server. Set it to the "
            "address of the ledger (`ratchet export-serving` tells it)."
        )
    pin = json.loads(_content(folder, PIN_FILE))
    case_type = json.loads(_content(folder, CASE_TYPE_FILE))["name"]
    exported = datetime.fromisoformat(pin["exported_at"])
    return LedgerWatch(
        url, case_type, pin["policy_id"], exported, pin["ledger"]["seq"], pin["ledger"]["hash"]
    )


def _reader(url: str) -> Engine:
    """An engine that opens the ledger to read it, and makes no file where there is none."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
            return create_engine(parsed, pool_pre_ping=True, connect_args=options)
        file = Path(str(parsed.database)).absolute().as_uri()

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(f"{file}?mode=ro", uri=True, timeout=CONNECT_SECONDS)

        return create_engine("sqlite://", creator=connect, poolclass=NullPool)
    except (SQLAlchemyError, ImportError, ValueError):
        raise ValueError(
            f"{LEDGER_VARIABLE} cannot be understood; write it like sqlite:////FOLDER/ledger.db or "
            "postgresql+psycopg://USER@HOST/NAME."
        ) from None


def _entry(row: RowMapping) -> Entry:
    at, dossier = datetime.fromisoformat(row["at"]), json.loads(row["dossier"])
    return Entry(**{**row, "at": at, "dossier": dossier})


def _kind(problem: BaseException) -> str:
    return str(problem) if type(problem) is ValueError else type(problem).__name__


def read_pinned(folder: Path, environment: Mapping[str, str]) -> PinnedPolicy:
    """The policy in a folder, with every file checked against the pin before it is read.

    Raises:
        ValueError: the audit secret is not given or is another deployment's, or a file is missing
            or not the one that was exported.
    """
    secret = environment.get(AUDIT_KEY_VARIABLE)
    if not secret:
        raise ValueError(
            f"{AUDIT_KEY_VARIABLE} is not set, so nobody could tell which decisions are audited. Set "
            "it to the secret of the home that exported this folder (its audit.key)."
        )
    pin = json.loads(_content(folder, PIN_FILE))
    told = _content(folder, CASE_TYPE_FILE)
    if hashlib.sha256(told).hexdigest() != pin["case_type_digest"]:
        raise ValueError(f"{CASE_TYPE_FILE} was changed after the export. Export the policy again.")
    if secret_check(secret, pin["policy_id"]) != pin["audit_secret_check"]:
        raise ValueError(
            f"{AUDIT_KEY_VARIABLE} is not the secret of the home that exported this folder, so other "
            "cases would be audited than there. Set it to that home's (its audit.key)."
        )
    case_type = json.loads(told)
    return PinnedPolicy.checked(
        policy_id=pin["policy_id"],
        policy_text=_content(folder, POLICY_FILE).decode("utf-8", errors="replace"),
        ubj=_content(folder, MODEL_FILE),
        costs=Costs(**case_type["costs"]),
        key=audit_key(secret, audit_purpose(case_type["name"])),
    )


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as problem:
        raise ValueError(
            f"{name} cannot be read ({type(problem).__name__}). Export the policy again."
        ) from None


set_model(ServedPolicy())
