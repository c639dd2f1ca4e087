"""What would an exchange's cases, agent and late outcomes be, if we knew the truth of every case?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from models.simulation.burst import DEFAULT_BURST, Burst
from models.simulation.case_draws import Calendar, drawn_cases, utc_stamps
from models.simulation.case_models import RECIPES
from models.simulation.faults import (
    Fault,
    ProcedureFault,
    ThresholdFault,
    WeightFault,
    misread,
)
from models.simulation.keyed_draws import KeyedDraws
from models.simulation.recipe import CaseRecipe
from models.vocabulary.actions import Action, Recommendation

__all__ = [
    "APPEAL_SHARE",
    "DEFAULT_BURST",
    "DEFAULT_CASES_PER_DAY",
    "HIDDEN_COLUMNS",
    "SURFACING_SHARE",
    "Burst",
    "Exchange",
]

HIDDEN_COLUMNS = ("bad", "true_logit", "matures_at")
"""Columns of simulated cases that no agent, model or reviewer's screen may see."""

DEFAULT_CASES_PER_DAY: Mapping[str, int] = MappingProxyType(
    {
        "kyc_audit": 1000,
        "ato": 800,
        "reset_2fa": 800,
        "poa_review": 1000,
        "withdrawal_anomaly": 1400,
    }
)
SURFACING_SHARE = 0.9
"""Share of passed bad cases that are reported once they are mature."""
APPEAL_SHARE = 0.85
"""Share of blocked good cases whose owner appeals."""


