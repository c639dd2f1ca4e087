"""How many days does this traffic need for the A/B test of a proposed policy? Named before anybody
approves it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.ab.ab_design import ab_design, lowest_rate
from flows.verbs.certify.generation import champion_generation
from flows.verbs.certify.inputs import CertificationInputs
from flows.verbs.evidence.truth import scored
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger
from models.boundary.ab.ab_days import AB_POWER, MOST_DAYS, RUNS, TrialCases, trial_outlook
from models.boundary.ab.ab_rows import BLOCKED, ESCALATED, PASSED
from models.hub import Policy
from models.vocabulary import Boundary, CaseType


def trial_days(
    services: EvidenceServices, given: CertificationInputs, policy: Policy
) -> dict[str, Any] | None:
    """The days of a policy's A/B test against the live one, simulated at the traffic and the errors of
    the cohort that proved it, as plain values (`flows.reports.words.ab_proofs` says them).

    Amounts and patterns that go to people whatever the score are not known here: they make a test
    longer.

    Returns:
        `days` (None: no horizon up to `most_days`), `horizon_days`, `by_horizon`, `by_claim`, `hardest`,
        `power`, `runs`, `cases_per_day`, `maturity_days`, `most_days`. None: the policy has no plan, or
        the live one is of a model that the ledger knows no generation of.

    Raises:
        ServiceUnreachable: the evidence store does not answer.
    """
    plan, live = policy.ab_plan, services.ledger.live_policy(policy.case_type)
    rows = given.frame[
        (given.frame["in_cohort"] & given.frame["automatable"]).to_numpy(dtype=np.bool_)
    ]
    if plan is None or rows.empty:
        return None
    control = _control_actions(
        services.ledger, services.store, services.case_types, given, live, rows
    )
    if control is None:
        return None
    truth = rows["bad"].to_numpy(dtype=np.float64)
    lag = given.snapshot.as_of - given.snapshot.mature_until(
        services.case_types, services.second_review_takes, policy.case_type
    )
    free = float(given.frame["automatable"].to_numpy(dtype=np.bool_).mean())
    cases = TrialCases(
        control_action=control,
        treatment_action=_actions(rows["score"].to_numpy(dtype=np.float64), policy.boundary),
        known=~np.isnan(truth),
        bad=truth == 1.0,
        control_rate=1.0 if live is None else lowest_rate(live.audit),
        treatment_rate=lowest_rate(policy.audit),
        cases_per_day=given.cases_per_day * free,
        maturity_days=lag / timedelta(days=1),
    )
    outlook = trial_outlook(plan, ab_design(live, policy), cases)
    return {
        "days": outlook.days,
        "horizon_days": plan.horizon_days,
        "by_horizon": outlook.by_horizon,
        "by_claim": dict(outlook.by_claim),
        "hardest": outlook.hardest,
        "power": AB_POWER,
        "runs": RUNS,
        "cases_per_day": cases.cases_per_day,
        "maturity_days": cases.maturity_days,
        "most_days": MOST_DAYS,
    }


def _control_actions(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    given: CertificationInputs,
    live: Policy | None,
    rows: pd.DataFrame,
) -> npt.NDArray[np.int64] | None:
    """What the live policy does with these cases, by its own model's scores; None: that is not known."""
    if live is None or live.boundary.automates_nothing:
        return np.full(len(rows), ESCALATED, dtype=np.int64)
    if live.model_digest == given.generation.digest:
        return _actions(rows["score"].to_numpy(dtype=np.float64), live.boundary)
    champion = champion_generation(ledger, case_types, live.case_type)
    if champion is None:
        return None
    known = given.snapshot.known(live.case_type)  # with the scores that they were decided by
    mine = known[known[CASE_NUMBER].isin(rows[CASE_NUMBER]).to_numpy(dtype=np.bool_)]
    theirs = scored(store, given.snapshot, mine, champion).set_index(CASE_NUMBER)
    theirs = theirs[~theirs.index.duplicated()].reindex(rows[CASE_NUMBER].to_numpy())
    found = _actions(theirs["score"].to_numpy(dtype=np.float64), live.boundary)
    free = theirs["automatable"].eq(True).to_numpy(dtype=np.bool_)
    return np.where(free, found, ESCALATED)


def _actions(score: npt.NDArray[np.float64], boundary: Boundary) -> npt.NDArray[np.int64]:
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    passed = score <= (-np.inf if low is None else low)
    blocked = score >= (np.inf if high is None else high)
    return np.where(passed, PASSED, np.where(blocked, BLOCKED, ESCALATED)).astype(np.int64)
