"""A certificate over a generation's whole life (METHODS 1.2, 1.3): what each look may use and prove."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from models.boundary import CertificationSequence, Evidence, certify, look_table
from models.boundary.proof.exact import widest_pass_by_recall
from models.boundary.sequence.looks import delta_of_sequence
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import (
    cut_where,
    most_violations,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

RECALL = Targets(recall=0.99, delta=0.05)
PHI = 6.0 / np.pi**2


def cases(scores: Sequence[float], bad: Sequence[bool | None], **columns: Any) -> pd.DataFrame:
    """A cohort in order of entry; None is a truth that is not in yet."""
    frame = pd.DataFrame({"score": list(scores), "bad": pd.array(list(bad), dtype="boolean")})
    return frame.assign(**columns)


def then(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def ladder(count: int, low: float = 0.1, high: float = 0.9) -> pd.DataFrame:
    """Bad cases at rising scores, above one good case at the bottom."""
    scores = np.concatenate([[0.01], np.linspace(low, high, count)])
    return cases(scores.tolist(), [False] + [True] * count)


def bad_at(score: float, count: int) -> pd.DataFrame:
    return cases([score] * count, [True] * count)


def simulated(seed: int, count: int) -> pd.DataFrame:
    return world(np.random.default_rng(seed), count)[["score", "bad"]]


# ---- recall


def test_the_first_look_is_the_exact_test_at_its_share_of_delta() -> None:
    """METHODS 1.1 on the same rows at 6/pi^2 of delta: the same misses, no bad case between the cuts.
    A model re-scored on the cohort therefore gets 1.1's answer at look 1."""
    rescored = simulated(1, 40_000)
    found = CertificationSequence.start(RECALL, rescored)
    evidence = Evidence.from_frame(rescored.assign(propensity=1.0))
    exact = widest_pass_by_recall(evidence, 0.99, PHI * 0.05)
    assert len(found.looks) == 1
    assert found.first == int(evidence.bad.sum())
    assert found.looks[0].allowed == exact.errors
    bad = np.sort(rescored["score"][rescored["bad"] == 1.0])
    assert exact.cut is not None
    assert found.looks[0].cut is not None
    assert np.searchsorted(bad, found.looks[0].cut) == np.searchsorted(bad, exact.cut, side="right")
    assert abs(found.looks[0].cut - exact.cut) < 1e-6


def test_the_first_look_uses_the_table_of_its_own_bad_cases() -> None:
    """METHODS 1.2's table for 1,000 bad cases at .035: 3 misses may lie below the cut."""
    found = CertificationSequence.start(Targets(recall=0.99, delta=0.035), ladder(1_000))
    scores = np.linspace(0.1, 0.9, 1_000)
    assert (found.first, found.looks[0].allowed) == (1_000, 3)
    assert scores[2] <= found.looks[0].cut < scores[3]  # type: ignore[operator]


def test_a_look_uses_exactly_the_first_bad_cases() -> None:
    """1,000 bad cases, then 1,100 lower ones at once: look 2 sees 50 of these, and no look sees the
    1,100 as its own 1,050: the 47 looks' sizes are fixed, whenever the cases come."""
    begun = CertificationSequence.start(RECALL, ladder(1_000, 0.5, 0.9))
    low = np.linspace(0.3, 0.2, 1_100)
    longer = then(ladder(1_000, 0.5, 0.9), cases(low.tolist(), [True] * 1_100))
    found = begun.extend(longer)
    table = look_table(1_000, 0.01, 0.05, looks=len(found.looks))
    assert [look.size for look in found.looks] == list(table.sizes)
    assert [look.size for look in found.looks[:3]] == [1_000, 1_050, 1_103]
    second = found.looks[1]
    seen = np.sort(low[:50])  # lowest last: the 51st would be lower than all of them
    assert second.rows == 1 + 1_000 + 50
    assert second.cut is not None
    assert int((seen <= second.cut).sum()) == second.allowed


