"""When may a case type be stopped, and who may let it run again?"""

import pytest

from models.hub import is_halted, resume_request_of
from tests.hub import MIDDLE, THIN, TRIED, WIDE, Hub, a_team, entered, rule


def test_one_person_halts_and_two_resume():
    """The live policy stays what it is; only the brake changes."""
    hub = Hub()
    hub.make_live(THIN)
    assert entered(hub.halt(reason=" a burst ")).dossier["reason"] == "a burst"
    assert is_halted(hub.history, "ato")
    assert entered(hub.resume("ana")).kind == "resume_requested"
    assert is_halted(hub.history, "ato")
    assert entered(hub.resume("ben")).dossier["requested_by"] == "ana"
    assert not is_halted(hub.history, "ato")
    assert hub.live() == THIN.policy_id


@pytest.mark.parametrize(
    "name", ["ana", " Ana ", "A\u0301na", "\uff21\uff2e\uff21", "an\u0430", "an\u00ada"]
)
def test_nobody_resumes_alone(name):
    """One person under two spellings is one person."""
    hub = Hub()
    hub.halt()
    hub.resume("ana")
    assert rule(hub.resume(name)) == "two_people_resume"


def test_a_wish_to_resume_does_not_outlive_its_halt():
    """Halted again, both must ask again."""
    hub = Hub()
    hub.halt()
    hub.resume("ana")
    hub.resume("ben")
    hub.halt()
    assert resume_request_of(hub.history, "ato") is None
    assert entered(hub.resume("ben")).kind == "resume_requested"


def test_halting_twice_and_resuming_what_runs_are_refused():
    """Each says what is the case."""
    hub = Hub()
    assert rule(hub.resume()) == "not_halted"
    hub.halt()
    assert rule(hub.halt()) == "is_halted"


@pytest.mark.parametrize("ask", ["halt", "resume"])
def test_a_reason_is_given(ask):
    """Whoever looks a year later must find it."""
    hub = Hub()
    if ask == "resume":
        hub.halt()
    assert rule(getattr(hub, ask)(reason=" ")) == "reason_is_given"


def test_nothing_starts_while_halted_and_everything_else_goes_on():
    """No trial and no promotion; proposals, approvals, narrowing and rollback do no harm."""
    hub = Hub()
    hub.make_live(THIN)
    hub.make_live(WIDE)
    hub.halt()
    entered(hub.propose(TRIED))
    entered(hub.approve(TRIED))
    assert rule(hub.start_ab()) == rule(hub.promote(TRIED)) == "is_halted"
    entered(hub.narrow(WIDE, MIDDLE))
    assert entered(hub.roll_back()).policy_id == THIN.policy_id
    assert is_halted(hub.history, "ato")


def test_a_halt_stops_one_case_type():
    """The others go on."""
    hub = Hub()
    hub.halt()
    assert not is_halted(hub.history, "kyc_audit")


def test_only_the_live_policys_guardrail_trips():
    """On evidence, and not for what no longer decides."""
    hub = Hub()
    assert rule(hub.trip(THIN)) == "only_the_live_policy_trips"
    hub.make_live(THIN)
    assert rule(hub.trip(THIN, evidence="")) == "evidence_is_named"
    assert entered(hub.trip(THIN)).kind == "guardrail_tripped"
    hub.make_live(MIDDLE)
    assert rule(hub.trip(THIN)) == "only_the_live_policy_trips"


def test_the_guardrail_takes_back_only_what_tripped():
    """Run twice after a crash, it does not roll back twice."""
    hub = a_team()
    for policy in (THIN, WIDE):
        hub.make_live(policy)
    assert rule(hub.roll_back("guardrail")) == "guardrail_trips_first"
    hub.trip(WIDE)
    assert entered(hub.roll_back("guardrail")).policy_id == THIN.policy_id
    assert rule(hub.roll_back("guardrail")) == "guardrail_trips_first"
    assert hub.live() == THIN.policy_id
