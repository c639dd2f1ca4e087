"""The live boundary's promise, held to every night's evidence; refuted, it goes back by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flows.verbs.certify.certify import Judged, guard_champion
from flows.verbs.certify.generation import champion_generation, last_version
from flows.verbs.evidence.truth import EvidenceSnapshot, evidence_for
from flows.verbs.govern.promote import roll_back
from flows.verbs.govern.propose import narrow_to
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.learn.model_files import why_it_does_not_load
from flows.verbs.more_labels.look_back import LookBack, look_backs
from flows.verbs.ports import (
    Alerts,
    EvidenceServices,
    Ledger,
    ModelRegistry,
    NightServices,
)
from flows.verbs.record.night_results import why_failed
from models.hub import Entry, Policy, TripGuardrail, previous_policy_id, why_wider
from models.hub.rules.people import GUARDRAIL


@dataclass(frozen=True)
class Tripped:
    """A refuted live policy: the alarm, and the entries that answered it."""

    alarm: Judged
    entries: tuple[Entry, ...]


def guard_live_policy(
    services: NightServices, snapshot: EvidenceSnapshot, case_type: str
) -> list[Tripped]:
    """One case type's live policy under the guard; what is refuted is left at once, then told.

    What a policy falls back to is held to the guard in the same night.
    """
    return looking_again(partial(_guard, services, snapshot, case_type))


@dataclass(frozen=True, slots=True)
class NotGuarded:
    """Why there was nothing for the guard to judge; `failed` where there should have been."""

    word: str
    sentence: str = ""
    failed: bool = False


def why_not_guarded(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> NotGuarded | None:
    """Why the guard could say nothing of what is live; None: it judged it."""
    live = services.ledger.live_policy(case_type)
    if live is None or live.boundary.automates_nothing:
        return NotGuarded("nothing is automated")
    champion = champion_generation(services.ledger, services.case_types, case_type)
    if champion is None:
        why = (
            "The live boundary rests on a model that no generation of the ledger names, so nothing "
            "can be held against it. Roll it back, or promote one that was certified here."
        )
        return NotGuarded("not judged", why, failed=True)
    if evidence_for(services, snapshot, case_type, champion, refuting=True).empty:
        return NotGuarded("no mature case yet")
    return None


def _guard(services: NightServices, snapshot: EvidenceSnapshot, case_type: str) -> list[Tripped]:
    tripped: list[Tripped] = []
    alarm = guard_champion(services, snapshot, case_type)
    while alarm is not None:
        live = services.ledger.live_policy(case_type)
        assert live is not None  # the guard speaks of nothing else
        tripped.append(_fall_back(services, alarm, live, snapshot.as_of))
        left = services.ledger.live_policy(case_type)
        if left == live:  # nothing narrower was there: the alarm stands in the ledger
            break
        alarm = guard_champion(services, snapshot, case_type)
    return tripped


def _fall_back(services: NightServices, alarm: Judged, live: Policy, at: datetime) -> Tripped:
    case_type = alarm.case_type
    trip = submitted(
        services.ledger,
        TripGuardrail(
            case_type=case_type,
            policy_id=live.policy_id,
            actor=GUARDRAIL,
            base_version=last_version(services.ledger, case_type),
            evidence_digest=alarm.evidence_digest,
            dossier=alarm.summary(),
        ),
        at,
    )
    previous = _rollback_target(services.ledger, services.registry, services.alerts, live, at)
    if previous is not None:
        why = " ".join(alarm.certificate.reasons)
        answer: Entry | None = roll_back(services, case_type, GUARDRAIL, why, at)
    else:
        answer = narrow_to(services.ledger, alarm, GUARDRAIL, at)
    _tell(services, alarm, live, answer, at)
    return Tripped(alarm, (trip,) if answer is None else (trip, answer))


def _rollback_target(
    ledger: Ledger, registry: ModelRegistry, alerts: Alerts, live: Policy, at: datetime
) -> Policy | None:
    """The policy before, where it is shown to be no wider in any respect, and still loads.

    One of another model is not shown to be: two people may return to it, the guardrail narrows. So
    it does where the one before has expired: what is still proven of today's is more than nothing.
    """
    before = previous_policy_id(ledger.history(), live.case_type)
    if before is None:
        return None
    policy = ledger.policy(before)
    gone = why_it_does_not_load(registry, policy)
    if gone:
        alerts.send("rollback_target_lost", policy.case_type, gone, at)
        return None
    expired = policy.valid_until is not None and policy.valid_until <= at
    if expired or policy.boundary == live.boundary or why_wider(policy, than=live, at=at):
        return None
    return policy


def _tell(
    services: NightServices, alarm: Judged, live: Policy, answer: Entry | None, at: datetime
) -> None:
    done = "nothing narrower was left" if answer is None else answer.kind.value.replace("_", " ")
    one, size = _look_back(services, answer, at)
    services.alerts.send(
        "guardrail_tripped",
        alarm.case_type,
        f"{alarm.case_type}: {' '.join(alarm.certificate.reasons)} Answer: {done}.{size}",
        at,
        left=live.policy_id,
        live=None if answer is None else answer.policy_id,
        evidence_digest=alarm.evidence_digest,
        look_back=None if one is None else len(one.waiting),
    )


def _look_back(
    services: EvidenceServices, answer: Entry | None, at: datetime
) -> tuple[LookBack | None, str]:
    """What the answer leaves to be looked at, and a sentence on it. Whatever goes wrong here, people are
    told that the boundary fell."""
    if answer is None:
        return None, ""
    try:
        found = look_backs(services, answer.case_type, at)
    except Exception as error:
        return None, f" The look-back was not sized: {why_failed(error)}"
    one = next((one for one in found if one.fall.seq == answer.seq), None)
    return one, "" if one is None else f" {one.size()}"