def test_the_same_looks_whether_cases_come_one_by_one_or_at_once() -> None:
    """Nights, outages and promotions between them change no look."""
    frame = simulated(2, 30_000)
    at_once = CertificationSequence.start(RECALL, frame.iloc[:9_000]).extend(frame)
    nightly = CertificationSequence.start(RECALL, frame.iloc[:9_000])
    for end in range(10_000, 30_001, 1_000):
        nightly = nightly.extend(frame.iloc[:end])
        assert nightly.certificate().boundary == nightly.proven  # asking spends nothing
    assert nightly.looks == at_once.looks
    assert len(nightly.looks) > 10


def test_a_promotion_restarts_nothing() -> None:
    """The table goes on: 20 looks, half of them after a promotion, are those of one table."""
    frame = simulated(3, 40_000)
    found = CertificationSequence.start(RECALL, frame.iloc[:15_000])
    promoted = Boundary.everything_reviewed()
    for end in range(20_000, 40_001, 5_000):
        found = found.extend(frame.iloc[:end])
        given_ = found.certificate(promoted)
        promoted = given_.boundary if given_.verdict is CertificateVerdict.CERTIFIED else promoted
    table = look_table(found.first, 0.01, 0.05, looks=len(found.looks))
    assert tuple(look.allowed for look in found.looks) == table.allowed
    assert found.table.sizes == table.sizes
    assert promoted.pass_at_or_below == found.proven_by_recall


def test_the_widest_look_so_far_stands() -> None:
    """Bad cases at low scores come later: their looks prove less, and take nothing back."""
    begun = CertificationSequence.start(RECALL, ladder(1_000, 0.5, 0.9))
    found = begun.extend(then(ladder(1_000, 0.5, 0.9), bad_at(0.02, 300)))
    assert found.looks[-1].cut is not None
    assert found.looks[-1].cut < 0.02 < 0.5 < begun.proven_by_recall  # type: ignore[operator]
    assert found.proven_by_recall == begun.proven_by_recall


def test_a_look_waits_for_the_first_missing_truth() -> None:
    """Prefix order: 60 bad cases behind an open one count for nothing until its truth is in."""
    begun = CertificationSequence.start(RECALL, ladder(1_000))
    open_ = then(ladder(1_000), cases([0.3], [None]), bad_at(0.8, 60))
    waiting = begun.extend(open_)
    assert len(waiting.looks) == 1
    told = waiting.certificate(waiting.proven)
    assert told.reasons[-1] == (
        "1 case of the cohort has no settled label yet; the next look waits for it."
    )
    dated = open_.assign(opened_at=pd.Timestamp("2026-03-01", tz="UTC"))
    told = begun.extend(dated).certificate(waiting.proven)
    assert told.reasons[-1].endswith("the next look waits for it, opened on 2026-03-01.")
    settled = then(ladder(1_000), cases([0.3], [False]), bad_at(0.8, 60))
    assert len(waiting.extend(settled).looks) == 2


def test_a_backlog_is_neither_skipped_nor_counted_as_misses() -> None:
    """The same rows, the open case among them bad and low: it is a miss of the look it is in."""
    begun = CertificationSequence.start(RECALL, ladder(1_000))
    settled = then(ladder(1_000), cases([0.05], [True]), bad_at(0.8, 60))
    known = begun.extend(settled)
    assert known.looks[1].rows == 1 + 1_000 + 50
    scores = np.sort(np.concatenate([[0.05], np.linspace(0.1, 0.9, 1_000)]))
    allowed = known.looks[1].allowed
    assert scores[allowed - 1] <= known.looks[1].cut < scores[allowed]  # type: ignore[operator]
    # Until it is in, nothing moves, in either direction.
    open_ = then(ladder(1_000), cases([0.05], [None]), bad_at(0.8, 60))
    assert begun.extend(open_).looks == begun.looks


def test_a_case_given_up_is_a_miss_and_no_bad_case() -> None:
    """999 + 1 bad cases and 2 given up at the bottom: 5 misses allowed of 1,000 are 3 beside these."""
    frame = then(
        cases([0.02, 0.03], [None, None], given_up=True), ladder(1_000).assign(given_up=False)
    )
    found = CertificationSequence.start(RECALL, frame)
    assert (found.first, found.looks[0].size) == (1_000, 1_000)
    allowed, scores = found.looks[0].allowed, np.linspace(0.1, 0.9, 1_000)
    assert scores[allowed - 3] <= found.looks[0].cut < scores[allowed - 2]  # type: ignore[operator]
    assert "2 cases were given up" in found.certificate().reasons[-1]


