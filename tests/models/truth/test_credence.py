"""How far may an unconfirmed bad label be believed?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.truth import credence, false_bad_upper, unconfirmed_bad_deflation
from models.vocabulary import Boundary


def test_the_false_bad_limit_is_exact() -> None:
    """No false one among 59 leaves 5 %; nothing reviewed, or all overturned, leaves everything."""
    assert false_bad_upper(59, 0, 0.05) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert false_bad_upper(0, 0, 0.05) == 1.0
    assert false_bad_upper(7, 7, 0.05) == 1.0


@given(st.integers(1, 300), st.floats(0.001, 0.2), st.data())
def test_seeing_so_few_overturned_is_improbable_at_the_limit(
    again: int, delta: float, data: st.DataObject
) -> None:
    """The defining property: P(at most so many; limit) = delta."""
    overturned = data.draw(st.integers(0, again - 1))
    upper = false_bad_upper(again, overturned, delta)
    assert stats.binom.cdf(overturned, again, upper) == pytest.approx(delta, rel=1e-6)


def test_unconfirmed_bad_labels_count_for_what_they_are_surely_worth() -> None:
    """Of 4 bad words heard twice 1 was overturned; the unconfirmed ones count 1 - limit(1 of 4)."""
    first = np.array([True, True, True, True, True, True, False, False, True])
    bad = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, np.nan])
    confirmed = np.array([True, True, True, True, False, False, False, True, False])
    keep = 1 - false_bad_upper(4, 1, 0.1)
    assert unconfirmed_bad_deflation(first, bad, confirmed, 0.1) == pytest.approx(
        [1, 1, 1, 0, keep, keep, 0, 1, 0]
    )


def test_deflated_counts_stay_below_the_true_number_of_bad_cases() -> None:
    """2,000 simulated desks, a tenth of the bad labels false and a fifth of them heard twice: the
    counts *expected* under the limit exceed the true share in at most delta (99 % binomial)."""
    generator = np.random.default_rng(8)
    again = generator.binomial(400, 0.2, 2_000)
    overturned = generator.binomial(again, 0.1)
    limits = [false_bad_upper(int(n), int(k), 0.05) for n, k in zip(again, overturned, strict=True)]
    too_low = int((np.array(limits) < 0.1).sum())
    assert 0 < too_low <= stats.binom.ppf(0.99, 2_000, 0.05)


SAID = pd.DataFrame(
    [
        ("confirmed miss", 0.1, True, True, True, False),
        ("unconfirmed miss", 0.1, True, True, False, False),
        ("miss overturned", 0.1, False, True, True, False),
        ("caught, upheld in the sample", 0.5, True, True, True, True),
        ("caught, overturned in the sample", 0.5, False, True, True, True),
        ("caught, upheld in the sample too", 0.7, True, True, True, True),
        ("caught, upheld on request", 0.6, True, True, True, False),
        ("caught, heard once", 0.6, True, True, False, False),
        ("good", 0.6, False, False, False, False),
        ("bad by an outcome", 0.6, True, False, True, False),
        ("open", 0.6, None, False, False, False),
    ],
    columns=["case", "score", "bad", "first_bad", "confirmed", "second_drawn"],
).astype({"bad": "boolean"})


def test_a_bad_label_is_believed_when_confirmed_or_by_the_sample_among_its_like() -> None:
    """The sample above the cut is 3 words of which 1 was overturned; what was reviewed on request
    or below the cut says nothing about those heard once."""
    found = dict(zip(SAID["case"], credence(SAID, Boundary(0.2, None), 0.1), strict=True))
    assert found == {
        "confirmed miss": 1.0,
        "unconfirmed miss": 0.0,
        "miss overturned": 0.0,
        "caught, upheld in the sample": 1.0,
        "caught, overturned in the sample": 0.0,
        "caught, upheld in the sample too": 1.0,
        "caught, upheld on request": 1.0,
        "caught, heard once": pytest.approx(1 - false_bad_upper(3, 1, 0.1)),
        "good": 0.0,
        "bad by an outcome": 1.0,
        "open": 0.0,
    }


def test_without_a_sample_only_confirmed_labels_are_believed() -> None:
    """Nobody drew a second review: what was heard once counts nothing, also without a pass cut."""
    said = SAID.assign(second_drawn=False)
    for boundary in (Boundary(0.2, None), Boundary.everything_reviewed()):
        found = credence(said, boundary, 0.1)
        assert (found == (said["confirmed"] & said["bad"].fillna(False))).all()


def test_unusable_input_is_refused_with_the_reason() -> None:
    """A missing column, counts that cannot be, a delta that is none, arrays of two lengths."""
    with pytest.raises(ValueError, match="the labels have no 'second_drawn'"):
        credence(SAID.drop(columns="second_drawn"), Boundary(0.2, None), 0.1)
    with pytest.raises(ValueError, match="cannot have been overturned"):
        false_bad_upper(3, 4, 0.05)
    with pytest.raises(ValueError, match="delta"):
        false_bad_upper(3, 1, 0.0)
    with pytest.raises(ValueError, match="one value a label"):
        unconfirmed_bad_deflation(np.array([True]), np.array([1.0, 0.0]), np.array([True]), 0.05)
