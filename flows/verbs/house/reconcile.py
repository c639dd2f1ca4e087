"""Do MLflow and the disk still agree with the ledger, and where they do not, what was done about it?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from configs.errors import GateRefused, ServiceUnreachable
from flows.verbs.house.aliases import alias_drift, project_aliases
from flows.verbs.learn.model_files import ModelState, model_state
from flows.verbs.ports import Alerts, Ledger, ModelRegistry, PromotionServices
from models.hub import Policy, previous_policy_id

CHAMPION = "champion"
ROLLBACK_TARGET = "rollback target"


def reconcile(services: PromotionServices, now: datetime) -> dict[str, Any]:
    """Verify the ledger, then every case type's aliases and the model files it rests on.

    Drifted aliases are pointed back; everything found is an alert and stands in the result as plain
    values: `ledger` (ok, problems, notes), `aliases` (case_type, alias, found, wanted), `models`
    (case_type, role, model_version, loads, why), `alarms` (sentences). On a ledger that does not
    verify nothing is projected: there is nothing to go by. Where MLflow does not answer, the copies
    of models in this home are still looked at: decisions go on by them.

    Raises:
        ServiceUnreachable: the ledger's database does not answer. (An MLflow that does not is an
            alarm: decisions go on by the ledger.)
    """
    verified = services.ledger.verify()
    told: dict[str, Any] = {
        "at": now.isoformat(),
        "ledger": {
            "ok": verified.ok,
            "problems": list(verified.problems),
            "notes": list(verified.notes),
        },
        "aliases": [],
        "models": [],
        "alarms": [],
    }
    if not verified.ok:
        problems = " ".join(verified.problems)
        why = f"The ledger does not verify, and no alias was touched. {problems}"
        _alarm(services.alerts, told, "ledger_broken", None, why, now)
        return told
    for case_type in services.case_types:
        try:
            _realign(services.ledger, services.registry, services.alerts, told, case_type, now)
        except ServiceUnreachable as silent:
            _tell_silence(services.alerts, told, str(silent), now)
        _try_models(services.ledger, services.registry, services.alerts, told, case_type, now)
    return told


def verdict_of(told: dict[str, Any]) -> str:
    """What `reconcile` found, in a sentence or its alarms."""
    if told["alarms"]:
        return " ".join(told["alarms"])
    loaded = len(told["models"])
    models = "1 model loads" if loaded == 1 else f"{loaded} models load"
    return f"The ledger verifies, and MLflow agrees with it. {models} from what is stored."


def _tell_silence(alerts: Alerts, told: dict[str, Any], silent: str, now: datetime) -> None:
    """Once, for the whole registry."""
    start = "Aliases and model files were not checked to the end."
    if not any(one.startswith(start) for one in told["alarms"]):
        _alarm(alerts, told, "registry_unreachable", None, f"{start} {silent}", now)


def _realign(
    ledger: Ledger,
    registry: ModelRegistry,
    alerts: Alerts,
    told: dict[str, Any],
    case_type: str,
    now: datetime,
) -> None:
    drifted = alias_drift(ledger, registry, case_type)
    if not drifted:
        return
    try:
        project_aliases(ledger, registry, case_type)
        outcome = "It was pointed back."
    except GateRefused as refused:
        outcome = f"It could not be pointed back: {refused}"
    for one in drifted:
        told["aliases"].append(one.plain())
        facts = {"alias": one.alias, "found": one.found, "wanted": one.wanted}
        sentence = f"{one.sentence()} {outcome}"
        _alarm(alerts, told, "alias_drift", case_type, sentence, now, **facts)


def _try_models(
    ledger: Ledger,
    registry: ModelRegistry,
    alerts: Alerts,
    told: dict[str, Any],
    case_type: str,
    now: datetime,
) -> None:
    """Load what decides and what a rollback would return to, past any model in memory."""
    live = ledger.live_policy(case_type)
    if live is None:
        return
    before = previous_policy_id(ledger.history(case_type), case_type)
    target = None if before is None else ledger.policy(before)
    state_of_live = model_state(registry, live)
    live_fails, target_fails = state_of_live.fails, ""
    told["models"].append(_state(CHAMPION, live, live_fails))
    _tell_stored(registry, alerts, told, CHAMPION, live, state_of_live, now)
    if target is not None:
        state = model_state(registry, target)
        target_fails = state.fails
        told["models"].append(_state(ROLLBACK_TARGET, target, target_fails))
        _tell_stored(registry, alerts, told, ROLLBACK_TARGET, target, state, now)
    if live_fails and state_of_live.silent:
        sentence = f"The champion cannot be loaded until MLflow answers; its cases go to people. {live_fails}"
        version = live.model_version
        _alarm(
            alerts, told, "champion_unreachable", case_type, sentence, now, model_version=version
        )
    elif live_fails:
        sentence = f"The champion cannot be loaded. {live_fails} {_way_back(target, target_fails)}"
        facts = {
            "model_version": live.model_version,
            "rollback_loads": _loads(target, target_fails),
        }
        _alarm(alerts, told, "champion_lost", case_type, sentence, now, **facts)
    elif target is not None and target_fails:
        sentence = f"A rollback would find no model. {target_fails}"
        facts = {"model_version": target.model_version}
        _alarm(alerts, told, "rollback_target_lost", case_type, sentence, now, **facts)


def _tell_stored(
    registry: ModelRegistry,
    alerts: Alerts,
    told: dict[str, Any],
    role: str,
    policy: Policy,
    state: ModelState,
    now: datetime,
) -> None:
    """A model that loads all the same, and one of its two files that was not as it should be."""
    if state.silent:
        _tell_silence(alerts, told, state.silent, now)
    if state.fails:
        return
    facts = {"role": role, "model_version": policy.model_version}
    if state.registered:
        copy = registry.copies.path(str(policy.model_digest))
        why = (
            f"The {role} is loaded from this home's copy alone. {state.registered} The copy is whole: "
            f"{copy}. Put it back as that version's file, or train again."
        )
        _alarm(alerts, told, "registered_file_lost", policy.case_type, why, now, **facts)
    if state.mended:
        why = (
            f"{policy.case_type}: this home's copy of the {role}'s model, version "
            f"{policy.model_version}, was damaged. It was written anew from the registry's file."
        )
        _alarm(alerts, told, "model_copy_mended", policy.case_type, why, now, **facts)


def _way_back(target: Policy | None, fails: str) -> str:
    if target is None:
        return "There is nothing to roll back to: halt the case type, and train again."
    if fails:
        return f"Neither does the rollback target load. {fails} Halt the case type."
    if target.model_version is None:
        return "A rollback leads to reviewing everything."
    command = f"`ratchet rollback {target.case_type}`"
    return f"The rollback target, version {target.model_version}, still loads: {command}."


def _loads(target: Policy | None, fails: str) -> bool:
    return target is not None and not fails


def _state(role: str, policy: Policy, fails: str) -> dict[str, Any]:
    return {
        "case_type": policy.case_type,
        "role": role,
        "model_version": policy.model_version,
        "loads": not fails,
        "why": fails,
    }


def _alarm(
    alerts: Alerts,
    told: dict[str, Any],
    kind: str,
    case_type: str | None,
    sentence: str,
    now: datetime,
    **facts: str | bool | None,
) -> None:
    alerts.send(kind, case_type, sentence, now, **facts)
    told["alarms"].append(sentence)