def test_cases_outside_the_cohort_prove_nothing_about_recall() -> None:
    """Escalated cases above the audit's rate have labels and are no sample of the traffic: with them
    2,000 bad cases would be caught, and 40 misses allowed."""
    frame = then(
        ladder(1_000).assign(in_cohort=True, in_block_cohort=True),
        bad_at(0.95, 1_000).assign(in_cohort=False, in_block_cohort=True),
    )
    found = CertificationSequence.start(RECALL, frame)
    assert [look.size for look in found.looks] == [1_000]
    assert found.looks == CertificationSequence.start(RECALL, ladder(1_000)).looks


def test_key_users_are_never_missed_and_count_as_caught() -> None:
    """500 bad key users below everything: 1,500 bad cases, and none of the 500 is a miss."""
    keys = bad_at(0.005, 500).assign(automatable=False)
    frame = then(keys, ladder(1_000).assign(automatable=True))
    found = CertificationSequence.start(RECALL, frame)
    alone = widest_pass_by_recall(
        Evidence.from_frame(frame.assign(propensity=1.0)), 0.99, PHI * 0.05
    )
    assert found.first == 1_500
    assert found.looks[0].allowed == alone.errors
    scores, allowed = np.linspace(0.1, 0.9, 1_000), found.looks[0].allowed
    assert scores[allowed - 1] <= found.looks[0].cut < scores[allowed]  # type: ignore[operator]


def test_unconfirmed_bad_labels_count_as_far_as_they_may_be_believed() -> None:
    """METHODS 1.6: above the cut 1 - .25 of 400 unconfirmed ones by their uniforms, the same 300 on
    every night; as misses all of them."""
    uniform = (np.arange(400) + 0.5) / 400
    doubted = bad_at(0.95, 400).assign(credence=0.75, credence_uniform=uniform)
    sure = ladder(1_000).assign(credence=1.0, credence_uniform=0.99)
    found = CertificationSequence.start(RECALL, then(sure, doubted))
    assert found.first == 1_000 + 300
    low = then(doubted.assign(score=0.05, credence=0.0), sure)
    missed = CertificationSequence.start(RECALL, low)
    assert missed.first == 1_000
    # The good case at .01 may be passed; 400 misses at .05 are more than any look allows.
    assert missed.proven_by_recall is not None
    assert 0.01 <= missed.proven_by_recall < 0.05


def test_credence_without_its_uniform_is_refused() -> None:
    with pytest.raises(ValueError, match="credence_uniform"):
        CertificationSequence.start(RECALL, ladder(100).assign(credence=1.0))


def test_tied_scores_move_together() -> None:
    """Of 1,000 bad cases the lowest 40 share one score: more than are allowed, so none is passed."""
    frame = then(cases([0.01], [False]), bad_at(0.1, 40), ladder(960, 0.2).iloc[1:])
    found = CertificationSequence.start(RECALL, frame)
    assert found.looks[0].allowed < 40
    assert found.proven_by_recall is not None
    assert 0.01 <= found.proven_by_recall < 0.1


@pytest.mark.parametrize("score", [0.7, 0.1, 0.3, 0.9999999, 1e-6, float(np.float32(0.7))])
def test_a_cut_excludes_its_bad_case_in_32_bits_too(score: float) -> None:
    """0.7 is 0.69999999 in 32 bits: a cut just below 0.7 in 64 bits would pass the very case that the
    proof excluded."""
    frame = then(cases([score / 4], [False]), bad_at(score, 1_000))
    cut = CertificationSequence.start(RECALL, frame).proven_by_recall
    assert cut is not None
    assert cut < score
    assert cut < np.float64(np.float32(score))
    assert not np.float32(score) <= np.float32(cut)
    assert cut >= np.float32(score / 4)


def test_a_cut_that_would_pass_nobody_is_none() -> None:
    assert CertificationSequence.start(RECALL, bad_at(0.3, 1_000)).proven_by_recall is None


