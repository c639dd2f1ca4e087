"""Policies, people and histories that tests of the hub are built from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.adapters.ledger.ledger import Ledger
from models.hub import (
    AUDIT_SECRET,
    PEOPLE,
    Approve,
    AuditPlan,
    ConcludeAb,
    Enrol,
    Entry,
    EntryKind,
    Force,
    Halt,
    Narrow,
    Policy,
    Promote,
    Propose,
    RecordAuditSecret,
    Refusal,
    RefusalRule,
    Refuse,
    RequestForce,
    RequestRollBack,
    Resume,
    Revoke,
    RollBack,
    RotateAuditSecret,
    StartAb,
    StartGeneration,
    TripGuardrail,
    dossier_digest,
    handle_command,
    live_policy_id,
    may_act,
    previous_policy_id,
    proposal_of,
    version_of,
)
from models.hub.rules.people import DECIDE_CASES, GUARDRAIL, NIGHT, RETRAIN, VALIDATE_AB
from models.vocabulary import AbPlan, Boundary, Targets

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVIDENCE, OTHER_EVIDENCE = "e" * 64, "f" * 64
TOKEN = "7" * 64
PLAN = AbPlan(Targets(precision=0.95, recall=0.99))


def a_policy(low: float = 0.1, high: float = 0.9, **changes: Any) -> Policy:
    """A policy for `ato` with model "aaa..." between two scores."""
    said = {"model_digest": "a" * 64, "boundary": Boundary(low, high), **changes}
    return Policy("ato", "risk", "1", audit=AuditPlan(0.05), **said)


WIDE, MIDDLE, THIN = a_policy(0.3, 0.7), a_policy(0.2, 0.8), a_policy(0.1, 0.9)
TRIED = a_policy(0.25, 0.75, ab_plan=PLAN)


class Hub:
    """A history, in memory or in a ledger: each call gives one command against the latest version.

    `enrolled_only`: whether roles are asked for, as in a live home (in memory; a ledger knows).
    """

    def __init__(self, ledger: Ledger | None = None, *, enrolled_only: bool = False) -> None:
        self.ledger = ledger
        self.enrolled_only = enrolled_only
        self.now = NOW
        self._history: list[Entry] = []
        self._policies: dict[str | None, Policy] = {}

    @property
    def history(self) -> list[Entry]:
        return self._history if self.ledger is None else list(self.ledger.history())

    def ask(
        self, kind: type, *, actor: str = "ana", case_type: str = "ato", **said: Any
    ) -> Entry | Refusal:
        base = said.pop("base_version", None)
        base = version_of(self.history, case_type) if base is None else base
        return self.give(kind(case_type=case_type, actor=actor, base_version=base, **said))

    def give(self, command: Any) -> Entry | Refusal:
        """One command as it is, an hour after the last one."""
        self.now += timedelta(hours=1)
        if self.ledger is not None:
            return self.ledger.submit(command, self.now)
        for name in ("policy", "narrowed", "sprint"):
            if isinstance(brought := getattr(command, name, None), Policy):
                self._policies[brought.policy_id] = brought
        refused = may_act(self._history, command) if self.enrolled_only else None
        said = refused or handle_command(self._history, command, self.now)
        if isinstance(said, Entry):
            self._history.append(said)
        return said

    def enrol(self, name: str, *roles: str, actor: str = "ana", **said: Any) -> Entry | Refusal:
        told = {"token_digest": TOKEN, "case_type": PEOPLE, **said}
        return self.ask(Enrol, name=name, roles=roles, actor=actor, **told)

    def revoke(self, name: str, actor: str = "ana") -> Entry | Refusal:
        return self.ask(Revoke, name=name, actor=actor, case_type=PEOPLE)

    def propose(
        self, policy: Policy, evidence: str = EVIDENCE, actor: str = "ana", **said: Any
    ) -> Entry | Refusal:
        live = {} if self.ledger is not None else {"live": self._policies.get(self.live())}
        told = {"evidence_digest": evidence, "actor": actor, **live, **said}
        return self.ask(Propose, policy=policy, **told)

    def approve(
        self,
        policy: Policy,
        evidence: str = EVIDENCE,
        actor: str = "ben",
        dossier: str | None = None,
        **said: Any,
    ) -> Entry | Refusal:
        """`dossier`: the digest of what was read; None: of the latest proposal of the policy."""
        proposal = proposal_of(self.history, "ato", policy.policy_id)
        read = dossier_digest(proposal) if dossier is None and proposal else dossier or ""
        return self.ask(
            Approve,
            proposal_policy_id=policy.policy_id,
            evidence_digest=evidence,
            dossier_digest=read,
            actor=actor,
            **said,
        )

    def refuse(self, policy: Policy, actor: str = "cai") -> Entry | Refusal:
        return self.ask(Refuse, proposal_policy_id=policy.policy_id, actor=actor)

    def promote(self, policy: Policy, actor: str = "ben", **said: Any) -> Entry | Refusal:
        return self.ask(Promote, policy_id=policy.policy_id, actor=actor, **said)

    def start_ab(self, policy: Policy = TRIED, actor: str = "ben") -> Entry | Refusal:
        return self.ask(StartAb, policy_id=policy.policy_id, actor=actor)

    def conclude_ab(
        self, verdict: str = "promote", policy: Policy = TRIED, evidence: str = EVIDENCE
    ) -> Entry | Refusal:
        told = {"policy_id": policy.policy_id, "verdict": verdict, "evidence_digest": evidence}
        return self.ask(ConcludeAb, actor=VALIDATE_AB, **told)

    def request_force(
        self, policy: Policy, actor: str = "ana", reason: str = "an attack"
    ) -> Entry | Refusal:
        return self.ask(RequestForce, policy=policy, reason=reason, actor=actor)

    def force(self, policy: Policy, actor: str = "ben") -> Entry | Refusal:
        return self.ask(Force, policy_id=policy.policy_id, actor=actor)

    def roll_back(self, actor: str = "ben", **said: Any) -> Entry | Refusal:
        return self.ask(RollBack, actor=actor, **self._two(), **said)

    def request_roll_back(
        self, actor: str = "ana", reason: str = "an old one is better", **said: Any
    ) -> Entry | Refusal:
        return self.ask(RequestRollBack, actor=actor, reason=reason, **self._two(), **said)

    def record_secret(self, check: str = "0" * 32, actor: str = DECIDE_CASES) -> Entry | Refusal:
        told = {"check": check, "salt": "s" * 32, "case_type": AUDIT_SECRET}
        return self.ask(RecordAuditSecret, actor=actor, **told)

    def rotate_secret(
        self, check: str = "1" * 32, actor: str = "ben", reason: str = "somebody left"
    ) -> Entry | Refusal:
        told = {"check": check, "salt": "s" * 32, "case_type": AUDIT_SECRET, "reason": reason}
        return self.ask(RotateAuditSecret, actor=actor, **told)

    def _two(self) -> dict[str, Policy | None]:
        """The policies that a rollback is about; a ledger knows them by itself."""
        if self.ledger is not None:
            return {}
        names = {"live": live_policy_id, "target": previous_policy_id}
        return {one: self._policies.get(find(self._history, "ato")) for one, find in names.items()}

    def narrow(self, incumbent: Policy, narrowed: Policy, **said: Any) -> Entry | Refusal:
        return self.ask(Narrow, incumbent=incumbent, narrowed=narrowed, actor=NIGHT, **said)

    def trip(self, policy: Policy, evidence: str = EVIDENCE) -> Entry | Refusal:
        told = {"policy_id": policy.policy_id, "evidence_digest": evidence}
        return self.ask(TripGuardrail, actor=GUARDRAIL, **told)

    def halt(self, actor: str = "ana", reason: str = "a burst") -> Entry | Refusal:
        return self.ask(Halt, actor=actor, reason=reason)

    def resume(self, actor: str = "ana", reason: str = "it is over") -> Entry | Refusal:
        return self.ask(Resume, actor=actor, reason=reason)

    def start_generation(
        self, digest: str = "a" * 64, trained_before: datetime | None = NOW
    ) -> Entry | Refusal:
        told = {} if trained_before is None else {"trained_before": trained_before.isoformat()}
        return self.ask(StartGeneration, model_digest=digest, actor=RETRAIN, dossier=told)

    def make_live(self, policy: Policy, **said: Any) -> Entry:
        entered(self.propose(policy, **said))
        entered(self.approve(policy))
        return entered(self.promote(policy))

    def live(self) -> str | None:
        return live_policy_id(self.history, "ato")

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.history]


def a_team(ledger: Ledger | None = None) -> Hub:
    """A live home's people: ana proposes and approves, ben approves, cai operates, dee audits."""
    hub = Hub(ledger, enrolled_only=True)
    entered(hub.enrol("ana", "proposer", "approver"))
    entered(hub.enrol("ben", "approver"))
    entered(hub.enrol("cai", "operator"))
    entered(hub.enrol("dee", "auditor"))
    return hub


def entered(answer: Entry | Refusal) -> Entry:
    assert isinstance(answer, Entry), answer
    return answer


def rule(answer: Entry | Refusal) -> RefusalRule:
    """The rule that refused."""
    assert isinstance(answer, Refusal), answer
    assert answer.reason
    return answer.rule


def open_ledger(home: Path, *, enrolled_only: bool = False, **said: Any) -> Ledger:
    """A ledger in a folder, on SQLite."""
    url = f"sqlite:///{home / 'ledger.db'}"
    return Ledger(url, home / "ledger.head", enrolled_only=enrolled_only, **said)
