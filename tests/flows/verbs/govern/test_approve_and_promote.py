"""Who agrees to what, on what they saw, and what makes another policy live?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.errors import GateRefused, UserError
from flows.verbs.certify.generation import last_version
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
from flows.verbs.services import Services
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


def concluded(services: Services, policy_id: str, verdict: str) -> Entry:
    """The A/B test of a policy is over."""
    return submitted(
        services.ledger,
        ConcludeAb(
            case_type=NAME,
            policy_id=policy_id,
            verdict=verdict,  # type: ignore[arg-type]
            actor=VALIDATE_AB,
            base_version=last_version(services.ledger, NAME),
            evidence_digest=digest_of("the A/B"),
        ),
        NOW,
    )


def rules(services: Services) -> list[str]:
    return [kept.rule.value for kept in services.ledger.refusals(NAME)]


def test_the_approval_keeps_what_was_seen(services: Services) -> None:
    """The proposal's whole dossier, its digest, and the note."""
    proposal = filed(services, policy())
    entry = approve(services, proposal, ANA, NOW, "read it twice")
    assert (entry.kind, entry.actor) == (EntryKind.APPROVED, ANA)
    assert entry.dossier["seen"] == proposal.dossier
    assert entry.dossier["dossier_digest"] == dossier_digest(proposal)
    assert entry.dossier["note"] == "read it twice"


def test_files_are_checked_before_the_approval_and_again_before_the_promotion(
    services: Services,
) -> None:
    """Gone before: no approval. Gone in between: no promotion, and none of an A/B test either."""
    proposal = filed(services, policy())
    del services.registry.digests[NAME, "1"]
    with pytest.raises(GateRefused, match=r"no model.ubj"):
        approve(services, proposal, ANA, NOW)
    services.registry.digests[NAME, "1"] = digest_of("1")
    approve(services, proposal, ANA, NOW)
    tried = filed(services, policy(WIDE, ab_plan=A_PLAN))
    approve(services, tried, ANA, NOW)
    del services.registry.digests[NAME, "1"]
    for one in (proposal, tried):
        with pytest.raises(GateRefused, match=r"no model.ubj"):
            promote(services.ledger, services.registry, services.alerts, one, ANA, NOW)
    assert services.ledger.live_policy(NAME) is None
    assert services.ledger.history(NAME)[-1].kind is EntryKind.APPROVED
    assert {one["kind"] for one in services.alerts.recent(5)} == {"model_files_refused"}


def test_an_approval_is_on_the_proposal_that_was_read(services: Services) -> None:
    """Proposed again in the meantime, on other evidence: the older reading approves nothing."""
    read = filed(services, policy())
    filed(services, policy(), NOW + DAY)
    with pytest.raises(GateRefused, match="approve that"):
        approve(services, read, ANA, NOW + DAY)
    assert rules(services) == ["approval_binds_to_evidence"]


@pytest.mark.parametrize("actor", [OLA, AUDREY, NIGHT, PROMOTE_BOUNDARY, "nobody"])
def test_only_an_approver_approves(services: Services, actor: str) -> None:
    """No operator, no auditor, no flow, nobody unknown; the refusal is kept."""
    with pytest.raises(GateRefused):
        approve(services, filed(services, policy()), actor, NOW)
    assert len(rules(services)) == 1


def test_what_waits_is_listed_with_what_it_waits_for(services: Services) -> None:
    """An approval, an A/B test, its conclusion, a promotion; nothing once it is live."""
    first, second = policy(NARROW), policy(WIDE, ab_plan=A_PLAN)
    other = policy(NARROW, case_type=OTHER)

    def waits() -> dict[str, str]:
        return {one["policy_id"]: one["waits_for"] for one in pending(services)}

    proposals = [filed(services, one) for one in (first, second, other)]
    assert waits() == dict.fromkeys([p.policy_id for p in (first, second, other)], "approval")
    approve(services, proposals[0], ANA, NOW)
    approve(services, proposals[1], ANA, NOW)
    assert waits()[first.policy_id] == "promotion"
    assert waits()[second.policy_id] == "A/B test"
    promote(services.ledger, services.registry, services.alerts, proposals[1], OLA, NOW)
    assert waits()[second.policy_id] == "A/B test runs"
    concluded(services, second.policy_id, "promote")
    assert waits()[second.policy_id] == "promotion"
    promote(services.ledger, services.registry, services.alerts, proposals[1], OLA, NOW)
    assert waits() == {other.policy_id: "approval"}
    (row,) = pending(services)
    assert (row["proposer"], row["pass_at_or_below"], row["automation_rate"]) == (NIGHT, 0.1, 0.5)


