"""Worlds in which the cause of an agent's errors is planted, so that triage can be judged.

The exchange's `ato` and `kyc_audit` at seed 101 served while the method was made; what is measured
here are the other case types, other seeds, an additive Gaussian world and a public data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from configs.settings import load_settings
from models.risk import TrainingPlan, train
from models.simulation import Exchange
from models.vocabulary import Feature

FloatArray = npt.NDArray[np.float64]

TRAINING_CASES = 60_000
POOL_CASES = 300_000
RING = 4


@dataclass(frozen=True, eq=False)
class World:
    """Labelled cases that a model did not learn from, and what it makes of them.

    contributions and margin: the model's; bad: truth; raw: feature columns; strong: features worth
    planting a bias in, weak: a feature that matters little; slices: a column to plant and look in;
    patterns: (column, value) a procedure may misread.
    """

    name: str
    model: str
    contributions: pd.DataFrame
    margin: FloatArray
    bad: npt.NDArray[np.bool_]
    raw: pd.DataFrame
    strong: tuple[str, ...]
    weak: str
    slices: str
    patterns: tuple[tuple[str, str | bool], ...]

    def sample(self, rng: np.random.Generator, size: int) -> World:
        """Some of the cases, without replacement, in their order."""
        at = np.sort(rng.choice(len(self.margin), size, replace=False))
        return World(
            self.name, self.model,
            self.contributions.iloc[at].reset_index(drop=True), self.margin[at], self.bad[at],
            self.raw.iloc[at].reset_index(drop=True),
            self.strong, self.weak, self.slices, self.patterns,
        )  # fmt: skip


def additive(model: str, seed: int) -> World:
    """Ten correlated Gaussian features, two of them noise, and four slices that mean nothing."""
    weights = np.array([1.2, 1.0, 0.8, 0.8, 0.6, 0.6, 0.4, 0.3, 0.0, 0.0])
    names = [f"x{place}" for place in range(len(weights))]
    size = TRAINING_CASES + POOL_CASES
    rng = np.random.default_rng([seed, 1])
    shared = rng.standard_normal((size, 1))
    values = np.sqrt(0.8) * rng.standard_normal((size, len(weights))) + np.sqrt(0.2) * shared
    true_margin = -3.0 + values @ weights
    bad = rng.random(size) < expit(true_margin)
    cases = pd.DataFrame(values, columns=names)
    cases["ring"] = pd.Categorical.from_codes(
        rng.integers(0, RING, size), [f"ring_{place}" for place in range(RING)]
    ).astype("str")
    true_phi = pd.DataFrame(values * weights, columns=names)
    features = [Feature(name) for name in names]
    said = _said(model, cases, bad, features, true_phi, true_margin)
    return World(
        "additive", model, *said, strong=("x0", "x1", "x2", "x3"), weak="x6", slices="ring",
        patterns=(("ring", "ring_2"),),
    )  # fmt: skip


def exchange(case_type: str, model: str, seed: int) -> World:
    """One case type of the simulated exchange; the perfect model is its reference agent."""
    plants = {
        "reset_2fa": 0, "poa_review": 1, "withdrawal_anomaly": 2, "ato": 3, "kyc_audit": 4
    }  # fmt: skip
    a_day = 6_000
    days = (TRAINING_CASES + POOL_CASES) // a_day
    quiet = dict.fromkeys(plants, 1)
    world = Exchange(seed, cases_per_day={**quiet, case_type: a_day}, burst=None)
    cases = world.cases(case_type, 0, days)
    told = world.agent(cases)
    configured = load_settings().load_case_types()[case_type]
    true_phi = told.filter(like="phi_").rename(columns=lambda name: name.removeprefix("phi_"))
    said = _said(
        model, cases, cases["bad"].to_numpy(dtype=np.bool_), configured.features, true_phi,
        told["margin"].to_numpy(),
    )  # fmt: skip
    raw = said[3]
    spread = true_phi.std().sort_values(ascending=False)
    numeric = [name for name in spread.index if pd.api.types.is_numeric_dtype(raw[name])]
    columns = [name for name in configured.segments if name in raw]
    patterns: list[tuple[str, str | bool]] = []
    for name in raw.columns:
        if not pd.api.types.is_numeric_dtype(raw[name]) or raw[name].dtype == bool:
            shares = raw[name].value_counts(normalize=True)
            patterns += [(name, value) for value, share in shares.items() if 0.04 <= share <= 0.15]
    weak = [name for name in numeric if 0.2 <= float(true_phi[name].std()) <= 0.36]
    return World(
        case_type, model, *said, strong=tuple(numeric[:5]), weak=weak[0] if weak else numeric[-1],
        slices=columns[0], patterns=tuple(patterns),
    )  # fmt: skip


def _said(
    model: str,
    cases: pd.DataFrame,
    bad: npt.NDArray[np.bool_],
    features: tuple[Feature, ...] | list[Feature],
    true_phi: pd.DataFrame,
    true_margin: FloatArray,
) -> tuple[pd.DataFrame, FloatArray, npt.NDArray[np.bool_], pd.DataFrame]:
    """Contributions, margin, truth and raw values of the cases behind the training part."""
    later = slice(TRAINING_CASES, None)
    extra = [name for name in ("ring",) if name in cases]
    raw = cases[[*(feature.name for feature in features), *extra]].iloc[later]
    raw = raw.reset_index(drop=True)
    if model == "perfect":
        phi = true_phi.iloc[later].reset_index(drop=True)
        return phi, np.asarray(true_margin)[later], bad[later], raw
    learned = cases.iloc[:TRAINING_CASES]
    fitted = train(
        learned, bad[:TRAINING_CASES], np.ones(TRAINING_CASES), tuple(features), TrainingPlan()
    )
    told = fitted.model.contributions(cases.iloc[later])
    phi = pd.DataFrame(told.values, columns=list(told.features))
    return phi, told.margin, bad[later], raw


def misweighed(world: World, feature: str, factor: float, where: FloatArray | None = None) -> World:
    """The same cases scored with one feature's weight multiplied, about its mean (Type A)."""
    phi = world.contributions.copy()
    added = (factor - 1.0) * (phi[feature] - phi[feature].mean()).to_numpy()
    if where is not None:
        added = np.where(where, added, 0.0)
    phi[feature] = phi[feature] + added
    return _replaced(world, phi, world.margin + added)


