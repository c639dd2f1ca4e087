"""Who agrees to what, on what they saw, and what makes another policy live?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.errors import GateRefused, UserError
from flows.verbs.certify.generation import last_version
from flows.verbs.desk import Desk
from flows.verbs.govern.approve import (
    approve,
    find_approved,
    find_policy,
    find_proposal,
    find_waiting,
    pending,
    refuse,
)
from flows.verbs.govern.promote import (
    approve_and_promote,
    force,
    promote,
    promote_approved,
    roll_back,
)
from flows.verbs.govern.submit import submitted
from models.hub import ConcludeAb, Entry, EntryKind, Narrow, Policy, dossier_digest
from models.hub.rules.people import NIGHT, PROMOTE_BOUNDARY, VALIDATE_AB
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    A_PLAN,
    ANA,
    AUDREY,
    BEN,
    DAY,
    NAME,
    NARROW,
    NOW,
    OLA,
    OTHER,
    WIDE,
    digest_of,
    filed,
    made_live,
    policy,
    with_model,
)


def concluded(desk: Desk, policy_id: str, verdict: str) -> Entry:
    """The A/B test of a policy is over."""
    return submitted(
        desk,
        ConcludeAb(
            case_type=NAME,
            policy_id=policy_id,
            verdict=verdict,  # type: ignore[arg-type]
            actor=VALIDATE_AB,
            base_version=last_version(desk, NAME),
            evidence_digest=digest_of("the A/B"),
        ),
        NOW,
    )


def rules(desk: Desk) -> list[str]:
    return [kept.rule.value for kept in desk.ledger.refusals(NAME)]


def test_the_approval_keeps_what_was_seen(desk: Desk) -> None:
    """The proposal's whole dossier, its digest, and the note."""
    proposal = filed(desk, policy())
    entry = approve(desk, proposal, ANA, NOW, "read it twice")
    assert (entry.kind, entry.actor) == (EntryKind.APPROVED, ANA)
    assert entry.dossier["seen"] == proposal.dossier
    assert entry.dossier["dossier_digest"] == dossier_digest(proposal)
    assert entry.dossier["note"] == "read it twice"


def test_files_are_checked_before_the_approval_and_again_before_the_promotion(desk: Desk) -> None:
    """Gone before: no approval. Gone in between: no promotion, and none of an A/B test either."""
    proposal = filed(desk, policy())
    del desk.registry.digests[NAME, "1"]
    with pytest.raises(GateRefused, match=r"no model.ubj"):
        approve(desk, proposal, ANA, NOW)
    desk.registry.digests[NAME, "1"] = digest_of("1")
    approve(desk, proposal, ANA, NOW)
    tried = filed(desk, policy(WIDE, ab_plan=A_PLAN))
    approve(desk, tried, ANA, NOW)
    del desk.registry.digests[NAME, "1"]
    for one in (proposal, tried):
        with pytest.raises(GateRefused, match=r"no model.ubj"):
            promote(desk, one, ANA, NOW)
    assert desk.ledger.live_policy(NAME) is None
    assert desk.ledger.history(NAME)[-1].kind is EntryKind.APPROVED
    assert {one["kind"] for one in desk.alerts.recent(5)} == {"model_files_refused"}


def test_an_approval_is_on_the_proposal_that_was_read(desk: Desk) -> None:
    """Proposed again in the meantime, on other evidence: the older reading approves nothing."""
    read = filed(desk, policy())
    filed(desk, policy(), NOW + DAY)
    with pytest.raises(GateRefused, match="approve that"):
        approve(desk, read, ANA, NOW + DAY)
    assert rules(desk) == ["approval_binds_to_evidence"]


@pytest.mark.parametrize("actor", [OLA, AUDREY, NIGHT, PROMOTE_BOUNDARY, "nobody"])
def test_only_an_approver_approves(desk: Desk, actor: str) -> None:
    """No operator, no auditor, no flow, nobody unknown; the refusal is kept."""
    with pytest.raises(GateRefused):
        approve(desk, filed(desk, policy()), actor, NOW)
    assert len(rules(desk)) == 1


