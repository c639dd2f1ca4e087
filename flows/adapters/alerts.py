"""What does somebody have to look at now, and who has been told?

A line a matter in `alerts.jsonl` of the home; the log and a webhook hear of it too. A team has each
alert as a file of its own at its shared store, since no two machines may append to one file. Nothing
that fails here stops whoever sends: an alert that could break the night would be worse than none.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import numpy as np

from configs.errors import ServiceUnreachable
from configs.masking import masked, masked_leaves
from flows.adapters.shared_store import SharedStore

Plain: TypeAlias = str | int | float | bool | None

FILE, FOLDER = "alerts.jsonl", "alerts"
WEBHOOK_FAILED = "webhook_failed"
WEBHOOK_SECONDS = 5.0
_TAIL_BYTES = 1 << 20


class Alerts:
    """The alerts of one home."""

    def __init__(
        self, home: Path, webhook_url: str | None = None, shared: SharedStore | None = None
    ) -> None:
        """Alerts below `home`, and at a team's shared store; `webhook_url` may hold a token, so it is
        never written down."""
        self.file = home / FILE
        self._shared = shared
        self._webhook_url = webhook_url
        if webhook_url is not None:
            logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses as INFO

    def send(
        self,
        kind: str,
        case_type: str | None,
        sentence: str,
        at: datetime,
        **facts: Plain | Sequence[Plain],
    ) -> None:
        """Tell people: what kind of matter, where, and in a sentence what is wrong and what helps.

        Args:
            case_type: None where it concerns the whole house.
            at: tz-aware.
            facts: figures, digests, versions; never a row of data or a reviewer's name.

        Raises:
            ValueError: the stamp has no time zone, or a fact is no plain value.
        """
        if at.tzinfo is None:
            raise ValueError(f"an alert's stamp needs a time zone, got {at.isoformat()}")
        sentence = masked(sentence)
        plain = {name: _plain(name, value) for name, value in facts.items()}
        line = {
            "at": at.astimezone(UTC).isoformat(),
            "kind": kind,
            "case_type": case_type,
            "sentence": sentence,
            **masked_leaves(plain),
        }
        logging.getLogger("ratchet").warning("%s: %s", kind, sentence)
        self._append(line)
        failed = self._posted(line)
        if failed:
            told = f"The webhook did not take the alert {kind} ({failed}); it stands in {FILE}."
            logging.getLogger("ratchet").warning("%s: %s", WEBHOOK_FAILED, told)
            self._append({**line, "kind": WEBHOOK_FAILED, "sentence": told, "of": kind})

    def recent(self, count: int) -> list[dict[str, Any]]:
        """The last alerts, newest first; a line that a crash cut off is said to be unreadable.

        A team's are those of all its machines; this one's alone, where the store does not answer.
        """
        if self._shared is not None:
            try:
                return _shared_alerts(self._shared, count)
            except ServiceUnreachable as silent:
                logging.getLogger("ratchet").warning("%s", silent)
        try:
            with self.file.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
                file.seek(start)
                lines = file.read().splitlines()[1 if start else 0 :]
        except FileNotFoundError:
            return []
        return [_read(line) for line in reversed(lines[-count:] if count > 0 else [])]

    def _append(self, line: dict[str, Any]) -> None:
        if self._shared is not None:
            written = datetime.now(UTC)
            name = f"{written:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
            try:
                text = json.dumps({**line, "machine": socket.gethostname()})
                self._shared.put(f"{FOLDER}/{written:%Y-%m}/{name}", text.encode("ascii"))
            except ServiceUnreachable as silent:
                logging.getLogger("ratchet").error("The alert stands in %s alone: %s", FILE, silent)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(_new_line(self.file) + json.dumps(line).encode("ascii") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            logging.getLogger("ratchet").error(
                "The alert could not be written to %s: %s", FILE, problem.strerror
            )

    def _posted(self, line: dict[str, Any]) -> str:
        """Why the webhook did not take it, or "" (also where there is none)."""
        if self._webhook_url is None:
            return ""
        try:
            # Streamed: only the answer's status counts, however much it goes on to say.
            with httpx.stream(
                "POST", self._webhook_url, json=line, timeout=WEBHOOK_SECONDS
            ) as answer:
                return "" if answer.is_success else f"status {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            return type(problem).__name__


def _shared_alerts(shared: SharedStore, count: int) -> list[dict[str, Any]]:
    """The last alerts at a shared store, newest first; its folders are months."""
    found: list[str] = []
    for month in reversed(shared.names(FOLDER)):
        if len(found) >= count:
            break
        found += [f"{FOLDER}/{month}/{one}" for one in reversed(shared.names(f"{FOLDER}/{month}"))]
    return [_read(shared.get(name) or b"") for name in found[: max(count, 0)]]


def _new_line(file: Path) -> bytes:
    """A line break, where a crash left the last line without one."""
    with file.open("rb") as written:
        if written.seek(0, os.SEEK_END) == 0:
            return b""
        written.seek(-1, os.SEEK_END)
        return b"" if written.read(1) == b"\n" else b"\n"


def _read(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    if isinstance(told, dict):
        return told
    return {"kind": "unreadable", "case_type": None, "sentence": "A line was cut off or edited."}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(
        f"an alert's fact must be a plain value or a list of them, and {name} is a "
        f"{type(value).__name__}: figures and names go into an alert, rows do not"
    )
