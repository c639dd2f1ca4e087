"""Whatever people, flows, crashes and meddlers do: does the ledger verify, and is the live policy
always the last one made live?

A second, plainer account of the rules runs beside the ledger: sets and one stack instead of a
history. Each command must be carried out exactly when that account says so.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flows.verbs.house.aliases import project_aliases
from models.hub import Entry, dossier_digest, enrolled, proposal_of
from models.hub.record.said import plain_name
from models.hub.rules.people import DECIDE_CASES, GUARDRAIL, NIGHT, ROLL_BACK, SYSTEM, VALIDATE_AB
from models.vocabulary import Boundary
from tests import hub as examples
from tests.flows.verbs.hub_desk import Registry
from tests.hub import EVIDENCE, OTHER_EVIDENCE, THIN, Hub, a_team, open_ledger

MIDDLE = replace(examples.MIDDLE, model_version="2", model_digest="b" * 64)
TRIED = replace(examples.TRIED, model_version="3", model_digest="c" * 64)
TRIED_AGAIN = replace(
    TRIED,
    model_version="4",
    model_digest="d" * 64,
    ab_plan=replace(examples.PLAN, salt="ab-2"),
)
"""Each has a model of its own, so that an alias can name a wrong one; and each test a salt."""

PEOPLE = st.sampled_from(["ana", "ben", "cai", " Ben ", "\u0430na", "fay"])
POLICIES = st.sampled_from([THIN, MIDDLE, TRIED, TRIED_AGAIN])
EVIDENCES = st.sampled_from([EVIDENCE, OTHER_EVIDENCE])
INTERRUPTIONS = st.sampled_from(
    [
        "nothing",
        "halt",
        "refuse",
        "roll_back",
        "narrow",
        "revoke",
        "propose",
        "trip",
        "crash",
        "request_roll_back",
        "rotate",
    ]
)
STARTING_ROLES = {
    "ana": {"proposer", "approver"},
    "ben": {"approver"},
    "cai": {"operator"},
    "dee": {"auditor"},
}


class Account:
    """What should be so, kept without a history."""

    def __init__(self):
        self.roles = {name: set(roles) for name, roles in STARTING_ROLES.items()}
        self.lineage = []
        self.halted, self.resume_by = False, None
        self.secrets = 0
        self.policies = {}
        self.split = set()  # salts of the tests that were concluded: no second one splits cases so
        self.argue_anew()

    def argue_anew(self):
        """The live policy changed: what was argued against the old one is void."""
        self.proposed, self.approved, self.forcing = {}, {}, {}
        self.needs, self.first = {}, {}
        self.running, self.proven, self.tripped = None, set(), False
        self.back_by = None

    def may(self, actor, *roles):
        return bool(self.roles.get(plain_name(actor), set()) & set(roles))

    @property
    def live(self):
        return self.lineage[-1] if self.lineage else None

    def goes_live(self, policy):
        self.lineage.append(policy.policy_id)
        self.argue_anew()

    def forget(self, name):
        """Half a step of somebody revoked does not count, and what they let be tried is tried no more."""
        if name in self.approved.get(self.running, ()):
            self.running = None
        for policy_id in [one for one, both in self.approved.items() if name in both]:
            del self.approved[policy_id]
        for halves in (self.first, self.forcing):
            for policy_id in [one for one, who in halves.items() if who == name]:
                del halves[policy_id]
        if self.resume_by == name:
            self.resume_by = None
        if self.back_by == name:
            self.back_by = None

    @property
    def back_widens(self):
        """By this machine's policies: another model's, or a boundary that reaches further out."""
        live, before = (self.policies[one] for one in self.lineage[:-3:-1])
        reaches = [
            (one.boundary.pass_at_or_below, -one.boundary.block_at_or_above)
            for one in (live, before)
        ]
        further = any(then > now for now, then in zip(*reaches, strict=True))
        return before.model_digest != live.model_digest or further


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.home = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.hub = a_team(open_ledger(self.home, enrolled_only=True))
        self.so = Account()
        self.registry, self.head_before, self.checked = Registry(), None, 0
        self.hub.make_live(THIN)
        self.so.goes_live(self.known(THIN))

    def teardown(self):
        if hasattr(self, "home"):
            shutil.rmtree(self.home)

    def known(self, policy):
        self.so.policies[policy.policy_id] = policy
        return policy

    def happens(self, expected, ask, *said, **told):
        """The command is carried out exactly when the account says so."""
        self.the_aliases_are_projected_from_the_ledger()  # also between the commands of one rule
        head = (self.home / "ledger.head").read_bytes()
        answer = ask(*said, **told)
        assert isinstance(answer, Entry) == expected, answer
        self.head_before, self.answer = head, answer
        return expected

    @rule(
        policy=POLICIES,
        evidence=EVIDENCES,
        actor=st.sampled_from(["ana", "cai", NIGHT]),
        approvers=st.sampled_from([1, 1, 2]),
    )
    def propose(self, policy, evidence, actor, approvers):
        so, name = self.so, policy.policy_id
        self.known(policy)
        expected = (
            (actor == NIGHT or so.may(actor, "proposer"))
            and so.live != name
            and name not in so.approved
            and so.proposed.get(name, (None, None))[1] != evidence
        )
        if self.happens(expected, self.hub.propose, policy, evidence, actor, approvers=approvers):
            so.proposed[name] = (plain_name(actor), evidence)
            so.needs[name] = approvers
            so.first.pop(name, None)

    @rule(
        policy=POLICIES,
        evidence=EVIDENCES,
        actor=PEOPLE,
        read=st.booleans(),
        approvers=st.sampled_from([1, 1, 2]),
    )
    def approve(self, policy, evidence, actor, read, approvers):
        so, name = self.so, policy.policy_id
        proposer, rests_on = so.proposed.get(name, (None, None))
        found = proposal_of(self.hub.history, "ato", name)
        dossier = dossier_digest(found) if read and found else "0" * 64
        expected = (
            so.may(actor, "approver")
            and name in so.proposed
            and proposer != plain_name(actor)
            and (evidence, read) == (rests_on, True)
            and so.first.get(name) != plain_name(actor)
        )
        asks, told = self.hub.approve, {"approvers": approvers}
        if self.happens(expected, asks, policy, evidence, actor, dossier, **told):
            if name not in so.first and max(so.needs[name], approvers) == 2:
                so.first[name] = plain_name(actor)
                return
            del so.proposed[name]
            so.approved[name] = {so.first.pop(name, plain_name(actor)), plain_name(actor)}
            so.proven.discard(name)

    @rule(policy=POLICIES, actor=PEOPLE)
    def refuse(self, policy, actor):
        so, name = self.so, policy.policy_id
        going_back = so.back_by is not None and name == so.lineage[-2]
        expected = so.may(actor, "approver", "proposer") and (
            going_back or any(name in one for one in (so.proposed, so.approved, so.forcing))
        )
        if self.happens(expected, self.hub.refuse, policy, actor):
            so.back_by = None if going_back else so.back_by
            for one in (so.proposed, so.approved, so.forcing, so.first):
                one.pop(name, None)
            so.proven.discard(name)
            so.running = None if so.running == name else so.running

    @rule(policy=POLICIES, actor=PEOPLE)
    def start_ab(self, policy, actor):
        so, name = self.so, policy.policy_id
        expected = (
            so.may(actor, "approver", "operator")
            and not so.halted
            and name in so.approved
            and policy.ab_plan is not None
            and so.running is None
            and name not in so.proven
            and policy.ab_plan.salt not in so.split
        )
        if self.happens(expected, self.hub.start_ab, policy, actor):
            so.running = name

    @rule(policy=POLICIES, verdict=st.sampled_from(["promote", "promote", "stop"]))
    def conclude_ab(self, policy, verdict):
        so, name = self.so, policy.policy_id
        if self.happens(so.running == name, self.hub.conclude_ab, verdict, policy):
            so.running = None
            so.split.add(policy.ab_plan.salt)
            if verdict == "stop":
                so.approved.pop(name, None)
            elif name in so.approved:
                so.proven.add(name)

    @rule(policy=POLICIES, actor=st.one_of(PEOPLE, st.just(VALIDATE_AB)))
    def promote(self, policy, actor):
        so, name = self.so, policy.policy_id
        proven = name in so.proven and name in so.approved
        expected = (
            (proven if actor == VALIDATE_AB else so.may(actor, "approver", "operator"))
            and so.live != name
            and not so.halted
            and name in so.approved
            and (policy.ab_plan is None or proven)
        )
        if self.happens(expected, self.hub.promote, policy, actor):
            so.goes_live(policy)

    @rule(policy=POLICIES, actor=PEOPLE)
    def request_force(self, policy, actor):
        so = self.so
        self.known(policy)
        expected = so.may(actor, "approver") and not so.halted and so.live != policy.policy_id
        if self.happens(expected, self.hub.request_force, policy, actor):
            so.forcing[policy.policy_id] = plain_name(actor)

    @rule(policy=POLICIES, actor=PEOPLE)
    def force(self, policy, actor):
        so, asked = self.so, self.so.forcing.get(policy.policy_id)
        expected = (
            so.may(actor, "approver")
            and not so.halted
            and asked is not None
            and asked != plain_name(actor)
        )
        if self.happens(expected, self.hub.force, policy, actor):
            so.goes_live(policy)

    @rule(actor=st.one_of(PEOPLE, st.sampled_from([GUARDRAIL, ROLL_BACK])))
    def roll_back(self, actor):
        so, flow = self.so, actor in (GUARDRAIL, ROLL_BACK)
        may = so.may(actor, "approver", "operator")
        may = {GUARDRAIL: so.tripped, ROLL_BACK: True}.get(actor, may)
        expected = may and len(so.lineage) > 1
        if expected and so.back_widens:
            expected = not flow and so.back_by not in (None, plain_name(actor))
        if self.happens(expected, self.hub.roll_back, actor):
            so.lineage.pop()
            so.argue_anew()

    @rule(actor=st.one_of(PEOPLE, st.just(ROLL_BACK)))
    def request_roll_back(self, actor):
        so = self.so
        expected = (
            so.may(actor, "approver", "operator")
            and len(so.lineage) > 1
            and so.back_widens
            and so.back_by is None
        )
        if self.happens(expected, self.hub.request_roll_back, actor):
            so.back_by = plain_name(actor)

    @rule(actor=st.one_of(PEOPLE, st.just(DECIDE_CASES)))
    def record_secret(self, actor):
        """The first draw tells which secret it is made with; nobody tells it twice."""
        so = self.so
        expected = actor == DECIDE_CASES and so.secrets == 0
        if self.happens(expected, self.hub.record_secret, "0" * 32, actor):
            so.secrets = 1

    @rule(actor=st.one_of(PEOPLE, st.just(DECIDE_CASES)), again=st.booleans())
    def rotate_secret(self, actor, again):
        """To one that was never in force."""
        so = self.so
        number = max(so.secrets - 1, 0) if again else so.secrets
        expected = so.may(actor, "approver", "operator") and number >= so.secrets
        if self.happens(expected, self.hub.rotate_secret, f"{number:032x}", actor):
            so.secrets += 1

    @rule(name=POLICIES)
    def trip(self, name):
        so = self.so
        if self.happens(so.live == name.policy_id, self.hub.trip, name):
            so.tripped = True

    @rule(low=st.sampled_from([0.05, 0.15, 0.4]))
    def narrow(self, low):
        so = self.so
        live = so.policies[so.live]
        passes, blocks = live.boundary.pass_at_or_below, live.boundary.block_at_or_above
        narrowed = self.known(replace(live, boundary=Boundary(low, blocks)))
        if self.happens(low < passes, self.hub.narrow, live, narrowed):
            so.lineage[-1] = narrowed.policy_id
            so.argue_anew()

    @rule(actor=PEOPLE)
    def halt(self, actor):
        so = self.so
        expected = so.may(actor, "approver", "operator", "proposer") and not so.halted
        if self.happens(expected, self.hub.halt, actor):
            so.halted, so.resume_by, so.running = True, None, None

    @rule(actor=PEOPLE)
    def resume(self, actor):
        so, name = self.so, plain_name(actor)
        expected = so.may(actor, "approver", "operator") and so.halted and so.resume_by != name
        if self.happens(expected, self.hub.resume, actor):
            so.halted, so.resume_by = so.resume_by is None, so.resume_by or name

    @rule(name=st.sampled_from(["fay", "ben", "B\u0435n", "cai"]), by=PEOPLE)
    def enrol(self, name, by):
        so = self.so
        expected = so.may(by, "approver") and plain_name(name) not in so.roles
        if self.happens(expected, self.hub.enrol, name, "approver", "operator", actor=by):
            so.roles[plain_name(name)] = {"approver", "operator"}

    @rule(name=st.sampled_from(["fay", "ben", "cai", "ana"]), by=PEOPLE)
    def revoke(self, name, by):
        so = self.so
        others = [roles for other, roles in so.roles.items() if other != name]
        expected = (
            so.may(by, "approver")
            and name in so.roles
            and any("approver" in roles for roles in others)
        )
        if self.happens(expected, self.hub.revoke, name, by):
            del so.roles[name]
            so.forget(name)

    @rule(
        policy=st.sampled_from([TRIED, TRIED_AGAIN, MIDDLE]),
        between=INTERRUPTIONS,
        then=INTERRUPTIONS,
        approvers=st.sampled_from([1, 2]),
    )
    def promote_with_interruptions(self, policy, between, then, approvers):
        """What single random commands seldom manage: the whole way, interrupted, and back again."""
        so = self.so
        self.end_a_halt()
        self.propose(policy, EVIDENCE, NIGHT, approvers)
        rests_on = so.proposed.get(policy.policy_id, (None, EVIDENCE))[1]
        approver = self.somebody()
        self.approve(policy, rests_on, approver, True, 1)
        self.approve(policy, rests_on, self.somebody(besides=approver), True, 1)
        self.start_ab(policy, self.somebody())
        self.interrupt(between, policy, approver)
        self.conclude_ab(policy, "promote")
        self.promote(policy, self.somebody())
        self.interrupt(then, policy, approver)
        first = self.somebody()
        self.request_roll_back(first)
        self.roll_back(first)
        self.roll_back(self.somebody(besides=first))

    @rule(policy=POLICIES, between=INTERRUPTIONS, second=PEOPLE)
    def force_with_an_interruption(self, policy, between, second):
        self.end_a_halt()
        first = self.somebody()
        self.request_force(policy, first)
        self.interrupt(between, policy, first)
        self.force(policy, second)
        self.force(policy, self.somebody(besides=first))

    @rule(between=INTERRUPTIONS, second=PEOPLE)
    def halt_and_resume_with_an_interruption(self, between, second):
        first = self.somebody()
        self.halt(first)
        self.resume(first)
        self.interrupt(between, MIDDLE, first)
        self.resume(second)
        self.resume(self.somebody(besides=first))

    @rule(policy=POLICIES, spelled=st.sampled_from(["ana", " Ana ", "\u0430na", "a\u200bna"]))
    def approve_what_one_proposed(self, policy, spelled):
        self.propose(policy, EVIDENCE, "ana", 1)
        self.approve(policy, EVIDENCE, spelled, True, 1)

    def interrupt(self, what, policy, person):
        """Something that happens to `policy`, or to the `person` who took half a step with it."""
        if what == "narrow":
            self.narrow(0.05)
        elif what == "revoke":
            self.revoke(person, self.somebody(besides=person))
        elif what == "propose":
            self.propose(policy, OTHER_EVIDENCE, NIGHT, 1)
        elif what == "trip":
            self.trip(self.so.policies[self.so.live])
        elif what == "crash" and self.head_before is not None:
            self.crash_before_the_head_was_written()
        elif what == "refuse":
            self.refuse(policy, self.somebody())
        elif what == "rotate":
            self.rotate_secret(self.somebody(), False)
        elif what in ("halt", "roll_back", "request_roll_back"):
            getattr(self, what)(self.somebody())

    def end_a_halt(self):
        """Nothing much happens while one is in force."""
        for name in list(self.so.roles):
            if self.so.halted:
                self.resume(name)

    def somebody(self, besides=None):
        """An approver; another one than `besides`, if there is another."""
        may = [name for name, roles in self.so.roles.items() if "approver" in roles]
        return next((name for name in may if name != besides), may[0])

    @rule(behind=st.integers(0, 2))
    def ask_of_an_older_base(self, behind):
        """Somebody who read the ledger before something happened."""
        stale = len(self.hub.ledger.history("ato")) - 1 - behind
        self.happens(False, self.hub.roll_back, "ana", base_version=stale)
        enrolled_now = "ana" in self.so.roles
        assert self.answer.rule == ("stale_base" if enrolled_now else "actor_is_enrolled")

    @precondition(lambda self: self.head_before is not None)
    @rule()
    def crash_before_the_head_was_written(self):
        """The process is gone, and the head file is one command behind."""
        (self.home / "ledger.head").write_bytes(self.head_before)
        now = self.hub.now
        self.hub = Hub(open_ledger(self.home, enrolled_only=True))
        self.hub.now = now

    @rule(
        alias=st.sampled_from(["champion", "previous"]),
        version=st.sampled_from(["1", "2", "3", "7", None]),
    )
    def edit_the_alias(self, alias, version):
        """Behind our back, in the registry: nothing decides by it, and the next look finds it."""
        self.registry.point_alias("ato", alias, version)
        self.the_live_policy_is_the_last_one_made_live()

    @invariant()
    def the_aliases_are_projected_from_the_ledger(self):
        """Whoever moved them, an entry or a meddler: what does not agree is found and pointed back."""
        last = [self.so.policies[one].model_version for one in self.so.lineage[:-3:-1]]
        wanted = dict(zip(("champion", "previous"), last, strict=False))
        found = self.registry.aliases("ato")
        wrong = {one for one in ("champion", "previous") if found.get(one) != wanted.get(one)}
        services = SimpleNamespace(ledger=self.hub.ledger, registry=self.registry)
        assert {
            one.alias for one in project_aliases(services.ledger, services.registry, "ato")
        } == wrong
        assert self.registry.aliases("ato") == wanted

    @invariant()
    def the_ledger_verifies(self):
        verified = self.hub.ledger.verify()
        assert verified.ok, verified.problems

    @invariant()
    def the_live_policy_is_the_last_one_made_live(self):
        live = self.hub.ledger.live_policy("ato")
        assert live == self.so.policies[self.so.live]
        assert self.hub.ledger.live_policy("ato", as_of=self.hub.now) == live

    @invariant()
    def versions_run_without_a_gap_and_only_the_enrolled_act(self):
        history = self.hub.history
        for case_type in ("ato", "@people", "@audit_secret"):
            versions = [one.version for one in history if one.case_type == case_type]
            assert versions == list(range(1, len(versions) + 1))
        for at in range(max(self.checked, 1), len(history)):  # the first entry enrols its actor
            actor, known = history[at].actor, enrolled(history[:at])
            assert actor in SYSTEM or plain_name(actor) in known, history[at]
        self.checked = len(history)


TestLedgerMachine = pytest.mark.slow(LedgerMachine.TestCase)
TestLedgerMachine.settings = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