def test_an_audit_that_found_no_bad_case_is_not_full_labelling() -> None:
    """METHODS 1.2, trap: passes audited at 5 % showed nothing, everything escalated was bad. By its
    labels alone the evidence looks like a fully reviewed stretch; by its design 5 % of the escalated
    are in the cohort, and 50 bad cases prove no recall of 99 %."""
    rng = np.random.default_rng(5)
    uniform = rng.random(21_000)
    score = np.r_[np.full(20_000, 0.1), np.full(1_000, 0.9)]
    drawn = (uniform < 0.05) | (score > 0.5)
    frame = cases(score[drawn].tolist(), (score > 0.5)[drawn].tolist())
    by_design = CertificationSequence.start(RECALL, frame.assign(in_cohort=uniform[drawn] < 0.05))
    assert by_design.proven_by_recall is None
    assert by_design.certificate().verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    by_labels = CertificationSequence.start(RECALL, frame)
    assert by_labels.proven_by_recall is not None


def test_a_ceiling_binds_the_pass_cut() -> None:
    """Where a design could not draw at all above .4, nothing is certified beyond it."""
    frame = then(cases([0.2], [False]), ladder(1_000, 0.6))
    assert CertificationSequence.start(RECALL, frame).proven_by_recall > 0.5  # type: ignore[operator]
    assert CertificationSequence.start(RECALL, frame, ceiling=0.4).proven_by_recall == 0.4


# ---- corrections and order


def test_a_look_once_taken_stays_taken_when_a_label_is_corrected() -> None:
    """Its cut stands and it is not taken again; the next look uses the corrected labels."""
    begun = CertificationSequence.start(RECALL, ladder(1_000))
    corrected = ladder(1_000)
    corrected.loc[:0, "bad"] = True  # the good case at .01 was bad after all
    again = begun.extend(corrected)
    assert again.looks == begun.looks
    longer = begun.extend(then(corrected, bad_at(0.8, 60)))
    assert [look.size for look in longer.looks] == [1_000, 1_050]
    scores = np.concatenate([[0.01], np.linspace(0.1, 0.9, 1_000)])
    allowed = longer.looks[1].allowed
    assert scores[allowed - 1] <= longer.looks[1].cut < scores[allowed]  # type: ignore[operator]


def test_bad_labels_that_turn_good_do_not_bring_a_look_back() -> None:
    begun = CertificationSequence.start(RECALL, ladder(1_000)).extend(
        then(ladder(1_000), bad_at(0.8, 60))
    )
    fewer = then(ladder(1_000), cases([0.8] * 60, [False] * 60))
    assert begun.extend(fewer).looks == begun.looks
    assert [one.size for one in begun.extend(then(fewer, bad_at(0.8, 110))).looks] == [
        1_000, 1_050, 1_103,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [("score", 0.5), ("in_cohort", False), ("automatable", False), ("case_id", "z")],
)
def test_a_changed_row_is_refused_by_name(column: str, value: object) -> None:
    frame = ladder(20).assign(
        in_cohort=True, automatable=True, case_id=[f"c{n}" for n in range(21)]
    )
    begun = CertificationSequence.start(RECALL, frame)
    changed = frame.copy()
    changed.loc[changed.index == 7, column] = value
    with pytest.raises(ValueError, match=r"row 7 \(case 'c7'\)"):
        begun.extend(changed)


def test_a_shorter_cohort_is_refused() -> None:
    begun = CertificationSequence.start(RECALL, ladder(20))
    with pytest.raises(ValueError, match="a cohort only grows"):
        begun.extend(ladder(20).iloc[:-1])


def test_it_comes_back_from_plain_values() -> None:
    """A ledger entry keeps numbers, text and lists; with the cohort the same sequence comes back."""
    targets = Targets(precision=0.95, recall=0.99)
    frame = simulated(6, 30_000)
    found = CertificationSequence.start(targets, frame.iloc[:20_000]).extend(frame.iloc[:25_000])
    stored = json.loads(json.dumps(found.plain()))
    again = CertificationSequence.from_plain(stored, frame)
    straight = found.extend(frame)
    assert again.plain() == straight.plain()
    assert again.certificate() == straight.certificate()
    with pytest.raises(ValueError, match="does not begin with"):
        CertificationSequence.from_plain(stored, frame.iloc[::-1])


