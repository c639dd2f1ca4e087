"""Which boundary would today's usual methods choose from the same labelled cases?

Every peer gets the labelled cases alone (with their design weights, which only `ipw_wald` uses)
and the same targets. Peers that control an error probability spend the same delta as `certify`
does, split in the same way: 0.7 of it on recall, 0.3 on precision. A side on which a peer finds no
admissible cut is None. Peers that search a grid share one: 100 pass cuts at evenly spaced ranks of
the labelled scores, and 100 block cuts that would block 0.1 % to 30 % of the labelled cases, in
equal ratios. A linear grid of scores, which is the libraries' default, would leave calibrated
scores of rare events with one useful cut; the shared grid is to the peers' advantage.

- `plug_in`: the widest boundary whose observed miss share and precision meet the targets, as if the
  labelled cases were all cases (`models.boundary.proof.hindsight.plug_in_boundary`); any observed score
  is a cut.
- `tuned_cv`: scikit-learn's `TunedThresholdClassifierCV` with 5 stratified folds, twice, over a
  classifier that returns the score it is given, with the shared grid as `thresholds`. For the pass
  side its score is the share of cases below the threshold if the fold's recall is at least .99, and
  -10 if not; for the block side the share at or above it if the fold's precision is at least .95,
  and -10 if not. It maximises the mean over folds, so the best threshold meets the constraint in
  all five; a best mean of zero or less means that none does.
- `mapie`: MAPIE's `BinaryClassificationController`, twice, at its default family-wise correction
  (Bonferroni-Holm) over the shared grid as `list_predict_params`. Block side: `precision` at .95,
  `confidence_level` 1 - 0.3 delta; of the valid thresholds it takes the one of highest recall (its
  own choice). Pass side: `recall` at .99, `confidence_level` 1 - 0.7 delta; of the valid ones the
  one that flags the fewest cases (`predicted_positive_fraction`), that is, passes the most.
- `clopper_pearson`: an exact binomial test at each of the 100 cuts, each at its side's delta / 100;
  the widest cut that passes (Clopper and Pearson 1934, Bonferroni).
- `ipw_wald`: miss share and false share weighted by 1 / designed probability (Hajek's ratio), and a
  one-sided normal interval from its linearised variance at the side's delta; the widest of the 100
  cuts whose upper limit meets the target, with no correction for their number, as is usual.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from mapie.risk_control import BinaryClassificationController, predicted_positive_fraction
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV

from benchmarks.worlds import promises, without_crossing
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.hindsight import plug_in_boundary
from models.vocabulary import Boundary, Targets

CANDIDATES = 100
BLOCKED_SHARES = (0.001, 0.3)
INADMISSIBLE = -10.0
"""A fold's score where the constraint fails: low enough that four admissible folds cannot make up."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Cases whose truth was observed: score, truth and 1 / designed probability, each (cases,).

    Raises:
        ValueError: no case is labelled, or the shapes differ.
    """

    score: FloatArray
    bad: BoolArray
    weight: FloatArray

    def __post_init__(self) -> None:
        if not len(self.score):
            raise ValueError("a peer needs at least one labelled case, got none")
        if not self.score.shape == self.bad.shape == self.weight.shape:
            raise ValueError(
                "score, bad and weight must hold one value a case, got shapes "
                f"{self.score.shape}, {self.bad.shape} and {self.weight.shape}"
            )


Peer = Callable[[Labelled, Targets], Boundary]


def plug_in(cases: Labelled, targets: Targets) -> Boundary:
    """The naive choice: selection ignored, no error probability controlled."""
    return plug_in_boundary(cases.score, cases.bad, targets)


def tuned_cv(cases: Labelled, targets: Targets) -> Boundary:
    """scikit-learn's cross-validated threshold, once for each side."""
    recall, precision = promises(targets)
    low = _tuned(cases, pass_cuts(cases.score), _passed_within_recall, limit=recall)
    high = _tuned(cases, block_cuts(cases.score), _blocked_within_precision, limit=precision)
    return without_crossing(None if low is None else _just_below(low), high)


def mapie(cases: Labelled, targets: Targets) -> Boundary:
    """MAPIE's Learn-then-Test controller, once for each side."""
    recall, precision = promises(targets)
    deltas = delta_shares(targets, targets.delta)
    low = _controlled(
        cases,
        pass_cuts(cases.score),
        risk="recall",
        target_level=recall,
        confidence_level=1.0 - deltas["recall"],
        best_predict_param_choice=predicted_positive_fraction,
    )
    high = _controlled(
        cases,
        block_cuts(cases.score),
        risk="precision",
        target_level=precision,
        confidence_level=1.0 - deltas["precision"],
    )
    return without_crossing(None if low is None else _just_below(low), high)


def clopper_pearson(cases: Labelled, targets: Targets) -> Boundary:
    """Exact tests of a hundred cuts a side, Bonferroni-corrected."""
    recall, precision = promises(targets)
    deltas = delta_shares(targets, targets.delta)
    flags, cuts = pass_cuts(cases.score), block_cuts(cases.score)
    bad, good = np.sort(cases.score[cases.bad]), np.sort(cases.score[~cases.bad])
    missed = np.searchsorted(bad, flags, side="left")
    recall_p = stats.binom.cdf(missed, len(bad), 1.0 - recall)
    falsely = len(good) - np.searchsorted(good, cuts, side="left")
    blocked = falsely + len(bad) - np.searchsorted(bad, cuts, side="left")
    precision_p = np.where(
        blocked > 0, stats.binom.cdf(falsely, np.maximum(blocked, 1), 1.0 - precision), 1.0
    )
    return _widest(
        flags[recall_p <= deltas["recall"] / CANDIDATES],
        cuts[precision_p <= deltas["precision"] / CANDIDATES],
    )


