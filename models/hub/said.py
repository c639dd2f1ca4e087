"""What does a rule say when it does not refuse, and how are policies and people named in refusals?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.hub.entries import EntryKind


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule adds to the ledger: the entry's kind, and what it is about."""

    kind: EntryKind
    policy_id: str | None = None
    evidence_digest: str | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, whatever their case and the blanks around them."""
    return plain_name(one) == plain_name(other)


def plain_name(name: str) -> str:
    """A person's name as it is compared."""
    return name.strip().casefold()


def short(digest: str | None) -> str:
    """A digest as it is shown in a sentence."""
    return "none" if digest is None else digest[:12]
