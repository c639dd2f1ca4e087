"""Who is behind the policy that decided?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.hub import Entry, EntryKind
from models.hub.record.provenance import provenance

NAME = "ato"
START = datetime(2026, 5, 4, tzinfo=UTC)


def history(*lines: tuple[str, str | None, str, dict[str, Any]]) -> list[Entry]:
    """(kind, policy, actor, dossier) as entries; nothing here asks for their order to be lawful."""
    return [
        Entry(
            seq=number,
            case_type=NAME,
            version=number,
            kind=EntryKind(kind),
            actor=actor,
            at=START + timedelta(hours=number),
            policy_id=policy_id,
            base_version=number - 1,
            evidence_digest=None,
            dossier=dossier,
            previous_hash="0" * 64,
        )
        for number, (kind, policy_id, actor, dossier) in enumerate(lines, start=1)
    ]


def lived(policy_id: str, approver: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        ("proposed", policy_id, "night", {}),
        ("approved", policy_id, approver, {}),
        ("promoted", policy_id, approver, {}),
    ]


BOTH = {"approvers": ["ana", "ben"]}


@pytest.mark.parametrize(
    ("lines", "asked", "made_live", "approved_by"),
    [
        ([], "p", None, ()),
        ([("proposed", "p", "night", {})], "p", None, ()),
        (lived("p", "ana"), "p", 3, ("ana",)),
        # rolled back to: the promotion it rested on first still counts
        ([*lived("p", "ana"), *lived("q", "ben"), ("rolled_back", "p", "ola", {})], "p", 7, ("ana",)),
        # narrowed twice: the approval of what was narrowed
        (
            [
                *lived("p", "ana"),
                ("narrowed", "n", "night", {"narrowed_from": "p"}),
                ("narrowed", "m", "night", {"narrowed_from": "n"}),
            ],
            "m", 5, ("ana",),
        ),
        # narrowed to what was later promoted by itself
        (
            [*lived("p", "ana"), ("narrowed", "n", "night", {"narrowed_from": "p"}), *lived("n", "ben")],
            "n", 7, ("ben",),
        ),
        ([("forced", "p", "ben", BOTH)], "p", 1, ("ana", "ben")),
        (
            [("forced", "p", "ben", BOTH), ("narrowed", "n", "night", {"narrowed_from": "p"})],
            "n", 2, ("ana", "ben"),
        ),
        # forced first, and later promoted with a proof
        ([("forced", "p", "ben", BOTH), *lived("q", "ana"), *lived("p", "cai")], "p", 7, ("cai",)),
        # approved again since; nothing was promoted by that yet
        ([*lived("p", "ana"), *lived("q", "ben"), *lived("p", "cai")[:2]], "p", 3, ("ana",)),
    ],
)  # fmt: skip
def test_the_approval_is_the_one_that_let_it_decide(
    lines: list[Any], asked: str, made_live: int | None, approved_by: tuple[str, ...]
) -> None:
    """By the entry that made it live (its number) and the names behind it."""
    behind = provenance(history(*lines), NAME, asked)
    assert (behind.made_live.seq if behind.made_live else None) == made_live
    assert behind.approved_by == approved_by


def test_in_an_ab_test_it_decides_by_the_approval_to_try_it() -> None:
    """Never promoted, yet it decided the treated cases."""
    tried = history(*lived("p", "ana")[:2], ("ab_started", "p", "ola", {}))
    behind = provenance(tried, NAME, "p")
    assert behind.made_live is None
    assert behind.tried is not None
    assert (behind.tried.actor, behind.approved_by) == ("ola", ("ana",))


def test_a_forced_policy_rests_on_no_proposal() -> None:
    """One may have been filed and refused before."""
    lines = [
        ("proposed", "p", "night", {}),
        ("refused", "p", "ana", {}),
        ("forced", "p", "ben", BOTH),
    ]
    behind = provenance(history(*lines), NAME, "p")
    assert (behind.proposal, behind.approval) == (None, None)
    assert behind.forced is not None


def test_another_case_types_entries_say_nothing() -> None:
    assert provenance(history(*lived("p", "ana")), "kyc_audit", "p").approval is None
