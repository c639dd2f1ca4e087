"""Which commands may happen at all, and how are their entries numbered and chained?"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub import PEOPLE, EntryKind, Halt, Narrow, Propose
from tests.hub import MIDDLE, THIN, WIDE, Hub, entered, rule


def test_the_chain_runs_over_all_case_types_and_versions_over_one():
    """Places count the ledger, versions count the case type."""
    hub = Hub()
    hub.propose(THIN)
    hub.propose(replace(THIN, case_type="kyc_audit"), case_type="kyc_audit")
    hub.propose(WIDE)
    said = [(entry.seq, entry.case_type, entry.version) for entry in hub.history]
    assert said == [(1, "ato", 1), (2, "kyc_audit", 1), (3, "ato", 2)]
    assert [entry.previous_hash for entry in hub.history[1:]] == [
        entry.own_hash for entry in hub.history[:-1]
    ]


def test_stale_base():
    """A command made against an older (or imagined) version is refused."""
    hub = Hub()
    hub.propose(THIN)
    assert rule(hub.propose(WIDE, base_version=0)) == "stale_base"
    assert rule(hub.propose(WIDE, base_version=2)) == "stale_base"


@given(st.lists(st.tuples(st.sampled_from("parbn"), st.integers(0, 2), st.integers(0, 2))))
def test_whatever_is_asked_nothing_goes_live_without_two_people(asked):
    """Random commands by three people: every promotion has a proposer and another approver."""
    hub, policies, people = Hub(), [THIN, MIDDLE, WIDE], ["ana", "ben", "cai"]
    for letter, which, who in asked:
        policy, actor = policies[which], people[who]
        if letter == "p":
            hub.propose(policy, actor=actor)
        elif letter == "a":
            hub.approve(policy, actor=actor)
        elif letter == "r":
            hub.promote(policy, actor=actor)
        elif letter == "b":
            hub.roll_back(actor=actor)
        else:
            hub.ask(Narrow, incumbent=policy, narrowed=policies[max(which - 1, 0)], actor=actor)
    assert all(entry.is_intact for entry in hub.history)
    for at, entry in enumerate(hub.history):
        if entry.kind is EntryKind.PROMOTED:
            before = [old for old in hub.history[:at] if old.policy_id == entry.policy_id]
            approval = next(old for old in reversed(before) if old.kind is EntryKind.APPROVED)
            proposals = [old for old in before if old.kind is EntryKind.PROPOSED]
            assert proposals[-1].seq < approval.seq
            assert proposals[-1].actor != approval.actor


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\t\u00a0"])
def test_an_actor_is_named(name):
    """Nobody, blanks and what cannot be seen are no names."""
    assert rule(Hub().propose(THIN, actor=name)) == "actor_is_named"


def test_an_actor_is_written_as_it_is_read():
    """What cannot be seen is not written down."""
    assert entered(Hub().propose(THIN, actor=" Ana\u200b  Li ")).actor == "Ana Li"


def test_nothing_but_people_stands_among_the_people():
    """Else one halt of `@people` would leave a history that says nobody's name, and nobody acts."""
    hub = Hub(enrolled_only=True)
    entered(hub.enrol("ana", "approver", "proposer", "operator"))
    assert rule(hub.ask(Halt, case_type=PEOPLE, reason="why not")) == "people_stand_apart"
    odd = replace(THIN, case_type=PEOPLE)
    told = {"policy": odd, "evidence_digest": "e"}
    assert rule(hub.ask(Propose, case_type=PEOPLE, **told)) == "people_stand_apart"
    assert rule(hub.enrol("ben", "approver", case_type="ato")) == "people_stand_apart"
    entered(hub.enrol("ben", "approver"))
