"""What does one line of the ledger say, and how is it tied to the line before?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from models.hub.policies.canonical import canonical_json, in_utc, plain_document, sha256_of

GENESIS_HASH = "0" * 64
"""What the first entry names as the hash before it."""


PEOPLE = "@people"
"""The history of who may act; no case type can have this name."""

AUDIT_SECRET = "@audit_secret"
"""The history of the secret that draws the audits; no case type can have this name."""


LEDGER = "@ledger"
"""The history of the ledger itself: which restored copies were accepted, and whose data was erased;
no case type can have this name."""


SPRINT = "sprint"
"""In the dossier of a proposal and of a promotion, said by the hub alone: the audits are raised for a
time, and nothing else of the live policy changes."""


class EntryKind(StrEnum):
    """What happened to a case type's policy, to the people who may change it, or to the secret that
    draws the audits."""

    PROPOSED = "proposed"
    FIRST_APPROVED = "first_approved"
    APPROVED = "approved"
    REFUSED = "refused"
    LOOK_TAKEN = "look_taken"
    GENERATION_STARTED = "generation_started"
    EVIDENCE_RESTARTED = "evidence_restarted"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    NARROWED = "narrowed"
    AB_STARTED = "ab_started"
    AB_CONCLUDED = "ab_concluded"
    GUARDRAIL_TRIPPED = "guardrail_tripped"
    HALTED = "halted"
    RESUME_REQUESTED = "resume_requested"
    RESUMED = "resumed"
    HOLD_PLACED = "hold_placed"
    HOLD_BOUNDED = "hold_bounded"
    HOLD_RELEASED = "hold_released"
    HOLD_DISCARDED = "hold_discarded"
    HOLD_STRUCK = "hold_struck"
    EXTENSION_REQUESTED = "extension_requested"
    AUDIT_EXTENDED = "audit_extended"
    FORCE_REQUESTED = "force_requested"
    FORCED = "forced"
    ENROLLED = "enrolled"
    REVOKED = "revoked"

    ROLLBACK_REQUESTED = "rollback_requested"

    AUDIT_SECRET_RECORDED = "audit_secret_recorded"
    AUDIT_SECRET_ROTATED = "audit_secret_rotated"

    RESTORE_REQUESTED = "restore_requested"
    RESTORE_ACCEPTED = "restore_accepted"
    PERSON_ERASED = "person_erased"


CHANGES_THE_LIVE_POLICY = frozenset(
    {EntryKind.PROMOTED, EntryKind.ROLLED_BACK, EntryKind.NARROWED, EntryKind.FORCED}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    Attributes:
        seq: place in the whole ledger, from 1 and without gaps.
        case_type, version: place in the case type's own history, from 1; the pair is unique.
        kind, actor, at: what happened, by whom, when (UTC).
        policy_id: the policy proposed, judged or made live; None where none is meant.
        base_version: the version the command was made against, always `version - 1`.
        evidence_digest: the evidence (or model files) the entry rests on.
        dossier: what was seen at that moment, as plain JSON values.
        previous_hash, own_hash: the chain over the whole ledger (`hash_of`).

    Raises:
        ValueError: a number is out of place or a stamp has no time zone.
    """

    seq: int
    case_type: str
    version: int
    kind: EntryKind
    actor: str
    at: datetime
    policy_id: str | None
    base_version: int
    evidence_digest: str | None
    dossier: Mapping[str, Any]
    previous_hash: str
    own_hash: str = field(default="")

    def __post_init__(self) -> None:
        if self.seq < 1 or self.version < 1 or self.base_version != self.version - 1:
            raise ValueError(
                f"entry {self.seq}: version {self.version} must be one above its base "
                f"{self.base_version}, and both numbers count from 1"
            )
        object.__setattr__(self, "kind", EntryKind(self.kind))
        object.__setattr__(self, "at", in_utc(self.at))
        object.__setattr__(self, "dossier", MappingProxyType(plain_document(dict(self.dossier))))
        if not self.own_hash:
            object.__setattr__(self, "own_hash", hash_of(self.fields(), self.previous_hash))

    def __hash__(self) -> int:
        return hash(self.own_hash)

    def fields(self) -> dict[str, Any]:
        """Everything the hash covers besides the previous hash."""
        return {
            "seq": self.seq,
            "case_type": self.case_type,
            "version": self.version,
            "kind": self.kind.value,
            "actor": self.actor,
            "at": self.at,
            "policy_id": self.policy_id,
            "base_version": self.base_version,
            "evidence_digest": self.evidence_digest,
            "dossier": self.dossier,
        }

    @property
    def is_intact(self) -> bool:
        """Whether the entry still has the hash it was written with."""
        return self.own_hash == hash_of(self.fields(), self.previous_hash)


def hash_of(entry_fields: Mapping[str, Any], previous_hash: str) -> str:
    """The SHA-256 (hex) of the previous hash and all of an entry's fields in canonical JSON."""
    return sha256_of(f"{previous_hash}\n{canonical_json(entry_fields)}")
