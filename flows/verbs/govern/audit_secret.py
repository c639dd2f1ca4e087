"""Draw audits with another secret from now on; what was drawn before stays reproducible."""

from __future__ import annotations

from datetime import datetime

from configs.errors import UserError
from flows.adapters.files.kill_points import kill_point
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.submit import submitted
from flows.verbs.ports import AuditSecrets, Ledger
from models.hub import AUDIT_SECRET, Entry


def rotate(
    ledger: Ledger,
    secrets: AuditSecrets,
    actor: str,
    reason: str,
    at: datetime,
    *,
    lost: bool = False,
) -> Entry:
    """Put another audit secret in force, as a ledger entry.

    The earlier one is kept beside it before the ledger names the new one, and the new one takes its
    place afterwards: killed in between, the next start goes on.

    Args:
        lost: the secret in force is gone, and its draws shall never be made again.

    Raises:
        UserError: no reason is given.
        GateRefused: the secret in force is not at hand and not said to be lost, the new one is too
            short, or the actor may not.
    """
    if not reason.strip():
        raise UserError("a rotation needs a reason; say why, in a sentence.")
    base = last_version(ledger, AUDIT_SECRET)
    command, _ = secrets.rotate(actor, reason.strip(), base, at, lost=lost)
    try:
        entry = submitted(ledger, command, at)
    except Exception:
        secrets.discard(command.check)
        raise
    kill_point("audit_key.entered")
    secrets.settle()
    return entry
