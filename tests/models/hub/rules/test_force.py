"""When does a policy go live without its proof?"""

from tests.hub import MIDDLE, THIN, TRIED, WIDE, Hub, entered, rule


def test_two_approvers_force_and_it_is_marked():
    """The reason and both names stand in the entry for ever."""
    hub = Hub()
    hub.make_live(THIN)
    entered(hub.request_force(WIDE, "ana", " an attack "))
    forced = entered(hub.force(WIDE, "ben"))
    assert hub.live() == WIDE.policy_id
    assert forced.dossier == {"forced": True, "reason": "an attack", "approvers": ["ana", "ben"]}
    assert hub.roll_back().policy_id == THIN.policy_id


def test_nobody_forces_alone():
    """Nor under two spellings of one name."""
    hub = Hub()
    hub.request_force(WIDE, "ana")
    for name in ("ana", " ANA", "\uff41na", "\u0430na", "a\u200bna"):
        assert rule(hub.force(WIDE, name)) == "two_approvers_force"


def test_a_reason_is_given():
    """Blanks are none."""
    assert rule(Hub().request_force(WIDE, reason="  ")) == "reason_is_given"


def test_only_what_was_asked_for_is_forced():
    """Nothing, or another policy, or one for another case type."""
    hub = Hub()
    assert rule(hub.force(WIDE)) == "nothing_to_force"
    hub.request_force(WIDE)
    assert rule(hub.force(MIDDLE)) == "nothing_to_force"
    other = Hub()
    other.make_live(THIN)
    assert rule(other.request_force(THIN)) == "already_live"


def test_a_wish_to_force_does_not_outlive_the_live_policy():
    """Asked against THIN, it must be asked again against MIDDLE."""
    hub = Hub()
    hub.make_live(THIN)
    hub.request_force(WIDE)
    hub.make_live(MIDDLE)
    assert rule(hub.force(WIDE)) == "nothing_to_force"


def test_a_wish_to_force_can_be_turned_down():
    """Else it would wait for its second approver for ever."""
    hub = Hub()
    hub.request_force(WIDE)
    assert entered(hub.refuse(WIDE)).kind == "refused"
    assert rule(hub.force(WIDE)) == "nothing_to_force"
    hub.request_force(WIDE)
    assert entered(hub.force(WIDE)).kind == "forced"


def test_a_halt_is_not_forced_away():
    """Neither asked for nor agreed to while every case goes to review."""
    hub = Hub()
    hub.request_force(WIDE)
    hub.halt()
    assert rule(hub.request_force(MIDDLE)) == rule(hub.force(WIDE)) == "is_halted"


def test_a_forced_policy_ends_what_was_argued_against_the_old_one():
    """Approvals, proposals and trials must be made anew."""
    hub = Hub()
    hub.make_live(THIN)
    hub.propose(TRIED)
    hub.approve(TRIED)
    hub.request_force(WIDE)
    hub.force(WIDE)
    assert rule(hub.start_ab()) == "ab_needs_approval"
    assert rule(hub.promote(TRIED)) == "promote_needs_approval"
