"""Is what a simulated loop knows on a night what the loop would know?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import noisy_labels as bench
from benchmarks.worlds import StealthWorld
from flows.verbs.evidence.label_trust import CREDENCE_SHARE
from models.boundary import CertificationSequence
from models.boundary.proof.hindsight import plug_in_boundary
from models.truth import contradictions
from models.vocabulary import Boundary, Targets

TARGETS = Targets(recall=0.99, delta=0.035)
WORLD = StealthWorld("d3-5%-stealth", 3.0, 0.05, 0.005)
HELD_BACK, CASES_A_DAY = 36_000, 500.0


@pytest.fixture
def labels() -> bench.NoisyLabels:
    """Held-back cases and 200 days."""
    score, bad = WORLD.draw(np.random.default_rng(3), HELD_BACK + 100_000)
    found = bench.NoisyLabels(TARGETS, HELD_BACK, CASES_A_DAY, np.random.default_rng(4))
    found.grow(score[:HELD_BACK], bad[:HELD_BACK])
    found.grow(score[HELD_BACK:], bad[HELD_BACK:])
    return found


def known_since(frame: pd.DataFrame) -> int:
    """Cases since the first night about which anything is known."""
    return int((frame["first_bad"] | frame["bad"].notna())[HELD_BACK:].sum())


def test_one_word_in_a_hundred_is_wrong_whatever_the_truth(labels: bench.NoisyLabels) -> None:
    """Four standard errors, among good and bad cases apart; what is asked again is told right."""
    for truth in (False, True):
        wrong = labels.first_bad[labels.truth == truth] != truth
        assert abs(wrong.mean() - 0.01) < 4.0 * np.sqrt(0.01 / len(wrong))
    frame = labels.before_the_first_night()
    again = frame["confirmed"].to_numpy()
    assert again.sum() > 300
    assert np.array_equal(frame["bad"].to_numpy()[again] == 1.0, labels.truth[:HELD_BACK][again])


def test_a_word_counts_a_month_after_its_case_and_none_comes_in_a_backlog(
    labels: bench.NoisyLabels,
) -> None:
    """500 cases a day: at 29 days none is known, at 40 those of ten days; from day 83 to day 96 nothing is
    added, and on day 97 what is 30 days old is in."""
    labels.before_the_first_night()
    known = {day: known_since(labels.night(day, None)) for day in (29, 40, 83, 90, 96, 97, 120)}
    a_day = int(CASES_A_DAY)
    assert known[29] == 0
    assert known[40] == pytest.approx(10 * a_day, abs=1)
    assert known[83] == pytest.approx((83 - 30) * a_day, abs=1)
    assert known[83] == known[90] == known[96]
    assert known[97] == pytest.approx((97 - 30) * a_day, abs=1)
    assert known[120] == pytest.approx((120 - 30) * a_day, abs=1)


def test_who_waits_for_a_second_word_is_whom_the_loop_asks_about(labels: bench.NoisyLabels) -> None:
    """Second road: `models.truth.contradictions` on the words of that night, at the cut hoped for: that of
    the labels, or the live one where it is wider."""
    labels.before_the_first_night()
    matured = HELD_BACK + 5_000
    for live in (None, 0.02):
        waits = labels.night(40.0, live)["bad"].isna().to_numpy()[:matured]
        words = labels._settled(matured, 40.0)
        suggested = plug_in_boundary(labels.score[:matured], words, TARGETS).pass_at_or_below
        assert suggested is not None
        told = pd.DataFrame(
            {
                "case_id": np.arange(matured),
                "score": labels.score[:matured],
                "bad": words.astype(float),
                "propensity": 1.0,
                "confirmed": (labels.second_at <= 40.0)[:matured],
            }
        )
        hoped = Boundary(suggested if live is None else max(suggested, live), None)
        asked = contradictions(told, hoped).rows["case_id"].to_numpy()
        assert len(asked) >= 2
        assert sorted(asked) == np.flatnonzero(waits).tolist()
    settled = labels.night(40.0 + bench.SECOND_TAKES, 0.02)["bad"]
    assert settled[:matured].notna().all()


def test_without_second_words_the_first_cut_passes_next_to_nothing(
    labels: bench.NoisyLabels,
) -> None:
    """METHODS 1.6: at a specificity of .99 the certificate collapses, and confirmation restores it."""
    targets = replace(TARGETS, delta=TARGETS.delta - labels.set_aside)
    frame = labels.before_the_first_night()
    first_words = pd.DataFrame(
        {"score": frame["score"], "bad": labels.first_bad[:HELD_BACK].astype(float)}
    )
    with_second, without = (
        CertificationSequence.start(targets, cohort).proven_by_recall
        for cohort in (frame, first_words)
    )
    assert with_second is not None
    passed = 0.0 if without is None else WORLD.share_passed(without)
    assert WORLD.share_passed(with_second) > 0.3 > 10.0 * passed


def test_unconfirmed_bad_labels_count_in_part_and_confirmed_ones_in_full(
    labels: bench.NoisyLabels,
) -> None:
    frame = labels.before_the_first_night()
    bad = frame["bad"] == 1.0
    in_part = frame.loc[bad & ~frame["confirmed"], "credence"].unique()
    assert len(in_part) == 1
    assert 0.5 < in_part[0] < 1.0
    assert (frame.loc[bad & frame["confirmed"], "credence"] == 1.0).all()


def test_the_sequence_goes_on_from_night_to_night(labels: bench.NoisyLabels) -> None:
    """Words that are corrected and cases that waited: what entered keeps its place, and looks are taken."""
    targets = replace(TARGETS, delta=TARGETS.delta - labels.set_aside)
    sequence = CertificationSequence.start(targets, labels.before_the_first_night())
    taken = [len(sequence.looks)]
    for day in (20.0, 60.0, 83.0, 90.0, 96.0, 110.0, 120.0, 130.0):
        sequence = sequence.extend(labels.night(day, sequence.proven_by_recall))
        taken.append(len(sequence.looks))
    assert taken[0] == taken[1] == 1  # no word is in yet
    assert taken[2] > 1
    assert taken[3] == taken[4] == taken[5]  # the backlog
    assert taken[-1] > taken[5]


def test_the_share_that_is_set_aside_is_the_loops() -> None:
    assert bench.CREDENCE_SHARE == CREDENCE_SHARE
