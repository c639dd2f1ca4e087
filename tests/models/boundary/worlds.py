"""Simulated cases whose true risks at any cut are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from models.boundary import Evidence

BASE, GAP = 0.08, 3.4


def world(generator: np.random.Generator, cases: int) -> pd.DataFrame:
    """Simulated cases whose log-odds are normal: bad ones lie GAP higher."""
    bad = generator.random(cases) < BASE
    z = generator.normal(size=cases) + GAP * bad
    score = expit(np.log(BASE / (1 - BASE)) + GAP * z - GAP**2 / 2)
    return pd.DataFrame({"score": score, "bad": bad.astype(float), "propensity": 1.0})


def quantile(score: float) -> float:
    """Back from a score to the z it came from."""
    return float((np.log(score / (1 - score)) - np.log(BASE / (1 - BASE)) + GAP**2 / 2) / GAP)


def true_recall(cut: float) -> float:
    return float(1 - stats.norm.cdf(quantile(cut) - GAP))


def true_precision(cut: float) -> float:
    caught, wrong = (
        BASE * stats.norm.sf(quantile(cut) - GAP),
        (1 - BASE) * stats.norm.sf(quantile(cut)),
    )
    return float(caught / (caught + wrong))


def true_false_omission(cut: float) -> float:
    missed, passed = (
        BASE * stats.norm.cdf(quantile(cut) - GAP),
        (1 - BASE) * stats.norm.cdf(quantile(cut)),
    )
    return float(missed / (missed + passed))


def audited(
    frame: pd.DataFrame, cut: float, rate: float, generator: np.random.Generator
) -> pd.DataFrame:
    """The same cases seen through a policy that passed below `cut` and audited a share."""
    propensity = np.where(frame["score"] <= cut, rate, 1.0)
    drawn = generator.random(len(frame)) < propensity
    return frame.assign(
        propensity=propensity, drawn=drawn, bad=np.where(drawn, frame["bad"], np.nan)
    )


def most_violations(runs: int, delta: float) -> int:
    """What a method that keeps its delta exceeds in one of a hundred test runs."""
    return int(stats.binom.ppf(0.99, runs, delta))


def cut_where(risk: Callable[[float], float], target: float) -> float:
    """The score at which a true risk equals its target, by bisection on a monotone risk."""
    low, high = 1e-9, 1.0 - 1e-9
    rising = risk(high) > risk(low)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if (risk(middle) > target) is rising else (middle, high)
    return (low + high) / 2


def seen_as(
    scores: Sequence[float],
    bad: Sequence[bool | None],
    propensity: float | Sequence[float] = 1.0,
    automatable: Sequence[bool] | None = None,
    drawn: Sequence[bool] | None = None,
) -> Evidence:
    """A tiny table of evidence; None is a truth that is not in."""
    frame = pd.DataFrame(
        {"score": list(scores), "bad": pd.array(list(bad), dtype="boolean")}
    ).assign(propensity=propensity)
    if automatable is not None:
        frame["automatable"] = list(automatable)
    if drawn is not None:
        frame["drawn"] = list(drawn)
    return Evidence.from_frame(frame)
