"""Of the proven boundaries, which one costs least, and is it ever one that was not proven?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary import Evidence, certify
from models.boundary.proof.candidates import FIRST_BLOCKS, block_sequences
from models.boundary.proof.cost_choice import cheapest
from models.boundary.proof.exact import widest_block
from models.vocabulary import Boundary, CertificateVerdict, Costs, Targets
from tests.models.boundary.worlds import (
    seen_as,
    true_false_omission,
    true_recall,
    world,
)

BOTH = Targets(precision=0.95, recall=0.99)
COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)


def test_one_dear_miss_outweighs_three_reviews() -> None:
    """By hand: passing four cases saves 4 * 4, and the bad one at 0.3 costs 400."""
    seen = seen_as([0.1, 0.2, 0.3, 0.4, 0.9], [False, False, True, False, True])
    found = cheapest(seen, COSTS, Boundary(), Boundary(0.4, None))
    assert found.cheapest == Boundary(0.2, None)
    assert found.usd == pytest.approx((5 * 4 - 2 * 4) / 5)
    assert found.widest_usd == pytest.approx((5 * 4 - 4 * 4 + 400) / 5)


def test_a_label_counts_for_the_cases_it_stands_for_and_a_missing_one_as_an_error() -> None:
    """A false block drawn one time in ten stands for ten; a drawn case without a label may be one."""
    seen = seen_as([0.8, 0.9, 0.95], [None, False, True], [1.0, 0.1, 1.0], drawn=[True, True, True])
    found = cheapest(seen, COSTS, Boundary(), Boundary(None, 0.8))
    assert found.cheapest == Boundary(None, 0.95)
    assert found.widest_usd == pytest.approx((3 * 4 - 3 * 4 + 40 * (1 + 10)) / 3)


def test_cases_that_people_decide_are_neither_saved_nor_missed() -> None:
    """Two of three belong to key users: the pass side decides one case."""
    seen = seen_as([0.1, 0.2, 0.3], [False, True, False], automatable=[True, False, False])
    found = cheapest(seen, COSTS, Boundary(), Boundary(0.3, None))
    assert (found.cheapest, found.usd) == (Boundary(0.3, None), pytest.approx(2 * 4 / 3))


def test_at_equal_cost_the_wider_is_taken() -> None:
    """Free reviews and free errors leave nothing to choose by."""
    seen = seen_as([0.1, 0.2, 0.9], [False, True, True])
    free = Costs(0.0, 0.0, 0.0)
    assert cheapest(seen, free, Boundary(), Boundary(0.3, 0.8)).cheapest == Boundary(0.3, 0.8)


scored = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0]),
        st.booleans(),
        st.sampled_from([0.25, 0.5, 1.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    scored,
    st.sampled_from([None, 0.0, 0.1]),
    st.sampled_from([None, 0.9, 1.0]),
    st.builds(Costs, *[st.sampled_from([0.0, 1.0, 7.0, 90.0])] * 3),
)
def test_the_scan_finds_what_trying_every_pair_of_cuts_finds(
    rows: list[tuple[float, bool, float, bool]],
    low: float | None,
    high: float | None,
    costs: Costs,
) -> None:
    """The second road: every boundary between today's and the widest, costed case by case."""
    score, bad, propensity, free = (np.array(part) for part in zip(*rows, strict=True))
    seen = seen_as(score, bad, propensity, free, drawn=[True] * len(rows))
    widest = Boundary(0.3, 0.5)

    def cost(boundary: Boundary) -> float:
        below, above = boundary.pass_at_or_below, boundary.block_at_or_above
        passed = free & (score <= (-1.0 if below is None else below))
        blocked = free & (score >= (2.0 if above is None else above))
        usd = costs.review_usd * (~passed & ~blocked).sum()
        usd += costs.false_negative_usd * (1.0 / propensity)[passed & bad].sum()
        usd += costs.false_positive_usd * (1.0 / propensity)[blocked & ~bad].sum()
        return float(usd) / len(rows)

    lows = [low, *(cut for cut in (0.0, 0.1, 0.2, 0.3) if low is None or cut > low)]
    highs = [high, *(cut for cut in (1.0, 0.9, 0.7, 0.5) if high is None or cut < high)]
    least = min(cost(Boundary(one, other)) for one in lows for other in highs)
    found = cheapest(seen, costs, Boundary(low, high), widest)
    assert found.usd == pytest.approx(least)
    assert cost(found.cheapest) == pytest.approx(least)
    assert found.widest_usd == pytest.approx(cost(widest))


