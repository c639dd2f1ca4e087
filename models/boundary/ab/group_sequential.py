"""How large must a z-score be at a few looks fixed in advance, so that they err together in delta?"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

FloatArray = npt.NDArray[np.float64]

_TAIL = 8.0
"""Standard deviations beyond which a normal density is nothing."""

_NODES_AN_SD = 5


@cache
def obrien_fleming_constant(looks: int, alpha: float, two_sided: bool = False) -> float:
    """The c for which some |z| (or z) of look k = 1..K reaches c * sqrt(K / k) with probability alpha.

    Found by exact numerical recursion over evenly spread looks: the density of the score process
    that has not crossed yet is carried from look to look (Armitage, McPherson and Rowe 1969;
    O'Brien and Fleming 1979; table 2.3 of Jennison and Turnbull 2000).

    Raises:
        ValueError: there is no look, or alpha is outside (1e-290, 0.5).
    """
    if looks < 1 or not 1e-290 < alpha < 0.5:
        raise ValueError(
            "a design needs at least one look and alpha in (0, 0.5), not so small that no z-score "
            f"has it (1e-290); got {looks} and {alpha!r}"
        )

    def excess(constant: float) -> float:
        # Of logarithms, which tell tiny probabilities apart as well as large ones.
        return math.log(crossing_probability(constant, looks, two_sided) / alpha)

    # The last look alone reaches z of alpha; all together reach at most z of alpha over their number.
    of_one = alpha / 2.0 if two_sided else alpha
    low, high = float(stats.norm.isf(of_one)), float(stats.norm.isf(of_one / looks))
    return low if looks == 1 else float(optimize.brentq(excess, low, high, xtol=1e-10))


def obrien_fleming_limits(looks: int, alpha: float) -> FloatArray:
    """The one-sided limit of the z-score at each look, shape (looks,)."""
    share = np.arange(1, looks + 1) / looks
    return obrien_fleming_constant(looks, alpha) / np.sqrt(share)


def crossing_probability(constant: float, looks: int, two_sided: bool = False) -> float:
    """Probability that z reaches constant * sqrt(K / k) at some look k, if there is no effect.

    The score s_k = z_k * sqrt(k) grows by independent standard normal steps, and its limit is the
    same at every look.
    """
    limit = constant * math.sqrt(looks)
    low = -limit if two_sided else -_TAIL * math.sqrt(looks)
    nodes = max(64, math.ceil((limit - low) * _NODES_AN_SD))
    points, weights = np.polynomial.legendre.leggauss(nodes)
    score = low + (limit - low) * (points + 1.0) / 2.0
    weights = weights * (limit - low) / 2.0
    step = stats.norm.pdf(score[:, None] - score[None, :]) * weights
    crosses = stats.norm.sf(limit - score)
    crossed = float(stats.norm.sf(limit))
    if two_sided:
        crosses = crosses + stats.norm.cdf(low - score)
        crossed += float(stats.norm.cdf(low))
    inside = stats.norm.pdf(score)
    # Crossings are added up look by look: what is left of 1 would not show a tiny one. From below
    # the lower end of the one-sided range next to nobody comes back.
    for look in range(1, looks):
        crossed += float(weights @ (inside * crosses))
        if look < looks - 1:
            inside = step @ inside
    return crossed
