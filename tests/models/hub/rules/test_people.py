"""Who may act, and what does each role permit?"""

import pytest

from models.hub import (
    AcceptRestored,
    Approve,
    DiscardHold,
    Enrol,
    ExtendAudit,
    Force,
    Halt,
    Promote,
    Propose,
    ProposeSprint,
    RecordErasure,
    Refuse,
    ReleaseHold,
    RequestExtension,
    RequestForce,
    RequestRollBack,
    Resume,
    Revoke,
    RollBack,
    RotateAuditSecret,
    StartAb,
    enrolled,
    may_act,
)
from models.hub.rules.people import (
    DECIDE_CASES,
    GUARDRAIL,
    NIGHT,
    PROMOTE_BOUNDARY,
    RETRAIN,
    ROLL_BACK,
    SYSTEM,
    VALIDATE_AB,
)
from models.hub.rules.transitions import _RULES
from tests.hub import MIDDLE, THIN, TOKEN, TRIED, WIDE, Hub, a_team, entered, rule

PERMITTED = {
    Propose: "proposer",
    ProposeSprint: "approver operator proposer",
    RequestExtension: "approver operator proposer",
    ExtendAudit: "approver",
    Approve: "approver",
    Refuse: "approver proposer",
    StartAb: "approver operator",
    Promote: "approver operator",
    RequestForce: "approver",
    Force: "approver",
    RollBack: "approver operator",
    Halt: "approver operator proposer",
    Resume: "approver operator",
    ReleaseHold: "approver operator",
    DiscardHold: "approver operator",
    Enrol: "approver",
    Revoke: "approver",
    RequestRollBack: "approver operator",
    RotateAuditSecret: "approver operator",
    AcceptRestored: "approver",
    RecordErasure: "approver operator",
}
ROLES = ("proposer", "approver", "operator", "auditor")


class Asked:
    """Only what `may_act` reads of a command."""

    def __new__(cls, kind, actor):
        command = object.__new__(kind)
        said = {"actor": actor, "case_type": "ato", "policy_id": "p"}
        for name, value in said.items():
            if name in kind.__dataclass_fields__:
                object.__setattr__(command, name, value)
        return command


@pytest.mark.parametrize("kind", sorted(_RULES, key=lambda kind: kind.__name__))
@pytest.mark.parametrize("role", ROLES)
def test_each_role_permits_what_it_is_for(kind, role):
    """The table above is the whole truth; what is not in it is no person's to give."""
    hub = Hub()
    hub.enrol("ana", "approver")
    hub.enrol("eve", role)
    refused = may_act(hub.history, Asked(kind, "eve"))
    assert (refused is None) == (role in PERMITTED.get(kind, "").split())
    assert refused is None or refused.rule == "role_permits"


@pytest.mark.parametrize("kind", sorted(_RULES, key=lambda kind: kind.__name__))
def test_who_is_not_enrolled_gives_no_command(kind):
    """Nor who was revoked."""
    hub = a_team()
    hub.revoke("ben")
    for name in ("eve", "ben"):
        assert may_act(hub.history, Asked(kind, name)).rule == "actor_is_enrolled"


def test_flows_do_their_own_work_and_no_more():
    """No flow approves, forces, resumes, halts, enrols, or proposes a trial's end but its own."""
    may = {
        NIGHT: {
            "Propose",
            "StartGeneration",  # of another agent's model only (test_evidence)
            "Narrow",
            "TakeLook",
            "RestartEvidence",
            "PlaceHold",
            "BoundHold",
            "ReleaseHold",
        },
        RETRAIN: {"StartGeneration"},
        GUARDRAIL: {"TripGuardrail", "RollBack", "Narrow"},
        VALIDATE_AB: {"ConcludeAb", "Promote"},
        PROMOTE_BOUNDARY: {"StartAb", "Promote"},
        ROLL_BACK: {"RollBack"},
        DECIDE_CASES: {"RecordAuditSecret"},
    }
    assert {flow: {kind.__name__ for kind in kinds} for flow, kinds in SYSTEM.items()} == may
    hub = a_team()
    for flow, kinds in may.items():
        for kind in _RULES:
            refused = may_act(hub.history, Asked(kind, flow))
            if kind.__name__ not in kinds:
                assert refused.rule == "role_permits", (flow, kind)


def test_the_flows_a_person_starts_need_no_proof_and_no_alarm():
    """`promote_boundary` promotes what was approved, `roll_back` goes back when it is told to."""
    hub = a_team()
    hub.make_live(THIN)
    hub.propose(MIDDLE)
    assert rule(hub.promote(MIDDLE, PROMOTE_BOUNDARY)) == "promote_needs_approval"
    hub.approve(MIDDLE)
    assert entered(hub.promote(MIDDLE, PROMOTE_BOUNDARY)).actor == PROMOTE_BOUNDARY
    assert entered(hub.roll_back(ROLL_BACK)).policy_id == THIN.policy_id


