"""How are cases decided while a new boundary is tried against today's?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.arms import Arm
from models.boundary.decision.decide import DecisionRule, decide
from models.vocabulary import AbPlan

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CONTROL, TREATMENT = Arm.CONTROL.value, Arm.TREATMENT.value


@dataclass(frozen=True, eq=False)
class Scored:
    """What one policy says of all cases before anything is decided.

    Attributes:
        scores: shape (cases,), NaN where its model cannot score a case.
        reason: why not, or ""; shape (cases,).
        rule: by what it decides.
    """

    scores: FloatArray = field(repr=False)
    reason: npt.NDArray[np.str_] = field(repr=False)
    rule: DecisionRule

    def decide(self, cases: pd.DataFrame) -> pd.DataFrame:
        """Every case decided by this policy alone; see `models.boundary.decision.decide`."""
        return decide(cases, self.scores, self.reason, self.rule)


def decide_in_arms(
    cases: pd.DataFrame,
    treated: BoolArray,
    control: Scored,
    treatment: Scored,
    moved_rate: FloatArray,
) -> pd.DataFrame:
    """Decide each case by the policy of its arm (METHODS 5).

    Where the two policies act differently (the moved bands), an automatic decision of the
    treatment is reviewed at `moved_rate`, which is its logged propensity; everywhere else at its
    own policy's rate.

    Args:
        cases: as `decide` takes them.
        treated: whether the treatment decides a case, shape (cases,).
        moved_rate: the designed rate in the moved bands, in (0, 1], shape (cases,).

    Returns:
        As `decide`, and `arm`, `control_action` and `treatment_action`: what either policy does
        with the case, whichever decides it.
    """
    by_control = control.decide(cases)
    by_treatment = treatment.decide(cases)
    moved = (by_control["action"] != by_treatment["action"]).to_numpy(dtype=np.bool_)
    own_rate = np.broadcast_to(np.asarray(treatment.rule.audit_rate, dtype=np.float64), len(cases))
    rule = replace(treatment.rule, audit_rate=np.where(moved, moved_rate, own_rate))
    tried = replace(treatment, rule=rule).decide(cases)
    merged = {name: tried[name].where(treated, by_control[name]) for name in by_control.columns}
    return pd.DataFrame(merged).assign(
        arm=pd.array([CONTROL, TREATMENT], dtype="str").take(treated.astype(np.intp)),
        control_action=by_control["action"],
        treatment_action=by_treatment["action"],
    )


def moved_rates(plan: AbPlan, days: FloatArray) -> FloatArray:
    """The designed rate in the moved bands of cases decided so many days after the test's start."""
    since = np.array([day for day, _ in plan.moved_audit])
    rates = np.array([rate for _, rate in plan.moved_audit])
    step = np.searchsorted(since, np.maximum(days, 0.0), side="right") - 1
    found: FloatArray = rates[step]
    return found