class Exchange:
    """A simulated exchange with known truth: `bad ~ Bernoulli(sigmoid(true_logit))`.

    Everything is a function of the seed: a day's cases do not depend on the range they are asked
    for in, nor a case's outcome on the call it is asked for in. In a burst, disguised features are
    altered *after* the truth is drawn: `true_logit` stays the log-odds the truth came from, and
    the agent, who sees the disguise, is fooled.

    Args:
        seed: of the whole exchange.
        cases_per_day: mean daily volume by case type; case types left out keep their default.
        faults: mistakes planted in the reference agent (none: it is the true model).
        start: midnight UTC that begins day 0.
        burst: the adversarial episode, or None.

    Raises:
        ValueError: an unknown case type or feature, a negative volume, or a start that is not a
            midnight in UTC.
    """

    def __init__(
        self,
        seed: int,
        *,
        cases_per_day: Mapping[str, int] | None = None,
        faults: Sequence[Fault] = (),
        start: datetime = datetime(2026, 1, 5, tzinfo=UTC),
        burst: Burst | None = DEFAULT_BURST,
    ) -> None:
        volumes = {**DEFAULT_CASES_PER_DAY, **(cases_per_day or {})}
        _refuse_unknown(volumes, faults, burst)
        self.seed = seed
        self.case_types: tuple[str, ...] = tuple(RECIPES)
        self.cases_per_day: Mapping[str, int] = MappingProxyType(volumes)
        self.faults: tuple[Fault, ...] = tuple(faults)
        self.burst = burst
        self._start_day = _days_since_epoch(start)

    def cases(self, case_type: str, first_day: int, days: int) -> pd.DataFrame:
        """The cases of `days` days from `first_day` (may be negative), sorted by `opened_at`.

        Columns: case_id, case_type, opened_at (UTC), priority (0 to 100), amount_usd, the features
        of the case type, and the HIDDEN_COLUMNS. Index: 0 .. n - 1.
        """
        recipe = _recipe(case_type)
        if days < 0:
            raise ValueError(f"days must be zero or more, got {days}")
        calendar = Calendar(self._start_day, first_day, days)
        return drawn_cases(recipe, calendar, self.seed, self.cases_per_day[recipe.name], self.burst)

    def contributions(self, cases: pd.DataFrame) -> pd.DataFrame:
        """What each feature truly adds to a case's log-odds of bad: index as `cases`, one column a
        feature. They are centred: their sum plus the case type's intercept is the log-odds.
        """
        return self._by_case_type(cases, lambda recipe, rows: _true_contributions(recipe, rows))

    def agent(self, cases: pd.DataFrame) -> pd.DataFrame:
        """What the reference agent says: index as `cases`.

        Columns: score in (0, 1), margin (log-odds), recommendation pass|block and one
        `phi_<feature>` a feature, in logits. Without faults the margin is the case type's
        intercept plus the sum of the contributions, and the score is the true P(bad | features).

        Raises:
            ValueError: no cases, an unknown case type, or feature columns are missing.
        """
        return self._by_case_type(cases, self._agent_of_one_type)

    def outcomes(
        self,
        cases: pd.DataFrame,
        actions: pd.Series | NDArray[Any],
        ended: pd.Series | NDArray[Any] | None = None,
    ) -> pd.DataFrame:
        """What comes to light by itself, by contract `outcomes`, sorted by observed_at.

        A passed bad case surfaces when it matures (probability .9); the owner of a blocked good
        case appeals before that (.85); all others stay silent.

        Args:
            cases: as the exchange returned them, hidden truth included.
            actions: auto_pass|auto_block|escalate, one a case, in their order.
            ended: how each case ended, pass|block, or null while it is open. It may be left out
                when no case was escalated.

        Raises:
            ValueError: an unknown action or ending, an escalated case without `ended`, or an
                ending that contradicts an automatic action.
        """
        ending = _endings(cases, actions, ended)
        draws = KeyedDraws(self.seed, cases["case_id"])
        bad = cases["bad"].to_numpy(dtype=np.bool_)
        surfaces = bad & (ending == "pass") & (draws.uniform("surfaces") < SURFACING_SHARE)
        appeals = ~bad & (ending == "block") & (draws.uniform("appeals") < APPEAL_SHARE)

        reported = np.where(draws.uniform("reporter") < 0.6, "victim_report", "chargeback")
        opened = cases["opened_at"].astype("int64").to_numpy()
        matures = cases["matures_at"].astype("int64").to_numpy()
        waited = (0.05 + 0.55 * draws.uniform("appeal_delay")) * (matures - opened)
        shown = surfaces | appeals
        table = pd.DataFrame(
            {
                "case_id": cases["case_id"].astype("str").reset_index(drop=True),
                "observed_at": utc_stamps(np.where(bad, matures, opened + waited.astype(np.int64))),
                "bad": bad,
                "source": pd.Series(np.where(bad, reported, "appeal"), dtype="str"),
            }
        )
        seen: pd.DataFrame = table[shown]
        return seen.sort_values(["observed_at", "case_id"], ignore_index=True)

    def _by_case_type(
        self, cases: pd.DataFrame, answer: Callable[[CaseRecipe, pd.DataFrame], pd.DataFrame]
    ) -> pd.DataFrame:
        if cases.empty:
            raise ValueError("there are no cases to judge: the table is empty")
        # Positions, not labels: tables put together from several days may repeat their labels.
        numbered = cases.reset_index(drop=True)
        parts = [
            answer(_recipe(str(name)), rows)
            for name, rows in numbered.groupby("case_type", sort=False, observed=True)
        ]
        together: pd.DataFrame = pd.concat(parts).sort_index()
        if len(together) < len(cases):
            raise ValueError(f"{len(cases) - len(together)} cases have no case_type")
        return together.set_axis(cases.index, axis=0)

    def _agent_of_one_type(self, recipe: CaseRecipe, rows: pd.DataFrame) -> pd.DataFrame:
        phi = _true_contributions(recipe, rows)
        intercept = np.full(len(rows), recipe.intercept)
        for fault in self.faults:
            if isinstance(fault, WeightFault) and fault.case_type == recipe.name:
                wrong = fault.applies(rows)
                phi[fault.feature] = np.where(wrong, fault.factor, 1.0) * phi[fault.feature]
        for fault in self.faults:
            if isinstance(fault, ThresholdFault) and fault.case_type == recipe.name:
                phi, intercept = phi * fault.slope, fault.shift + fault.slope * intercept
        margin = intercept + phi.to_numpy().sum(axis=1)
        for fault in self.faults:
            if isinstance(fault, ProcedureFault) and fault.case_type == recipe.name:
                margin = np.where(misread(fault, rows, self.seed), -margin, margin)
        # A score of exactly 0 or 1 would claim certainty; floats round to it beyond 36 logits.
        score = np.clip(expit(margin), np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
        says_block = score >= 0.5
        head = pd.DataFrame(
            {
                "score": score,
                "margin": margin,
                "recommendation": pd.Series(
                    np.where(says_block, Recommendation.BLOCK.value, Recommendation.PASS.value),
                    index=rows.index,
                    dtype="str",
                ),
            },
            index=rows.index,
        )
        return pd.concat([head, phi.add_prefix("phi_")], axis=1)


def _true_contributions(recipe: CaseRecipe, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(recipe.contributions(recipe.encoded(rows)), index=rows.index)


def _endings(
    cases: pd.DataFrame,
    actions: pd.Series | NDArray[Any],
    ended: pd.Series | NDArray[Any] | None,
) -> NDArray[np.object_]:
    """How each case ended: "pass", "block" or None while it is open; shape (n,)."""
    action = _one_each(actions, len(cases), "actions")
    strange = sorted({str(value) for value in pd.unique(action)} - set(Action))
    if strange:
        raise ValueError(f"unknown actions {', '.join(strange)}; known: {', '.join(Action)}")
    automatic = np.full(len(cases), None, dtype=object)
    automatic[action == Action.AUTO_PASS] = "pass"
    automatic[action == Action.AUTO_BLOCK] = "block"
    if ended is None:
        if (action == Action.ESCALATE).any():
            raise ValueError("escalated cases end as their reviewer said: pass `ended` as well")
        return automatic
    end = _one_each(ended, len(cases), "ended")
    end[pd.isna(end)] = None
    strange = sorted(
        {str(value) for value in pd.unique(end) if value is not None} - {"pass", "block"}
    )
    if strange:
        raise ValueError(
            f"a case ends in pass or block (null while open), got {', '.join(strange)}"
        )
    contradicted = int(((action != Action.ESCALATE) & (end != automatic)).sum())
    if contradicted:
        raise ValueError(
            f"{contradicted} automatically decided cases ended otherwise than their action says; "
            "auto_pass ends in pass and auto_block in block"
        )
    return end


def _one_each(values: pd.Series | NDArray[Any], size: int, name: str) -> NDArray[np.object_]:
    array: NDArray[np.object_] = np.array(values, dtype=object)
    if array.shape != (size,):
        raise ValueError(f"{name} must hold one value a case ({size}), got shape {array.shape}")
    return array


def _recipe(case_type: str) -> CaseRecipe:
    if case_type not in RECIPES:
        raise ValueError(
            f"the simulated exchange has no case type {case_type!r}; it has: {', '.join(RECIPES)}"
        )
    return RECIPES[case_type]


def _refuse_unknown(
    volumes: Mapping[str, int], faults: Sequence[Fault], burst: Burst | None
) -> None:
    for case_type, volume in volumes.items():
        _recipe(case_type)
        if not 0 <= volume <= 60_000:
            raise ValueError(
                f"cases_per_day of {case_type} must lie between 0 and 60000 (case ids number a "
                f"day's cases with five digits), got {volume!r}"
            )
    if burst is not None:
        _recipe(burst.case_type)
    for fault in faults:
        recipe = _recipe(fault.case_type)
        if isinstance(fault, WeightFault) and fault.feature not in recipe.feature_names:
            raise ValueError(
                f"{recipe.name} has no feature {fault.feature!r} to misweigh; it has: "
                f"{', '.join(recipe.feature_names)}"
            )


def _days_since_epoch(start: datetime) -> int:
    if start.tzinfo is None:
        raise ValueError(f"start must be tz-aware, in UTC; got {start.isoformat()}")
    seconds = start.timestamp()
    if seconds % 86_400 != 0:
        raise ValueError(f"start must be a midnight in UTC, got {start.isoformat()}")
    return int(seconds // 86_400)
