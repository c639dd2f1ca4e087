"""What happened, as one JSON object a line, for whoever collects logs? `RATCHET_LOG=json` asks for it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from configs.errors import UserError
from configs.masking import masked

VARIABLE, JSON, TEXT = "RATCHET_LOG", "json", "text"
_VERB = {"of this process": ""}


def as_json(env: Mapping[str, str] = os.environ) -> bool:
    """Whether logs are asked for as JSON (UserError: the variable says something else)."""
    said = env.get(VARIABLE) or TEXT
    if said not in (JSON, TEXT):
        raise UserError(f"{VARIABLE} is {said!r}; it may be {JSON} or {TEXT}.")
    return said == JSON


def log_as_asked(verb: str = "") -> None:
    """From now on every event of this process is a JSON line on the standard error, where that was
    asked for; twice is as good as once."""
    if verb:
        _VERB["of this process"] = verb
    root = logging.getLogger()
    if not as_json() or any(isinstance(one, _JsonLines) for one in root.handlers):
        return
    root.addHandler(_JsonLines())
    ours = logging.getLogger("ratchet")
    ours.setLevel(min(ours.level or logging.INFO, logging.INFO))


class _JsonLines(logging.Handler):
    """Writes our own events, and the warnings of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] != "ratchet" and record.levelno < logging.WARNING:
            return
        try:
            sys.stderr.write(line(record) + "\n")
        except (ValueError, OSError):
            self.handleError(record)


def line(record: logging.LogRecord) -> str:
    """A record as a line: when, how bad, which command, about which case type, and what."""
    told = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "verb": _VERB["of this process"] or None,
        "case_type": getattr(record, "case_type", None),
        "logger": record.name,
        "message": masked(record.getMessage()),
    }
    if record.exc_info and record.exc_info[0] is not None:
        told["error"] = masked(
            record.exc_text or logging.Formatter().formatException(record.exc_info)
        )
    return json.dumps(told)