def test_what_waits_is_listed_with_what_it_waits_for(desk: Desk) -> None:
    """An approval, an A/B test, its conclusion, a promotion; nothing once it is live."""
    first, second = policy(NARROW), policy(WIDE, ab_plan=A_PLAN)
    other = policy(NARROW, case_type=OTHER)

    def waits() -> dict[str, str]:
        return {one["policy_id"]: one["waits_for"] for one in pending(desk)}

    proposals = [filed(desk, one) for one in (first, second, other)]
    assert waits() == dict.fromkeys([p.policy_id for p in (first, second, other)], "approval")
    approve(desk, proposals[0], ANA, NOW)
    approve(desk, proposals[1], ANA, NOW)
    assert waits()[first.policy_id] == "promotion"
    assert waits()[second.policy_id] == "A/B test"
    promote(desk, proposals[1], OLA, NOW)
    assert waits()[second.policy_id] == "A/B test runs"
    concluded(desk, second.policy_id, "promote")
    assert waits()[second.policy_id] == "promotion"
    promote(desk, proposals[1], OLA, NOW)
    assert waits() == {other.policy_id: "approval"}
    (row,) = pending(desk)
    assert (row["proposer"], row["pass_at_or_below"], row["automation_rate"]) == (NIGHT, 0.1, 0.5)


def test_a_proposal_is_found_by_its_first_characters(desk: Desk) -> None:
    """Or, where only one waits, without any."""
    proposal = filed(desk, policy())
    found = str(proposal.policy_id)
    assert find_waiting(desk, found[:8]) == find_waiting(desk, None) == proposal
    assert find_proposal(desk, found[:8], NAME) == (proposal, False)
    approve(desk, proposal, ANA, NOW)
    assert find_proposal(desk, found[:8]) == (proposal, True)
    assert find_approved(desk, found) == proposal
    assert find_policy(desk, found[:8]) == policy()


@pytest.mark.parametrize("find", [find_waiting, find_proposal, find_approved, find_policy])
def test_an_empty_id_finds_nothing(desk: Desk, find) -> None:
    """An unset variable of a shell must not approve, promote or force whatever is there."""
    filed(desk, policy())
    with pytest.raises(UserError, match="an empty policy id was given"):
        find(desk, "")


def test_a_proposal_that_is_not_there_is_answered_with_what_is(desk: Desk) -> None:
    """None fits or several do; both sentences name what there is and how to go on."""
    first, second = filed(desk, policy(NARROW)), filed(desk, policy(WIDE))
    with pytest.raises(UserError) as none:
        find_waiting(desk, "zzz")
    assert "the proposal 'zzz' was asked for, and none fits" in str(none.value)
    for one in (first, second):
        assert f"{NAME} {str(one.policy_id)[:12]}" in str(none.value)
    with pytest.raises(UserError, match="the only proposal was asked for, and several fit"):
        find_waiting(desk, None)
    with pytest.raises(UserError, match=r"of other_case was asked for, and none fits.*none"):
        find_waiting(desk, None, OTHER)
    with pytest.raises(UserError, match="none fits; approved: none"):
        find_approved(desk, str(first.policy_id))
    with pytest.raises(UserError, match="the ledger names none like it"):
        find_policy(desk, "zzz")
    start = str(first.policy_id)[0]
    cuts = (Boundary(0.001 * step, None) for step in range(1, 500))
    filed(desk, policy(next(cut for cut in cuts if policy(cut).policy_id[0] == start)))
    with pytest.raises(UserError, match=r"[2-9] fit"):
        find_policy(desk, start)


def test_a_refusal_needs_a_reason_and_withdraws_an_approval(desk: Desk) -> None:
    """Once refused it is judged: neither approved nor refused again."""
    proposal = filed(desk, policy())
    with pytest.raises(UserError, match="say why"):
        refuse(desk, proposal, ANA, "  ", NOW)
    approve(desk, proposal, ANA, NOW)
    entry = refuse(desk, proposal, BEN, " second thoughts ", NOW)
    assert (entry.kind, entry.dossier["reason"]) == (EntryKind.REFUSED, "second thoughts")
    with pytest.raises(GateRefused, match="no approval that is still in force"):
        promote(desk, proposal, ANA, NOW)
    for judged in (lambda: approve(desk, proposal, ANA, NOW), lambda: refuse(desk, proposal, ANA, "again", NOW)):  # fmt: skip
        with pytest.raises(GateRefused, match="already judged"):
            judged()


