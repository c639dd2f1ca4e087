"""Where are the dossiers of the nights kept, one machine's or a team's?

A home has a file for each run: the first of a night is named by its date, a later one by its date and
the time at which it was written, so that the file a command named stays what it was. A team has each
run's dossier as a file of its own at the shared store, below its night. The latest one written counts.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.errors import ServiceUnreachable
from flows.adapters.files.files import write_atomically
from flows.verbs.ports import SharedStore

FOLDER = "dossiers"


def keep(home: Path, shared: SharedStore | None, night: str, content: bytes) -> Path:
    """Write a night's dossier below the home, and where a team finds it.

    Args:
        night: its date, as 2026-05-04.

    Returns:
        The file: a new one, unless the night's latest says the same already.

    Raises:
        OSError: the home cannot be written.
        ServiceUnreachable: the team's store does not take it; it stands in the home.
    """
    runs = _runs(home, night)
    path = runs[-1] if runs and _content(runs[-1]) == content else _free(home, night)
    write_atomically(path, lambda file: file.write(content))
    if shared is not None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
        try:
            shared.put(f"{FOLDER}/{night}/{name}", content)
        except ServiceUnreachable as silent:
            raise ServiceUnreachable(
                f"The night is done and its dossier stands at {path}; others do not see it. {silent}"
            ) from None
    return path


def newest(home: Path, shared: SharedStore | None, most: int) -> list[bytes]:
    """What the dossiers of the newest nights hold, the newest first; a file that is gone or cannot be
    read is left out.

    Raises:
        ServiceUnreachable: the team's store does not answer.
    """
    if shared is None:
        nights = sorted({_night(file) for file in (home / FOLDER).glob("*.json")})
        latest = [_runs(home, night)[-1] for night in nights[::-1][:most]]
        return [content for file in latest if (content := _content(file)) is not None]
    found: list[bytes] = []
    for night in reversed(shared.names(FOLDER)):
        runs = shared.names(f"{FOLDER}/{night}") if len(found) < most else []
        content = shared.get(f"{FOLDER}/{night}/{runs[-1]}") if runs else None
        if content is not None:
            found.append(content)
    return found


def before_all_runs(run: str) -> str:
    """The name at a team's store of a dossier from before every run that the team has itself.

    Args:
        run: the stem of the home's file: a date, or a date and a time.
    """
    night, later, time = run.partition("T")
    return f"{FOLDER}/{night}/00000000{later}{time}.json"


def publish(home: Path, shared: SharedStore | None) -> int:
    """Put the dossiers of this home where a team finds them, for nights of which it has none; how
    many (ServiceUnreachable: the store does not answer)."""
    if shared is None:
        return 0
    there, put = set(shared.names(FOLDER)), 0
    for file in sorted((home / FOLDER).glob("*.json")):
        if _night(file) not in there:
            shared.put(before_all_runs(file.stem), file.read_bytes())
            put += 1
    return put


def last_dossier(home: Path, shared: SharedStore | None) -> dict[str, Any] | None:
    """The dossier of the newest night that was filed here, by any machine of a team; None before the
    first."""
    filed = filed_dossiers(home, shared, 1)
    return filed[0] if filed else None


def filed_dossiers(home: Path, shared: SharedStore | None, most: int) -> list[dict[str, Any]]:
    """The dossiers of the newest nights that were filed here, by any machine of a team, the newest
    first; one that cannot be read is left out."""
    found = []
    for content in newest(home, shared, most):
        try:
            told = json.loads(content)
        except ValueError:
            continue
        if isinstance(told, dict) and "results" in told:
            found.append(told)
    return found


def _night(file: Path) -> str:
    """The date of the night that a home's file is of."""
    return file.stem.partition("T")[0]


def _runs(home: Path, night: str) -> list[Path]:
    """The home's files of a night, the latest last: a name with a time sorts behind the date alone."""
    found = (home / FOLDER).glob(f"{night}*.json")
    return sorted((one for one in found if _night(one) == night), key=lambda one: one.name)


def _free(home: Path, night: str) -> Path:
    first = home / FOLDER / f"{night}.json"
    if not first.exists():
        return first
    return first.with_name(f"{night}T{datetime.now(UTC):%H%M%S%f}.json")


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
