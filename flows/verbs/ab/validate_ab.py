"""Judge the A/B tests that run: promote what is proven, stop what is not, wait for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.ab.ab_design import ab_design
from flows.verbs.ab.trials import ENDED_BY, REFUTED, next_step
from flows.verbs.certify.generation import last_version, scored_elsewhere
from flows.verbs.decide.agent_watch import replay_columns, replayed_actions
from flows.verbs.decide.decide import AB_CASES
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.govern.promote import promote
from flows.verbs.govern.submit import submitted
from flows.verbs.ports import (
    Alerts,
    EvidenceServices,
    EvidenceStore,
    Ledger,
    ModelRegistry,
    NightServices,
)
from models.boundary.ab.ab_rows import AbRows
from models.boundary.ab.ab_test import AbJudgement, judge_ab
from models.boundary.ab.ab_verdict import AbEnd, AbVerdict
from models.boundary.decision.arms import assign_arm
from models.boundary.decision.decide import automatable
from models.hub import (
    ConcludeAb,
    Entry,
    EntryKind,
    halt_of,
    proposal_of,
    proven_ab,
    running_ab,
)
from models.hub.record.readers import of
from models.hub.rules.people import VALIDATE_AB
from models.vocabulary import AbPlan, Action, Boundary, CaseType

NOT_JUDGED = "not_judged"


def validate_ab(services: NightServices, as_of: datetime) -> list[dict[str, Any]]:
    """Judge every test that runs, as of a moment; a conclusion is a ledger entry.

    A policy that was approved and is now proven is promoted at once, or by the next call after one
    that was killed in between. A promotion that is refused, and a test whose stored cases cannot be
    judged, are told, and the other tests are judged.

    Returns:
        One a running test: case_type, policy_id, verdict (continue, promote, stop; not_judged, with
        the reason), reasons, proofs (claim, evidence, needed, proven), arms, split_p_value,
        cases_judged, missing, method; of one that ended also next (a sentence, or "").
    """
    for case_type in services.case_types:
        _finish(services.ledger, services.registry, services.alerts, case_type, as_of)
    history = services.ledger.history()
    running = [running_ab(history, case_type) for case_type in services.case_types]
    return [_told(services, trial, as_of) for trial in running if trial is not None]


def ab_table(services: EvidenceServices, trial: Entry, snapshot: EvidenceSnapshot) -> pd.DataFrame:
    """Every case assigned to a test, mature or not, by the columns of `AbRows.from_frame`.

    `day` counts from the registration to the moment at which a case's truth is due, second reviews
    included. Truth stands only where a case was drawn and is mature.
    """
    case_type = trial.case_type
    asked = ["case_id", "arm", "control_action", "treatment_action", "opened_at", "policy_id"]
    if scored_elsewhere(services.case_types, case_type):
        cases = _tried_elsewhere(
            services.ledger, services.store, services.case_types, trial, snapshot
        )
    elif services.store.counts(AB_CASES)[0]:
        cases = services.store.read(
            AB_CASES,
            columns=asked,
            filters={"case_type": [case_type], "policy_id": [str(trial.policy_id)]},
            since=trial.at,
            stamp="opened_at",
            as_of=snapshot.as_of,
            numbered=True,
        )
    else:
        return pd.DataFrame(columns=[*asked, "bad", "propensity", "drawn", "day"])
    of_decision = {
        name: snapshot.of_cases(cases[CASE_NUMBER], snapshot.decisions[name])
        for name in ("action", "audited", "propensity")
    }
    # A case that was assigned and whose decision was not admitted tells nothing.
    cases = cases.assign(**of_decision)[of_decision["propensity"].notna().to_numpy()]
    mature = snapshot.mature(services, case_type, trial.at)
    truth = pd.Series(mature["bad"].to_numpy(), index=mature[CASE_NUMBER].to_numpy())
    lag = snapshot.as_of - snapshot.mature_until(
        services.case_types, services.second_review_takes, case_type
    )
    due = cases["opened_at"] + pd.Timedelta(lag) - pd.Timestamp(trial.at)
    return cases.assign(
        bad=truth.reindex(cases[CASE_NUMBER].to_numpy()).to_numpy(dtype=np.float64),
        drawn=(cases["action"] == Action.ESCALATE.value) | cases["audited"].astype(bool),
        propensity=cases["propensity"].astype(np.float64),
        day=due / pd.Timedelta(days=1),
    )


def _tried_elsewhere(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    trial: Entry,
    snapshot: EvidenceSnapshot,
) -> pd.DataFrame:
    """The cases that another agent assigned to an arm, and what either policy does with each by the
    score that was delivered with it.

    Raises:
        GateRefused: the two policies are about two models, of which each case has one score.
    """
    treatment = ledger.policy(str(trial.policy_id))
    live = ledger.live_policy(trial.case_type)
    control = live or replace(treatment, boundary=Boundary.everything_reviewed())
    if control.model_version != treatment.model_version:
        raise GateRefused(
            "the live policy and the one on trial are about two versions of another agent's model, "
            "and a case has the score of one of them. Refuse the trial, and approve the new version's "
            "boundary for a case type without an `ab_plan`."
        )
    columns = [*replay_columns(store, [control, treatment]), "opened_at"]
    rows = store.read(
        "decisions",
        columns=columns,
        filters={"case_type": [trial.case_type]},
        since=trial.at,
        stamp="opened_at",
        as_of=snapshot.as_of,
        numbered=True,
    )
    key_user = min(p.overrides.key_user_priority for p in (control, treatment))
    of_trial = (rows["model_version"] == treatment.model_version).to_numpy(dtype=np.bool_)
    kept = ~rows["case_id"].duplicated(keep="last").to_numpy(dtype=np.bool_)
    rows = rows[of_trial & kept & automatable(rows, key_user)].reset_index(drop=True)
    return rows[["case_id", CASE_NUMBER, "arm", "opened_at"]].assign(
        control_action=replayed_actions(case_types, control, rows),
        treatment_action=replayed_actions(case_types, treatment, rows),
        policy_id=str(trial.policy_id),
    )


def _told(services: NightServices, trial: Entry, as_of: datetime) -> dict[str, Any]:
    try:
        return _judge(services, trial, as_of)
    except (GateRefused, ValueError) as error:  # its stored rows; or somebody ended it just now
        why = f"The A/B test could not be judged: {error}"
        services.alerts.send("ab_not_judged", trial.case_type, f"{trial.case_type}: {why}", as_of)
        return {**_whose(trial), "verdict": NOT_JUDGED, "reasons": [why], "proofs": []}


def _judge(services: NightServices, trial: Entry, as_of: datetime) -> dict[str, Any]:
    plan = AbPlan.from_document(trial.dossier["ab_plan"])
    treatment = services.ledger.policy(str(trial.policy_id))
    control = trial.dossier.get("control")
    design = ab_design(None if control is None else services.ledger.policy(str(control)), treatment)
    table = ab_table(services, trial, load_snapshot(services, as_of, trial.at))
    days = (as_of - trial.at) / timedelta(days=1)
    judged = judge_ab(plan, design, AbRows.from_frame(table), max(days, 0.0))
    judged = _with_arms_checked(judged, plan, table)
    told = {**_plain(trial, judged), "method": plan.method}
    if judged.verdict is AbVerdict.CONTINUE:
        return told
    _conclude(services.ledger, services.alerts, trial, judged, _digest(table), told, as_of)
    refused = _finish(services.ledger, services.registry, services.alerts, trial.case_type, as_of)
    after = next_step(services.ledger, trial.case_type)
    return {**told, "reasons": [*told["reasons"], *refused], "next": after}


def _with_arms_checked(judged: AbJudgement, plan: AbPlan, table: pd.DataFrame) -> AbJudgement:
    """A case belongs to the arm that the hash of its id says, whatever is stored of it."""
    if table.empty:
        return judged
    drawn = assign_arm(table["case_id"], plan.salt, plan.treatment_share)
    astray = int((table["arm"].to_numpy(dtype=object) != drawn).sum())
    if not astray:
        return judged
    why = f"{astray:,} cases are stored in another arm than the hash of their id draws."
    stopped = (f"{why} Nothing is proven.",)
    return replace(judged, verdict=AbVerdict.STOP, reasons=stopped, ended_by=AbEnd.SPLIT)


def _conclude(
    ledger: Ledger,
    alerts: Alerts,
    trial: Entry,
    judged: AbJudgement,
    digest: str,
    told: dict[str, Any],
    at: datetime,
) -> None:
    case_type, policy_id = trial.case_type, str(trial.policy_id)
    submitted(
        ledger,
        ConcludeAb(
            case_type=case_type,
            policy_id=policy_id,
            verdict="promote" if judged.verdict is AbVerdict.PROMOTE else "stop",
            actor=VALIDATE_AB,
            base_version=last_version(ledger, case_type),
            evidence_digest=digest,
            dossier={**told, **_end(judged)},
        ),
        at,
    )
    said = [f"{case_type}: the A/B test of {policy_id[:12]}:", *judged.reasons]
    sentence = " ".join([*said, next_step(ledger, case_type)]).strip()
    alerts.send("ab_concluded", case_type, sentence, at, verdict=judged.verdict.value)


def _end(judged: AbJudgement) -> dict[str, Any]:
    """What a later night must know of why a test stopped; empty where it did not."""
    if judged.ended_by is None:
        return {}
    return {ENDED_BY: judged.ended_by.value, REFUTED: list(judged.refuted)}


def _finish(
    ledger: Ledger, registry: ModelRegistry, alerts: Alerts, case_type: str, at: datetime
) -> list[str]:
    """Promote what its test has proven; why it could not be, where it could not."""
    history = ledger.history()  # all of it: who was revoked does not stand under the case type
    if halt_of(history, case_type) is not None:
        return []
    concluded = next(
        (e for e in reversed(of(history, case_type)) if e.kind is EntryKind.AB_CONCLUDED), None
    )
    if concluded is None or proven_ab(history, case_type, str(concluded.policy_id)) is None:
        return []
    proposal = proposal_of(history, case_type, str(concluded.policy_id))
    assert proposal is not None  # the ledger let no test start without one
    try:
        promote(ledger, registry, alerts, proposal, VALIDATE_AB, at)
    except GateRefused as refused:
        why = f"{case_type}: {proposal.policy_id} is proven and was not promoted. {refused}"
        alerts.send("ab_not_promoted", case_type, why, at)
        return [why]
    return []


def _whose(trial: Entry) -> dict[str, Any]:
    return {"case_type": trial.case_type, "policy_id": trial.policy_id}


def _plain(trial: Entry, judged: AbJudgement) -> dict[str, Any]:
    return {
        **_whose(trial),
        "verdict": judged.verdict.value,
        "reasons": list(judged.reasons),
        "proofs": [
            {
                "claim": one.claim,
                "evidence": one.evidence,
                "needed": one.needed,
                "proven": one.proven,
                "tested": one.tested,
            }
            for one in judged.proofs
        ],
        "arms": dict(judged.arms),
        "split_p_value": judged.split_p_value,
        "days_judged": judged.days_judged,
        "cases_judged": judged.cases_judged,
        "missing": judged.missing,
    }


def _digest(table: pd.DataFrame) -> str:
    """SHA-256 of what the conclusion rests on: cases, arms, answers, designs, observed truth."""
    digest = hashlib.sha256()
    names = ("arm", "control_action", "treatment_action", "propensity", "drawn", "bad", "day")
    for name in names:
        hashed = pd.util.hash_array(np.asarray(table[name]), categorize=False)
        digest.update(name.encode() + hashed.tobytes())
    return digest.hexdigest()