def ipw_wald(cases: Labelled, targets: Targets) -> Boundary:
    """Inverse-probability weights with a normal interval."""
    recall, precision = promises(targets)
    deltas = delta_shares(targets, targets.delta)
    flags, cuts = pass_cuts(cases.score), block_cuts(cases.score)
    everywhere = np.zeros(len(flags))  # recall counts all bad cases, wherever they score
    miss = _upper_of_ratio(
        _weighted_above(cases, cases.bad, everywhere) - _weighted_above(cases, cases.bad, flags),
        _weighted_above(cases, cases.bad, flags),
        deltas["recall"],
    )
    false = _upper_of_ratio(
        _weighted_above(cases, ~cases.bad, cuts),
        _weighted_above(cases, cases.bad, cuts),
        deltas["precision"],
    )
    return _widest(flags[miss <= 1.0 - recall], cuts[false <= 1.0 - precision])


PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "plug_in": plug_in,
        "tuned_cv": tuned_cv,
        "mapie": mapie,
        "clopper_pearson": clopper_pearson,
        "ipw_wald": ipw_wald,
    }
)


def pass_cuts(scores: FloatArray) -> FloatArray:
    """100 thresholds, increasing: a case at or above one is not passed."""
    ranks = np.arange(1, CANDIDATES + 1) * len(scores) // (CANDIDATES + 1)
    return np.asarray(np.sort(scores)[ranks])


def block_cuts(scores: FloatArray) -> FloatArray:
    """100 thresholds, increasing: a case at or above one is blocked."""
    blocked = np.ceil(np.geomspace(*BLOCKED_SHARES, CANDIDATES) * len(scores)).astype(np.int64)
    return np.asarray(np.sort(scores)[len(scores) - blocked][::-1])


class GivenScore(ClassifierMixin, BaseEstimator):
    """A classifier whose probability is its one feature: the score, as it is."""

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> Self:
        """Learn nothing but the two classes."""
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Shape (cases, 2): P(good), P(bad)."""
        return np.column_stack([1.0 - X[:, 0], X[:, 0]])


def _tuned(
    cases: Labelled, thresholds: FloatArray, score: Callable[..., float], limit: float
) -> float | None:
    tuned = TunedThresholdClassifierCV(
        GivenScore(),
        scoring=make_scorer(score, limit=limit),
        response_method="predict_proba",
        thresholds=thresholds,
        cv=5,
    ).fit(cases.score[:, None], cases.bad.astype(np.int64))
    return float(tuned.best_threshold_) if tuned.best_score_ > 0.0 else None


def _passed_within_recall(
    bad: npt.NDArray[np.int64], flagged: npt.NDArray[np.int64], limit: float
) -> float:
    caught, all_bad = np.count_nonzero(bad & flagged), np.count_nonzero(bad)
    if caught < limit * all_bad:
        return INADMISSIBLE
    return 1.0 - np.count_nonzero(flagged) / len(flagged)


def _blocked_within_precision(
    bad: npt.NDArray[np.int64], flagged: npt.NDArray[np.int64], limit: float
) -> float:
    blocked = np.count_nonzero(flagged)
    if np.count_nonzero(bad & flagged) < limit * blocked:
        return INADMISSIBLE
    return blocked / len(flagged)


def _controlled(cases: Labelled, thresholds: FloatArray, **control: Any) -> float | None:
    controller = BinaryClassificationController(
        GivenScore().predict_proba, list_predict_params=thresholds, **control
    )
    with warnings.catch_warnings():
        # That no threshold, or every one, is valid is an answer here, not a mistake.
        warnings.filterwarnings("ignore", message=".*(predict parameters|predict_params)")
        controller.calibrate(cases.score[:, None], cases.bad.astype(np.int64))
    best = controller.best_predict_param
    return None if best is None else float(best)


def _weighted_above(cases: Labelled, kind: BoolArray, cuts: FloatArray) -> FloatArray:
    """Sums of weights and of squared weights over cases of a kind at or above each cut: (2, cuts)."""
    order = np.argsort(cases.score[kind], kind="stable")
    weight = cases.weight[kind][order]
    first = np.searchsorted(cases.score[kind][order], cuts, side="left")
    # Summed from the top, entry j holds the sum from rank j on.
    sums = [np.concatenate([np.cumsum(w[::-1])[::-1], [0.0]]) for w in (weight, weight**2)]
    return np.stack([total[first] for total in sums])


def _upper_of_ratio(errors: FloatArray, others: FloatArray, delta: float) -> FloatArray:
    """Upper normal limit of a weighted error share; 1 where there is nothing to estimate from.

    Args:
        errors, others: sums of weights and of squared weights, shape (2, cuts) each.
    """
    total = errors[0] + others[0]
    safe = np.where(total > 0.0, total, 1.0)
    share = errors[0] / safe
    variance = (errors[1] * (1.0 - share) ** 2 + others[1] * share**2) / safe**2
    upper = share + stats.norm.isf(delta) * np.sqrt(variance)
    return np.where(total > 0.0, upper, 1.0)


def _widest(flags: FloatArray, cuts: FloatArray) -> Boundary:
    """The boundary of the highest admissible flagging threshold and the lowest block cut."""
    low = _just_below(float(flags.max())) if len(flags) else None
    return without_crossing(low, float(cuts.min()) if len(cuts) else None)


def _just_below(threshold: float) -> float | None:
    """Passing at or below this leaves exactly the cases at or above the threshold."""
    below = float(np.nextafter(threshold, -np.inf))
    return below if below >= 0.0 else None
