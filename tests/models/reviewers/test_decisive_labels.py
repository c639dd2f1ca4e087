"""What share of the labels that decide is whose?"""

from __future__ import annotations

import numpy as np
import pytest

from models.reviewers.decisive_labels import decisive_shares, over_cap
from models.vocabulary import Boundary, Targets
from tests.models.boundary.worlds import seen_as

TARGETS = Targets(precision=0.95, recall=0.99)


def test_shares_are_of_the_labels_that_the_tests_count_by_weight_and_group() -> None:
    """Pass zone: a weighs 10 of 12; bad labels: b has 2 of 3; block zone: c has all. The good case
    between the cuts and the one that nobody reviewed count for nobody."""
    evidence = seen_as(
        [0.1, 0.1, 0.1, 0.5, 0.5, 0.9, 0.05],
        [False, False, True, True, False, True, None],
        propensity=[0.1, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1],
    )
    reviewer = np.array(["a", "b", "b", "b", "d", "c", None], dtype=object)
    shares = decisive_shares(evidence, reviewer, TARGETS, Boundary(0.2, 0.8))
    assert shares.to_dict() == pytest.approx({"a": 10 / 12, "b": 2 / 3, "c": 1.0})
    assert list(shares.index) == ["c", "a", "b"]
    assert over_cap(shares, 0.7) == (("c", 1.0), ("a", pytest.approx(10 / 12)))
    assert decisive_shares(evidence, reviewer, TARGETS, Boundary.everything_reviewed()).empty


def test_a_share_at_the_cap_is_allowed() -> None:
    """Four people with a quarter each."""
    evidence = seen_as([0.1] * 4, [False] * 4)
    shares = decisive_shares(evidence, np.array(list("abcd")), TARGETS, Boundary(0.2, None))
    assert over_cap(shares, 0.25) == ()
    assert len(over_cap(shares, 0.24)) == 4
