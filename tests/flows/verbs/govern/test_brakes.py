"""One person stops a case type; two let it run again."""

from __future__ import annotations

import pytest

from configs.errors import GateRefused, UserError
from flows.verbs.certify.generation import last_version
from flows.verbs.desk import Desk
from flows.verbs.govern.approve import approve
from flows.verbs.govern.brakes import halt, resume
from flows.verbs.govern.promote import force, promote
from models.hub import EntryKind, is_halted, running_ab
from tests.flows.verbs.hub_desk import (
    A_PLAN,
    ANA,
    AUDREY,
    BEN,
    NAME,
    NOW,
    OLA,
    OTHER,
    WIDE,
    filed,
    made_live,
    policy,
)


def halted(desk: Desk, case_type: str = NAME) -> bool:
    return is_halted(desk.ledger.history(), case_type)


def test_one_person_halts_and_two_resume(desk: Desk) -> None:
    """Whoever asked cannot agree with themselves; both names stand in the last entry."""
    assert halt(desk, NAME, OLA, "odd blocks", NOW).kind is EntryKind.HALTED
    assert (halted(desk), halted(desk, OTHER)) == (True, False)
    assert resume(desk, NAME, OLA, "mended", NOW).kind is EntryKind.RESUME_REQUESTED
    assert halted(desk)
    with pytest.raises(GateRefused, match="a second person must agree"):
        resume(desk, NAME, OLA, "mended", NOW)
    entry = resume(desk, NAME, ANA, "checked", NOW)
    assert (entry.kind, entry.actor) == (EntryKind.RESUMED, ANA)
    assert entry.dossier["requested_by"] == OLA
    assert not halted(desk)


def test_a_wish_from_an_earlier_halt_does_not_count(desk: Desk) -> None:
    """Halted anew, it takes two again."""
    halt(desk, NAME, OLA, "first", NOW)
    resume(desk, NAME, OLA, "mended", NOW)
    resume(desk, NAME, ANA, "checked", NOW)
    halt(desk, NAME, OLA, "second", NOW)
    assert resume(desk, NAME, BEN, "mended", NOW).kind is EntryKind.RESUME_REQUESTED
    assert halted(desk)


@pytest.mark.parametrize(
    ("act", "actor", "reason", "said"),
    [
        (halt, AUDREY, "x", "takes the role approver or operator or proposer"),
        (resume, OLA, "x", "is not halted"),
        (halt, "nobody", "x", "is not enrolled"),
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, act, actor: str, reason: str, said: str) -> None:
    """No role, nothing to end, nobody known."""
    with pytest.raises(GateRefused, match=said):
        act(desk, NAME, actor, reason, NOW)


@pytest.mark.parametrize("act", [halt, resume])
def test_a_brake_needs_a_reason(desk: Desk, act) -> None:
    """An empty one is the person's input, not a gate's word; the ledger is not asked."""
    with pytest.raises(UserError, match="needs a reason; say why"):
        act(desk, NAME, OLA, " ", NOW)
    assert not halted(desk)


def test_a_second_halt_says_who_was_first_and_why(desk: Desk) -> None:
    halt(desk, NAME, OLA, "odd blocks", NOW)
    with pytest.raises(GateRefused, match=r"halted already, since .* by ola: odd blocks"):
        halt(desk, NAME, ANA, "me too", NOW)


@pytest.mark.parametrize("act", [halt, resume])
def test_an_unknown_case_type_is_answered_with_the_known_ones(desk: Desk, act) -> None:
    with pytest.raises(UserError, match="no case type 'smal'; the case types are small_case"):
        act(desk, "smal", OLA, "x", NOW)


def test_a_halt_ends_an_ab_test_and_holds_up_every_change(desk: Desk) -> None:
    """The approval stays: resumed, the test starts from its first case again."""
    made_live(desk, policy())
    proposal = filed(desk, policy(WIDE, ab_plan=A_PLAN))
    approve(desk, proposal, ANA, NOW)
    promote(desk, proposal, ANA, NOW)
    halt(desk, NAME, OLA, "odd blocks", NOW)
    assert running_ab(desk.ledger.history(), NAME) is None
    for change in (
        lambda: promote(desk, proposal, ANA, NOW),
        lambda: force(desk, policy(WIDE), ANA, "now", NOW),
    ):
        with pytest.raises(GateRefused, match="two people must resume it first"):
            change()
    resume(desk, NAME, OLA, "mended", NOW)
    resume(desk, NAME, ANA, "checked", NOW)
    assert promote(desk, proposal, ANA, NOW).kind is EntryKind.AB_STARTED


def test_a_halt_does_not_lose_to_what_comes_in_between(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base was read before a promotion: the halt is asked again on what stands now."""
    stale = last_version(desk, NAME)
    made_live(desk, policy(WIDE))
    bases = iter([stale, stale])

    def read_early(desk: Desk, case_type: str) -> int:
        return next(bases, None) or last_version(desk, case_type)

    monkeypatch.setattr("flows.verbs.govern.brakes.last_version", read_early)
    assert halt(desk, NAME, OLA, "odd blocks", NOW).kind is EntryKind.HALTED
    assert [kept.rule for kept in desk.ledger.refusals(NAME)] == ["stale_base", "stale_base"]
    with pytest.raises(GateRefused, match="halted already"):
        halt(desk, NAME, OLA, "again", NOW)
