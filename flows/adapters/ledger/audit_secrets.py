"""With which secret are audits drawn, and is it the one that the ledger knows?

The ledger keeps a check of each secret, from which the secret is not found (`models.hub.
audit_secret`); the secrets stay in the home, readable by its owner only: today's in `audit.key`, each
earlier one in `audit.key.` and the first characters of its check, so that old draws are reproduced.
`RATCHET_AUDIT_KEY` takes the place of `audit.key`.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from configs.errors import GateRefused
from flows.adapters.files.files import sync_folder
from flows.adapters.files.kill_points import kill_point
from flows.adapters.ledger.ledger import Ledger
from models.boundary.decision.audit import secret_check
from models.hub import (
    AUDIT_SECRET,
    RecordAuditSecret,
    RotateAuditSecret,
    SecretEpoch,
    epoch_at,
    secret_epochs,
)
from models.hub.rules.people import DECIDE_CASES

VARIABLE, FILE = "RATCHET_AUDIT_KEY", "audit.key"
SHORTEST = 16
"""Characters of a secret that somebody gives; a random one has 64."""

_SALT_BYTES = 16
_WAITS_FOR_A_SECRET = 20
WAYS = (
    f"Restore {FILE} from a copy (another machine of the team hands it over by `ratchet audit-key "
    f"export`), or set {VARIABLE} to the secret in force; where it is lost for good, "
    "`ratchet audit-key rotate --lost --reason R` starts with a new one."
)


class AuditSecrets:
    """The secrets of one home."""

    def __init__(
        self, home: Path, ledger: Ledger, given: str | None, seed: int | None = None
    ) -> None:
        """The secrets below `home`; one is made where there never was any.

        Args:
            given: what `RATCHET_AUDIT_KEY` says, or None.
            seed: a demo's or backtest's: its draws derive from it, and nothing is kept or checked.
        """
        self._file = home / FILE
        self._ledger = ledger
        self._given = given or None
        self._seeded = None if seed is None else f"seed {seed}"
        self._checks: dict[tuple[str, str], str] = {}
        if self._seeded is None and self._given is None:
            self._make_where_there_never_was_one()

    def trouble(self) -> str:
        """Why no audit can be drawn now, in sentences that say what helps; "" where one can."""
        if self._seeded is not None:
            return ""
        try:
            epochs = self._epochs()
        except GateRefused as broken:
            return f"Nothing says which audit secret is in force. {broken}"
        here = f"{VARIABLE}" if self._given is not None else str(self._file)
        secret, why = self._at_hand(epochs)
        if why:
            return f"{why} {WAYS}"
        if epochs and not self._is(secret, epochs[-1]):
            before = next((one for one in epochs if self._is(secret, one)), None)
            if before is not None:
                return (
                    f"{here} holds the audit secret of before {epochs[before.number].since:%Y-%m-%d}, "
                    f"when it was rotated; other cases would be audited by it. {WAYS}"
                )
            return (
                f"{here} does not hold the audit secret that the ledger knows since "
                f"{epochs[-1].since.isoformat()} (check {epochs[-1].check[:8]}): it was changed, "
                f"shortened, or is another machine's, and other cases would be audited by it. {WAYS}"
            )
        if not epochs and len(secret) < SHORTEST:
            return (
                f"The audit secret in {here} has {len(secret)} characters and could be guessed; it "
                f"needs {SHORTEST} at least. `openssl rand -hex 32` makes one."
            )
        return ""

    def record(self, now: datetime) -> None:
        """Let the ledger know the secret, before the first draw is made with it; once."""
        if self._seeded is not None or self._epochs() or self.trouble():
            return
        secret, _ = self._at_hand(())
        salt = secrets.token_hex(_SALT_BYTES)
        command = RecordAuditSecret(
            check=self._check(secret, salt), salt=salt, actor=DECIDE_CASES, base_version=0
        )
        self._ledger.submit(command, now)  # refused where another process was quicker

    def in_force(self, at: datetime | None = None) -> str:
        """The secret by which a case decided at a moment was drawn; None: now.

        Raises:
            GateRefused: it is not at hand (`trouble`), or an earlier one is no longer kept.
        """
        if self._seeded is not None:
            return self._seeded
        epochs = self._epochs()
        epoch = epoch_at(epochs, at) if epochs and at is not None else None
        if epoch is None or epoch == epochs[-1]:
            if trouble := self.trouble():
                raise GateRefused(trouble)
            return self._at_hand(epochs)[0]
        kept = self._kept(epoch)
        if kept is None:
            raise GateRefused(
                f"The audit secret that was in force until {epochs[epoch.number].since.isoformat()} is "
                f"not kept here, so the draws of that time cannot be made again. Put a copy of it at "
                f"{self._beside(epoch)}."
            )
        return kept

    def epochs(self) -> tuple[SecretEpoch, ...]:
        """Every secret so far; empty where draws derive from a seed, or none was made yet."""
        return () if self._seeded is not None else self._epochs()

    def is_lost(self, epoch: SecretEpoch) -> bool:
        """Whether an earlier secret is no longer kept here."""
        return self._kept(epoch) is None

    def handed_over(self) -> tuple[str, ...]:
        """What another machine needs to draw the same audits: the secret in force, and each earlier
        one that is kept here.

        Raises:
            GateRefused: none is in force yet, or it is not at hand.
        """
        if not (epochs := self.epochs()):
            raise GateRefused(
                "No audit secret is in force yet: the first `ratchet join` or `ratchet decide` lets the "
                "ledger know this machine's, and then it is handed over."
            )
        current = self.in_force()
        earlier = [kept for one in epochs[:-1] if (kept := self._kept(one)) is not None]
        return (current, *earlier)

    def take_over(self, secrets: Sequence[str]) -> int:
        """Keep secrets that another machine handed over, each in its place; how many.

        A secret of this home that was never in force is replaced.

        Raises:
            GateRefused: one of them was never in force on this ledger, or the one in force today is
                not among them; nothing was changed.
        """
        epochs = self.epochs()
        if not epochs:
            raise GateRefused(
                "The ledger knows no audit secret yet, so none can be told to be the right one. The "
                "first `ratchet join` or `ratchet decide` on the first machine lets it know."
            )
        place = {
            secret: next((one for one in reversed(epochs) if self._is(secret, one)), None)
            for secret in secrets
        }
        if None in place.values():
            raise GateRefused(
                "The file holds an audit secret that was never in force on this ledger: it is another "
                "team's, or was changed. Nothing was changed; export it anew on a machine on which "
                "`ratchet doctor` finds it in order."
            )
        if epochs[-1] not in place.values():
            raise GateRefused(
                f"The file does not hold the audit secret in force since {epochs[-1].since.isoformat()} "
                f"(check {epochs[-1].check[:8]}): it was rotated after the export. Nothing was changed; "
                "export it anew."
            )
        for secret, epoch in place.items():
            assert epoch is not None
            _write_private(self._file if epoch == epochs[-1] else self._beside(epoch), secret)
        return len(place)

    def rotate(
        self, actor: str, reason: str, base_version: int, now: datetime, *, lost: bool
    ) -> tuple[RotateAuditSecret, str]:
        """The command that puts another secret in force; what it needs is in the home before.

        The new one is what `RATCHET_AUDIT_KEY` says, where that is not the old one, or random.

        Args:
            lost: the secret in force is not at hand, and its draws shall never be made again.

        Returns:
            The command, and what the file of today's secret has to hold once it is carried out
            (`settle` puts it there).

        Raises:
            GateRefused: the secret in force is not at hand, and nobody said that it is lost; or the
                new one is too short.
        """
        epochs = self._epochs()
        old = self._kept(epochs[-1]) if epochs else None
        if epochs and old is None and not lost:
            raise GateRefused(
                "The audit secret in force is not at hand, so the draws made by it could never be made "
                f"again. Put a copy of it at {self._beside(epochs[-1])}; or say --lost, and they never "
                "are."
            )
        if old is not None:
            _write_private(self._beside(epochs[-1]), old)
        new = self._given
        if new is None or new == old:
            new = secrets.token_hex(32)
        if len(new) < SHORTEST:
            raise GateRefused(
                f"{VARIABLE} has {len(new)} characters and could be guessed; a new audit secret needs "
                f"{SHORTEST} at least."
            )
        salt = secrets.token_hex(_SALT_BYTES)
        command = RotateAuditSecret(
            check=self._check(new, salt),
            salt=salt,
            reason=reason,
            actor=actor,
            base_version=base_version,
            dossier={"earlier_kept": old is not None} if epochs else {},
        )
        _write_private(self._pending(command.check), new)
        kill_point("audit_key.kept")
        return command, new

    def settle(self) -> None:
        """Put a new secret in the place of today's, once the ledger says that it is in force."""
        epochs = self._epochs()
        if not epochs:
            return
        pending = self._pending(epochs[-1].check)
        if pending.exists() and self._is(_content(pending), epochs[-1]):
            pending.replace(self._file)
            sync_folder(self._file.parent)

    def discard(self, check: str) -> None:
        """Forget a new secret that the ledger refused, and the copy of the one that stays."""
        self._pending(check).unlink(missing_ok=True)
        epochs = self._epochs()
        if epochs and any(
            self._is(one, epochs[-1]) for one in (self._given or "", _content(self._file))
        ):
            self._beside(epochs[-1]).unlink(missing_ok=True)

    def _epochs(self) -> tuple[SecretEpoch, ...]:
        return secret_epochs(self._ledger.history(AUDIT_SECRET))

    def _at_hand(self, epochs: Sequence[SecretEpoch]) -> tuple[str, str]:
        """The secret of today, and why there is none, or ""."""
        if self._given is not None:
            if not self._given.isascii():
                return "", f"{VARIABLE} holds more than ASCII characters."
            return self._given, ""
        if epochs and not self._is(_content(self._file), epochs[-1]):
            self.settle()  # a rotation was killed after its entry
        if not self._file.exists():
            return "", f"{self._file} is missing: the audit secret is lost."
        for _ in range(_WAITS_FOR_A_SECRET):
            kept = _content(self._file)
            if kept:
                return kept, ""
            if epochs:
                break
            time.sleep(0.1)  # another start is just about to write it
        return "", f"{self._file} is empty or cannot be read, so it keeps no audit secret."

    def _kept(self, epoch: SecretEpoch) -> str | None:
        """The secret of an epoch, wherever it is kept here."""
        beside = [_content(self._beside(epoch)), _content(self._pending(epoch.check))]
        for secret in (self._given or "", _content(self._file), *beside):
            if secret and self._is(secret, epoch):
                return secret
        return None

    def _is(self, secret: str, epoch: SecretEpoch) -> bool:
        return bool(secret) and self._check(secret, epoch.salt) == epoch.check

    def _check(self, secret: str, salt: str) -> str:
        if (secret, salt) not in self._checks:  # each costs some 50 ms
            self._checks[secret, salt] = secret_check(secret, salt)
        return self._checks[secret, salt]

    def _beside(self, epoch: SecretEpoch) -> Path:
        return self._file.with_name(f"{FILE}.{epoch.check[:12]}")

    def _pending(self, check: str) -> Path:
        return self._file.with_name(f"{FILE}.{check[:12]}.new")

    def _make_where_there_never_was_one(self) -> None:
        if self._file.exists():
            return
        try:
            if self._epochs():
                return  # it is lost, and another one would draw other cases
        except GateRefused:
            return
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(secrets.token_hex(32))
            opened.flush()
            os.fsync(handle)


def _content(file: Path) -> str:
    """What a file holds, without the line break that an editor adds; "" where it cannot be read."""
    try:
        return file.read_text(encoding="ascii").rstrip("\r\n")
    except (OSError, ValueError):
        return ""


def _write_private(file: Path, content: str) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(handle)
    part.replace(file)
    sync_folder(file.parent)
