"""The two sides of a certificate: what each proves, keeps or loses, and the limits it states."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boundary import Evidence, certify, effective_sample
from models.boundary.price.price import POWER
from models.boundary.proof.betting import block_e_value, pass_e_value, recall_e_value
from models.boundary.proof.bounds import trials_for_power
from models.boundary.proof.candidates import SideTest
from models.boundary.proof.certificate import _Side, delta_shares
from models.boundary.proof.exact import block_errors, pass_errors, recall_errors
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import audited, cut_where, seen_as, true_recall, world

BOTH = Targets(precision=0.95, recall=0.99)


def separated(good: int, bad: int, low: float = 0.1, high: float = 0.9) -> pd.DataFrame:
    """All good cases at one score, all bad ones at another, every one reviewed."""
    score = [low] * good + [high] * bad
    truth = [0.0] * good + [1.0] * bad
    return pd.DataFrame({"score": score, "bad": truth, "propensity": 1.0})


def test_recall_has_seven_tenths_of_delta_and_precision_three() -> None:
    """Any other set of promises shares equally; a promise without a certificate takes nothing."""
    assert delta_shares(BOTH, 0.05) == pytest.approx({"recall": 0.035, "precision": 0.015})
    three = Targets(precision=0.95, recall=0.99, false_omission_rate=0.01)
    assert delta_shares(three, 0.06) == pytest.approx(dict.fromkeys(three.named(), 0.02))
    assert delta_shares(Targets(recall=0.99, accuracy=0.98), 0.05) == {"recall": 0.05}


@pytest.mark.parametrize(("bad", "proven"), [(333, False), (334, True)])
def test_the_pass_side_is_certified_from_334_bad_cases_on(bad: int, proven: bool) -> None:
    """log(.035) / log(.99) = 333.6 with no miss, at recall's share of delta."""
    found = certify(separated(1_000, bad), BOTH)
    assert (found.boundary.pass_at_or_below is not None) == proven


@pytest.mark.parametrize(("targets", "size", "needed"), [
    (Targets(recall=0.99), 299, "pass"),
    (Targets(false_omission_rate=0.01), 408, "pass"),
    (Targets(precision=0.95), 150, "block"),
])  # fmt: skip
def test_one_promise_binds_one_side_and_names_only_its_zone(
    targets: Targets, size: int, needed: str
) -> None:
    """With enough flawless cases a side is certified; with ten the price names that zone.

    Three starts share delta without an incumbent, so false omission asks for
    log(.05 / 3) / log(.99) = 407.4; the first block cut is laid out at 150 cases.
    """
    enough = certify(separated(size, size), targets)
    assert enough.verdict is CertificateVerdict.CERTIFIED
    assert (enough.boundary.pass_at_or_below is not None) == (needed == "pass")
    assert (enough.boundary.block_at_or_above is not None) == (needed == "block")
    few = certify(separated(10, 10), targets)
    assert few.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert set(few.labels_needed) == {needed}
    assert any(needed in reason for reason in few.reasons)


def test_the_price_follows_from_the_share_of_bad_cases_and_the_audit_rate() -> None:
    """100 of 1,000 labels are bad, so each further bad case costs ten labels. Seen with a tenth of
    the probability, everywhere and with no incumbent, the betting test asks for more."""
    full = certify(separated(900, 100), Targets(recall=0.99))
    wanted = trials_for_power(0.01, 0.05, 0.3, POWER)
    assert full.labels_needed == {"pass": (wanted - 100) * 10}
    tenth = certify(separated(900, 100).assign(propensity=0.1), Targets(recall=0.99))
    assert tenth.labels_needed["pass"] > 2 * full.labels_needed["pass"]


def test_before_any_case_has_matured_the_incumbent_stays() -> None:
    """An empty table is no evidence for anything, and no error."""
    empty = separated(0, 0).astype(float)
    found = certify(empty, BOTH, Boundary(0.1, 0.9))
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert found.boundary == Boundary(0.1, 0.9)
    assert found.automation_rate == found.effective_sample == 0.0


def test_a_refuted_block_side_goes_and_the_pass_side_stays_where_it_was() -> None:
    """A third of the blocked is good: an alarm narrows only, even where passing could widen."""
    frame = pd.concat([separated(2_000, 1_000), separated(400, 0, low=0.8)])
    found = certify(frame, BOTH, Boundary(0.01, 0.7))
    assert found.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert found.boundary == Boundary(0.01, None)
    assert "block side is refuted" in found.reasons[0]