def test_the_cohort_alone_gives_the_same_looks() -> None:
    """Without corrections nothing needs to be stored but what the sequence began with."""
    frame = simulated(7, 40_000)
    targets = Targets(precision=0.95, recall=0.99)
    walked = CertificationSequence.start(targets, frame.iloc[:20_000])
    for end in (22_000, 31_000, 40_000):
        walked = walked.extend(frame.iloc[:end])
    again = CertificationSequence.start(targets, frame.iloc[:20_000]).extend(frame)
    assert again.plain() == walked.plain()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.lists(st.integers(1, 4_000), min_size=1, max_size=5))
def test_looks_never_change_and_what_is_proven_never_narrows(seed: int, parts: list[int]) -> None:
    """Whatever arrives, in whatever portions."""
    frame = simulated(seed, 6_000 + sum(parts))
    found = CertificationSequence.start(RECALL, frame.iloc[:6_000])
    end = 6_000
    for part in parts:
        before, end = found, end + part
        found = found.extend(frame.iloc[:end])
        assert found.looks[: len(before.looks)] == before.looks
        assert [one.allowed for one in found.looks] == sorted(one.allowed for one in found.looks)
        if before.proven_by_recall is not None:
            assert found.proven_by_recall is not None
            assert found.proven_by_recall >= before.proven_by_recall


@pytest.mark.slow
def test_a_whole_life_breaks_recall_no_more_often_than_promised() -> None:
    """150 simulated lives of a held-back slice and 25 looks or so: some look's cut is truly too wide in
    at most a share of delta; a fresh exact test at full delta each time would break it far more often."""
    cut, targets = cut_where(true_recall, 0.99), Targets(recall=0.99, delta=0.1)
    broken = every_night = 0
    for seed in range(150):
        frame = simulated(500 + seed, 40_000)
        found = CertificationSequence.start(targets, frame.iloc[:12_000]).extend(frame)
        assert len(found.looks) > 15
        broken += found.proven_by_recall is not None and found.proven_by_recall > cut
        bad = np.flatnonzero(frame["bad"] == 1.0)
        score = frame["score"].to_numpy()
        for look in found.looks:
            seen = np.sort(score[bad[: look.size]])
            once = int(binom.ppf(0.1, look.size, 0.01)) - 1
            if seen[once] > cut:
                every_night += 1
                break
    assert broken <= most_violations(150, 0.1)
    assert every_night > most_violations(150, 0.1)


# ---- precision and false omission


def test_precision_goes_outward_and_stops_at_the_first_step_that_never_passed() -> None:
    """The steps up to the proven one have passed; beyond it none counts, whatever lies there."""
    found = CertificationSequence.start(Targets(precision=0.95), simulated(8, 60_000))
    cuts = [cut for one in found.ladders for cut in one.proven_cuts]
    widest = min(cuts)
    assert found.proven == Boundary(None, widest)
    assert widest > cut_where(true_precision, 0.95)
    for one in found.ladders:
        assert list(one.proven_cuts) == sorted(one.proven_cuts, reverse=True)


def test_a_step_is_proven_when_it_and_all_before_it_have_ever_passed() -> None:
    """150 flawless blocks, then a run of false ones at the next step, then flawless cases again: the
    outer step's own cases are fine, and it waits for the one between."""
    top = cases([0.99] * 700, [True] * 700)
    between = cases([0.95] * 60, [False] * 60)
    outer = cases([0.9] * 6_000, [True] * 6_000)
    rest = cases([0.1] * 5_000, [False] * 5_000)
    found = CertificationSequence.start(Targets(precision=0.95), then(top, between, outer, rest))
    boundary = found.proven.block_at_or_above
    assert boundary is not None
    assert 0.95 < boundary <= 0.99


def test_steps_are_laid_out_once_on_scores_alone() -> None:
    """Other labels, and later cases, change no step."""
    targets, frame = Targets(precision=0.95), simulated(9, 20_000)
    flipped = frame.assign(bad=1.0 - frame["bad"])
    one, other = (CertificationSequence.start(targets, rows) for rows in (frame, flipped))
    cuts = [[step.cut for step in ladder.steps] for ladder in one.ladders]
    assert cuts == [[step.cut for step in ladder.steps] for ladder in other.ladders]
    longer = one.extend(then(frame, simulated(10, 20_000)))
    assert cuts == [[step.cut for step in ladder.steps] for ladder in longer.ladders]