def test_validate_ab_promotes_only_what_is_proven():
    """What was approved without a plan is a person's to promote."""
    hub = a_team()
    hub.make_live(THIN)
    hub.propose(MIDDLE)
    hub.approve(MIDDLE)
    assert rule(hub.promote(MIDDLE, VALIDATE_AB)) == "promote_needs_ab"
    hub.propose(TRIED)
    hub.approve(TRIED)
    hub.start_ab()
    assert rule(hub.promote(TRIED, VALIDATE_AB)) == "promote_needs_ab"
    hub.conclude_ab()
    assert entered(hub.promote(TRIED, VALIDATE_AB)).actor == VALIDATE_AB


def test_the_first_person_enrols_themselves_as_an_approver():
    """Nobody else lets them in, and nobody could be let in after anybody else."""
    hub = Hub(enrolled_only=True)
    assert rule(hub.enrol("ana", "operator")) == "first_person_approves"
    assert rule(hub.enrol("ana", "approver", actor="eve")) == "first_person_approves"
    assert entered(hub.enrol("ana", "approver")).dossier["first"] is True
    assert rule(hub.enrol("eve", "approver", actor="eve")) == "actor_is_enrolled"
    assert entered(hub.enrol("ben", "operator")).dossier["first"] is False


@pytest.mark.parametrize(
    "name",
    [
        "ana", " ANA ", "An\u00e1", "\uff41\uff4e\uff41", "\u0430na", "an\u03b1", "a\u200bna",
        "guardrail", "Nightly_Calibration", "v\u0430lidate_ab", "backtest", "", "\u200b",
    ],
)  # fmt: skip
def test_a_name_is_free_only_if_a_reader_can_tell_it_apart(name):
    """Another case, accent, width, alphabet or invisible sign makes no other person, and no flow."""
    hub = Hub()
    hub.enrol("ana", "approver")
    assert rule(hub.enrol(name, "approver")) == "name_is_free"


@pytest.mark.parametrize(
    "name",
    [
        "Jos\u00e9",
        "\u674e\u96f7",
        "\u041e\u043b\u044c\u0433\u0430",
        "\u0393\u03b9\u03ac\u03bd\u03bd\u03b7\u03c2",
        "ana2",
    ],
)
def test_people_have_names_in_every_alphabet(name):
    """They are written as given, and known however they are typed."""
    hub = Hub()
    hub.enrol("ana", "approver")
    assert entered(hub.enrol(name, "approver")).dossier["name"] == name
    assert may_act(hub.history, Asked(Halt, f" {name.upper()} ")) is None


def test_the_last_approver_stays():
    """Else nobody could ever be enrolled again."""
    hub = Hub()
    hub.enrol("ana", "approver")
    hub.enrol("cai", "operator")
    assert rule(hub.revoke("ana")) == "last_approver_stays"
    assert rule(hub.revoke("eve")) == "actor_is_enrolled"
    hub.enrol("ben", "approver")
    entered(hub.revoke("Ana "))
    assert set(enrolled(hub.history)) == {"ben", "cai"}


@pytest.mark.parametrize(
    ("roles", "token"), [((), TOKEN), (("king",), TOKEN), (("approver",), "secret")]
)
def test_an_enrolment_names_known_roles_and_a_digest(roles, token):
    """A token itself never gets into the ledger."""
    with pytest.raises(ValueError, match=r"roles are|token_digest"):
        Hub().enrol("ana", *roles, token_digest=token)


def test_half_a_step_of_somebody_revoked_does_not_count():
    """An approval, a wish to force and a wish to resume go with who gave them."""
    hub = a_team()
    hub.enrol("fay", "approver")
    hub.make_live(THIN)
    hub.propose(MIDDLE)
    hub.approve(MIDDLE, actor="fay")
    hub.request_force(WIDE, "fay")
    hub.revoke("fay")
    assert rule(hub.promote(MIDDLE)) == "promote_needs_approval"
    assert rule(hub.force(WIDE)) == "nothing_to_force"
    entered(hub.propose(MIDDLE))
    entered(hub.approve(MIDDLE))
    entered(hub.promote(MIDDLE))


def test_a_revoked_persons_wish_to_resume_is_nobodys():
    """Two who may still act must agree."""
    hub = a_team()
    hub.enrol("fay", "operator")
    hub.halt("cai")
    hub.resume("fay")
    hub.revoke("fay")
    assert entered(hub.resume("ben")).kind == "resume_requested"
    assert entered(hub.resume("cai")).kind == "resumed"


def test_what_somebody_did_stays_after_they_are_revoked():
    """A promotion made is made."""
    hub = a_team()
    hub.make_live(THIN)
    hub.revoke("ben")
    assert hub.live() == THIN.policy_id


def test_a_flow_spelled_another_way_is_nobody():
    """Only the flow's own name is the flow's."""
    hub = a_team()
    assert rule(hub.propose(THIN, actor="Nightly_Calibration")) == "actor_is_enrolled"
