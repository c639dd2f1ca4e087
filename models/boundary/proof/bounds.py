"""How many errors may be seen, and how few cases are enough, for an exact statement about a share?"""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import stats
from scipy.special import gammainccinv

_RARE = 1e-9
"""An error share so small that nobody counts the trials it takes one by one."""


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
    return 1.0 if errors >= trials else float(stats.beta.isf(delta, errors + 1, trials - errors))


@lru_cache(maxsize=256)
def trials_without_error(limit: float, delta: float) -> int:
    """Smallest number of error-free trials that proves an error share below `limit` (Wilks 1941).

    Raises:
        ValueError: the limit or delta is not strictly between 0 and 1.
    """
    return trials_allowing(0, limit, delta)


def trials_allowing(errors: int, limit: float, delta: float) -> int:
    """Smallest number of trials in which so many errors still prove an error share below `limit`.

    The trial of the next error is negative binomial: `BinomCDF(errors; n, limit)` is the probability
    that it comes after trial n.

    Raises:
        ValueError: the limit or delta is not strictly between 0 and 1.
    """
    _check_shares(limit, delta)
    if limit < _RARE:
        # Binomial and Poisson agree to the last digit of a count as large as this.
        return math.ceil(float(gammainccinv(errors + 1.0, delta)) / limit)
    size = int(stats.nbinom.isf(delta, errors + 1, limit)) + errors + 1
    while stats.binom.cdf(errors, size, limit) > delta:
        size += 1
    while size > errors + 1 and stats.binom.cdf(errors, size - 1, limit) <= delta:
        size -= 1
    return size


@lru_cache(maxsize=256)
def trials_for_power(
    limit: float, delta: float, true_share: float = 0.3, power: float = 0.8
) -> int:
    """Smallest number of trials with which the exact test succeeds with probability `power`.

    The true error share is taken as `true_share * limit` (METHODS 2 plans for 30 % of the limit).
    Power is a saw: it is highest where one more error is just allowed, and falls a little with each
    further trial until the next. So it is enough to look at the fewest trials that allow each number
    of errors; a few trials more than the answer may have a few percent less.

    Raises:
        ValueError: the limit or delta is not strictly between 0 and 1, or the power or true share
            cannot be reached by any number of trials.
    """
    if not (0.0 < true_share < 1.0 and 0.0 < power < 1.0):
        raise ValueError(
            f"power {power!r} at {true_share!r} times the limit is reached by no number of trials; "
            "both must lie strictly between 0 and 1"
        )

    def fewest(errors: int) -> int:
        return trials_allowing(errors, limit, delta)

    def is_enough(errors: int) -> bool:
        return bool(stats.binom.cdf(errors, fewest(errors), true_share * limit) >= power)

    # At these sizes power grows with the number of errors allowed.
    low, high = -1, 0
    while not is_enough(high):
        low, high = high, 2 * high + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return fewest(high)


def _check_shares(limit: float, delta: float) -> None:
    if not (0.0 < limit < 1.0 and 0.0 < delta < 1.0):
        raise ValueError(
            f"no number of trials proves an error share below {limit!r} at delta {delta!r}, or none "
            "is needed; both must lie strictly between 0 and 1"
        )
