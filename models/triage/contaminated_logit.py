"""What would the truth's probabilities be, had some share of the cases not been read backwards?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]

MOST_ROWS = 100_000
_LARGEST_SHARE = 0.45
_FLOOR = 1e-12


def clean_chances(
    directions: FloatArray, offset: FloatArray, bad: FloatArray, fit_on: npt.NDArray[np.bool_]
) -> FloatArray:
    """P(bad) of each case if none were misread, shape (rows,).

    A procedure that turns some cases round flattens every calibration curve fitted to all of them;
    expected errors would then be too many everywhere, and the misread cases would not stand out.
    So a share of cases read backwards is fitted beside the log-odds (a contaminated logit, after
    Copas 1988) and left out of the answer. Maximum likelihood, from no contamination on.

    Args:
        directions: along which the log-odds may be off, shape (rows, k).
        offset: the score's log-odds, bad: 0.0 or 1.0, both of shape (rows,).
        fit_on: the cases to learn from; evenly spaced ones where they are more than `MOST_ROWS`.
    """
    places = np.flatnonzero(fit_on)
    if len(places) > MOST_ROWS:
        places = places[np.linspace(0, len(places) - 1, MOST_ROWS).astype(np.intp)]
    middle = directions[places].mean(axis=0)
    spread = np.maximum(directions[places].std(axis=0), 1e-9)
    scaled = (directions - middle) / spread
    design = np.column_stack([np.ones(len(offset)), scaled])
    learned, start, truth = design[places], offset[places], bad[places]

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        share = _LARGEST_SHARE * expit(parameters[-1])
        chance = expit(start + learned @ parameters[:-1])
        seen = np.clip(share + (1.0 - 2.0 * share) * chance, _FLOOR, 1.0 - _FLOOR)
        score = (truth - seen) / (seen * (1.0 - seen))
        along = score * (1.0 - 2.0 * share) * chance * (1.0 - chance)
        by_share = float((score * (1.0 - 2.0 * chance)).sum())
        inner = share * (1.0 - share / _LARGEST_SHARE)
        value = -float((truth * np.log(seen) + (1.0 - truth) * np.log1p(-seen)).sum())
        gradient = -np.append(learned.T @ along, by_share * inner)
        return value / len(truth), gradient / len(truth)

    first = np.zeros(design.shape[1] + 1)
    first[-1] = -4.0
    fitted = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(expit(offset + design @ fitted.x[:-1]), dtype=np.float64)