def test_a_policy_that_was_refused_is_proposed_again_approved_anew_and_promoted(desk: Desk) -> None:
    """An approval of its first proposal is spent, and does not stand in for that of the second."""
    first = filed(desk, policy())
    approve(desk, first, ANA, NOW)
    refuse(desk, first, BEN, "second thoughts", NOW)
    again = filed(desk, policy(), NOW + DAY)
    promoted = approve_and_promote(desk, NAME, str(again.policy_id), BEN, NOW + DAY)
    assert promoted.kind is EntryKind.PROMOTED
    kinds = [(one.kind, one.actor) for one in desk.ledger.history(NAME) if one.seq > again.seq]
    assert kinds == [(EntryKind.APPROVED, BEN), (EntryKind.PROMOTED, BEN)]
    asked_again = approve_and_promote(desk, NAME, str(again.policy_id), BEN, NOW + DAY)
    assert asked_again == promoted


def test_without_a_plan_an_approved_policy_is_promoted_and_the_aliases_follow(desk: Desk) -> None:
    """Not before its approval, and by a flow as by a person."""
    proposal = filed(desk, policy())
    with pytest.raises(GateRefused, match="no approval"):
        promote_approved(desk, proposal, NOW)
    approve(desk, proposal, ANA, NOW)
    entry = promote_approved(desk, proposal, NOW)
    assert (entry.kind, entry.actor) == (EntryKind.PROMOTED, PROMOTE_BOUNDARY)
    assert desk.ledger.live_policy(NAME) == policy()
    assert desk.registry.aliases(NAME) == {"champion": "1"}
    with pytest.raises(GateRefused, match="already live"):
        promote(desk, proposal, ANA, NOW)


def test_with_a_plan_it_is_tried_first(desk: Desk) -> None:
    """Started, not promoted; asked for again, the test's conclusion is awaited; a second policy is
    told which one runs."""
    made_live(desk, policy(NARROW))
    tried, rival = policy(WIDE, ab_plan=A_PLAN), policy(Boundary(0.2, 0.8), ab_plan=A_PLAN)
    proposals = [filed(desk, one) for one in (tried, rival)]
    for one in proposals:
        approve(desk, one, ANA, NOW)
    entry = promote(desk, proposals[0], OLA, NOW)
    assert (entry.kind, entry.dossier["control"]) == (
        EntryKind.AB_STARTED,
        policy(NARROW).policy_id,
    )
    assert desk.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="has proven nothing yet"):
        promote(desk, proposals[0], OLA, NOW)
    with pytest.raises(GateRefused, match=f"An A/B test of {tried.policy_id[:12]} runs"):
        promote(desk, proposals[1], OLA, NOW)
    assert rules(desk) == ["promote_needs_ab", "one_ab_at_a_time"]
    concluded(desk, tried.policy_id, "promote")
    assert promote(desk, proposals[0], OLA, NOW).kind is EntryKind.PROMOTED


def test_a_test_that_proved_nothing_spends_the_approval(desk: Desk) -> None:
    """The policy has to be proposed and approved anew."""
    proposal = filed(desk, policy(WIDE, ab_plan=A_PLAN))
    approve(desk, proposal, ANA, NOW)
    promote(desk, proposal, ANA, NOW)
    concluded(desk, str(proposal.policy_id), "stop")
    assert pending(desk) == []
    with pytest.raises(GateRefused, match="no approval that is still in force"):
        promote(desk, proposal, ANA, NOW)


def test_a_forced_policy_takes_two_approvers_and_is_marked(desk: Desk) -> None:
    """The first one asks and changes nothing; the same one cannot agree; the second one's command
    makes it live, with both names and both reasons."""
    made_live(desk, policy(NARROW))
    asked = force(desk, policy(WIDE), ANA, "an attack", NOW)
    assert asked.kind is EntryKind.FORCE_REQUESTED
    assert desk.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="a second approver must agree"):
        force(desk, policy(WIDE), ANA.upper(), "me again", NOW)
    with pytest.raises(GateRefused, match="takes the role approver"):
        force(desk, policy(WIDE), OLA, "me too", NOW)
    forced = force(desk, policy(WIDE), BEN, "seen it", NOW)
    assert forced.kind is EntryKind.FORCED
    assert dict(forced.dossier) == {
        "second_reason": "seen it",
        "forced": True,
        "reason": "an attack",
        "approvers": [ANA, BEN],
    }
    assert desk.ledger.live_policy(NAME) == policy(WIDE)
    assert desk.registry.aliases(NAME)["champion"] == "1"


def test_nothing_is_forced_without_its_files_or_a_reason(desk: Desk) -> None:
    with pytest.raises(GateRefused, match="No reason is given"):
        force(desk, policy(), ANA, " ", NOW)
    del desk.registry.digests[NAME, "1"]
    with pytest.raises(GateRefused, match=r"no model\.ubj"):
        force(desk, policy(), ANA, "an attack", NOW)
    assert desk.ledger.live_policy(NAME) is None


