"""One person stops a case type; two let it run again."""

from __future__ import annotations

import pytest

from configs.errors import GateRefused, UserError
from flows.adapters.ledger.ledger import Ledger
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.approve import approve
from flows.verbs.govern.brakes import halt, resume
from flows.verbs.govern.promote import force, promote
from flows.verbs.services import Services
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


def halted(services: Services, case_type: str = NAME) -> bool:
    return is_halted(services.ledger.history(), case_type)


def test_one_person_halts_and_two_resume(services: Services) -> None:
    """Whoever asked cannot agree with themselves; both names stand in the last entry."""
    assert (
        halt(services.ledger, services.case_types, NAME, OLA, "odd blocks", NOW).kind
        is EntryKind.HALTED
    )
    assert (halted(services), halted(services, OTHER)) == (True, False)
    assert (
        resume(services.ledger, services.case_types, NAME, OLA, "mended", NOW).kind
        is EntryKind.RESUME_REQUESTED
    )
    assert halted(services)
    with pytest.raises(GateRefused, match="a second person must agree"):
        resume(services.ledger, services.case_types, NAME, OLA, "mended", NOW)
    entry = resume(services.ledger, services.case_types, NAME, ANA, "checked", NOW)
    assert (entry.kind, entry.actor) == (EntryKind.RESUMED, ANA)
    assert entry.dossier["requested_by"] == OLA
    assert not halted(services)


def test_a_wish_from_an_earlier_halt_does_not_count(services: Services) -> None:
    """Halted anew, it takes two again."""
    halt(services.ledger, services.case_types, NAME, OLA, "first", NOW)
    resume(services.ledger, services.case_types, NAME, OLA, "mended", NOW)
    resume(services.ledger, services.case_types, NAME, ANA, "checked", NOW)
    halt(services.ledger, services.case_types, NAME, OLA, "second", NOW)
    assert (
        resume(services.ledger, services.case_types, NAME, BEN, "mended", NOW).kind
        is EntryKind.RESUME_REQUESTED
    )
    assert halted(services)


@pytest.mark.parametrize(
    ("act", "actor", "reason", "said"),
    [
        (halt, AUDREY, "x", "takes the role approver or operator or proposer"),
        (resume, OLA, "x", "is not halted"),
        (halt, "nobody", "x", "is not enrolled"),
    ],
)
def test_what_cannot_be_is_refused(
    services: Services, act, actor: str, reason: str, said: str
) -> None:
    """No role, nothing to end, nobody known."""
    with pytest.raises(GateRefused, match=said):
        act(services.ledger, services.case_types, NAME, actor, reason, NOW)


@pytest.mark.parametrize("act", [halt, resume])
def test_a_brake_needs_a_reason(services: Services, act) -> None:
    """An empty one is the person's input, not a gate's word; the ledger is not asked."""
    with pytest.raises(UserError, match="needs a reason; say why"):
        act(services.ledger, services.case_types, NAME, OLA, " ", NOW)
    assert not halted(services)


def test_a_second_halt_says_who_was_first_and_why(services: Services) -> None:
    halt(services.ledger, services.case_types, NAME, OLA, "odd blocks", NOW)
    with pytest.raises(GateRefused, match=r"halted already, since .* by ola: odd blocks"):
        halt(services.ledger, services.case_types, NAME, ANA, "me too", NOW)


@pytest.mark.parametrize("act", [halt, resume])
def test_an_unknown_case_type_is_answered_with_the_known_ones(services: Services, act) -> None:
    with pytest.raises(UserError, match="no case type 'smal'; the case types are small_case"):
        act(services.ledger, services.case_types, "smal", OLA, "x", NOW)


def test_a_halt_ends_an_ab_test_and_holds_up_every_change(services: Services) -> None:
    """The approval stays: resumed, the test starts from its first case again."""
    made_live(services, policy())
    proposal = filed(services, policy(WIDE, ab_plan=A_PLAN))
    approve(services, proposal, ANA, NOW)
    promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW)
    halt(services.ledger, services.case_types, NAME, OLA, "odd blocks", NOW)
    assert running_ab(services.ledger.history(), NAME) is None
    for change in (
        lambda: promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW),
        lambda: force(
            services.ledger, services.registry, services.alerts, policy(WIDE), ANA, "now", NOW
        ),
    ):
        with pytest.raises(GateRefused, match="two people must resume it first"):
            change()
    resume(services.ledger, services.case_types, NAME, OLA, "mended", NOW)
    resume(services.ledger, services.case_types, NAME, ANA, "checked", NOW)
    assert (
        promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW).kind
        is EntryKind.AB_STARTED
    )


def test_a_halt_does_not_lose_to_what_comes_in_between(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base was read before a promotion: the halt is asked again on what stands now."""
    stale = last_version(services.ledger, NAME)
    made_live(services, policy(WIDE))
    bases = iter([stale, stale])

    def read_early(ledger: Ledger, case_type: str) -> int:
        return next(bases, None) or last_version(ledger, case_type)

    monkeypatch.setattr("flows.verbs.govern.brakes.last_version", read_early)
    assert (
        halt(services.ledger, services.case_types, NAME, OLA, "odd blocks", NOW).kind
        is EntryKind.HALTED
    )
    assert [kept.rule for kept in services.ledger.refusals(NAME)] == ["stale_base", "stale_base"]
    with pytest.raises(GateRefused, match="halted already"):
        halt(services.ledger, services.case_types, NAME, OLA, "again", NOW)
