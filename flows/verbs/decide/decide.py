"""Decide: give every case an action under the policy in force, and draw the audits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused, ServiceUnreachable
from flows.verbs.certify.generation import Generation, current_generation
from flows.verbs.decide.authority import standing_or_none
from flows.verbs.decide.contributions import keep_contributions
from flows.verbs.decide.shadow import score_in_shadow
from flows.verbs.govern.case_type_state import Trial
from flows.verbs.govern.proposed_policy import advised_policy, overrides_of
from flows.verbs.ports import (
    Alerts,
    CaseDraws,
    DecisionServices,
    EvidenceStore,
    Ledger,
    ModelRegistry,
    ScoringServices,
)
from models.boundary.decision.arms import assign_arm
from models.boundary.decision.decide import automatable
from models.boundary.decision.decide_in_arms import (
    CONTROL,
    TREATMENT,
    Scored,
    decide_in_arms,
    moved_rates,
)
from models.hub.policies.deciding import LEDGER_BROKEN, REFUSED, rule_of, why_withheld
from models.hub.policies.policy import Policy
from models.risk import RiskModel
from models.risk.cells import CELLS_ARE_READABLE
from models.vocabulary import Boundary, CaseType

BoolArray = npt.NDArray[np.bool_]

NO_MODEL = "none"
_NO_DRAW = "0" * 16
"""The key where every case goes to a person, so that none is drawn."""
AB_CASES = "ab_cases"
"""The evidence table of the cases in an A/B test: what either policy does with each."""
_AB_ACTIONS = ["control_action", "treatment_action"]


@dataclass(frozen=True, eq=False)
class Voice:
    """What one policy says of some cases; without a model it sends all of them to people."""

    policy: Policy
    model: RiskModel | None
    scored: Scored


def policy_in_force(
    ledger: Ledger, registry: ModelRegistry, case_types: Mapping[str, CaseType], case_type: str
) -> Policy:
    """The live policy; before the first promotion, one that reviews everything.

    Until then the newest model advises (it gives a score and a recommendation) and decides
    nothing, so that needs nobody's approval.
    """
    live = ledger.live_policy(case_type)
    if live is not None:
        return live
    generation = current_generation(ledger, case_types, case_type)
    if generation is None:
        return _review_everything(ledger, case_types, case_type)
    policy = advised_policy(registry, case_types, generation, Boundary.everything_reviewed())
    ledger.record_policy(policy)
    return policy


def decide_cases(
    services: DecisionServices,
    case_type: str,
    cases: pd.DataFrame,
    now: datetime,
    *,
    unreadable: BoolArray | None = None,
    live: bool = False,
) -> pd.DataFrame:
    """Decisions for new cases, by contract `decisions` with the feature columns.

    Kept beside them: shadow scores, the contributions to what people will see, and what either
    policy of a running A/B test does with each case in it (table `ab_cases`).

    Every case gets a decision: one that cannot be scored is escalated with the rule's name in
    `override`, and so is every case while the case type is halted, its certificate has expired or
    its model is refused. The caller delivers the result to admission, as any agent's decisions are.

    Args:
        cases: with `decided_at`, or they are decided when they were opened.
        now: alerts are stamped with it, and shadow scores.
        unreadable: which cases have a cell that could not be read, shape (cases,); see
            `models.risk.cells`. None: no case has one.
        live: what is kept beside the decisions is stamped when it is committed; else with `now`, the
            moment of a simulated clock.
    """
    stands, why = standing_or_none(
        services.ledger, services.alerts, services.secrets, case_type, now
    )
    kept_at = None if live else now
    if "decided_at" not in cases:
        cases = cases.assign(decided_at=cases["opened_at"])
    if why == LEDGER_BROKEN:
        control = speak(
            services.draws,
            services.case_types,
            _review_everything(services.ledger, services.case_types, case_type),
            None,
            cases,
            why,
            unreadable,
        )
    else:
        control = _in_force(services, case_type, stands.live, cases, why, now, unreadable)
    if stands.trial is None:
        voices, decided = [control], control.scored.decide(cases).assign(arm=CONTROL)
    else:
        treatment = _voice(services, stands.trial.policy, cases, why, now, unreadable)
        voices = [control, treatment]
        decided = _decided_in_arms(
            services.store, case_type, cases, control, treatment, stands.trial, kept_at
        )
    by_arm = (decided["arm"] == TREATMENT).to_numpy(dtype=np.bool_)
    for voice, mine in zip(voices, (~by_arm, by_arm), strict=False):
        if voice.model is not None and mine.any():
            rows = (cases, decided) if mine.all() else (cases[mine], decided[mine])
            reason = voice.scored.reason[mine]
            keep_contributions(services.store, case_type, voice.model, *rows, reason, kept_at)
    if why != LEDGER_BROKEN:
        whole = cases if unreadable is None or not unreadable.any() else cases[~unreadable]
        _score_newest_in_shadow(services, case_type, control.policy, whole, now, kept_at)
    return _whole(services.case_types, case_type, cases, decided, voices, by_arm)


def speak(
    draws: CaseDraws,
    case_types: Mapping[str, CaseType],
    policy: Policy,
    model: RiskModel | None,
    cases: pd.DataFrame,
    why: str,
    unreadable: BoolArray | None = None,
) -> Voice:
    """What a policy says of cases (with `decided_at`); nothing is decided or stored yet.

    Args:
        model: the policy's own, or None where it has none or may not use it.
        why: why the policy may decide nothing by itself, or "".
        unreadable: see `decide_cases`.
    """
    if model is None:
        scores, reason = np.full(len(cases), np.nan), np.full(len(cases), "", dtype="U24")
    else:
        scores, reason = model.score(cases)
    if unreadable is not None and unreadable.any():
        scores[unreadable], reason[unreadable] = np.nan, CELLS_ARE_READABLE
    rule = rule_of(
        policy,
        scores,
        decided_at=cases["decided_at"],
        key=_NO_DRAW if why else draws.audit_key(policy.case_type, _stamp(cases)),
        costs=case_types[policy.case_type].costs,
        withheld=why_withheld(policy, cases["decided_at"], why),
    )
    return Voice(policy, model, Scored(scores, reason, rule))


def _stamp(cases: pd.DataFrame) -> datetime | None:
    """When the first of these cases is decided (with `decided_at`)."""
    return None if cases.empty else cases["decided_at"].min().to_pydatetime()


def in_test(cases: pd.DataFrame, trial: Trial, control: Policy) -> BoolArray:
    """Which cases an A/B test is about: opened since its registration, and no key user's."""
    key_user = min(p.overrides.key_user_priority for p in (control, trial.policy))
    since = (cases["opened_at"] >= pd.Timestamp(trial.since)).to_numpy(dtype=np.bool_)
    return since & automatable(cases, key_user)