def test_the_block_cohort_has_a_rate_of_its_own() -> None:
    """Blocks are all reviewed, the cohort is a tenth: precision may use the nine tenths."""
    rng = np.random.default_rng(1_011)
    frame = simulated(11, 60_000).assign(in_cohort=rng.random(60_000) < 0.1)
    targets = Targets(precision=0.95)
    narrow = CertificationSequence.start(targets, frame)
    wide = CertificationSequence.start(targets, frame.assign(in_block_cohort=True))
    assert wide.proven.block_at_or_above < narrow.proven.block_at_or_above  # type: ignore[operator]


def test_false_omission_is_proven_outward() -> None:
    found = CertificationSequence.start(Targets(false_omission_rate=0.01), simulated(12, 80_000))
    cut = found.proven.pass_at_or_below
    assert cut is not None
    assert 0.9 * 0.01 * 0.5 < true_false_omission(cut) < 0.01


def test_a_step_waits_for_its_own_missing_truths_only() -> None:
    """An open case below the cut does not keep a block step waiting, one above it does."""
    targets, frame = Targets(precision=0.95), simulated(13, 30_000)
    begun = CertificationSequence.start(targets, frame)
    more = simulated(14, 60_000)
    low = then(cases([0.001], [None]).astype({"bad": "float64"}), more)
    high = then(cases([1.0], [None]).astype({"bad": "float64"}), more)
    assert begun.extend(then(frame, low)).proven == begun.extend(then(frame, more)).proven
    assert begun.extend(then(frame, high)).proven == begun.proven


def test_few_steps_break_precision() -> None:
    """40 simulated lives: steps that are truly too wide are hardly ever proven."""
    cut = cut_where(true_precision, 0.95)
    broken = 0
    for seed in range(40):
        frame = simulated(100 + seed, 20_000)
        found = CertificationSequence.start(Targets(precision=0.95), frame.iloc[:10_000])
        high = found.extend(frame).proven.block_at_or_above
        broken += high is not None and high < cut
    assert broken <= 5  # 1 in a hundred such tests exceeds it at delta .05


# ---- the certificate


def test_certified_then_priced_then_wider() -> None:
    """One story: the first certificate, the price of the next, and what it buys."""
    targets, frame = Targets(precision=0.95, recall=0.99), simulated(20, 120_000)
    first = CertificationSequence.start(targets, frame.iloc[:30_000])
    given_ = first.certificate()
    assert given_.verdict is CertificateVerdict.CERTIFIED
    assert given_.boundary == first.proven
    assert given_.recall_lower is not None
    assert given_.recall_lower >= 0.99
    assert given_.precision_lower is not None
    assert given_.precision_lower >= 0.95 - 1e-12
    assert true_recall(given_.boundary.pass_at_or_below or 0.0) > 0.99
    after = first.certificate(given_.boundary)
    assert after.verdict in (
        CertificateVerdict.INSUFFICIENT_EVIDENCE, CertificateVerdict.HOLD,
    )  # fmt: skip
    assert after.boundary == given_.boundary
    later = first.extend(frame)
    wider = later.certificate(given_.boundary)
    assert wider.verdict is CertificateVerdict.CERTIFIED
    assert later.automation(wider.boundary) > later.automation(given_.boundary)
    assert wider.automation_rate == later.automation(wider.boundary)


def test_limits_agree_with_the_verdict_at_every_cut() -> None:
    """A cut's limit lies at or below the promise where a look passes it, and above it where none does."""
    found = CertificationSequence.start(RECALL, simulated(21, 40_000))
    proven = found.proven_by_recall
    assert proven is not None
    seen = set()
    for cut in (0.2, 0.9, 0.999, 1.01, 1.2, 1.6):
        told = found.certificate(Boundary(proven * cut, None))
        if told.boundary.pass_at_or_below == proven * cut:
            limit = told.recall_lower
            assert limit is not None
            assert (limit >= 0.99) == (cut <= 1.0)
            seen.add(limit >= 0.99)
    assert False in seen


def test_an_incumbent_that_the_cohort_refutes_falls_to_what_is_proven() -> None:
    """Today's cut misses 8 %: an alarm, and the widest proven cut short of it."""
    frame = simulated(22, 40_000)
    found = CertificationSequence.start(RECALL, frame)
    today = Boundary(cut_where(true_recall, 0.92), None)
    told = found.certificate(today)
    assert told.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert told.boundary.pass_at_or_below == found.proven_by_recall