def test_what_a_certificate_chooses_is_proven_and_never_wider() -> None:
    """A simulated world where misses are dear: the choice lies inside the widest, keeps both limits,
    and its block cut is one that the sequence of tests proved."""
    frame = world(np.random.default_rng(1), 30_000)
    widest = certify(frame, BOTH)
    dear = Costs(review_usd=4.0, false_positive_usd=300.0, false_negative_usd=20_000.0)
    found = certify(frame, BOTH, cheapest_at=dear)
    assert found.verdict is CertificateVerdict.CERTIFIED
    assert found.choices == {"widest": widest.boundary, "cheapest": found.boundary}
    low, high = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
    assert low is not None
    assert high is not None
    assert low < widest.boundary.pass_at_or_below
    assert high > widest.boundary.block_at_or_above
    assert found.limits["recall"] >= 0.99
    assert found.limits["precision"] >= 0.95
    evidence = Evidence.from_frame(frame)
    starts = block_sequences(evidence.score, None, None, FIRST_BLOCKS)
    assert high in widest_block(evidence, 0.95, 0.3 * 0.05, starts).steps
    assert "the cheapest is taken" in found.reasons[1]


def test_with_false_omission_too_only_pass_cuts_that_both_promises_prove_are_chosen() -> None:
    """Recall proves every narrower cut, false omission only its steps."""
    frame = world(np.random.default_rng(2), 30_000)
    both = Targets(recall=0.97, false_omission_rate=0.004)
    dear = Costs(review_usd=4.0, false_negative_usd=3_000.0)
    cut = certify(frame, both, cheapest_at=dear).boundary.pass_at_or_below
    assert cut is not None
    alone = certify(frame, Targets(false_omission_rate=0.004, delta=0.025))
    assert cut < alone.boundary.pass_at_or_below
    assert true_false_omission(cut) < 0.004
    assert true_recall(cut) > 0.97
    assert cut in frame["score"].to_numpy(), "a step is the score of a case"


def test_without_costs_the_widest_is_taken_as_before() -> None:
    """Nobody asked for a choice: none is named, and no result changes."""
    frame = world(np.random.default_rng(1), 30_000)
    found = certify(frame, BOTH)
    assert dict(found.choices) == {}
    cheap = Costs(review_usd=50.0, false_positive_usd=1.0, false_negative_usd=1.0)
    widest = certify(frame, BOTH, cheapest_at=cheap)
    assert widest.boundary == found.boundary
    assert "also the cheapest" in widest.reasons[1]


def test_where_todays_is_the_cheapest_nothing_moves() -> None:
    """A wider pass side is proven, but its 100 reviews at $4 cost less than its three misses."""
    score = [0.05] * 5_000 + [0.2] * 103 + [0.9] * 3_000
    bad = [False] * 5_100 + [True] * 3_003
    evidence, today = seen_as(score, bad), Boundary(0.1, None)
    recall = Targets(recall=0.99)
    assert certify(evidence, recall, today).verdict is CertificateVerdict.CERTIFIED
    found = certify(evidence, recall, today, cheapest_at=COSTS)
    assert found.verdict is CertificateVerdict.HOLD
    assert found.boundary == today
    assert found.choices["widest"].pass_at_or_below == np.nextafter(0.9, 0.0)
    assert "Today's is the cheapest" in found.reasons[1]


def test_a_choice_between_nothing_is_refused() -> None:
    """The widest must be at least today's, and there must be cases."""
    seen = seen_as([0.1, 0.9], [False, True])
    with pytest.raises(ValueError, match="narrower than today's"):
        cheapest(seen, COSTS, Boundary(0.3, None), Boundary(0.2, None))
    with pytest.raises(ValueError, match="without a case"):
        cheapest(seen.only(np.array([False, False])), COSTS, Boundary(), Boundary())
