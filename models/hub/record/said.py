"""What does a rule say when it does not refuse, and how are policies and people named in refusals?"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.hub.record.entries import EntryKind


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule adds to the ledger: the entry's kind, and what it is about."""

    kind: EntryKind
    policy_id: str | None = None
    evidence_digest: str | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)


_LOOK_ALIKES = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0455\u0458\u04bb\u0501\u051b\u051d"
    "\u03b1\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131",
    "abekmhopctyxisjhdqw" + "aeikvoptuxi",
)
"""Cyrillic and Greek letters (case folded) to the Latin ones that they are drawn like."""


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, however they are spelled (`plain_name`)."""
    return plain_name(one) == plain_name(other)


def plain_name(name: str) -> str:
    """A person's name as it is compared: without case, accents, full-width forms, invisible signs
    and needless blanks, and with look-alike letters of other alphabets taken for what they show.

    Two names that a reader could take for one are one: the second person chooses another.
    """
    folded = unicodedata.normalize("NFKD", shown_name(name).casefold())
    bare = "".join(letter for letter in folded if not "\u0300" <= letter <= "\u036f")
    return shown_name(bare.translate(_LOOK_ALIKES).casefold())


def shown_name(name: str) -> str:
    """A name as it is written down: nothing in it that cannot be seen, one blank between words."""
    spaced = "".join(
        " " if sign.isspace() else sign for sign in unicodedata.normalize("NFKC", name)
    )
    seen = "".join(sign for sign in spaced if not unicodedata.category(sign).startswith("C"))
    return " ".join(seen.split())


def short(digest: str | None) -> str:
    """A digest as it is shown in a sentence."""
    return "none" if digest is None else digest[:12]
