"""How does the truth deviate from a score's log-odds along given directions?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]

MOST_STEPS = 25
MANY_ROWS = 100_000
_SETTLED = 1e-8
_CHUNK = 1 << 15
_ALIASED = 1e-7
_RUNAWAY = 12.0
_LONGEST_STEP = 4.0
_HALVINGS = 12


@dataclass(frozen=True, slots=True, eq=False)
class OffsetFit:
    """A logistic regression whose log-odds start at a given offset.

    Attributes:
        intercept, intercept_se: of the constant.
        slopes, ses: one a direction, with sandwich standard errors that are never below the
            model-based ones.
        covariance: of (intercept, slopes), shape (directions + 1, directions + 1), by the same rule.
        settled: whether the likelihood's maximum was reached; without one (the classes separate)
            the figures mean nothing.
        runaway: the direction that moved the log-odds farthest; what to look at when not settled.
    """

    intercept: float
    intercept_se: float
    slopes: FloatArray
    ses: FloatArray
    covariance: FloatArray
    settled: bool
    runaway: int


def fit_offset_logit(directions: FloatArray, offset: FloatArray, bad: FloatArray) -> OffsetFit:
    """Maximum likelihood of `bad ~ Bernoulli(sigmoid(offset + intercept + directions @ slopes))`.

    Newton's method with bounded steps, each halved until the likelihood does not fall: plain steps
    overshoot where a strong feature is reversed. Robust variance after Huber 1967 and White 1982, floored by the
    model-based one (METHODS 4.1).

    Args:
        directions: shape (rows, k), k may be 0, linearly independent (see `independent`).
        offset: log-odds, shape (rows,). bad: 0.0 or 1.0, shape (rows,); both occur.
    """
    size = directions.shape[1] + 1
    spread = directions.std(axis=0)
    start = np.zeros(size)
    part = slice(None, None, max(1, len(bad) // MANY_ROWS))
    few = min(bad[part].sum(), (1.0 - bad[part]).sum()) < 10 * size
    if part.step > 1 and not few:
        # Most steps are taken on a part; from its maximum the whole is a step or two away.
        start = _climbed(directions[part], offset[part], bad[part], spread, start)[0]
    beta, information, settled = _climbed(directions, offset, bad, spread, start)
    moved = np.abs(beta[1:]) * spread
    runaway = int(moved.argmax()) if size > 1 else -1
    if size > 1 and moved[runaway] > _RUNAWAY:
        settled = False
    model_based = _inverse(information)
    meat = _meat(directions, offset, bad, beta)
    robust = model_based @ meat @ model_based
    # Scaled so that each variance is the larger one of the two, and the correlations stay.
    ratio = np.sqrt(np.maximum(1.0, np.diag(model_based) / np.maximum(np.diag(robust), 1e-300)))
    covariance = robust * np.outer(ratio, ratio)
    ses = np.sqrt(np.diag(covariance))
    return OffsetFit(float(beta[0]), float(ses[0]), beta[1:], ses[1:], covariance, settled, runaway)


def _climbed(
    directions: FloatArray,
    offset: FloatArray,
    bad: FloatArray,
    spread: FloatArray,
    start: FloatArray,
) -> tuple[FloatArray, FloatArray, bool]:
    """Where the likelihood is highest, the information there, and whether it was reached."""
    beta = start
    value, gradient, information = _moments(directions, offset, bad, beta)
    for _ in range(MOST_STEPS):
        step = _solved(information, gradient)
        if float(gradient @ step) < _SETTLED:
            return beta, information, True
        # Where the score is sure and wrong there is hardly any information, and a step without end.
        step = step / max(1.0, float(np.abs(step[1:]) @ spread + abs(step[0])) / _LONGEST_STEP)
        for _ in range(_HALVINGS):
            trial = _moments(directions, offset, bad, beta + step)
            if trial[0] >= value - 1e-9 * abs(value):
                break
            step = step / 2.0
        beta = beta + step
        value, gradient, information = trial
    return beta, information, False


def independent(directions: FloatArray) -> tuple[npt.NDArray[np.intp], dict[int, int]]:
    """Which columns to keep so that none is a combination of those before it.

    Returns:
        kept: column numbers in order. twin_of: for each column left out the kept one it moves with
        most (by absolute correlation).
    """
    centred = directions - directions.mean(axis=0)
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    gram = centred.T @ centred / np.outer(norms, norms)
    kept: list[int] = []
    twin_of: dict[int, int] = {}
    for column in range(directions.shape[1]):
        if kept:
            block = gram[np.ix_(kept, kept)]
            along = gram[kept, column]
            left = 1.0 - float(along @ np.linalg.lstsq(block, along, rcond=None)[0])
            if left < _ALIASED:
                twin_of[column] = kept[int(np.abs(along).argmax())]
                continue
        kept.append(column)
    return np.array(kept, dtype=np.intp), twin_of


def _moments(
    directions: FloatArray, offset: FloatArray, bad: FloatArray, beta: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood, its gradient and its information, chunk by chunk to stay in the cache."""
    size = len(beta)
    value, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
    for start in range(0, len(bad), _CHUNK):
        part = slice(start, start + _CHUNK)
        along, truth = directions[part], bad[part]
        eta, chance = _at(along, offset[part], beta)
        value += float(truth @ eta - np.logaddexp(0.0, eta).sum())
        gradient += _with_constant(along, truth - chance)
        information += _crossed(along, chance * (1.0 - chance))
    return value, gradient, information


def _meat(
    directions: FloatArray, offset: FloatArray, bad: FloatArray, beta: FloatArray
) -> FloatArray:
    meat = np.zeros((len(beta), len(beta)))
    for start in range(0, len(bad), _CHUNK):
        part = slice(start, start + _CHUNK)
        _, chance = _at(directions[part], offset[part], beta)
        meat += _crossed(directions[part], (bad[part] - chance) ** 2)
    return meat


def _at(
    directions: FloatArray, offset: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log-odds and probabilities, both of shape (rows,)."""
    eta = offset + beta[0] + directions @ beta[1:]
    return eta, np.asarray(expit(eta), dtype=np.float64)


def _with_constant(directions: FloatArray, values: FloatArray) -> FloatArray:
    """Sums of the values times (1, directions), shape (k + 1,)."""
    return np.concatenate([[values.sum()], directions.T @ values])


def _crossed(directions: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted cross products of (1, directions), shape (k + 1, k + 1)."""
    size = directions.shape[1] + 1
    crossed = np.empty((size, size))
    crossed[0] = crossed[:, 0] = _with_constant(directions, weights)
    crossed[1:, 1:] = (directions * weights[:, None]).T @ directions
    return crossed


def _solved(information: FloatArray, gradient: FloatArray) -> FloatArray:
    return np.asarray(_inverse(information) @ gradient, dtype=np.float64)


def _inverse(information: FloatArray) -> FloatArray:
    """Of a matrix that may have lost rank to rounding: its directions without information get none."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    return np.asarray(inverse / np.outer(scale, scale), dtype=np.float64)
