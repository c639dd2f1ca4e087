"""In which file does one machine hand its audit secrets to another?"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from configs.errors import UserError

_LARGEST = 1 << 16
_NOTE = (
    "Ratchet's audit secrets: for `ratchet audit-key import`, for nobody else; then delete this."
)


def write_handed_over(to: Path, secrets: Sequence[str]) -> None:
    """Write secrets to a new file that its owner alone may read.

    Raises:
        UserError: there is something of that name.
        OSError: it cannot be written.
    """
    try:
        handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(
            f"{to} is there already, and is not overwritten; name a new file."
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        json.dump({"note": _NOTE, "audit_secrets": list(secrets)}, opened, indent=1)
        opened.flush()
        os.fsync(handle)


def read_handed_over(file: Path) -> tuple[str, ...]:
    """The secrets in such a file, or in a copy of another home's `audit.key`.

    Raises:
        UserError: it is not there, or holds no secret; the message never quotes it.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST).decode("ascii")
    except OSError as problem:
        raise UserError(f"{file} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{file} holds no audit secret: it has more than ASCII characters."
        ) from None
    try:
        said = json.loads(text)
    except ValueError:
        said = text.rstrip("\r\n")
    found = said.get("audit_secrets") if isinstance(said, dict) else [text.rstrip("\r\n")]
    if (
        not isinstance(found, list)
        or not found
        or not all(one and type(one) is str for one in found)
    ):
        raise UserError(
            f"{file} holds no audit secret; `ratchet audit-key export --to FILE` on a machine of the "
            "team writes one."
        )
    return tuple(found)
