"""How many errors may be seen, and how few cases are enough, for an exact statement about a share?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats


def share_is_below(errors: float, trials: float, limit: float) -> float:
    """P-value against 'the true error share is `limit` or more' (Clopper and Pearson 1934).

    `BinomCDF(errors; trials, limit)`; 1 when nothing was tried.
    """
    return float(stats.binom.cdf(errors, trials, limit)) if trials > 0 else 1.0


def share_is_above(errors: float, trials: float, limit: float) -> float:
    """P-value against 'the true error share is `limit` or less'."""
    return float(stats.binom.sf(errors - 1, trials, limit)) if trials > 0 else 1.0


def upper_limit(errors: float, trials: float, delta: float) -> float | None:
    """Exact upper limit of an error share at confidence 1 - delta; None when not estimable."""
    if trials <= 0:
        return None
    return (
        1.0 if errors >= trials else float(stats.beta.isf(delta, errors + 1, trials - errors))
    )


def trials_without_error(limit: float, delta: float) -> int:
    """Smallest number of error-free trials that proves an error share below `limit` (Wilks 1941)."""
    return math.ceil(math.log(delta) / math.log1p(-limit))


def trials_for_power(
    limit: float, delta: float, true_share: float = 0.3, power: float = 0.8
) -> int:
    """Smallest number of trials with which the exact test succeeds with probability `power`.

    The true error share is taken as `true_share * limit` (METHODS 2 plans for 30 % of the limit).
    Found on a geometric grid of 1 % steps, so the answer is at most 1 % too large.
    """
    start = trials_without_error(limit, delta)
    sizes = np.unique(np.ceil(start * 1.01 ** np.arange(0, 400)).astype(np.int64))
    allowed = stats.binom.ppf(delta, sizes, limit)
    allowed = np.where(stats.binom.cdf(allowed, sizes, limit) > delta, allowed - 1, allowed)
    reached: npt.NDArray[np.bool_] = np.asarray(
        stats.binom.cdf(allowed, sizes, true_share * limit) >= power
    )
    return int(sizes[np.argmax(reached)]) if reached.any() else int(sizes[-1])
