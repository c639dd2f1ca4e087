"""What does a history say, read whole, cut short, or of another case type?"""

from dataclasses import replace

from models.hub import (
    approval_of,
    force_request_of,
    halt_of,
    live_policy_id,
    made_live_by,
    open_proposals,
    previous_policy_id,
    resume_request_of,
    running_ab,
    version_of,
)
from models.hub.record.readers import lineage_of
from tests.hub import EVIDENCE, MIDDLE, THIN, TRIED, WIDE, Hub


def test_before_anything_there_is_nothing():
    """Every reader has an answer for an empty history."""
    for read in (live_policy_id, previous_policy_id, made_live_by, halt_of, running_ab):
        assert read([], "ato") is None
    assert resume_request_of([], "ato") is None
    assert approval_of([], "ato", "p") is force_request_of([], "ato", "p") is None
    assert (version_of([], "ato"), open_proposals([], "ato")) == (0, ())


def test_every_cut_of_a_history_says_what_was_so_then():
    """The live policy after each entry; read again from the whole history, cut at that entry."""
    hub, then = Hub(), []
    steps = [
        lambda: hub.propose(WIDE),
        lambda: hub.approve(WIDE),
        lambda: hub.promote(WIDE),
        lambda: hub.narrow(WIDE, MIDDLE),
        lambda: hub.request_force(THIN),
        lambda: hub.force(THIN),
        lambda: hub.trip(THIN),
        lambda: hub.request_roll_back(),
        lambda: hub.roll_back(),
    ]
    for step in steps:
        step()
        then.append(hub.live())
    wide, middle, thin = (one.policy_id for one in (WIDE, MIDDLE, THIN))
    assert then == [None, None, wide, middle, middle, thin, thin, thin, middle]
    assert [live_policy_id(hub.history[: at + 1], "ato") for at in range(len(then))] == then


def test_a_lineage_runs_back_over_forces_and_repeated_promotions():
    """THIN, WIDE, THIN again: back is WIDE, then THIN."""
    hub = Hub()
    hub.make_live(THIN)
    hub.request_force(WIDE)
    hub.force(WIDE)
    hub.make_live(THIN)
    assert lineage_of(hub.history, "ato") == [THIN.policy_id, WIDE.policy_id, THIN.policy_id]
    hub.request_roll_back()
    assert hub.roll_back().policy_id == WIDE.policy_id
    assert hub.roll_back().policy_id == THIN.policy_id


def test_what_made_a_policy_live():
    """The last change, whichever kind it was."""
    hub = Hub()
    hub.make_live(THIN)
    hub.make_live(WIDE)
    assert made_live_by(hub.history, "ato").kind == "promoted"
    hub.narrow(WIDE, MIDDLE)
    assert made_live_by(hub.history, "ato").kind == "narrowed"
    hub.roll_back()
    assert made_live_by(hub.history, "ato").policy_id == THIN.policy_id


def test_case_types_do_not_see_each_other():
    """Proposals, brakes and versions belong to one case type."""
    hub = Hub()
    other = replace(THIN, case_type="kyc_audit")
    hub.propose(other, case_type="kyc_audit")
    hub.halt()
    assert open_proposals(hub.history, "ato") == ()
    assert halt_of(hub.history, "kyc_audit") is None
    assert (version_of(hub.history, "ato"), version_of(hub.history, "kyc_audit")) == (1, 1)


def test_a_later_proposal_of_a_policy_takes_the_earlier_ones_place():
    """One waits, on the newest evidence."""
    hub = Hub()
    hub.propose(TRIED)
    hub.propose(TRIED, evidence="f" * 64)
    (waiting,) = open_proposals(hub.history, "ato")
    assert waiting.evidence_digest == "f" * 64 != EVIDENCE
