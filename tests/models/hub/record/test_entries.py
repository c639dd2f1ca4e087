"""Does the hash of an entry cover everything the entry says?"""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from models.hub import GENESIS_HASH, Entry, EntryKind, hash_of

ENTRY = Entry(
    seq=3,
    case_type="ato",
    version=2,
    kind=EntryKind.PROPOSED,
    actor="ana",
    at=datetime(2026, 1, 2, tzinfo=UTC),
    policy_id="p" * 64,
    base_version=1,
    evidence_digest="e" * 64,
    dossier={"recall": 0.993},
    previous_hash=GENESIS_HASH,
)
OTHER = {
    "seq": 4,
    "case_type": "withdrawal",
    "kind": EntryKind.APPROVED,
    "actor": "ben",
    "at": datetime(2026, 1, 3, tzinfo=UTC),
    "policy_id": None,
    "evidence_digest": "f" * 64,
    "dossier": {"recall": 0.994},
    "previous_hash": "1" * 64,
}


def test_a_new_entry_is_intact():
    """The hash it is written with is the hash of what it says."""
    assert ENTRY.own_hash == hash_of(ENTRY.fields(), GENESIS_HASH)
    assert ENTRY.is_intact


@pytest.mark.parametrize("name", OTHER)
def test_changing_any_field_breaks_the_hash(name):
    """No field can be edited and keep the entry's hash."""
    assert not replace(ENTRY, **{name: OTHER[name]}).is_intact


def test_every_field_was_tried():
    """The list above forgets no field (version and base move together)."""
    together = {"version", "base_version"}
    assert {item.name for item in fields(Entry)} == {*OTHER, *together, "own_hash"}
    assert not replace(ENTRY, version=3, base_version=2).is_intact


def test_a_version_must_follow_its_base():
    """An entry made against version 5 is version 6."""
    with pytest.raises(ValueError, match="one above its base"):
        replace(ENTRY, version=7)