def miscalibrated(world: World, shift: float, slope: float) -> World:
    """The same ranking with wrong probabilities (Type B)."""
    return _replaced(world, world.contributions * slope, shift + slope * world.margin)


def misread(world: World, column: str, value: str | bool, share: float, seed: int) -> World:
    """A share of the cases of one pattern read the wrong way round (Type C)."""
    here = (world.raw[column] == value).to_numpy()
    here = here & (np.random.default_rng(seed).random(len(here)) < share)
    return _replaced(world, world.contributions, np.where(here, -world.margin, world.margin))


def _replaced(world: World, phi: pd.DataFrame, margin: FloatArray) -> World:
    return World(
        world.name, world.model, phi, margin, world.bad, world.raw, world.strong, world.weak,
        world.slices, world.patterns,
    )  # fmt: skip


def cards(path: str, seed: int) -> World:
    """Card transactions of the Fraud Detection Handbook, scored by a model trained on their first
    days; the truth is the data's own, only the bias is planted."""
    rows = pd.read_parquet(path).sort_values("TX_DATETIME", kind="stable", ignore_index=True)
    names = [
        name for name in rows
        if name.startswith(("CUSTOMER_ID_", "TERMINAL_ID_")) or name in ("TX_AMOUNT",)
    ]  # fmt: skip
    names += ["TX_DURING_NIGHT", "TX_DURING_WEEKEND"]
    rows = rows[rows["TX_DATETIME"] >= rows["TX_DATETIME"].min() + pd.Timedelta(days=37)]
    rows = rows.reset_index(drop=True)
    bad = rows["TX_FRAUD"].to_numpy() == 1
    cases = rows[names].astype("float64")
    half = len(cases) // 2
    features = tuple(Feature(name) for name in names)
    fitted = train(cases[:half], bad[:half], np.ones(half), features, TrainingPlan(seed=seed))
    told = fitted.model.contributions(cases[half:])
    phi = pd.DataFrame(told.values, columns=list(told.features))
    raw = cases[half:].reset_index(drop=True)
    spread = phi.std().sort_values(ascending=False)
    strong = tuple(spread.index[:4])
    return World(
        "cards", "xgboost", phi, told.margin, bad[half:], raw, strong, str(spread.index[6]),
        "TX_DURING_WEEKEND", (),
    )  # fmt: skip