def decide_on_trial(
    cases: pd.DataFrame, control: Voice, treatment: Voice, trial: Trial
) -> tuple[pd.DataFrame, BoolArray]:
    """The decisions of both arms (`decide_in_arms`), and which cases are in the test."""
    tested = in_test(cases, trial, control.policy)
    treated = np.zeros(len(cases), dtype=np.bool_)
    arms = assign_arm(cases["case_id"][tested], trial.plan.salt, trial.plan.treatment_share)
    treated[tested] = arms == TREATMENT
    days = (cases["decided_at"] - pd.Timestamp(trial.since)) / pd.Timedelta(days=1)
    rates = moved_rates(trial.plan, np.asarray(days, dtype=np.float64))
    return decide_in_arms(cases, treated, control.scored, treatment.scored, rates), tested


def _in_force(
    services: ScoringServices,
    case_type: str,
    live: Policy | None,
    cases: pd.DataFrame,
    why: str,
    now: datetime,
    unreadable: BoolArray | None,
) -> Voice:
    if live is not None:
        return _voice(services, live, cases, why, now, unreadable)
    try:
        policy = policy_in_force(services.ledger, services.registry, services.case_types, case_type)
    except (GateRefused, ServiceUnreachable) as refused:
        services.alerts.send(REFUSED, case_type, str(refused), now)
        nobody = _review_everything(services.ledger, services.case_types, case_type)
        return speak(
            services.draws, services.case_types, nobody, None, cases, why or REFUSED, unreadable
        )
    return _voice(services, policy, cases, why, now, unreadable)


