"""Which cases open on a range of days, and what is hidden behind each of them?

All random numbers of a day come from one generator that belongs to seed, case type and day; every
later step is a function of them, row by row. That is why ranges and chunks change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from models.simulation.burst import Burst
from models.simulation.keyed_draws import generator
from models.simulation.recipe import BoolArray, CaseRecipe, FeatureRecipe, FloatArray

KEY_USER_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Calendar:
    """`days` days from `first_day`, counted from the exchange's start.

    `start_day` is day 0 in days since 1 January 1970.
    """

    start_day: int
    first_day: int
    days: int


def drawn_cases(
    recipe: CaseRecipe, calendar: Calendar, seed: int, cases_per_day: int, burst: Burst | None
) -> pd.DataFrame:
    """The cases of the calendar's days, sorted by opened_at, with their hidden truth."""
    raw = _raw_draws(recipe, calendar, seed, cases_per_day, burst)
    calendar_day = calendar.start_day + raw.day
    in_burst = _in_burst(burst, recipe, raw.day)
    ring = raw.uniforms[_RING] < _ring_share(recipe, calendar_day, burst, in_burst)

    latents = _latents(recipe, raw, ring, calendar_day)
    values = _values(recipe, latents, raw)
    contributions = recipe.contributions(values)
    true_logit = recipe.intercept + _total(contributions, len(raw.day))
    bad = raw.uniforms[_TRUTH] < expit(true_logit)
    if burst is not None:
        values = _disguise(recipe, burst, latents, raw, bad & in_burst, values)

    key_user = raw.uniforms[_KEY_USER] < KEY_USER_SHARE
    opened_at = calendar_day * _DAY_US + _time_of_day_us(raw.uniforms[_HOUR])
    columns: dict[str, Any] = {
        "case_id": _case_ids(recipe, raw),
        "case_type": pd.Series(recipe.name, index=range(len(raw.day)), dtype="str"),
        "opened_at": utc_stamps(opened_at),
        "priority": _priority(raw.uniforms[_PRIORITY], key_user),
        "amount_usd": _amount(recipe, raw.normals[_AMOUNT], key_user),
        **{feature.name: _decoded(feature, values) for feature in recipe.features},
        "bad": bad,
        "true_logit": true_logit,
        "matures_at": utc_stamps(opened_at + _delay_us(recipe, raw.uniforms[_DELAY])),
    }
    return pd.DataFrame(columns)


def utc_stamps(microseconds: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Microseconds since 1970 as datetime64[us, UTC], shape (n,)."""
    stamps = pd.DatetimeIndex(microseconds.astype("datetime64[us]"))
    return stamps.tz_localize("UTC")


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


def _raw_draws(
    recipe: CaseRecipe, calendar: Calendar, seed: int, cases_per_day: int, burst: Burst | None
) -> _RawDraws:
    days = np.arange(calendar.first_day, calendar.first_day + calendar.days, dtype=np.int64)
    means = cases_per_day * np.array(_WEEKDAY_FACTORS)[(calendar.start_day + days + 3) % 7]
    if burst is not None:
        means = means * np.where(_in_burst(burst, recipe, days), burst.volume_factor, 1.0)
    parts = [
        _day_draws(recipe, seed, day, mean)
        for day, mean in zip(days.tolist(), means.tolist(), strict=True)
    ]
    none = np.empty((_NORMALS + len(recipe.features), 0))
    nothing = np.empty((_UNIFORMS + len(recipe.features), 0))
    sizes = [normals.shape[1] for normals, _ in parts]
    return _RawDraws(
        day=np.repeat(days, sizes),
        place=np.concatenate([np.arange(0), *(np.arange(size) for size in sizes)]),
        normals=np.concatenate([none, *(normals for normals, _ in parts)], axis=1),
        uniforms=np.concatenate([nothing, *(uniforms for _, uniforms in parts)], axis=1),
    )


def _day_draws(
    recipe: CaseRecipe, seed: int, day: int, mean_cases: float
) -> tuple[FloatArray, FloatArray]:
    rng = generator(seed, recipe.name, day)
    size = int(rng.poisson(mean_cases))
    normals = rng.standard_normal((_NORMALS + len(recipe.features), size))
    uniforms = rng.random((_UNIFORMS + len(recipe.features), size))
    uniforms[_HOUR].sort()  # cases are numbered in the order they open
    return normals, uniforms


def _in_burst(burst: Burst | None, recipe: CaseRecipe, days: NDArray[np.int64]) -> BoolArray:
    if burst is None:
        return np.zeros(len(days), dtype=np.bool_)
    return burst.covers(recipe.name, days)


def _ring_share(
    recipe: CaseRecipe, calendar_day: NDArray[np.int64], burst: Burst | None, in_burst: BoolArray
) -> FloatArray:
    """Share of arrivals that come from rings: it swings over nine weeks and leaps in a burst."""
    swing = 1.0 + 0.12 * np.sin(2.0 * np.pi * _iso_week(calendar_day) / 9.0)
    leap = 1.0 if burst is None else np.where(in_burst, burst.ring_factor, 1.0)
    return np.asarray(recipe.ring_share * swing * leap, dtype=np.float64)


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
