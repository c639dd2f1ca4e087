"""What would an exchange's cases, agent and late outcomes be, if we knew the truth of every case?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from models.simulation.case_models import RECIPES
from models.simulation.faults import Fault, ProcedureFault, ThresholdFault, WeightFault
from models.simulation.keyed_draws import KeyedDraws, generator
from models.simulation.recipe import BoolArray, CaseRecipe, FeatureRecipe, FloatArray
from models.vocabulary.actions import Action, Recommendation

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
KEY_USER_SHARE = 0.03
SURFACING_SHARE = 0.9
"""Share of passed bad cases that are reported once they are mature."""
APPEAL_SHARE = 0.85
"""Share of blocked good cases whose owner appeals."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Days in which one case type's attackers come in numbers and have learnt to look clean.

    `disguise` is the part of the way that a bad case's disguised features move to those of an
    ordinary case (0 none, 1 all); `disguised_features` is how many of the case type's strongest
    ring features they disguise; volume and ring share are multiplied.

    Raises:
        ValueError: a figure is out of range.
    """

    case_type: str = "withdrawal_anomaly"
    first_day: int = 70
    days: int = 3
    disguise: float = 0.7
    disguised_features: int = 4
    volume_factor: float = 1.5
    ring_factor: float = 1.5

    def __post_init__(self) -> None:
        if self.days < 1 or not 0.0 <= self.disguise <= 1.0 or self.disguised_features < 0:
            raise ValueError(
                "a burst lasts at least a day, with a disguise in [0, 1] and no negative number of "
                f"disguised features, got {self!r}"
            )
        if not (self.volume_factor > 0.0 and self.ring_factor > 0.0):
            raise ValueError(f"a burst's factors must be positive, got {self!r}")

    def covers(self, case_type: str, days: NDArray[np.int64]) -> BoolArray:
        inside = (days >= self.first_day) & (days < self.first_day + self.days)
        return np.asarray(inside & (case_type == self.case_type), dtype=np.bool_)


DEFAULT_BURST = Burst()


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
        raw = self._raw_draws(recipe, first_day, days)
        calendar_day = self._start_day + raw.day
        ring = raw.uniforms[_RING] < self._ring_share(recipe, raw.day, calendar_day)

        latents = _latents(recipe, raw, ring, calendar_day)
        values = _values(recipe, latents, raw)
        contributions = recipe.contributions(values)
        true_logit = recipe.intercept + _total(contributions, len(raw.day))
        bad = raw.uniforms[_TRUTH] < expit(true_logit)
        if self.burst is not None:
            disguised = bad & self.burst.covers(case_type, raw.day)
            values = _disguise(recipe, self.burst, latents, raw, disguised, values)

        key_user = raw.uniforms[_KEY_USER] < KEY_USER_SHARE
        opened_at = calendar_day * _DAY_US + _time_of_day_us(raw.uniforms[_HOUR])
        columns: dict[str, Any] = {
            "case_id": _case_ids(recipe, raw),
            "case_type": pd.Series(case_type, index=range(len(raw.day)), dtype="str"),
            "opened_at": _utc(opened_at),
            "priority": _priority(raw.uniforms[_PRIORITY], key_user),
            "amount_usd": _amount(recipe, raw.normals[_AMOUNT], key_user),
            **{feature.name: _decoded(feature, values) for feature in recipe.features},
            "bad": bad,
            "true_logit": true_logit,
            "matures_at": _utc(opened_at + _delay_us(recipe, raw.uniforms[_DELAY])),
        }
        return pd.DataFrame(columns)

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
                "observed_at": _utc(np.where(bad, matures, opened + waited.astype(np.int64))),
                "bad": bad,
                "source": pd.Series(np.where(bad, reported, "appeal"), dtype="str"),
            }
        )
        return table[shown].sort_values(["observed_at", "case_id"], ignore_index=True)

    def _by_case_type(
        self, cases: pd.DataFrame, answer: Callable[[CaseRecipe, pd.DataFrame], pd.DataFrame]
    ) -> pd.DataFrame:
        parts = [
            answer(_recipe(str(name)), rows)
            for name, rows in cases.groupby("case_type", sort=False, observed=True)
        ]
        if not parts:
            raise ValueError("there are no cases to judge: the table is empty")
        if len(parts) == 1:
            return parts[0]
        joined: pd.DataFrame = pd.concat(parts).reindex(cases.index)
        return joined

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

    def _raw_draws(self, recipe: CaseRecipe, first_day: int, days: int) -> _RawDraws:
        if days < 0:
            raise ValueError(f"days must be zero or more, got {days}")
        wanted = len(recipe.features) + _NORMALS, len(recipe.features) + _UNIFORMS
        parts = [
            self._day_draws(recipe, day, *wanted) for day in range(first_day, first_day + days)
        ]
        sizes = [normals.shape[1] for normals, _ in parts]
        return _RawDraws(
            day=np.repeat(np.arange(first_day, first_day + days, dtype=np.int64), sizes),
            place=np.concatenate([np.arange(0), *(np.arange(size) for size in sizes)]),
            normals=np.concatenate(
                [np.empty((wanted[0], 0)), *(part[0] for part in parts)], axis=1
            ),
            uniforms=np.concatenate(
                [np.empty((wanted[1], 0)), *(part[1] for part in parts)], axis=1
            ),
        )

    def _day_draws(
        self, recipe: CaseRecipe, day: int, normals: int, uniforms: int
    ) -> tuple[FloatArray, FloatArray]:
        """All random numbers of one day; everything later is a function of them, row by row."""
        rng = generator(self.seed, recipe.name, day)
        mean = self.cases_per_day[recipe.name] * _WEEKDAY_FACTORS[(self._start_day + day + 3) % 7]
        if self.burst is not None and self.burst.covers(recipe.name, np.array([day]))[0]:
            mean *= self.burst.volume_factor
        size = int(rng.poisson(mean))
        drawn = rng.standard_normal((normals, size)), rng.random((uniforms, size))
        drawn[1][_HOUR].sort()  # cases are numbered in the order they open
        return drawn

    def _ring_share(
        self, recipe: CaseRecipe, day: NDArray[np.int64], calendar_day: NDArray[np.int64]
    ) -> FloatArray:
        share = recipe.ring_share * (1.0 + 0.12 * np.sin(2.0 * np.pi * _iso_week(calendar_day) / 9))
        if self.burst is not None:
            share = share * np.where(
                self.burst.covers(recipe.name, day), self.burst.ring_factor, 1.0
            )
        return np.asarray(share, dtype=np.float64)


def misread(fault: ProcedureFault, cases: pd.DataFrame, seed: int) -> BoolArray:
    """Which cases the written procedure gets the wrong way round, shape (n,)."""
    pattern = fault.applies(cases)
    drawn = KeyedDraws(seed, cases["case_id"]).uniform("procedure", fault.sop_clause)
    return np.asarray(pattern & (drawn < fault.flip_share), dtype=np.bool_)


_DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
# Monday to Sunday; the mean is one.
_WEEKDAY_FACTORS = (1.08, 1.06, 1.04, 1.03, 1.05, 0.9, 0.84)
# Rows of the raw draws. Normals: oddness and the amount, then one a feature.
_NORMALS = 2
_ODDNESS, _AMOUNT = 0, 1
# Uniforms: these six, then one a feature for missing values.
_UNIFORMS = 6
_HOUR, _RING, _TRUTH, _DELAY, _KEY_USER, _PRIORITY = range(6)


@dataclass(frozen=True, slots=True)
class _RawDraws:
    day: NDArray[np.int64]
    place: NDArray[np.int64]
    normals: FloatArray
    uniforms: FloatArray


def _latents(
    recipe: CaseRecipe, raw: _RawDraws, ring: BoolArray, calendar_day: NDArray[np.int64]
) -> dict[str, FloatArray]:
    season = np.sin(2.0 * np.pi * _iso_week(calendar_day) / 52.0)
    latents = {}
    for place, feature in enumerate(recipe.features):
        own = raw.normals[_NORMALS + place]
        odd = feature.oddness * raw.normals[_ODDNESS]
        mixed = odd + np.sqrt(1.0 - feature.oddness**2) * own
        latents[feature.name] = mixed + feature.ring * ring + feature.drift * season
    return latents


def _values(
    recipe: CaseRecipe, latents: Mapping[str, FloatArray], raw: _RawDraws
) -> dict[str, NDArray[np.generic]]:
    values = {}
    for place, feature in enumerate(recipe.features):
        drawn = feature.values(latents[feature.name])
        if feature.missing_share > 0.0:
            lost = raw.uniforms[_UNIFORMS + place] < feature.missing_share
            drawn = np.where(lost, np.nan, drawn)
        values[feature.name] = drawn
    return values


def _disguise(
    recipe: CaseRecipe,
    burst: Burst,
    latents: Mapping[str, FloatArray],
    raw: _RawDraws,
    disguised: BoolArray,
    values: dict[str, NDArray[np.generic]],
) -> dict[str, NDArray[np.generic]]:
    """Move the strongest ring features of the disguised cases towards an ordinary case's."""
    if not disguised.any():
        return values
    by_strength = sorted(
        range(len(recipe.features)), key=lambda place: -abs(recipe.features[place].ring)
    )
    for place in by_strength[: burst.disguised_features]:
        feature = recipe.features[place]
        ordinary = raw.normals[_NORMALS + place][disguised]
        latent = (1.0 - burst.disguise) * latents[feature.name][disguised]
        drawn = feature.values(latent + burst.disguise * ordinary)
        altered = values[feature.name].copy()
        known = ~np.isnan(altered[disguised].astype(np.float64))
        altered[disguised] = np.where(known, drawn, altered[disguised])
        values[feature.name] = altered
    return values