def test_a_rollback_returns_to_the_policy_before_and_needs_a_reason(desk: Desk) -> None:
    """Then nothing is left to return to; an unknown case type is a typing error, not a refusal."""
    made_live(desk, policy(NARROW))
    made_live(desk, policy(WIDE), NOW + DAY)
    with pytest.raises(UserError, match="say why"):
        roll_back(desk, NAME, OLA, " ", NOW)
    with pytest.raises(UserError, match=r"no case type 'smal'.*small_case, other_case"):
        roll_back(desk, "smal", OLA, "a test", NOW)
    entry = roll_back(desk, NAME, OLA, "a test", NOW)
    assert (entry.kind, entry.policy_id) == (EntryKind.ROLLED_BACK, policy(NARROW).policy_id)
    assert entry.dossier["rolled_back_from"] == policy(WIDE).policy_id
    assert desk.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="no policy promoted before"):
        roll_back(desk, NAME, OLA, "again", NOW)


def test_what_mlflow_does_not_take_is_told_and_the_entry_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aliases are a projection; deciding does not ask them."""

    def refused(*_: object) -> None:
        raise GateRefused("no such version")

    monkeypatch.setattr(desk.registry, "point_alias", refused)
    assert made_live(desk, policy()).kind is EntryKind.PROMOTED
    assert [one["kind"] for one in desk.alerts.recent(5)] == ["aliases_not_projected"]


def test_a_policy_of_another_case_type_is_not_found_there(desk: Desk) -> None:
    """Asked for by both names, the error says where it looked."""
    elsewhere = filed(desk, replace(policy(), case_type=OTHER, model_name=OTHER))
    with pytest.raises(UserError, match="of small_case was asked for, and none fits"):
        find_proposal(desk, str(elsewhere.policy_id), NAME)


def narrowed(desk: Desk, version: str = "1") -> Policy:
    """A boundary between the two others goes live, and the night narrows it a little."""
    live = policy(Boundary(0.2, 0.8), version)
    made_live(desk, live, NOW + DAY)
    narrow = Narrow(
        case_type=NAME,
        incumbent=live,
        narrowed=replace(live, boundary=Boundary(0.15, 0.85)),
        actor=NIGHT,
        base_version=last_version(desk, NAME),
    )
    assert isinstance(desk.ledger.submit(narrow, NOW + DAY), Entry)
    return narrow.narrowed


def test_one_persons_rollback_does_not_undo_a_narrowing(desk: Desk) -> None:
    """The one before was wider: it waits for a second person, who is told what they agree to."""
    made_live(desk, policy(WIDE))
    live = narrowed(desk)
    asked = roll_back(desk, NAME, OLA, "a test", NOW + DAY)
    assert (asked.kind, asked.policy_id) == ("rollback_requested", policy(WIDE).policy_id)
    assert asked.dossier["widens"][0] == "it passes more and blocks more"
    assert asked.dossier["widens"][-1].startswith("it undoes the narrowing of 2026-05-05")
    assert desk.ledger.live_policy(NAME) == live
    with pytest.raises(GateRefused, match="ola asked for it already; a second person must agree"):
        roll_back(desk, NAME, OLA, "a test", NOW + DAY)
    agreed = roll_back(desk, NAME, ANA, "so it is", NOW + DAY)
    assert agreed.dossier["requested_by"] == OLA
    assert desk.ledger.live_policy(NAME) == policy(WIDE)


def test_past_a_narrowing_a_rollback_goes_to_what_decides_less(desk: Desk) -> None:
    made_live(desk, policy(NARROW))
    narrowed(desk)
    roll_back(desk, NAME, OLA, "a test", NOW + DAY)
    assert desk.ledger.live_policy(NAME) == policy(NARROW)


def test_past_a_narrowing_two_people_return_to_another_model(desk: Desk) -> None:
    """Nothing was refuted of that one, and nothing shows that it decides less."""
    made_live(desk, policy(WIDE))
    with_model(desk, "2", NOW)
    live = narrowed(desk, "2")
    roll_back(desk, NAME, OLA, "a test", NOW + DAY)
    assert desk.ledger.live_policy(NAME) == live
    roll_back(desk, NAME, ANA, "a test", NOW + DAY)
    assert desk.ledger.live_policy(NAME) == policy(WIDE)
