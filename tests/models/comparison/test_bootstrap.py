"""How would the figures scatter on other rows of the same kind?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.comparison.bootstrap import _poisson_counts, _table, resample


def test_counts_are_poisson():
    """The table's shares are Poisson(1)'s within its resolution, 2^-16."""
    shares = np.bincount(_table(), minlength=10) / 2**16
    np.testing.assert_allclose(shares, stats.poisson.pmf(np.arange(10), 1.0), atol=2**-16)
    counts = _poisson_counts(np.random.default_rng(1), (300, 300))
    # 90,000 draws: the mean's standard error is 1/300, the variance's sqrt(3)/300.
    assert counts.mean() == pytest.approx(1.0, abs=4 / 300)
    assert counts.var() == pytest.approx(1.0, abs=4 * 3**0.5 / 300)


def test_sums_scatter_as_the_rows_do():
    """The standard deviation of a resampled sum is the root of the sum of squares; 2,000 draws know
    it within 1.6 %."""
    columns = np.random.default_rng(2).normal(size=(400, 2))
    sums, _ = resample(columns, (), np.ones(400), 2_000, seed=3)
    np.testing.assert_allclose(sums.std(axis=0), np.sqrt((columns**2).sum(axis=0)), rtol=0.07)


def test_one_draw_serves_every_column():
    """Paired: a column and its double move together, and equal columns are equal in every draw."""
    column = np.arange(50.0)
    sums, _ = resample(np.column_stack([column, 2 * column, column]), (), column + 1, 100, seed=4)
    np.testing.assert_allclose(sums[:, 1], 2 * sums[:, 0])
    np.testing.assert_array_equal(sums[:, 2], sums[:, 0])


def test_a_seed_repeats_its_draws_whatever_fits_into_memory(monkeypatch):
    """The same figures in one piece and in many."""
    columns = np.random.default_rng(5).normal(size=(30, 3))
    whole, _ = resample(columns, (), np.ones(30), 120, seed=6)
    monkeypatch.setattr("models.comparison.bootstrap._CELLS_AT_ONCE", 60)
    parts, _ = resample(columns, (), np.ones(30), 120, seed=6)
    np.testing.assert_allclose(parts, whole)
