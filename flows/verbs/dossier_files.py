"""Where are the dossiers of the nights kept, one machine's or a team's?

A home has one file a night, the latest run of it. A team has each run's dossier as a file of its own
at the shared store, below its night; the latest one written counts.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from configs.errors import ServiceUnreachable
from flows.adapters.files import write_atomically
from flows.verbs.desk import Desk

FOLDER = "dossiers"


def keep(desk: Desk, night: str, content: bytes) -> Path:
    """Write a night's dossier below the home, and where a team finds it.

    Args:
        night: its date, as 2026-05-04.

    Raises:
        OSError: the home cannot be written.
        ServiceUnreachable: the team's store does not take it; it stands in the home.
    """
    path = desk.home / FOLDER / f"{night}.json"
    write_atomically(path, lambda file: file.write(content))
    if desk.shared is not None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
        try:
            desk.shared.put(f"{FOLDER}/{night}/{name}", content)
        except ServiceUnreachable as silent:
            raise ServiceUnreachable(
                f"The night is done and its dossier stands at {path}; others do not see it. {silent}"
            ) from None
    return path


def newest(desk: Desk, most: int) -> list[bytes]:
    """What the dossiers of the newest nights hold, the newest first; a file that is gone or cannot be
    read is left out.

    Raises:
        ServiceUnreachable: the team's store does not answer.
    """
    if desk.shared is None:
        files = sorted((desk.home / FOLDER).glob("*.json"), reverse=True)[:most]
        return [content for file in files if (content := _content(file)) is not None]
    found: list[bytes] = []
    for night in reversed(desk.shared.names(FOLDER)):
        runs = desk.shared.names(f"{FOLDER}/{night}") if len(found) < most else []
        content = desk.shared.get(f"{FOLDER}/{night}/{runs[-1]}") if runs else None
        if content is not None:
            found.append(content)
    return found


def before_all_runs(night: str) -> str:
    """The name at a team's store of a dossier from before every run that the team has itself."""
    return f"{FOLDER}/{night}/00000000.json"


def publish(desk: Desk) -> int:
    """Put the dossiers of this home where a team finds them, for nights of which it has none; how
    many (ServiceUnreachable: the store does not answer)."""
    if desk.shared is None:
        return 0
    there, put = set(desk.shared.names(FOLDER)), 0
    for file in sorted((desk.home / FOLDER).glob("*.json")):
        if file.stem not in there:
            desk.shared.put(before_all_runs(file.stem), file.read_bytes())
            put += 1
    return put


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