def test_a_refuted_pass_side_leaves_the_block_side_as_it_was() -> None:
    """Half of the bad cases are passed; what is blocked is flawless, and does not widen."""
    frame = pd.concat([separated(2_000, 500), separated(0, 500, high=0.2)])
    found = certify(frame, BOTH, Boundary(0.3, 0.95))
    assert found.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert found.boundary.block_at_or_above == 0.95
    assert found.boundary.pass_at_or_below == np.nextafter(0.2, 0.0)
    assert "pass side is refuted" in found.reasons[0]


def test_lack_of_power_is_no_alarm() -> None:
    """Two misses of 60 bad cases: more than 1 %, and far from a refutation (p = .12)."""
    assert stats.binom.sf(1, 60, 0.01) == pytest.approx(0.12, abs=0.01)
    frame = pd.concat([separated(500, 58), separated(0, 2, high=0.05)])
    found = certify(frame, Targets(recall=0.99), Boundary(0.1, None))
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert found.boundary == Boundary(0.1, None)


def test_selective_evidence_without_a_wider_boundary_holds() -> None:
    """Everything not passed is bad already, and ten thousand audited cases leave nothing to buy."""
    frame = separated(10_000, 4_000).assign(propensity=[0.5] * 10_000 + [1.0] * 4_000)
    frame["drawn"] = [True, False] * 5_000 + [True] * 4_000
    incumbent = Boundary(float(np.nextafter(0.9, 0.0)), None)
    found = certify(frame, Targets(recall=0.99), incumbent)
    assert found.verdict is CertificateVerdict.HOLD
    assert found.boundary == incumbent
    assert found.labels_needed == {}


def test_every_promise_on_a_side_binds() -> None:
    """Recall alone would pass up to the first bad cases; a strict false omission passes less."""
    frame = world(np.random.default_rng(31), 20_000)
    recall = certify(frame, Targets(recall=0.9)).boundary.pass_at_or_below
    omission = certify(frame, Targets(false_omission_rate=0.002)).boundary.pass_at_or_below
    both = certify(frame, Targets(recall=0.9, false_omission_rate=0.002)).boundary.pass_at_or_below
    assert recall is not None
    assert omission is not None
    assert both is not None
    assert both <= min(recall, omission)


def test_sides_that_would_meet_share_every_case() -> None:
    """Both targets hold far beyond each other: pass ends just below the block cut."""
    frame = world(np.random.default_rng(32), 20_000)
    found = certify(frame, Targets(recall=0.6, precision=0.4))
    high = found.boundary.block_at_or_above
    assert high is not None
    assert found.boundary.pass_at_or_below == np.nextafter(high, 0.0)
    assert found.automation_rate == 1.0


def test_blocking_down_to_score_zero_leaves_nothing_to_pass() -> None:
    """2,796 cases, a size the ladder of block cuts hits (600 * 1.08^20): no score lies below zero."""
    frame = separated(1, 2_795, low=0.0).assign(
        score=np.concatenate([[0.0], np.linspace(0.5, 1.0, 2_795)])
    )
    found = certify(frame, BOTH)
    assert found.verdict is CertificateVerdict.CERTIFIED
    assert found.boundary == Boundary(None, 0.0)
    assert found.automation_rate == 1.0


def test_stated_limits_are_those_of_clopper_and_pearson_and_keep_the_promise() -> None:
    """Second road: at its limit each exact p-value equals the share of delta."""
    frame = world(np.random.default_rng(33), 20_000)
    targets = Targets(precision=0.95, recall=0.99, false_omission_rate=0.004)
    found = certify(frame, targets)
    evidence, share = Evidence.from_frame(frame), targets.delta / 3
    low, high = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
    assert low is not None
    assert high is not None
    for limit, (errors, trials) in (
        (1 - found.limits["recall"], recall_errors(evidence, low)),
        (1 - found.limits["precision"], block_errors(evidence, high)),
        (found.limits["false_omission_rate"], pass_errors(evidence, low)),
    ):
        assert stats.binom.cdf(errors, trials, limit) == pytest.approx(share, rel=1e-6)
    assert found.limits["recall"] >= 0.99
    assert found.limits["precision"] >= 0.95
    assert found.limits["false_omission_rate"] <= 0.004
    assert (found.precision_lower, found.recall_lower) == (
        found.limits["precision"], found.limits["recall"],
    )  # fmt: skip


