"""How is a simulated case drawn, and what does each of its features add to its log-odds of bad?

A case has two hidden causes: general oddness (honest people are odd, too) and membership of a
fraud ring. Every feature is a monotone transform of one latent standard normal, shifted by both
causes; that gives realistic marginals and dependence. The truth then depends on the *features*
alone, through known curves, so that a perfect model of the features exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from models.vocabulary.case_type import FeatureKind

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Shape = Literal["lognormal", "share", "count", "normal"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A piecewise linear effect in logits through `(x, y)` points, flat outside them.

    With `log` the lines are straight in log(1 + x), which suits amounts, counts and durations.
    """

    points: tuple[tuple[float, float], ...]
    log: bool = False

    def at(self, values: FloatArray) -> FloatArray:
        """Logits, shape of `values`; a missing value stays NaN."""
        xs, ys = (np.array(axis, dtype=np.float64) for axis in zip(*self.points, strict=True))
        if self.log:
            xs, values = np.log1p(xs), np.log1p(np.maximum(values, 0.0))
        return np.interp(values, xs, ys)


@dataclass(frozen=True, slots=True)
class FeatureRecipe:
    """One feature: where its values come from and what they add to the log-odds.

    Attributes:
        oddness, ring: how far (in latent standard deviations) general oddness loads on the feature
            (a correlation in [-1, 1]) and a ring member's value is shifted.
        shape, location, scale: the marginal of a numeric feature.
        rate: about how often a boolean feature is true.
        levels, shares: a categorical feature's levels, from the most ordinary to the oddest.
        curve, gain, effects: the effect in logits of a numeric, boolean, categorical feature; a
            feature without one is pure noise.
        missing_share: share of values not known; a missing value adds the effect's centre, that
            is, nothing.
        drift: amplitude of the yearly swing of the latent, in standard deviations.
    """

    name: str
    kind: FeatureKind
    family: str
    monotone: Literal[-1, 0, 1] = 0
    oddness: float = 0.0
    ring: float = 0.0
    shape: Shape = "normal"
    location: float = 0.0
    scale: float = 1.0
    rate: float = 0.0
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    curve: Curve | None = None
    gain: float = 0.0
    effects: tuple[float, ...] = ()
    missing_share: float = 0.0
    drift: float = 0.0

    @property
    def is_noise(self) -> bool:
        return self.curve is None and self.gain == 0.0 and not any(self.effects)

    def values(self, latent: FloatArray) -> NDArray[np.generic]:
        """The feature's values from its latent, shape (n,); level *codes* for a categorical one."""
        if self.kind == "boolean":
            return latent > ndtri(1.0 - self.rate)
        if self.kind == "categorical":
            cuts = ndtri(np.cumsum(self.shares)[:-1])
            return np.searchsorted(cuts, latent).astype(np.int8)
        moved = self.location + self.scale * latent
        if self.shape == "lognormal":
            return np.round(np.exp(moved), 3)
        if self.shape == "share":
            return np.round(expit(moved), 4)
        if self.shape == "count":
            return np.floor(np.exp(moved))
        return np.round(moved, 4)

    def effect(self, values: NDArray[np.generic]) -> FloatArray:
        """Logits before centring, shape (n,); NaN where the value is missing or unknown."""
        if self.kind == "categorical":
            codes = values.astype(np.intp)
            # The last entry answers code -1, an unknown level.
            effects = self.effects or (0.0,) * len(self.levels)
            return np.array([*effects, np.nan], dtype=np.float64)[codes]
        numbers = values.astype(np.float64)
        if self.kind == "boolean":
            return np.asarray(numbers * self.gain, dtype=np.float64)
        return np.zeros(len(numbers)) if self.curve is None else self.curve.at(numbers)


@dataclass(frozen=True, slots=True)
class CellCondition:
    """A feature at or above (`at_least`) or at or below (`at_most`) a value; false when missing."""

    feature: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, values: NDArray[np.generic]) -> BoolArray:
        numbers = values.astype(np.float64)
        true = np.isfinite(numbers)
        if self.at_least is not None:
            true &= numbers >= self.at_least
        if self.at_most is not None:
            true &= numbers <= self.at_most
        return np.asarray(true, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two conditions that add `gain` logits together; each feature is charged half of it."""

    left: CellCondition
    right: CellCondition
    gain: float


@dataclass(frozen=True, slots=True)
class CaseRecipe:
    """One case type's generative recipe.

    Attributes:
        prefix: how its case ids begin.
        intercept: the mean log-odds of bad, all contributions being centred.
        centres: by feature, the mean effect over the standing population (a frozen constant:
            scaling a feature's weight then leaves the average case alone).
        ring_share: share of cases that come from a ring; it swings mildly by ISO week.
        delay_days: the shortest and the longest time until a case's truth shows itself.
        amount_log_mean, amount_log_sd: of the amount at stake in US dollars.
        sop_clauses: the clauses of the written procedure that reviewers cite.
    """

    name: str
    prefix: str
    features: tuple[FeatureRecipe, ...]
    interactions: tuple[Interaction, ...]
    intercept: float
    centres: Mapping[str, float]
    ring_share: float
    delay_days: tuple[float, float]
    amount_log_mean: float
    amount_log_sd: float
    sop_clauses: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def contributions(self, values: Mapping[str, NDArray[np.generic]]) -> dict[str, FloatArray]:
        """What each feature adds to the log-odds, by feature, arrays of shape (n,).

        `intercept` plus their sum is the true log-odds: interactions are charged half and half to
        the two features that make them, which is their Shapley value.
        """
        logits = {feature.name: feature.effect(values[feature.name]) for feature in self.features}
        for interaction in self.interactions:
            left, right = interaction.left, interaction.right
            both = left.holds(values[left.feature]) & right.holds(values[right.feature])
            for name in (left.feature, right.feature):
                logits[name] = logits[name] + 0.5 * interaction.gain * both
        return {
            name: np.where(np.isnan(logit), 0.0, logit - self.centres.get(name, 0.0))
            for name, logit in logits.items()
        }

    def encoded(self, cases: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
        """The feature columns of `cases` as arrays; categories as codes, -1 for an unknown one.

        Raises:
            ValueError: feature columns are missing from `cases`.
        """
        absent = [name for name in self.feature_names if name not in cases.columns]
        if absent:
            raise ValueError(
                f"{len(absent)} feature columns are missing from {self.name} cases: "
                f"{', '.join(map(repr, absent))}. Pass the cases as the exchange returned them."
            )
        return {feature.name: _encoded(feature, cases[feature.name]) for feature in self.features}


def _encoded(feature: FeatureRecipe, column: pd.Series) -> NDArray[np.generic]:
    if feature.kind == "categorical":
        codes: NDArray[np.generic] = pd.Categorical(column, categories=list(feature.levels)).codes
        return codes
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