def _voice(
    services: ScoringServices,
    policy: Policy,
    cases: pd.DataFrame,
    why: str,
    now: datetime,
    unreadable: BoolArray | None,
) -> Voice:
    """What a policy says; one whose model is refused says nothing, and people hear of it."""
    if policy.model_digest is None or policy.model_version is None:
        return speak(services.draws, services.case_types, policy, None, cases, why, unreadable)
    try:
        model = services.registry.load(policy.case_type, policy.model_version, policy.model_digest)
    except (GateRefused, ServiceUnreachable) as refused:
        services.alerts.send(REFUSED, policy.case_type, str(refused), now)
        return speak(
            services.draws, services.case_types, policy, None, cases, why or REFUSED, unreadable
        )
    return speak(services.draws, services.case_types, policy, model, cases, why, unreadable)


def _decided_in_arms(
    store: EvidenceStore,
    case_type: str,
    cases: pd.DataFrame,
    control: Voice,
    treatment: Voice,
    trial: Trial,
    received_at: datetime | None,
) -> pd.DataFrame:
    decided, tested = decide_on_trial(cases, control, treatment, trial)
    if tested.any():
        rows = cases.loc[tested, ["case_id", "case_type", "opened_at", "decided_at"]]
        rows = rows.join(decided.loc[tested, ["arm", *_AB_ACTIONS]])
        store.append(
            AB_CASES,
            rows.assign(policy_id=trial.policy.policy_id).reset_index(drop=True),
            pd.DataFrame({"broken_rules": pd.Series(dtype="str")}),
            key=("case_id",),
            source=f"A/B test {case_type}",
            received_at=received_at,
            once=True,
        )
    return decided.drop(columns=_AB_ACTIONS)


def _score_newest_in_shadow(
    services: ScoringServices,
    case_type: str,
    policy: Policy,
    cases: pd.DataFrame,
    now: datetime,
    received_at: datetime | None,
) -> None:
    """The deciding model's own scores stand in the decisions; the newest one's are kept beside."""
    newest = current_generation(services.ledger, services.case_types, case_type)
    if newest is None or newest.digest == policy.model_digest:
        return
    model = _loaded(services.registry, services.alerts, newest, now)
    if model is not None:
        score_in_shadow(services.store, case_type, model, cases, now, received_at)


def _loaded(
    registry: ModelRegistry, alerts: Alerts, generation: Generation, now: datetime
) -> RiskModel | None:
    try:
        return generation.load(registry)
    except (GateRefused, ServiceUnreachable) as refused:
        alerts.send(REFUSED, generation.case_type, str(refused), now)
        return None


def _whole(
    case_types: Mapping[str, CaseType],
    case_type: str,
    cases: pd.DataFrame,
    decided: pd.DataFrame,
    voices: list[Voice],
    by_arm: BoolArray,
) -> pd.DataFrame:
    names = ["case_id", "case_type", "opened_at", "priority", "amount_usd", "decided_at"]
    place = by_arm.astype(np.intp)
    policies = [voice.policy for voice in voices]
    ids = pd.array([policy.policy_id for policy in policies], dtype="str")
    versions = pd.array([policy.model_version or NO_MODEL for policy in policies], dtype="str")
    identity = cases[names].assign(
        arm=decided["arm"], policy_id=ids.take(place), model_version=versions.take(place)
    )
    features = cases[list(case_types[case_type].feature_names)]
    parts = [identity, decided.drop(columns="arm"), features]
    whole: pd.DataFrame = pd.concat(parts, axis="columns")
    return whole


def _review_everything(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str
) -> Policy:
    settings = case_types[case_type]
    policy = Policy.review_everything(case_type, settings.audit_rate, overrides_of(settings))
    ledger.record_policy(policy)
    return policy
