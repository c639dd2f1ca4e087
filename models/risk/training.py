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
from models.risk.encoding import Levels, encode_scorable, levels_of
from models.risk.model import RiskModel
from models.risk.tree_names import named_for_trees
from models.vocabulary import Feature

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

REFERENCE_RANKS = 1024
FEWEST_BAD = 20


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to fit: XGBoost's parameters, and the share of later rows that stops and calibrates.

    largest_weight: the trees are fitted with weights of at most this (times the smallest). Whether
    a label was seen depends on the features alone, so weights take no bias from the trees, and a
    few heavy rows cost them precision (docs/adr/0013). The later slice keeps its designed weights:
    it stands for the population.
    """

    rounds: int = 300
    max_depth: int = 4
    learning_rate: float = 0.08
    min_child_weight: float = 5.0
    row_share: float = 0.8
    column_share: float = 0.8
    early_stopping_rounds: int = 30
    later_share: float = 0.25
    largest_weight: float = 3.0
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

    rows and bad count all this fit learned from, left_out what it could not; later_scores and
    later_bad have the shape of the later slice.
    """

    model: RiskModel
    rows: int
    bad: int
    trees: int
    later_auc: float
    later_log_loss: float
    left_out: int
    later_scores: FloatArray = field(repr=False)
    later_bad: BoolArray = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class LearningRows:
    """Scorable cases in order of time, encoded; the last `later` of them are the later slice.

    kept: of the cases given, which are among them. Arrays have the shape (rows,).
    """

    features: tuple[Feature, ...]
    levels: Levels
    rows: pd.DataFrame = field(repr=False)
    bad: BoolArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    kept: BoolArray = field(repr=False)
    later: int

    @classmethod
    def of(
        cls,
        cases: pd.DataFrame,
        bad: BoolArray,
        weights: FloatArray,
        features: Sequence[Feature],
        plan: TrainingPlan,
    ) -> LearningRows:
        """Leave out what cannot be scored, encode the rest; the later slice is the plan's share."""
        levels = levels_of(cases, features)
        rows, reason = encode_scorable(cases, features, levels)
        kept = reason == ""
        later = len(rows) - int(len(rows) * (1.0 - plan.later_share))
        return cls(tuple(features), levels, rows, bad[kept], weights[kept], kept, later)

    @property
    def cut(self) -> int:
        """The place of the first row of the later slice."""
        return len(self.rows) - self.later


def train(
    cases: pd.DataFrame,
    bad: BoolArray,
    weights: FloatArray,
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
    return fit(LearningRows.of(cases, bad, weights, features, plan), plan)


def fit(
    learning: LearningRows, plan: TrainingPlan, *, start: int = 0, parent: RiskModel | None = None
) -> TrainedModel:
    """Boost on the rows from `start` up to the later slice; stop and calibrate on that slice.

    Args:
        parent: its trees (and their base score) stand first and stay as they are, and new ones are
            added: at least one, at most `plan.rounds`. Its features and levels must be those of
            the rows (`models.risk.candidates` checks).

    Raises:
        ValueError: too few bad or good cases in either slice, or a model that ranks backwards.
    """
    cut = learning.cut
    refuse_too_few({"earlier": learning.bad[start:cut], "later": learning.bad[cut:]}, FEWEST_BAD)
    # XGBoost's penalties are per unit of weight: a mean of 1 keeps them what the plan says.
    weights = learning.weights / learning.weights[start:].mean()
    rows = named_for_trees(learning.rows)
    earlier = xgb.QuantileDMatrix(
        rows.iloc[start:cut],
        learning.bad[start:cut],
        weight=_clipped(weights[start:cut], plan.largest_weight),
        enable_categorical=True,
    )
    bad, later_weights = learning.bad[cut:], weights[cut:]
    later = xgb.DMatrix(rows.iloc[cut:], bad, weight=later_weights, enable_categorical=True)
    booster = xgb.train(
        plan.parameters(learning.features),
        earlier,
        num_boost_round=plan.rounds,
        evals=[(later, "later")],
        early_stopping_rounds=plan.early_stopping_rounds,
        xgb_model=None if parent is None else parent.booster,
        verbose_eval=False,
    )
    # best_iteration counts the parent's trees, too.
    booster = booster[: booster.best_iteration + 1]
    margins = booster.predict(later, output_margin=True).astype(np.float64)
    calibration = fit_platt(margins, bad, later_weights)
    scores = calibration.probability(margins)
    reference = np.quantile(np.sort(scores), np.linspace(0.0, 1.0, REFERENCE_RANKS))
    return TrainedModel(
        model=RiskModel.from_booster(
            booster, learning.features, learning.levels, calibration, reference.tolist()
        ),
        rows=len(learning.rows) - start,
        bad=int(learning.bad[start:].sum()),
        trees=booster.num_boosted_rounds(),
        later_auc=float(roc_auc_score(bad, scores, sample_weight=later_weights)),
        later_log_loss=float(log_loss(bad, scores, sample_weight=later_weights)),
        left_out=int((~learning.kept).sum()),
        later_scores=scores,
        later_bad=bad,
    )


def refuse_too_few(slices: dict[str, BoolArray], fewest: int) -> None:
    """Raises ValueError, with the numbers, where a named slice has too few of either class."""
    for name, part in slices.items():
        if part.sum() < fewest or (~part).sum() < fewest:
            raise ValueError(
                f"training needs at least {fewest} bad and {fewest} good cases in the {name} "
                f"slice; it has {int(part.sum())} bad of {len(part)}"
            )


def _clipped(weights: FloatArray, largest: float) -> FloatArray:
    if np.isinf(largest):
        return weights
    clipped = np.minimum(weights, largest * weights.min())
    return np.asarray(clipped / clipped.mean())
