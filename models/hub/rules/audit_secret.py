"""By which secret were audits drawn at a moment, and who may draw them by another one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.hub.record.commands import RecordAuditSecret, RotateAuditSecret
from models.hub.record.entries import AUDIT_SECRET, Entry, EntryKind
from models.hub.record.readers import of
from models.hub.record.refusal import Refusal, RefusalRule, without_reason
from models.hub.record.said import Said


@dataclass(frozen=True, slots=True)
class SecretEpoch:
    """The time in which audits are drawn by one secret.

    Attributes:
        number: 1 for the first.
        check, salt: what recognises the secret; see `models.boundary.decision.audit.secret_check`.
        since: its first moment; the first epoch also covers everything before.
    """

    number: int
    check: str
    salt: str
    since: datetime


def secret_epochs(history: Sequence[Entry]) -> tuple[SecretEpoch, ...]:
    """All epochs so far, oldest first; empty before the first draw."""
    return tuple(
        SecretEpoch(number, str(entry.dossier["check"]), str(entry.dossier["salt"]), entry.at)
        for number, entry in enumerate(of(history, AUDIT_SECRET), start=1)
    )


def epoch_at(epochs: Sequence[SecretEpoch], at: datetime) -> SecretEpoch:
    """The epoch in force at a moment.

    Args:
        epochs: at least one, oldest first.
        at: tz-aware.
    """
    return next((one for one in reversed(epochs) if one.since <= at), epochs[0])


def record_secret(
    history: Sequence[Entry], command: RecordAuditSecret, _: datetime
) -> Said | Refusal:
    _check(command)
    epochs = secret_epochs(history)
    if epochs:
        return Refusal(
            f"The audit secret is known since {epochs[0].since.isoformat()}; another one takes its "
            "place by `ratchet audit-key rotate`.",
            RefusalRule.SECRET_IS_RECORDED,
        )
    told = {"check": command.check, "salt": command.salt, "epoch": 1}
    return Said(EntryKind.AUDIT_SECRET_RECORDED, dossier=told)


def rotate_secret(
    history: Sequence[Entry], command: RotateAuditSecret, _: datetime
) -> Said | Refusal:
    _check(command)
    unsaid = without_reason(command.reason)
    if unsaid is not None:
        return unsaid
    epochs = secret_epochs(history)
    if any(command.check == one.check for one in epochs):
        return Refusal(
            "The new audit secret is one that was in force before; give another.",
            RefusalRule.SECRET_IS_ANOTHER,
        )
    told = {
        "check": command.check,
        "salt": command.salt,
        "epoch": len(epochs) + 1,
        "reason": command.reason.strip(),
    }
    return Said(EntryKind.AUDIT_SECRET_ROTATED, dossier=told)


def _check(command: RecordAuditSecret | RotateAuditSecret) -> None:
    """Raises ValueError where a check could reveal its secret: too short, or without a salt."""
    if len(command.check) != 32 or not set(command.check) <= set("0123456789abcdef"):
        raise ValueError("a secret's check must be 32 lower-case hex characters")
    if len(command.salt) < 16:
        raise ValueError("a secret's check needs a salt of at least 16 characters")