def test_limits_on_selective_evidence_are_where_the_capital_reaches_one_over_delta() -> None:
    """Second road: at the limit the capital is 1/delta, a little beyond it is less."""
    generator = np.random.default_rng(34)
    frame = audited(world(generator, 60_000), cut_where(true_recall, 0.995), 0.2, generator)
    targets = Targets(precision=0.9, recall=0.95, false_omission_rate=0.01)
    found = certify(frame, targets)
    evidence, needed = Evidence.from_frame(frame), 3 / targets.delta
    low, high = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
    assert low is not None
    assert high is not None
    for value, capital, cut, looser in (
        (found.limits["recall"], recall_e_value, low, -1e-3),
        (found.limits["precision"], block_e_value, high, -1e-3),
        (found.limits["false_omission_rate"], pass_e_value, low, 1e-3),
    ):
        assert capital(evidence, value, cut) >= needed * 0.999
        assert capital(evidence, value - looser, cut) < needed
    assert found.limits["recall"] >= 0.95
    assert found.limits["precision"] >= 0.9
    assert found.limits["false_omission_rate"] <= 0.01


def test_the_effective_sample_counts_bad_cases_at_the_smallest_designed_weight() -> None:
    """Three labelled bad cases, rarest observed with .2: .6; without recall, labels count."""
    evidence = seen_as([0.1, 0.2, 0.9, 0.9], [False, True, True, True], [0.2, 0.2, 1.0, 1.0])
    assert effective_sample(evidence, BOTH) == pytest.approx(3 * 0.2)
    assert effective_sample(evidence, Targets(precision=0.95)) == pytest.approx(4 * 0.2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 10), st.sampled_from([True, False, None]), st.booleans()),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 12),
    st.sampled_from([1.0, 0.5]),
    st.one_of(st.none(), st.integers(0, 4)),
    st.one_of(st.none(), st.integers(5, 10)),
)
def test_whatever_the_evidence_an_answer_keeps_its_form(
    cases: list[tuple[int, bool | None, bool]],
    copies: int,
    propensity: float,
    low: int | None,
    high: int | None,
) -> None:
    """Sides never cross, an alarm never widens, a hold changes nothing, promised limits are kept."""
    rows = cases * copies
    evidence = seen_as(
        [score / 10 for score, _, _ in rows], [bad for _, bad, _ in rows],
        propensity, [free for _, _, free in rows],
    )  # fmt: skip
    today = Boundary(None if low is None else low / 10, None if high is None else high / 10)
    targets = Targets(precision=0.6, recall=0.7, delta=0.2)
    found = certify(evidence, targets, today)
    passing, blocking = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
    assert passing is None or blocking is None or passing < blocking
    assert 0.0 <= found.automation_rate <= 1.0
    wider = evidence.automation_rate(found.boundary) - evidence.automation_rate(today)
    if found.verdict is CertificateVerdict.CERTIFIED:
        assert wider >= 0.0
        if passing is not None and passing != today.pass_at_or_below and passing != blocking:
            assert found.limits.get("recall", 0.0) >= 0.7 - 1e-4
        if blocking is not None and blocking != today.block_at_or_above:
            assert found.limits.get("precision", 0.0) >= 0.6 - 1e-4
    elif found.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED:
        assert wider <= 0.0
    else:
        assert found.boundary == today
    assert (found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE) == bool(found.labels_needed)


def test_a_backlog_does_not_refute_a_sound_incumbent() -> None:
    """300 bad cases are caught above the cut and 9 missed below it: 9 of 309 refute a recall of
    .99. With 600 more drawn above and not yet labelled, 9 of 909 do not: they may all be bad."""
    today = Boundary(0.5, None)
    labelled = separated(1_000, 300)
    missed = pd.DataFrame({"score": [0.2] * 9, "bad": 1.0, "propensity": 1.0})
    backlog = pd.DataFrame({"score": [0.8] * 600, "bad": np.nan, "propensity": 1.0})
    known = pd.concat([labelled, missed], ignore_index=True)
    targets = Targets(recall=0.99)
    assert certify(known, targets, today).verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    waiting = pd.concat([known, backlog], ignore_index=True)
    assert certify(waiting, targets, today).verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED
    # The same through an audit of half the passed cases, where the betting test judges.
    for frame, refuted in ((known, True), (waiting, False)):
        half = frame.assign(propensity=np.where(frame["score"] <= 0.5, 0.5, 1.0), drawn=True)
        verdict = certify(half, Targets(recall=0.99), today).verdict
        assert (verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED) == refuted


