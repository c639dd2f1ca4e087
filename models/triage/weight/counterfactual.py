"""Had a biased weight been put right on earlier evidence, would later errors have been fewer?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from models.triage.labelled_rows import LabelledRows
from models.triage.weight.feature_bias import FeatureBias, bias_in
from models.vocabulary import EVERYWHERE, Counterfactual

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

EARLIER_SHARE = 0.5
MOVED = 0.1
"""A case counts as moved when its log-odds change by at least so much (logits)."""
_WIDTH = float(norm.ppf(0.975))


def try_remedy(
    rows: LabelledRows, found: FeatureBias, earlier_share: float = EARLIER_SHARE
) -> Counterfactual | None:
    """Re-estimate one finding's weight on the earlier rows and apply it to the later ones.

    The finding itself rests on all rows, so this is not a second test of the same figure: it asks
    whether a correction learned from the past would have held (METHODS 4.1). None: the weight
    cannot be estimated from the earlier part, or it moves no later case.

    Args:
        rows: labelled rows in order of time.
        found: what to put right; its slice is "all" or one of the rows' slices.
        earlier_share: share of the rows to learn from.
    """
    inside = np.arange(len(rows.bad))
    if found.slice != EVERYWHERE:
        inside = np.flatnonzero(rows.slices == rows.labels.index(found.slice))
    cut = int(len(inside) * earlier_share)
    error = bias_in(rows, found.feature, inside[:cut])
    if error is None:
        return None
    later = inside[cut:]
    values = rows.raw if error.dead else None
    correction = error.correction(
        rows.contributions[later, rows.features.index(found.feature)]
        if values is None
        else values[found.feature][later]
    )
    moved = np.abs(correction) >= MOVED
    if not moved.any():
        return None
    return _judged(rows.margin[later][moved], correction[moved], rows.bad[later][moved] == 1.0)


def blamed_errors(
    margin: FloatArray, bad: BoolArray, correction: FloatArray, least: float = MOVED
) -> BoolArray:
    """Cases on the wrong side of even odds that the correction moves towards the truth, (rows,)."""
    wrong = (margin >= 0.0) != bad
    towards = np.where(bad, correction >= least, correction <= -least)
    return np.asarray(wrong & towards, dtype=np.bool_)


def _judged(margin: FloatArray, correction: FloatArray, bad: BoolArray) -> Counterfactual:
    after = margin + correction
    saved = _log_loss(margin, bad) - _log_loss(after, bad)
    whole = float(_log_loss(margin, bad).sum())
    half = _WIDTH * float(saved.std()) * np.sqrt(len(saved))
    blamed = blamed_errors(margin, bad, correction)
    wrong_after = (after >= 0.0) != bad
    made_anew = wrong_after & ((margin >= 0.0) == bad)
    return Counterfactual(
        errors_before=int(blamed.sum()),
        errors_after=int((blamed & wrong_after).sum() + made_anew.sum()),
        fall=float(saved.sum()) / whole,
        low=float((saved.sum() - half) / whole),
        high=float((saved.sum() + half) / whole),
        later_cases=len(margin),
    )


def _log_loss(margin: FloatArray, bad: BoolArray) -> FloatArray:
    return np.asarray(np.logaddexp(0.0, np.where(bad, -margin, margin)), dtype=np.float64)
