"""How is a risk model fitted on past cases whose truth is known?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from sklearn.metrics import log_loss, roc_auc_score

from models.risk.calibration import fit_platt
from models.risk.encoding import encode, levels_of, why_unscorable
from models.risk.model import RiskModel
from models.vocabulary import Feature

REFERENCE_RANKS = 1024
FEWEST_BAD = 20


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to fit: XGBoost's parameters, and the share of later rows that stops and calibrates."""

    rounds: int = 300
    max_depth: int = 4
    learning_rate: float = 0.08
    min_child_weight: float = 5.0
    row_share: float = 0.8
    column_share: float = 0.8
    early_stopping_rounds: int = 30
    later_share: float = 0.25
    seed: int = 0

    def parameters(self, features: Sequence[Feature]) -> dict[str, object]:
        return {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "max_depth": self.max_depth,
            "eta": self.learning_rate,
            # Rounds on some ten thousand rows are too short to share out, and several models are
            # fitted side by side; one thread also adds up in one order whatever the machine.
            "nthread": 1,
            "min_child_weight": self.min_child_weight,
            "subsample": self.row_share,
            "colsample_bytree": self.column_share,
            "seed": self.seed,
            "monotone_constraints": "(" + ",".join(str(f.monotone) for f in features) + ")",
        }


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model and how it did on the later slice that stopped and calibrated it.

    rows and bad count all it learned from, left_out what it could not; later_scores and later_bad
    have the shape of the later slice.
    """

    model: RiskModel
    rows: int
    bad: int
    trees: int
    later_auc: float
    later_log_loss: float
    left_out: int
    later_scores: npt.NDArray[np.float64] = field(repr=False)
    later_bad: npt.NDArray[np.bool_] = field(repr=False)


def train(
    cases: pd.DataFrame,
    bad: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    features: Sequence[Feature],
    plan: TrainingPlan,
) -> TrainedModel:
    """Fit on the earlier rows, stop and calibrate on the later ones; byte-identical for equal input.

    Args:
        cases: one row per case in order of time, with every feature column.
        bad: truth, shape (rows,).
        weights: 1 / designed probability that the truth was observed, shape (rows,). Selection
            depends on an older model's score, so unweighted rows would misstate the base rate
            where that model decided by itself.
        features: the columns to use, in order.
        plan: how to fit.

    Raises:
        ValueError: too few bad cases in either slice, or a model that ranks backwards.
    """
    levels = levels_of(cases, features)
    usable = why_unscorable(cases, features, levels) == ""
    cases, bad, weights = cases[usable], bad[usable], weights[usable]
    weights = weights / weights.mean() if len(weights) else weights
    cut = int(len(cases) * (1.0 - plan.later_share))
    for name, part in (("earlier", bad[:cut]), ("later", bad[cut:])):
        if part.sum() < FEWEST_BAD or (~part).sum() < FEWEST_BAD:
            raise ValueError(
                f"training needs at least {FEWEST_BAD} bad and {FEWEST_BAD} good cases in the {name} "
                f"slice; it has {int(part.sum())} bad of {len(part)}"
            )
    rows = encode(cases, features, levels)
    earlier = xgb.QuantileDMatrix(
        rows.iloc[:cut], bad[:cut], weight=weights[:cut], enable_categorical=True
    )
    later = xgb.DMatrix(rows.iloc[cut:], bad[cut:], weight=weights[cut:], enable_categorical=True)
    booster = xgb.train(
        plan.parameters(features),
        earlier,
        num_boost_round=plan.rounds,
        evals=[(later, "later")],
        early_stopping_rounds=plan.early_stopping_rounds,
        verbose_eval=False,
    )
    booster = booster[: booster.best_iteration + 1]
    margins = booster.predict(later, output_margin=True).astype(np.float64)
    calibration = fit_platt(margins, bad[cut:], weights[cut:])
    scores = calibration.probability(margins)
    reference = np.quantile(np.sort(scores), np.linspace(0.0, 1.0, REFERENCE_RANKS))
    return TrainedModel(
        model=RiskModel.from_booster(booster, features, levels, calibration, reference.tolist()),
        rows=len(cases),
        bad=int(bad.sum()),
        trees=booster.num_boosted_rounds(),
        later_auc=float(roc_auc_score(bad[cut:], scores, sample_weight=weights[cut:])),
        later_log_loss=float(log_loss(bad[cut:], scores, sample_weight=weights[cut:])),
        left_out=int((~usable).sum()),
        later_scores=scores,
        later_bad=bad[cut:],
    )
