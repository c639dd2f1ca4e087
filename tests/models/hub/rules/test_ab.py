"""When may an approved policy be tried, and what ends or proves its trial?"""

from dataclasses import replace

import pytest

from models.hub import ConcludeAb, proven_ab, running_ab
from models.hub.record.readers import stopped_ab
from tests.hub import (
    EVIDENCE,
    MIDDLE,
    OTHER_EVIDENCE,
    THIN,
    TRIED,
    Hub,
    a_team,
    entered,
    rule,
)


def trying() -> Hub:
    """THIN is live, TRIED was approved and runs against it."""
    hub = Hub()
    hub.make_live(THIN)
    entered(hub.propose(TRIED))
    entered(hub.approve(TRIED))
    entered(hub.start_ab())
    return hub


def runs(hub: Hub) -> bool:
    return running_ab(hub.history, "ato") is not None


def test_a_policy_with_a_plan_goes_live_by_its_proof():
    """Started, concluded, promoted: each needs the one before."""
    hub = Hub()
    hub.make_live(THIN)
    hub.propose(TRIED)
    assert rule(hub.start_ab()) == "ab_needs_approval"
    hub.approve(TRIED)
    assert rule(hub.conclude_ab()) == "no_ab_to_conclude"
    assert rule(hub.promote(TRIED)) == "promote_needs_ab"
    started = entered(hub.start_ab())
    assert started.dossier["control"] == THIN.policy_id
    assert started.dossier["ab_plan"] == TRIED.ab_plan.document()
    assert rule(hub.promote(TRIED)) == "promote_needs_ab"
    entered(hub.conclude_ab())
    assert entered(hub.promote(TRIED)).policy_id == hub.live() == TRIED.policy_id


def test_without_a_plan_there_is_nothing_to_start():
    """Horizon and margins are registered before the first case, or never."""
    hub = Hub()
    hub.propose(THIN)
    hub.approve(THIN)
    assert rule(hub.start_ab(THIN)) == "ab_is_registered"


def test_one_trial_at_a_time():
    """Nor another policy's, nor the same one's again, nor what is proven already."""
    hub, other = trying(), replace(TRIED, boundary=MIDDLE.boundary)
    hub.propose(other)
    hub.approve(other)
    assert rule(hub.start_ab(other)) == rule(hub.start_ab()) == "one_ab_at_a_time"
    hub.conclude_ab()
    assert rule(hub.start_ab()) == "one_ab_at_a_time"


def test_a_conclusion_names_its_evidence_and_the_policy_that_runs():
    """Neither another policy's trial nor a bare word ends this one."""
    hub = trying()
    assert rule(hub.conclude_ab(evidence="")) == "evidence_is_named"
    assert rule(hub.conclude_ab(policy=MIDDLE)) == "no_ab_to_conclude"
    entered(hub.conclude_ab())
    assert rule(hub.conclude_ab()) == "no_ab_to_conclude"


def test_a_conclusion_promotes_or_stops():
    """There is no third word."""
    with pytest.raises(ValueError, match="promote or stop"):
        ConcludeAb(
            case_type="ato", policy_id="p", verdict="peeked", actor="ana", base_version=0,
            evidence_digest=EVIDENCE,
        )  # fmt: skip


def test_a_stopped_trial_spends_the_approval():
    """Not proven: proposed and approved anew, or never live."""
    hub = trying()
    hub.conclude_ab("stop")
    assert rule(hub.promote(TRIED)) == "promote_needs_approval"
    assert rule(hub.start_ab()) == "ab_needs_approval"