def test_a_proposal_is_found_by_its_first_characters(services: Services) -> None:
    """Or, where only one waits, without any."""
    proposal = filed(services, policy())
    found = str(proposal.policy_id)
    assert (
        find_waiting(services.ledger, services.case_types, found[:8])
        == find_waiting(services.ledger, services.case_types, None)
        == proposal
    )
    assert find_proposal(services.ledger, services.case_types, found[:8], NAME) == (proposal, False)
    approve(services, proposal, ANA, NOW)
    assert find_proposal(services.ledger, services.case_types, found[:8]) == (proposal, True)
    assert find_approved(services.ledger, services.case_types, found) == proposal
    assert find_policy(services.ledger, found[:8]) == policy()


@pytest.mark.parametrize("find", [find_waiting, find_proposal, find_approved])
def test_an_empty_id_finds_nothing(services: Services, find) -> None:
    """An unset variable of a shell must not approve, promote or force whatever is there."""
    filed(services, policy())
    with pytest.raises(UserError, match="an empty policy id was given"):
        find(services.ledger, services.case_types, "")


def test_an_empty_id_finds_no_policy(services: Services) -> None:
    filed(services, policy())
    with pytest.raises(UserError, match="an empty policy id was given"):
        find_policy(services.ledger, "")


def test_a_proposal_that_is_not_there_is_answered_with_what_is(services: Services) -> None:
    """None fits or several do; both sentences name what there is and how to go on."""
    first, second = filed(services, policy(NARROW)), filed(services, policy(WIDE))
    with pytest.raises(UserError) as none:
        find_waiting(services.ledger, services.case_types, "zzz")
    assert "the proposal 'zzz' was asked for, and none fits" in str(none.value)
    for one in (first, second):
        assert f"{NAME} {str(one.policy_id)[:12]}" in str(none.value)
    with pytest.raises(UserError, match="the only proposal was asked for, and several fit"):
        find_waiting(services.ledger, services.case_types, None)
    with pytest.raises(UserError, match=r"of other_case was asked for, and none fits.*none"):
        find_waiting(services.ledger, services.case_types, None, OTHER)
    with pytest.raises(UserError, match="none fits; approved: none"):
        find_approved(services.ledger, services.case_types, str(first.policy_id))
    with pytest.raises(UserError, match="the ledger names none like it"):
        find_policy(services.ledger, "zzz")
    start = str(first.policy_id)[0]
    cuts = (Boundary(0.001 * step, None) for step in range(1, 500))
    filed(services, policy(next(cut for cut in cuts if policy(cut).policy_id[0] == start)))
    with pytest.raises(UserError, match=r"[2-9] fit"):
        find_policy(services.ledger, start)


def test_a_refusal_needs_a_reason_and_withdraws_an_approval(services: Services) -> None:
    """Once refused it is judged: neither approved nor refused again."""
    proposal = filed(services, policy())
    with pytest.raises(UserError, match="say why"):
        refuse(services.ledger, proposal, ANA, "  ", NOW)
    approve(services, proposal, ANA, NOW)
    entry = refuse(services.ledger, proposal, BEN, " second thoughts ", NOW)
    assert (entry.kind, entry.dossier["reason"]) == (EntryKind.REFUSED, "second thoughts")
    with pytest.raises(GateRefused, match="no approval that is still in force"):
        promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW)
    for judged in (lambda: approve(services, proposal, ANA, NOW), lambda: refuse(services.ledger, proposal, ANA, "again", NOW)):  # fmt: skip
        with pytest.raises(GateRefused, match="already judged"):
            judged()


def test_a_policy_that_was_refused_is_proposed_again_approved_anew_and_promoted(
    services: Services,
) -> None:
    """An approval of its first proposal is spent, and does not stand in for that of the second."""
    first = filed(services, policy())
    approve(services, first, ANA, NOW)
    refuse(services.ledger, first, BEN, "second thoughts", NOW)
    again = filed(services, policy(), NOW + DAY)
    promoted = approve_and_promote(services, NAME, str(again.policy_id), BEN, NOW + DAY)
    assert promoted.kind is EntryKind.PROMOTED
    kinds = [(one.kind, one.actor) for one in services.ledger.history(NAME) if one.seq > again.seq]
    assert kinds == [(EntryKind.APPROVED, BEN), (EntryKind.PROMOTED, BEN)]
    asked_again = approve_and_promote(services, NAME, str(again.policy_id), BEN, NOW + DAY)
    assert asked_again == promoted