def _true_contributions(recipe: CaseRecipe, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(recipe.contributions(recipe.encoded(rows)), index=rows.index)


def _total(contributions: Mapping[str, FloatArray], size: int) -> FloatArray:
    return np.asarray(sum(contributions.values(), start=np.zeros(size)), dtype=np.float64)


def _decoded(feature: FeatureRecipe, values: Mapping[str, NDArray[np.generic]]) -> Any:
    if feature.kind != "categorical":
        return values[feature.name]
    levels = pd.array(list(feature.levels), dtype="str")
    return levels.take(values[feature.name].astype(np.intp))


def _case_ids(recipe: CaseRecipe, raw: _RawDraws) -> pd.Series:
    """`kyc-000123-00045`: case type, day (m and five digits before day 0), place in the day."""
    days, at = np.unique(raw.day, return_inverse=True)
    heads = [
        f"{recipe.prefix}-{day:06d}-" if day >= 0 else f"{recipe.prefix}-m{-day:05d}-"
        for day in days.tolist()
    ]
    tails = [f"{place:05d}" for place in range(int(raw.place.max(initial=-1)) + 1)]
    head = pd.Series(pd.array(heads, dtype="str").take(at))
    tail = pd.Series(pd.array(tails, dtype="str").take(raw.place))
    return head + tail


def _iso_week(calendar_day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weeks since the epoch, Monday to Sunday; 1 January 1970 was a Thursday."""
    return (calendar_day + 3) // 7


def _time_of_day_us(uniform: FloatArray) -> NDArray[np.int64]:
    """Arrivals swing with the hour: busiest at 16:00 UTC, quietest at 04:00, as 1.45 to .55."""
    hours = np.linspace(0.0, 24.0, 241)
    intensity = 1.0 + 0.45 * np.sin(2.0 * np.pi * (hours - 10.0) / 24.0)
    arrived = np.concatenate([[0.0], np.cumsum((intensity[1:] + intensity[:-1]) / 2.0)])
    hour = np.interp(uniform, arrived / arrived[-1], hours)
    microseconds: NDArray[np.int64] = (hour / 24.0 * _DAY_US).astype(np.int64)
    return np.minimum(microseconds, _DAY_US - 1)


def _delay_us(recipe: CaseRecipe, uniform: FloatArray) -> NDArray[np.int64]:
    """Most truths show early in the range, some late: a square law between its two ends."""
    shortest, longest = recipe.delay_days
    days = shortest + (longest - shortest) * uniform**2
    delay: NDArray[np.int64] = np.ceil(days * 86_400.0).astype(np.int64) * _SECOND_US
    return np.minimum(delay, int(longest * _DAY_US))


def _priority(uniform: FloatArray, key_user: BoolArray) -> NDArray[np.int64]:
    """75 to 100 for key users; 0 to 74, low ones more often, for everybody else."""
    ordinary = np.floor(75.0 * uniform**2)
    return np.where(key_user, 75.0 + np.floor(26.0 * uniform), ordinary).astype(np.int64)


def _amount(recipe: CaseRecipe, normal: FloatArray, key_user: BoolArray) -> FloatArray:
    """US dollars, log-normal; a key user's are some four times larger."""
    logarithm = recipe.amount_log_mean + recipe.amount_log_sd * normal + np.log(4.0) * key_user
    return np.asarray(np.round(np.exp(logarithm), 2), dtype=np.float64)


def _utc(microseconds: NDArray[np.int64]) -> pd.DatetimeIndex:
    stamps = pd.DatetimeIndex(microseconds.astype("datetime64[us]"))
    return stamps.tz_localize("UTC")


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