def test_missing_labels_speak_for_a_share_that_is_to_be_refuted() -> None:
    """20 good cases among 100 blocked refute 95 %; among 100 known and 400 unknown they do not."""
    good = pd.DataFrame({"score": [0.95] * 20, "bad": 0.0, "propensity": 1.0})
    bad = pd.DataFrame({"score": [0.95] * 80, "bad": 1.0, "propensity": 1.0})
    open_cases = pd.DataFrame({"score": [0.95] * 400, "bad": np.nan, "propensity": 1.0})
    today, targets = Boundary(None, 0.9), Targets(precision=0.95)
    known = pd.concat([good, bad], ignore_index=True)
    assert certify(known, targets, today).verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    waiting = pd.concat([known, open_cases], ignore_index=True)
    assert certify(waiting, targets, today).verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED


def test_a_cut_that_two_promises_share_was_tested_for_both() -> None:
    """False omission is not monotone: below a proven cut only the cuts of its own sequence count."""
    omission = SideTest(0.6, steps=(0.2, 0.4, 0.6))
    recall = SideTest(0.5)
    side = _Side(None, (recall, omission), refuted=False)
    assert side.proven == 0.4
    assert side.at_or_below(0.3) == 0.2
    assert side.at_or_below(0.1) is None
    assert _Side(None, (recall,), refuted=False).at_or_below(0.1) == 0.1
    assert _Side(None, (recall, SideTest(None)), refuted=False).proven is None


def test_the_price_counts_every_start_of_a_sequence() -> None:
    """With no incumbent two block sequences share delta, so more labels are needed than with one."""
    few = separated(100, 30, high=0.96)
    targets = Targets(precision=0.95, delta=0.05)
    first = certify(few, targets).labels_needed["block"]
    later = certify(few, targets, Boundary(None, 0.96)).labels_needed["block"]
    assert first == 600 - 30  # the longer of the two sequences starts at 600 blocked cases
    assert later == trials_for_power(0.05, 0.05, 0.3, POWER) - 30


@pytest.mark.parametrize(("weight", "refuting"), [(1.0, 14), (2.0, 22)])
def test_a_few_chargebacks_refute_no_sound_boundary(weight: float, refuting: int) -> None:
    """500 bad cases caught, each standing for `weight`, allow weight * 500 / 99 misses on average:
    the first number whose Poisson tail is at most .001 refutes, and one fewer does not."""
    tail = stats.poisson.sf([refuting - 2, refuting - 1], weight * 500 / 99)
    assert tail[0] > 0.001 >= tail[1]

    def told(surfaced: int) -> str:
        frame = pd.DataFrame(
            {
                "score": [0.05] * 2_000 + [0.5] * 500,
                "bad": [True] * surfaced + [None] * (2_000 - surfaced) + [True] * 500,
                "propensity": [0.1] * 2_000 + [1.0 / weight] * 500,
                "drawn": [False] * 2_000 + [True] * 500,
            }
        )
        targets = Targets(recall=0.99, delta=0.001)
        return certify(frame, targets, Boundary(0.1, None)).reasons[0]

    assert "refuted" not in told(2)
    assert "refuted" not in told(refuting - 1)
    assert "pass side is refuted" in told(refuting)


@pytest.mark.parametrize("delta", [1e-17, 1e-60])
@pytest.mark.parametrize("audit", [1.0, 0.5])
def test_what_is_certified_at_a_tiny_delta_keeps_its_promise(delta: float, audit: float) -> None:
    """As 1 - 1e-17 is 1 in float64, a limit by its quantile would say 'recall 0' of a certified cut."""
    score = np.concatenate([np.linspace(0.01, 0.3, 5_000), np.linspace(0.7, 1.0, 5_000)])
    bad = np.arange(10_000) >= 5_000
    rate = np.where(score < 0.1, audit, 1.0)
    drawn = (rate == 1.0) | (np.arange(10_000) % 2 == 0)
    frame = pd.DataFrame({"score": score, "propensity": rate, "drawn": drawn})
    frame["bad"] = pd.Series(bad).astype(object).where(drawn, None)
    today = None if audit == 1.0 else Boundary(0.0999, None)
    found = certify(frame, Targets(recall=0.9, delta=delta), today)
    assert found.verdict is CertificateVerdict.CERTIFIED
    assert found.recall_lower is not None
    assert found.recall_lower >= 0.9
    with pytest.raises(ValueError, match="too small to be computed with"):
        Targets(recall=0.9, delta=1e-300)
