"""What does a leaf contribute to each feature on its path, for every pattern of the path's conditions?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def gains_by_pattern(shares: FloatArray, values: FloatArray) -> FloatArray:
    """Shapley values of leaves whose paths have the same number m of distinct features.

    With a set S of features known, a leaf counts for its value times, over the features on its
    path, 1 or 0 where the feature is in S (its conditions hold or not), else the share of training
    cases that its conditions let through (Lundberg et al. 2018). The Shapley weights of sets of k
    others are the integrals over [0, 1] of t^k (1-t)^(m-1-k), so that

        phi_j = value (o_j - z_j) * integral over t of the product over i != j of (z_i (1-t) + o_i t),

    which Gauss-Legendre quadrature with ceil(m/2) points gives exactly.

    Args:
        shares: z, shape (leaves, m).
        values: shape (leaves,).

    Returns:
        phi, shape (leaves, m, 2 ** m), by pattern of o; feature 0 is the pattern's highest bit.
    """
    leaves, count = shares.shape
    points, weights = np.polynomial.legendre.leggauss((count + 1) // 2)
    known = (points + 1.0) / 2.0
    weights = weights / 2.0
    unmet = shares[:, :, None] * (1.0 - known)
    # One factor a feature, shape (leaves, m, 2, points): conditions unmet, conditions met.
    factors = np.stack([unmet, unmet + known], axis=2)
    before = [np.ones((leaves, 1, len(known)))]
    after = [np.ones((leaves, 1, len(known)))]
    for place in range(count - 1):
        before.append(_product(before[-1], factors[:, place]))
        after.append(_product(factors[:, count - 1 - place], after[-1]))
    gains = np.empty((leaves, count, 2**count))
    for place in range(count):
        others = (before[place] * weights) @ after[count - 1 - place].transpose(0, 2, 1)
        by_bit = gains[:, place].reshape(leaves, 2**place, 2, -1)
        by_bit[:, :, 0] = others * (-values * shares[:, place])[:, None, None]
        by_bit[:, :, 1] = others * (values * (1.0 - shares[:, place]))[:, None, None]
    return gains


def _product(high: FloatArray, low: FloatArray) -> FloatArray:
    """All products of two tables of factors, shapes (leaves, a, points) and (leaves, b, points)."""
    both = high[:, :, None, :] * low[:, None, :, :]
    return both.reshape(len(high), -1, high.shape[-1])
