"""What is proven for each candidate cut, and does it agree with the certificate?"""

from dataclasses import replace

import numpy as np
import pytest

from models.boundary import Evidence, certify
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.side_tests import block_tests, pass_tests
from models.replay.candidate_limits import REACH, candidate_limits, limits_at
from models.vocabulary import Boundary, Targets
from tests.models.boundary.worlds import audited, seen_as, world

BOTH = Targets(precision=0.9, recall=0.95, delta=0.05)
OMISSION = Targets(precision=0.9, false_omission_rate=0.01, delta=0.05)
TODAY = Boundary(0.01, 0.9)


@pytest.fixture(scope="module")
def reviewed():
    return Evidence.from_frame(world(np.random.default_rng(3), 6_000))


@pytest.fixture(scope="module")
def selective():
    generator = np.random.default_rng(4)
    return Evidence.from_frame(audited(world(generator, 6_000), 0.01, 0.2, generator))


@pytest.mark.parametrize("targets", [BOTH, OMISSION])
def test_vectorised_limits_are_the_exact_tests_own_at_every_candidate(reviewed, targets):
    """Two roads: one quantile over all cuts, and the certificate's bound asked cut by cut."""
    for curve in candidate_limits(reviewed, targets):
        tests = (block_tests if curve.side == "block" else pass_tests)(reviewed, Boundary())
        delta = delta_shares(targets, targets.delta)[curve.risk]
        expected = [tests.bound(curve.risk, delta, cut) for cut in curve.candidates["cut"]]
        assert curve.test == tests.name == "exact"
        assert curve.candidates["limit"].tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("incumbent", [TODAY, None])
def test_selective_labels_get_the_limits_of_their_own_test(selective, incumbent):
    """Stratified under an incumbent, betting without one; a bound of None is drawn as NaN."""
    for curve in candidate_limits(selective, BOTH, incumbent, points=7):
        sides = block_tests if curve.side == "block" else pass_tests
        tests = sides(selective, incumbent or Boundary())
        delta = delta_shares(BOTH, BOTH.delta)[curve.risk]
        expected = [tests.bound(curve.risk, delta, cut) for cut in curve.candidates["cut"]]
        assert curve.test == ("stratified" if incumbent else "betting")
        assert np.array_equal(
            curve.candidates["limit"],
            [np.nan if one is None else one for one in expected],
            equal_nan=True,
        )


def test_false_omission_and_missing_labels_are_bet_on_as_the_whole_evidence_would(selective):
    """Some drawn cases have no label yet; only what moves the capital is asked, to the same end."""
    rows = np.arange(len(selective))
    late = selective.drawn & (rows % 17 == 0)
    evidence = replace(selective, labelled=selective.labelled & ~late, bad=selective.bad & ~late)
    for curve in candidate_limits(evidence, OMISSION, None, points=5):
        tests = (block_tests if curve.side == "block" else pass_tests)(evidence, Boundary())
        delta = delta_shares(OMISSION, OMISSION.delta)[curve.risk]
        expected = [tests.bound(curve.risk, delta, cut) for cut in curve.candidates["cut"]]
        assert curve.candidates["limit"].notna().any()
        assert curve.candidates["limit"].fillna(-1).tolist() == [
            -1 if one is None else one for one in expected
        ]


def test_the_widest_candidate_whose_recall_is_proven_is_the_certified_one(reviewed):
    """Recall is monotone in the cut: no candidate beyond the certified cut keeps the target."""
    cut = certify(reviewed, BOTH).boundary.pass_at_or_below
    recall = next(c for c in candidate_limits(reviewed, BOTH, points=2_000) if c.risk == "recall")
    kept = recall.candidates["limit"] >= BOTH.recall
    assert kept.tolist() == (recall.candidates["cut"] <= cut).tolist()
    assert kept.any()
    assert not kept.all()


def test_the_limit_of_the_certified_boundary_is_the_certificates(reviewed, selective):
    """What stands beside a replay is what the certificate says of the same boundary."""
    for evidence, incumbent in ((reviewed, None), (selective, TODAY)):
        certificate = certify(evidence, BOTH, incumbent)
        told = limits_at(evidence, BOTH, incumbent, certificate.boundary)
        assert {k: v for k, v in told.items() if v is not None} == dict(certificate.limits)


def test_a_side_that_is_not_automated_has_no_limit(reviewed):
    """Nothing is passed, so nothing is proven about recall; nor about no evidence at all."""
    told = limits_at(reviewed, BOTH, None, Boundary(None, 0.9))
    assert told["recall"] is None
    assert told["precision"] is not None
    empty = reviewed.only(np.zeros(len(reviewed), dtype=bool))
    assert limits_at(empty, BOTH, None, Boundary(0.1, 0.9)) == {"recall": None, "precision": None}


def test_candidates_stay_in_reach_of_the_target_and_keep_the_widest(reviewed):
    """At most eight times the allowed error share, and no more points than asked for."""
    wide, few = (
        candidate_limits(reviewed, BOTH, points=500),
        candidate_limits(reviewed, BOTH, None, 5),
    )
    for all_of_them, thinned in zip(wide, few, strict=True):
        errors = 1 - all_of_them.candidates["estimate"]
        assert errors.iloc[-1] <= REACH * (1 - all_of_them.target)
        assert len(thinned.candidates) == 5
        assert thinned.candidates.iloc[-1].equals(all_of_them.candidates.iloc[-1])
        assert thinned.candidates["automation"].is_monotonic_increasing


def test_counts_and_estimates_by_hand():
    """Six cases: the bad one at .2 is drawn at 1/2 and stands for two of the four bad ones."""
    evidence = seen_as(
        [0.1, 0.2, 0.3, 0.4, 0.8, 0.9],
        [False, True, False, False, True, True],
        [0.5, 0.5, 0.5, 1.0, 1.0, 1.0],
        drawn=[True] * 6,
    )
    by_risk = {
        curve.risk: curve.candidates
        for curve in candidate_limits(evidence, Targets(recall=0.9, precision=0.9), Boundary(0.3))
    }
    # With the case at .8 three of four bad ones are missed: 7.5 times what is allowed, still in reach.
    assert by_risk["recall"]["automated"].tolist() == [1, 2, 3, 4, 5]
    missed = [0, 2, 2, 2, 2 + 1]
    assert by_risk["recall"]["estimate"].tolist() == [1 - misses / 4 for misses in missed]
    assert by_risk["recall"]["automation"].tolist() == [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]
    assert by_risk["precision"]["estimate"].tolist()[:3] == [1.0, 1.0, 2 / 3]


def test_no_point_at_all_is_refused(reviewed):
    """Asked for nothing."""
    with pytest.raises(ValueError, match="1 or more"):
        candidate_limits(reviewed, BOTH, points=0)