def test_a_sound_incumbent_is_not_refuted_on_any_night() -> None:
    frame = simulated(23, 40_000)
    today = Boundary(cut_where(true_recall, 0.991), None)
    found = CertificationSequence.start(RECALL, frame.iloc[:5_000])
    for end in range(10_000, 40_001, 6_000):
        found = found.extend(frame.iloc[:end])
        verdict = found.certificate(today).verdict
        assert verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED


def test_where_the_sides_meet_everything_is_automated() -> None:
    """METHODS 1.5: the block cut stands, and the pass cut lies just below it."""
    frame = then(cases([0.1] * 3_000, [False] * 3_000), cases([0.9] * 3_000, [True] * 3_000))
    rng = np.random.default_rng(24)
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    found = CertificationSequence.start(Targets(precision=0.95, recall=0.99), frame)
    assert found.certificate().automation_rate == 1.0
    low, high = found.proven.pass_at_or_below, found.proven.block_at_or_above
    assert low is not None
    assert high is not None
    assert low < high


def test_nothing_in_hand_names_a_price() -> None:
    empty = pd.DataFrame({"score": np.empty(0), "bad": np.empty(0)})
    told = CertificationSequence.start(Targets(precision=0.95, recall=0.99), empty).certificate()
    assert told.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert set(told.labels_needed) == {"pass", "block"}
    assert told.recall_lower is None
    assert told.boundary.automates_nothing


def test_a_generation_without_history_waits_for_the_first_size() -> None:
    """phi = .3 and the first size of METHODS 2; the looks then are those of that table."""
    begun = CertificationSequence.start(RECALL, ladder(50))
    assert begun.looks == ()
    assert begun.phi == 0.3
    more = then(ladder(50), bad_at(0.8, begun.first))
    found = begun.extend(more)
    assert found.first == begun.first
    assert found.looks[0].size == begun.first
    assert found.looks[0].allowed == look_table(begun.first, 0.01, 0.05, phi=0.3).allowed[0]


def test_certify_and_the_sequence_agree_on_fully_reviewed_evidence() -> None:
    """The one-look certificate at phi * delta and the first look of a sequence: the same pass side."""
    frame = simulated(25, 40_000)
    once = certify(frame.assign(propensity=1.0), Targets(recall=0.99, delta=PHI * 0.05))
    life = CertificationSequence.start(RECALL, frame).certificate()
    assert life.automation_rate == once.automation_rate


def test_sequences_after_drift_spend_what_was_set_aside() -> None:
    """.8, then .2 * 6/(pi^2 j^2): together at most delta."""
    shares: npt.NDArray[np.float64] = np.array([delta_of_sequence(0.05, j) for j in range(2_000)])
    assert shares[0] == pytest.approx(0.8 * 0.05)
    assert shares[1] == pytest.approx(0.2 * 0.05 * 6 / np.pi**2)
    assert 0.0499 < shares.sum() <= 0.05
    with pytest.raises(ValueError, match="from 0"):
        delta_of_sequence(0.05, -1)


# ---- beside today's boundary


def test_a_block_proof_that_reaches_below_what_passes_today_keeps_its_cuts_above() -> None:
    """Steps are laid out once; a boundary promoted since may pass what the lowest of them block."""
    rng = np.random.default_rng(5)
    scores = rng.random(20_000)
    frame = pd.DataFrame({"score": scores, "bad": rng.random(20_000) < scores})
    sequence = CertificationSequence.start(Targets(precision=0.6, delta=0.05), frame)
    lowest = sequence.proven.block_at_or_above
    assert lowest is not None
    assert lowest < 0.4
    passes_today = Boundary(lowest + 0.1, None)
    found = sequence.certificate(passes_today)
    assert found.verdict is CertificateVerdict.CERTIFIED
    assert found.boundary.pass_at_or_below == passes_today.pass_at_or_below
    assert found.boundary.block_at_or_above is not None
    assert lowest + 0.1 < found.boundary.block_at_or_above < lowest + 0.2
    assert sequence.certificate(Boundary(0.9, 0.999)).boundary.pass_at_or_below == 0.9