@pytest.mark.parametrize(
    "end", ["halt", "refuse", "roll_back", "promote", "narrow", "force", "revoke"]
)
def test_what_ends_a_trial(end):
    """A brake, a change of mind, and every change of what it is held against."""
    hub = a_team()
    hub.make_live(THIN)
    hub.make_live(MIDDLE)
    hub.propose(TRIED)
    hub.approve(TRIED)
    hub.start_ab()
    assert runs(hub)
    if end == "halt":
        hub.halt()
    elif end == "refuse":
        entered(hub.refuse(TRIED, "ben"))
    elif end == "roll_back":
        hub.roll_back()
    elif end == "narrow":
        hub.narrow(MIDDLE, THIN)
    elif end == "force":
        hub.request_force(THIN)
        hub.force(THIN)
    elif end == "revoke":
        entered(hub.revoke("ben", "ana"))
    else:
        other = replace(THIN, model_version="2")
        hub.make_live(other)
    assert not runs(hub)
    assert rule(hub.conclude_ab()) == "no_ab_to_conclude"


def test_a_trial_is_not_undone_by_the_nights_next_proposal():
    """The same policy on new evidence would take the approval from under the trial."""
    hub = trying()
    assert rule(hub.propose(TRIED, evidence=OTHER_EVIDENCE)) == "already_proposed"
    hub.conclude_ab()
    assert entered(hub.promote(TRIED)).policy_id == TRIED.policy_id


def test_a_proof_does_not_outlive_its_approval():
    """Withdrawn after the proof, and approved again: it is tried again."""
    hub = trying()
    hub.conclude_ab()
    hub.refuse(TRIED)
    hub.propose(TRIED, evidence=OTHER_EVIDENCE)
    hub.approve(TRIED, evidence=OTHER_EVIDENCE)
    assert proven_ab(hub.history, "ato", TRIED.policy_id) is None
    assert rule(hub.promote(TRIED)) == "promote_needs_ab"


def test_a_proof_does_not_outlive_its_control():
    """Proven against THIN is not proven against MIDDLE."""
    hub = trying()
    hub.conclude_ab()
    hub.make_live(MIDDLE)
    assert rule(hub.promote(TRIED)) == "promote_needs_approval"


def test_a_new_test_is_split_by_a_new_salt():
    """The same policy may be approved again, and is not tried again by the arms it had."""
    hub = trying()
    hub.conclude_ab("stop")
    hub.propose(TRIED, evidence=OTHER_EVIDENCE)
    hub.approve(TRIED, evidence=OTHER_EVIDENCE)
    assert rule(hub.start_ab()) == "ab_salt_is_new"
    again = replace(TRIED, ab_plan=replace(TRIED.ab_plan, salt="ab-1.2"))
    hub.propose(again)
    hub.approve(again)
    assert entered(hub.start_ab(again)).dossier["ab_plan"]["salt"] == "ab-1.2"


def test_a_halted_test_may_go_on_by_the_same_policy():
    """Nobody has judged it, and its approval stands."""
    hub = trying()
    hub.halt()
    hub.resume("ana")
    entered(hub.resume("ben"))
    entered(hub.start_ab())


@pytest.mark.parametrize("end", ["stop", "halt", "refuse"])
def test_what_ended_without_a_proof_is_found(end):
    """Until another test starts or the live policy changes; a proof is no such end."""
    hub = trying()
    started = hub.history[-1]
    assert stopped_ab(hub.history, "ato") is None
    if end == "stop":
        hub.conclude_ab("stop")
    elif end == "halt":
        hub.halt()
    else:
        hub.refuse(TRIED)
    assert stopped_ab(hub.history, "ato") == (started, hub.history[-1])
    if end == "halt":
        hub.resume("ana")
        hub.resume("ben")
    hub.make_live(MIDDLE)
    assert stopped_ab(hub.history, "ato") is None


def test_the_revocation_of_its_approver_ends_it_without_a_proof():
    hub = a_team()
    hub.make_live(THIN)
    hub.propose(TRIED)
    hub.approve(TRIED)
    started = entered(hub.start_ab())
    revoked = entered(hub.revoke("ben", "ana"))
    assert stopped_ab(hub.history, "ato") == (started, revoked)


def test_a_proven_test_did_not_end_without_a_proof():
    hub = trying()
    hub.conclude_ab()
    assert stopped_ab(hub.history, "ato") is None
