"""A cut that is made tells the same cases apart whether scores come as float32 or as float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boundary import Rule, certify, decide
from models.boundary.cuts import at_least, at_most, just_below
from models.boundary.evidence import BoolArray, Evidence, FloatArray
from models.boundary.hindsight import plug_in_boundary
from models.drift.sample import Sample
from models.vocabulary import Boundary, Costs, Targets

scores = st.floats(0.0, 1.0, allow_subnormal=False) | st.floats(0.0, 1.0, width=32)


@settings(max_examples=300, deadline=None)
@given(scores, scores)
def test_every_score_lies_on_one_side_of_a_made_cut_in_either_storage(
    at: float, other: float
) -> None:
    """By the second road of a table of neighbours: any other score, the score itself, the numbers
    next to it in float64 and in float32, and the border between two float32 numbers."""
    single = np.float32(at)
    nearby = [float(single), float(np.nextafter(single, np.float32(2.0)))]
    nearby += [float(np.nextafter(single, np.float32(-1.0))), sum(nearby) / 2.0]
    asked = np.array([at, other, np.nextafter(at, 2.0), np.nextafter(at, -1.0), *nearby])
    asked = asked[(asked >= 0.0) & (asked <= 1.0)]
    stored = asked.astype(np.float32).astype(np.float64)
    for cut in (just_below(at), float(at_most(np.array(at)))):
        assert ((asked <= cut) == (stored <= cut)).all()
    block = float(at_least(np.array(at)))
    assert ((asked >= block) == (stored >= block)).all()


@settings(max_examples=100, deadline=None)
@given(scores)
def test_a_cut_reaches_the_score_it_is_made_for_and_one_just_below_does_not(at: float) -> None:
    """And what a float32 number's width lower is still reached."""
    lower = float(np.nextafter(np.nextafter(np.float32(at), np.float32(-1.0)), np.float32(-1.0)))
    assert just_below(at) < at <= float(at_most(np.array(at))) <= 1.0
    assert 0.0 <= float(at_least(np.array(at))) <= at
    assert lower <= just_below(at)


def _desk(generator: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    score = np.concatenate([generator.uniform(0.0, 0.4, 3_000), generator.uniform(0.5, 1.0, 1_500)])
    return score, np.arange(4_500) >= 3_000


def _actions(score: FloatArray, boundary: Boundary) -> list[str]:
    cases = pd.DataFrame(
        {"case_id": [f"c{i}" for i in range(len(score))], "priority": 0.0, "amount_usd": 1.0}
    )
    rule = Rule(boundary=boundary, audit_rate=0.1, key="k" * 16, costs=Costs(1.0, 1.0, 1.0))
    reason = np.full(len(score), "", dtype=np.str_)
    return [str(one) for one in decide(cases, score, reason, rule)["action"]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_what_was_certified_decides_float32_scores_as_float64_ones(seed: int, rate: float) -> None:
    """Exact and stratified tests, both sides: no case is decided otherwise for its storage."""
    score, bad = _desk(np.random.default_rng(seed))
    incumbent = None if rate == 1.0 else Boundary(0.2, None)
    propensity = np.where(score <= 0.2, rate, 1.0)
    frame = pd.DataFrame({"score": score, "bad": bad, "propensity": propensity})
    frame["drawn"] = (propensity == 1.0) | (np.arange(len(score)) % 2 == 0)
    frame["bad"] = frame["bad"].astype(object).where(frame["drawn"], None)
    targets = Targets(recall=0.98, precision=0.9)
    boundary = certify(frame, targets, incumbent).boundary
    assert boundary.pass_at_or_below is not None
    assert boundary.block_at_or_above is not None
    assert _actions(score, boundary) == _actions(score.astype(np.float32), boundary)


@pytest.mark.parametrize("bad_score", [0.1, 0.3, 0.7, float(np.float32(0.1))])
def test_the_case_that_the_proof_excluded_is_not_passed_in_float32(bad_score: float) -> None:
    """The lowest bad case lies just above the cut, wherever float32 rounds it to."""
    score = np.array([0.01] * 50 + [bad_score] * 400)
    bad = np.array([False] * 50 + [True] * 400)
    frame = pd.DataFrame({"score": score, "bad": bad, "propensity": 1.0})
    boundary = certify(frame, Targets(recall=0.99)).boundary
    for stored in (score, score.astype(np.float32)):
        assert set(_actions(stored[bad], boundary)) == {"escalate"}
        assert set(_actions(stored[~bad], boundary)) == {"auto_pass"}


def _zones(score: FloatArray, boundary: Boundary) -> list[int]:
    empty = np.ones(len(score))
    features = pd.DataFrame(index=range(len(score)))
    return Sample(score, features, empty, empty, boundary).zone.tolist()


@pytest.mark.parametrize("read", [_actions, _zones])
def test_scores_are_compared_as_float64(read: Callable[..., list[object]]) -> None:
    """A cut that a caller made just below a float32 score: rounded to float32 it would reach it."""
    score = np.array([0.1, 0.9], dtype=np.float32)
    boundary = Boundary(float(np.nextafter(float(score[0]), 0.0)), None)
    assert read(score, boundary) == read(score.astype(np.float64), boundary)
    assert len(set(read(score, boundary))) == 1


def test_the_oracles_sides_that_meet_leave_no_float32_case_on_both() -> None:
    """Pass up to just below the block cut, in either storage."""
    score, bad = np.array([0.1, 0.2, 0.8]), np.array([False, False, True])
    found = plug_in_boundary(score, bad, Targets(recall=0.5, precision=0.3))
    assert found.pass_at_or_below is not None
    assert not (score.astype(np.float32).astype(np.float64) <= found.pass_at_or_below).any()


def test_scores_of_one_float32_number_are_ties() -> None:
    """Neighbours in float64 alone move together: nobody could tell them apart later."""
    low, high = 0.3, float(np.nextafter(0.3, 1.0))
    assert just_below(low) == just_below(high) < low
    seen = Evidence.from_frame(
        pd.DataFrame({"score": [0.1, low, high], "bad": [False, False, True], "propensity": 1.0})
    )
    assert (seen.score <= just_below(high)).tolist() == [True, False, False]
