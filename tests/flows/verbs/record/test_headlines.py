"""Every run has the same ten numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flows.verbs.record.headlines import HEADLINES, headlines, scored_headlines


def test_what_is_not_given_is_not_a_number() -> None:
    """Ten names always, in one order; None is NaN."""
    told = headlines(auc=0.9, rows=10, recall_lower=None)
    assert tuple(told) == HEADLINES
    assert (told["val/auc"], told["data/rows"]) == (0.9, 10.0)
    assert sum(map(math.isnan, told.values())) == 10 - 2


def test_a_number_of_another_name_is_refused() -> None:
    """A typing mistake would show as NaN for ever."""
    with pytest.raises(ValueError, match="no headline is called acu"):
        headlines(acu=0.9)


def test_scores_are_weighted_by_design() -> None:
    """A good case that outranks a bad one counts three times: AUC (1 + 0 * 3) / (1 + 3)."""
    told = scored_headlines(
        np.array([0.6, 0.2, 0.8]),
        np.array([True, False, False]),
        np.array([1.0, 1.0, 3.0]),
        rows=3,
    )
    assert told["val/auc"] == pytest.approx((1 * 1 + 3 * 0) / (1 + 3))
    by_hand = -(np.log(0.6) + np.log(0.8) + 3 * np.log(0.2)) / (1 + 1 + 3)
    assert told["val/log_loss"] == pytest.approx(by_hand)