def test_without_a_plan_an_approved_policy_is_promoted_and_the_aliases_follow(
    services: Services,
) -> None:
    """Not before its approval, and by a flow as by a person."""
    proposal = filed(services, policy())
    with pytest.raises(GateRefused, match="no approval"):
        promote_approved(services.ledger, services.registry, services.alerts, proposal, NOW)
    approve(services, proposal, ANA, NOW)
    entry = promote_approved(services.ledger, services.registry, services.alerts, proposal, NOW)
    assert (entry.kind, entry.actor) == (EntryKind.PROMOTED, PROMOTE_BOUNDARY)
    assert services.ledger.live_policy(NAME) == policy()
    assert services.registry.aliases(NAME) == {"champion": "1"}
    with pytest.raises(GateRefused, match="already live"):
        promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW)


def test_with_a_plan_it_is_tried_first(services: Services) -> None:
    """Started, not promoted; asked for again, the test's conclusion is awaited; a second policy is
    told which one runs."""
    made_live(services, policy(NARROW))
    tried, rival = policy(WIDE, ab_plan=A_PLAN), policy(Boundary(0.2, 0.8), ab_plan=A_PLAN)
    proposals = [filed(services, one) for one in (tried, rival)]
    for one in proposals:
        approve(services, one, ANA, NOW)
    entry = promote(services.ledger, services.registry, services.alerts, proposals[0], OLA, NOW)
    assert (entry.kind, entry.dossier["control"]) == (
        EntryKind.AB_STARTED,
        policy(NARROW).policy_id,
    )
    assert services.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="has proven nothing yet"):
        promote(services.ledger, services.registry, services.alerts, proposals[0], OLA, NOW)
    with pytest.raises(GateRefused, match=f"An A/B test of {tried.policy_id[:12]} runs"):
        promote(services.ledger, services.registry, services.alerts, proposals[1], OLA, NOW)
    assert rules(services) == ["promote_needs_ab", "one_ab_at_a_time"]
    concluded(services, tried.policy_id, "promote")
    assert (
        promote(services.ledger, services.registry, services.alerts, proposals[0], OLA, NOW).kind
        is EntryKind.PROMOTED
    )


def test_a_test_that_proved_nothing_spends_the_approval(services: Services) -> None:
    """The policy has to be proposed and approved anew."""
    proposal = filed(services, policy(WIDE, ab_plan=A_PLAN))
    approve(services, proposal, ANA, NOW)
    promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW)
    concluded(services, str(proposal.policy_id), "stop")
    assert pending(services) == []
    with pytest.raises(GateRefused, match="no approval that is still in force"):
        promote(services.ledger, services.registry, services.alerts, proposal, ANA, NOW)


def test_a_forced_policy_takes_two_approvers_and_is_marked(services: Services) -> None:
    """The first one asks and changes nothing; the same one cannot agree; the second one's command
    makes it live, with both names and both reasons."""
    made_live(services, policy(NARROW))
    asked = force(
        services.ledger, services.registry, services.alerts, policy(WIDE), ANA, "an attack", NOW
    )
    assert asked.kind is EntryKind.FORCE_REQUESTED
    assert services.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="a second approver must agree"):
        force(
            services.ledger,
            services.registry,
            services.alerts,
            policy(WIDE),
            ANA.upper(),
            "me again",
            NOW,
        )
    with pytest.raises(GateRefused, match="takes the role approver"):
        force(services.ledger, services.registry, services.alerts, policy(WIDE), OLA, "me too", NOW)
    forced = force(
        services.ledger, services.registry, services.alerts, policy(WIDE), BEN, "seen it", NOW
    )
    assert forced.kind is EntryKind.FORCED
    assert dict(forced.dossier) == {
        "second_reason": "seen it",
        "forced": True,
        "reason": "an attack",
        "approvers": [ANA, BEN],
    }
    assert services.ledger.live_policy(NAME) == policy(WIDE)
    assert services.registry.aliases(NAME)["champion"] == "1"


def test_nothing_is_forced_without_its_files_or_a_reason(services: Services) -> None:
    with pytest.raises(GateRefused, match="No reason is given"):
        force(services.ledger, services.registry, services.alerts, policy(), ANA, " ", NOW)
    del services.registry.digests[NAME, "1"]
    with pytest.raises(GateRefused, match=r"no model\.ubj"):
        force(services.ledger, services.registry, services.alerts, policy(), ANA, "an attack", NOW)
    assert services.ledger.live_policy(NAME) is None


