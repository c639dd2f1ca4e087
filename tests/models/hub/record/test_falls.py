"""Which entries of a history are falls, and of what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from models.hub import Entry, EntryKind
from models.hub.record.entries import GENESIS_HASH
from models.hub.record.falls import REFUTED, Fall, falls_of

NOW = datetime(2026, 5, 4, tzinfo=UTC)
A, B, C = "a" * 64, "b" * 64, "c" * 64


def history(*said: tuple[EntryKind, str, dict[str, Any]]) -> list[Entry]:
    """One entry a day of one case type."""
    return [
        Entry(
            seq=number,
            case_type="small_case",
            version=number,
            kind=kind,
            actor="somebody",
            at=NOW + timedelta(days=number),
            policy_id=policy_id,
            base_version=number - 1,
            evidence_digest=None,
            dossier=dossier,
            previous_hash=GENESIS_HASH,
        )
        for number, (kind, policy_id, dossier) in enumerate(said, start=1)
    ]


PROMOTED = EntryKind.PROMOTED


def told(*said: tuple[EntryKind, str, dict[str, Any]]) -> tuple[Fall, ...]:
    return falls_of(history(*said), "small_case")


def test_a_rollback_names_what_fell_what_was_left_and_who_had_passed_before() -> None:
    (fall,) = told(
        (PROMOTED, A, {}),
        (EntryKind.LOOK_TAKEN, A, {}),
        (PROMOTED, B, {}),
        (EntryKind.ROLLED_BACK, A, {"reason": "it is refuted"}),
    )
    assert (fall.fallen, fall.left, fall.why, fall.seq) == (B, A, "it is refuted", 4)
    assert fall.lives == ((B, NOW + timedelta(days=3)), (A, NOW + timedelta(days=1)))


def test_a_narrowing_is_a_fall_where_a_proof_refuted_it() -> None:
    """An expiry and audits without labels narrow, too, and have found nothing."""
    (fall,) = told(
        (PROMOTED, A, {}),
        (EntryKind.NARROWED, B, {"verdict": REFUTED, "reasons": ["pass side", "refuted"]}),
        (EntryKind.NARROWED, C, {"reasons": ["The certificate expired."]}),
    )
    assert (fall.fallen, fall.left, fall.why) == (A, B, "pass side refuted")


def test_neither_promotions_nor_other_case_types_are_falls() -> None:
    assert told((PROMOTED, A, {}), (PROMOTED, B, {})) == ()
    rolled = history((PROMOTED, A, {}), (PROMOTED, B, {}), (EntryKind.ROLLED_BACK, A, {}))
    assert falls_of(rolled, "another") == ()
