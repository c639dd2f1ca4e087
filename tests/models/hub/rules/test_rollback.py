"""Who may go back, and when does that take a second person?"""

import pytest

from models.hub import RollBack, rollback_request_of
from models.hub.rules.people import GUARDRAIL, ROLL_BACK
from tests.hub import MIDDLE, THIN, WIDE, a_policy, a_team, entered, rule

OTHER_MODEL = a_policy(0.05, 0.95, model_digest="b" * 64)


def back_widens(before=WIDE, live=THIN):
    hub = a_team()
    hub.make_live(before)
    hub.make_live(live)
    return hub


@pytest.mark.parametrize("before", [WIDE, MIDDLE, OTHER_MODEL])
def test_a_rollback_that_widens_takes_two_people(before):
    """The entry names both, and in which respects it widened."""
    hub = back_widens(before)
    assert rule(hub.roll_back("ben")) == "rollback_widens"
    asked = entered(hub.request_roll_back("ben"))
    assert (asked.kind, asked.policy_id) == ("rollback_requested", before.policy_id)
    assert hub.live() == THIN.policy_id
    assert rule(hub.roll_back(" B\u0435n ")) in ("two_people_roll_back", "actor_is_enrolled")
    done = entered(hub.roll_back("cai"))
    assert (hub.live(), done.dossier["requested_by"]) == (before.policy_id, "ben")
    assert done.dossier["widens"]


@pytest.mark.parametrize("flow", [ROLL_BACK, GUARDRAIL])
def test_no_flow_widens_even_where_a_person_asked(flow):
    hub = back_widens()
    hub.trip(THIN)
    hub.request_roll_back("ben")
    assert rule(hub.roll_back(flow)) == "rollback_widens"
    assert rule(hub.request_roll_back(flow)) == "role_permits"
    assert hub.live() == THIN.policy_id


def test_what_is_not_shown_to_the_rule_counts_as_wider():
    """A command that brings no policies, or others than those it is about."""
    hub = back_widens(THIN, WIDE)
    bare = {"live": None, "target": None}
    assert rule(hub.ask(RollBack, actor="ben", **bare)) == "rollback_widens"
    others = {"live": WIDE, "target": OTHER_MODEL}
    assert rule(hub.ask(RollBack, actor="ben", **others)) == "rollback_widens"
    assert entered(hub.roll_back("ben")).policy_id == THIN.policy_id


def test_what_widens_nothing_takes_one_and_asks_for_no_second():
    hub = back_widens(THIN, WIDE)
    assert rule(hub.request_roll_back()) == "rollback_needs_no_second"
    assert entered(hub.roll_back("cai")).policy_id == THIN.policy_id


@pytest.mark.parametrize("end", ["revoke", "refuse", "promote", "narrow", "roll back"])
def test_a_wish_ends_with_who_asked_with_a_refusal_and_with_the_live_policy(end):
    """Half a step for two is worth nothing afterwards."""
    hub = back_widens(WIDE, MIDDLE)
    hub.request_roll_back("ben")
    assert rollback_request_of(hub.history, "ato").actor == "ben"
    if end == "revoke":
        hub.revoke("ben")
    elif end == "refuse":
        entered(hub.refuse(WIDE, "ana"))
    elif end == "promote":
        hub.make_live(THIN)
    elif end == "narrow":
        entered(hub.narrow(MIDDLE, THIN))
    else:
        entered(hub.roll_back("cai"))
    assert rollback_request_of(hub.history, "ato") is None
    if end != "roll back":
        assert rule(hub.roll_back("cai")) == "rollback_widens"


def test_a_wish_needs_a_reason_somewhere_to_go_and_is_made_once():
    hub = a_team()
    assert rule(hub.request_roll_back()) == "nothing_to_roll_back_to"
    hub.make_live(WIDE)
    hub.make_live(THIN)
    assert rule(hub.request_roll_back(reason=" ")) == "reason_is_given"
    entered(hub.request_roll_back())
    assert rule(hub.request_roll_back("cai")) == "two_people_roll_back"


def test_undoing_a_narrowing_is_named_as_such():
    hub = back_widens(MIDDLE, WIDE)
    hub.narrow(WIDE, THIN)
    told = entered(hub.request_roll_back("ben")).dossier["widens"]
    assert told[-1].startswith("it undoes the narrowing of ")