def test_a_rollback_returns_to_the_policy_before_and_needs_a_reason(services: Services) -> None:
    """Then nothing is left to return to; an unknown case type is a typing error, not a refusal."""
    made_live(services, policy(NARROW))
    made_live(services, policy(WIDE), NOW + DAY)
    with pytest.raises(UserError, match="say why"):
        roll_back(services, NAME, OLA, " ", NOW)
    with pytest.raises(UserError, match=r"no case type 'smal'.*small_case, other_case"):
        roll_back(services, "smal", OLA, "a test", NOW)
    entry = roll_back(services, NAME, OLA, "a test", NOW)
    assert (entry.kind, entry.policy_id) == (EntryKind.ROLLED_BACK, policy(NARROW).policy_id)
    assert entry.dossier["rolled_back_from"] == policy(WIDE).policy_id
    assert services.ledger.live_policy(NAME) == policy(NARROW)
    with pytest.raises(GateRefused, match="no policy promoted before"):
        roll_back(services, NAME, OLA, "again", NOW)


def test_what_mlflow_does_not_take_is_told_and_the_entry_stands(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aliases are a projection; deciding does not ask them."""

    def refused(*_: object) -> None:
        raise GateRefused("no such version")

    monkeypatch.setattr(services.registry, "point_alias", refused)
    assert made_live(services, policy()).kind is EntryKind.PROMOTED
    assert [one["kind"] for one in services.alerts.recent(5)] == ["aliases_not_projected"]


def test_a_policy_of_another_case_type_is_not_found_there(services: Services) -> None:
    """Asked for by both names, the error says where it looked."""
    elsewhere = filed(services, replace(policy(), case_type=OTHER, model_name=OTHER))
    with pytest.raises(UserError, match="of small_case was asked for, and none fits"):
        find_proposal(services.ledger, services.case_types, str(elsewhere.policy_id), NAME)


def narrowed(services: Services, version: str = "1") -> Policy:
    """A boundary between the two others goes live, and the night narrows it a little."""
    live = policy(Boundary(0.2, 0.8), version)
    made_live(services, live, NOW + DAY)
    narrow = Narrow(
        case_type=NAME,
        incumbent=live,
        narrowed=replace(live, boundary=Boundary(0.15, 0.85)),
        actor=NIGHT,
        base_version=last_version(services.ledger, NAME),
    )
    assert isinstance(services.ledger.submit(narrow, NOW + DAY), Entry)
    return narrow.narrowed


def test_one_persons_rollback_does_not_undo_a_narrowing(services: Services) -> None:
    """The one before was wider: it waits for a second person, who is told what they agree to."""
    made_live(services, policy(WIDE))
    live = narrowed(services)
    asked = roll_back(services, NAME, OLA, "a test", NOW + DAY)
    assert (asked.kind, asked.policy_id) == ("rollback_requested", policy(WIDE).policy_id)
    assert asked.dossier["widens"][0] == "it passes more and blocks more"
    assert asked.dossier["widens"][-1].startswith("it undoes the narrowing of 2026-05-05")
    assert services.ledger.live_policy(NAME) == live
    with pytest.raises(GateRefused, match="ola asked for it already; a second person must agree"):
        roll_back(services, NAME, OLA, "a test", NOW + DAY)
    agreed = roll_back(services, NAME, ANA, "so it is", NOW + DAY)
    assert agreed.dossier["requested_by"] == OLA
    assert services.ledger.live_policy(NAME) == policy(WIDE)


def test_past_a_narrowing_a_rollback_goes_to_what_decides_less(services: Services) -> None:
    made_live(services, policy(NARROW))
    narrowed(services)
    roll_back(services, NAME, OLA, "a test", NOW + DAY)
    assert services.ledger.live_policy(NAME) == policy(NARROW)


def test_past_a_narrowing_two_people_return_to_another_model(services: Services) -> None:
    """Nothing was refuted of that one, and nothing shows that it decides less."""
    made_live(services, policy(WIDE))
    with_model(services, "2", NOW)
    live = narrowed(services, "2")
    roll_back(services, NAME, OLA, "a test", NOW + DAY)
    assert services.ledger.live_policy(NAME) == live
    roll_back(services, NAME, ANA, "a test", NOW + DAY)
    assert services.ledger.live_policy(NAME) == policy(WIDE)
