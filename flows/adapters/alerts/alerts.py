"""What does somebody have to look at now, and who has been told?

A line a matter in `alerts.jsonl` of the home; the log, a webhook and a mailbox hear of it too. What
one of them did not take waits in `alerts.waiting.jsonl` and is sent again with the next night. A team
has each alert as a file of its own at its shared store, since no two machines may append to one. Nothing
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
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from configs.errors import ServiceUnreachable
from configs.masking import masked, masked_leaves
from flows.adapters.alerts.alert_mail import Mailbox, mail
from flows.adapters.alerts.webhook import call
from flows.adapters.files.files import write_atomically
from flows.adapters.files.shared_store import SharedStore

Plain: TypeAlias = str | int | float | bool | None

FILE, FOLDER = "alerts.jsonl", "alerts"
WAITING = "alerts.waiting.jsonl"
WEBHOOK_FAILED, MAIL_FAILED, HEARTBEAT_FAILED = "webhook_failed", "email_failed", "heartbeat_failed"
WEBHOOK_SECONDS = 5.0
MOST_WAITING = 200
"""Of those that nobody took the newest; the others still stand in the file of all alerts."""

_REST_SECONDS = 60.0
"""A channel that failed is left alone so long: fifty alerts must not cost a night fifty waits."""

_FAILED = {"webhook": WEBHOOK_FAILED, "email": MAIL_FAILED}
_TAIL_BYTES = 1 << 20


class Alerts:
    """The alerts of one home."""

    def __init__(
        self,
        home: Path,
        webhook_url: str | None = None,
        *,
        mailbox: Mailbox | None = None,
        heartbeat_url: str | None = None,
        allow_private: Collection[str] = (),
        shared: SharedStore | None = None,
    ) -> None:
        """Alerts below `home`, and at a team's shared store; addresses may hold a token, so they are never written down.

        Args:
            heartbeat_url: is called after every night that ended (`beat`).
            allow_private: hosts that may lie in a private network, and be mailed to without TLS.
        """
        self.file = home / FILE
        self._waiting_file = home / WAITING
        self._shared = shared
        self._webhook_url = webhook_url
        self._mailbox = mailbox
        self._heartbeat_url = heartbeat_url
        self._allow_private = tuple(allow_private)
        self._rests: dict[str, float] = {}
        if webhook_url is not None or heartbeat_url is not None:
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
        about = {"case_type": case_type}
        logging.getLogger("ratchet").warning("%s: %s", kind, sentence, extra=about)
        self._append(line)
        for channel, deliver in self._channels():
            if not self._delivered(channel, deliver, line):
                self._let_wait(channel, line)

    def deliver_waiting(self) -> int:
        """Send again what nobody took, oldest first; how many still wait."""
        if not self._waiting_file.exists():
            return 0
        channels = dict(self._channels())
        with self._waiting() as lines:
            kept: list[dict[str, Any]] = []
            for one in lines:
                channel, deliver = str(one.get("channel")), channels.get(str(one.get("channel")))
                if deliver is None:
                    continue  # the channel is configured no longer
                if not self._delivered(channel, deliver, one["alert"], again=True):
                    kept.append(one)
            lines[:] = kept
            return len(kept)

    def waiting(self) -> int:
        """How many alerts wait to be sent again."""
        try:
            return len(self._waiting_file.read_bytes().splitlines())
        except OSError:
            return 0

    def beat(self, ended: str, at: datetime) -> None:
        """Tell an outside service that a night ended: its silence is what tells of the night that
        never came. The address is called as it is after a night that was `done`, and with `/fail`
        behind its path after any other.

        Args:
            ended: done, held or failed. at: tz-aware.
        """
        if self._heartbeat_url is None:
            return
        url = self._heartbeat_url if ended == "done" else _failing(self._heartbeat_url)
        why = call("GET", url, None, allow_private=self._allow_private, seconds=WEBHOOK_SECONDS)
        if not why:
            return
        told = f"The heartbeat of a night that ended {ended} was not taken ({why})."
        logging.getLogger("ratchet").warning("%s: %s", HEARTBEAT_FAILED, told)
        stamp = at.astimezone(UTC).isoformat()
        self._append({"at": stamp, "kind": HEARTBEAT_FAILED, "case_type": None, "sentence": told})

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

    def _channels(self) -> list[tuple[str, Callable[[dict[str, Any]], str]]]:
        """Who hears of an alert beside the file: a name, and what says why it was not taken, or ""."""
        found: list[tuple[str, Callable[[dict[str, Any]], str]]] = []
        url, box, allowed = self._webhook_url, self._mailbox, self._allow_private
        if url is not None:
            found.append(
                (
                    "webhook",
                    lambda line: call(
                        "POST", url, line, allow_private=allowed, seconds=WEBHOOK_SECONDS
                    ),
                )
            )
        if box is not None:
            found.append(
                (
                    "email",
                    lambda line: mail(box, line, allow_plain=allowed, seconds=WEBHOOK_SECONDS),
                )
            )
        return found

    def _delivered(
        self,
        channel: str,
        deliver: Callable[[dict[str, Any]], str],
        line: dict[str, Any],
        *,
        again: bool = False,
    ) -> bool:
        """Whether a channel took an alert; that it did not is told once a rest."""
        if time.monotonic() < self._rests.get(channel, 0.0):
            return False
        why = deliver(line)
        if not why:
            return True
        self._rests[channel] = time.monotonic() + _REST_SECONDS
        kind = line["kind"]
        told = (
            f"The {channel} did not take the alert {kind} ({why}); it stands in {FILE} and is sent "
            "again with the next night."
        )
        logging.getLogger("ratchet").warning("%s: %s", _FAILED[channel], told)
        if not again:
            self._append({**line, "kind": _FAILED[channel], "sentence": told, "of": kind})
        return False

    def _let_wait(self, channel: str, line: dict[str, Any]) -> None:
        with self._waiting() as lines:
            lines.append({"channel": channel, "alert": line})
            if len(lines) <= MOST_WAITING:
                return
            del lines[: len(lines) - MOST_WAITING]
        logging.getLogger("ratchet").warning(
            "More than %d alerts wait to be sent; the oldest stand in %s only.", MOST_WAITING, FILE
        )

    @contextmanager
    def _waiting(self) -> Iterator[list[dict[str, Any]]]:
        """What waits, by one process at a time; as it is left, so it is kept."""
        lines: list[dict[str, Any]] = []
        try:
            self._waiting_file.parent.mkdir(parents=True, exist_ok=True)
            lock = self._waiting_file.with_suffix(".lock").open("ab")
        except OSError as problem:
            logging.getLogger("ratchet").error(
                "What waits to be sent cannot be kept: %s", problem.strerror
            )
            yield lines
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lines += _waiting_lines(self._waiting_file)
            yield lines
            content = b"".join(json.dumps(one).encode("ascii") + b"\n" for one in lines)
            try:
                if lines:
                    write_atomically(self._waiting_file, lambda file: file.write(content))
                else:
                    self._waiting_file.unlink(missing_ok=True)
            except OSError as problem:
                logging.getLogger("ratchet").error(
                    "What waits to be sent cannot be kept: %s", problem.strerror
                )


def _waiting_lines(file: Path) -> list[dict[str, Any]]:
    try:
        found = [_read(line) for line in file.read_bytes().splitlines()]
    except OSError:
        return []
    return [one for one in found if isinstance(one.get("alert"), dict) and "kind" in one["alert"]]


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))


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
