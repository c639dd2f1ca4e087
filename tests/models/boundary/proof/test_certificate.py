"""What one look at the evidence proves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from models.boundary import Evidence, certify
from models.boundary.proof.exact import recall_errors, widest_pass_by_recall
from models.vocabulary import Boundary, CertificateVerdict, Targets
from tests.models.boundary.worlds import (
    BASE,
    GAP,
    audited,
    most_violations,
    true_false_omission,
    true_precision,
    true_recall,
    world,
)

TARGETS = Targets(precision=0.95, recall=0.99)


def passed(frame: pd.DataFrame, boundary: Boundary) -> int:
    cut = boundary.pass_at_or_below
    return 0 if cut is None else int((frame["score"] <= cut).sum())


def test_fully_reviewed_promises_are_broken_no_more_often_than_delta() -> None:
    """150 simulated worlds: recall, precision and false omission of every certified boundary."""
    generator = np.random.default_rng(11)
    broken, won = 0, []
    for _ in range(150):
        found = certify(world(generator, 8_000), TARGETS)
        low, high = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
        broken += (low is not None and true_recall(low) < 0.99) or (
            high is not None and true_precision(high) < 0.95
        )
        won.append(found.automation_rate)
    assert broken <= most_violations(150, 0.05)
    assert np.mean(won) > 0.4, "a method that certifies nothing keeps every promise"


def test_false_omission_is_broken_no_more_often_than_delta() -> None:
    """The same for a limit on the bad share of the passed, which is not monotone in the cut."""
    generator = np.random.default_rng(12)
    targets = Targets(false_omission_rate=0.004)
    cuts = [certify(world(generator, 8_000), targets).boundary.pass_at_or_below for _ in range(150)]
    broken = sum(cut is not None and true_false_omission(cut) > 0.004 for cut in cuts)
    assert broken <= most_violations(150, 0.05)
    assert sum(cut is not None for cut in cuts) > 100


def test_selective_promises_are_broken_no_more_often_than_delta() -> None:
    """With 20 % of the passed cases audited the betting test widens, and stays within delta."""
    generator = np.random.default_rng(13)
    cut = float(expit(np.log(BASE / (1 - BASE)) - GAP**2 / 2 + GAP * (GAP - 3.2)))
    broken = wider = 0
    for _ in range(100):
        frame = audited(world(generator, 60_000), cut, 0.2, generator)
        found = certify(frame, TARGETS, Boundary(cut, None))
        low = found.boundary.pass_at_or_below
        broken += low is not None and true_recall(low) < 0.99
        wider += found.verdict is CertificateVerdict.CERTIFIED
    assert broken <= most_violations(100, 0.05)
    assert wider > 50


def test_an_audit_that_found_no_bad_case_is_not_full_review() -> None:
    """METHODS 1.2, trap: weights come from the design, never from what was observed."""
    frame = pd.DataFrame(
        {
            "score": [0.01] * 400 + [0.5] * 400,
            "bad": [0.0] * 20 + [np.nan] * 380 + [1.0] * 400,
            "propensity": [0.05] * 400 + [1.0] * 400,
        }
    )
    evidence = Evidence.from_frame(frame)
    assert not evidence.fully_reviewed
    assert (evidence.propensity[evidence.bad] == 1.0).all(), "all observed weights look like 1"
    # 400 bad cases at weight 1 would prove recall exactly; as audit evidence 400 / 20 do not.
    assert certify(frame, TARGETS).boundary.pass_at_or_below is None
    full = certify(frame.assign(propensity=1.0, bad=frame["bad"].fillna(0.0)), TARGETS)
    assert full.boundary.pass_at_or_below is not None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_the_recall_cut_is_the_widest_that_a_search_over_all_cuts_finds(
    cases: list[tuple[int, bool, bool]], delta: float
) -> None:
    """Second road: try every cut between scores and keep the last that passes (ties included)."""
    score = np.array([place / 12 for place, _, _ in cases])
    bad = np.array([b for _, b, _ in cases])
    seen = np.array([s for _, _, s in cases])
    frame = pd.DataFrame(
        {"score": score, "bad": np.where(seen, bad.astype(float), np.nan), "propensity": 1.0}
    ).assign(drawn=True)
    evidence = Evidence.from_frame(frame)
    found = widest_pass_by_recall(evidence, 0.7, delta)

    best = None
    for cut in np.unique(score):
        errors, trials = recall_errors(evidence, float(cut))
        if trials and stats.binom.cdf(errors, trials, 0.3) <= delta:
            best = float(cut)
    if best is not None:
        assert found.cut is not None
        assert found.cut >= best
    if found.cut is not None:
        errors, trials = recall_errors(evidence, found.cut)
        assert stats.binom.cdf(errors, trials, 0.3) <= delta


def test_a_drawn_case_without_a_label_counts_as_the_worst() -> None:
    """Thirty missing labels at the bottom take the pass side away, and the number is named."""
    generator = np.random.default_rng(3)
    frame = world(generator, 8_000)
    before = certify(frame, TARGETS)
    lowest = frame["score"].nsmallest(30).index
    after = certify(frame.assign(bad=frame["bad"].mask(frame.index.isin(lowest))), TARGETS)
    assert passed(frame, before.boundary) > 1_000
    assert passed(frame, after.boundary) < 30
    assert after.drawn_and_missing == 30
    assert any("30 drawn cases have no label" in reason for reason in after.reasons)


def test_truth_that_arrived_on_an_undrawn_case_stays_out() -> None:
    """A chargeback on a case nobody drew says that the case was bad, not how many are."""
    frame = pd.DataFrame(
        {
            "score": [0.2, 0.9],
            "bad": [1.0, 1.0],
            "propensity": [0.05, 1.0],
            "drawn": [False, True],
        }
    )
    evidence = Evidence.from_frame(frame)
    assert evidence.bad.tolist() == [False, True]
    assert evidence.labelled.tolist() == [False, True]


def test_key_users_are_never_missed_and_never_automated() -> None:
    """A bad key user below the cut is no miss; a key user is not in the automation rate."""
    generator = np.random.default_rng(4)
    frame = world(generator, 8_000).assign(automatable=True)
    lowest = frame["score"].nsmallest(40).index
    frame.loc[lowest, "bad"] = 1.0
    assert passed(frame, certify(frame, TARGETS).boundary) < 40
    frame.loc[lowest, "automatable"] = False
    found = certify(frame, TARGETS)
    assert passed(frame, found.boundary) > 1_000
    free = frame[frame["automatable"]]
    low, high = found.boundary.pass_at_or_below, found.boundary.block_at_or_above
    decided = (free["score"] <= low) | (free["score"] >= high)
    assert found.automation_rate == pytest.approx(decided.sum() / len(frame))


def test_the_other_side_keeps_its_incumbent() -> None:
    """The pass side is proven wider, the block side is not: it stays where it was."""
    generator = np.random.default_rng(5)
    frame = world(generator, 20_000)
    incumbent = Boundary(1e-6, 0.9999)
    found = certify(frame, TARGETS, incumbent)
    assert found.verdict is CertificateVerdict.CERTIFIED
    assert found.boundary.pass_at_or_below > 1e-6
    assert found.boundary.block_at_or_above is not None
    assert found.boundary.block_at_or_above <= 0.9999


def test_a_refuted_incumbent_narrows_by_itself() -> None:
    """A boundary that passes a tenth of the bad cases is an alarm, not a hold."""
    generator = np.random.default_rng(6)
    frame = world(generator, 20_000)
    reckless = float(frame.loc[frame["bad"] == 1.0, "score"].quantile(0.10))
    found = certify(frame, TARGETS, Boundary(reckless, None))
    assert found.verdict is CertificateVerdict.INCUMBENT_UNCERTIFIED
    assert found.boundary.pass_at_or_below is None or found.boundary.pass_at_or_below < reckless


def test_too_little_evidence_names_its_price_by_zone() -> None:
    """Fifty cases prove nothing; the answer says how many labels each zone still needs."""
    generator = np.random.default_rng(7)
    found = certify(world(generator, 50), TARGETS)
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert found.boundary == Boundary.everything_reviewed()
    assert set(found.labels_needed) == {"pass", "block"}
    assert all(count > 0 for count in found.labels_needed.values())


def test_enough_evidence_without_a_wider_boundary_holds() -> None:
    """The incumbent already lies at the true limit: nothing qualifies, nothing is refuted."""
    generator = np.random.default_rng(8)
    frame = world(generator, 40_000)
    at_limit = float(frame.loc[frame["bad"] == 1.0, "score"].quantile(0.0099))
    found = certify(frame, Targets(recall=0.99), Boundary(at_limit, None))
    assert found.verdict is CertificateVerdict.HOLD
    assert found.boundary.pass_at_or_below == at_limit


def test_a_promise_without_a_certificate_is_said_plainly() -> None:
    """Accuracy and expected loss are targets the theory here does not certify yet."""
    generator = np.random.default_rng(9)
    found = certify(world(generator, 500), Targets(recall=0.99, accuracy=0.98))
    assert any("no certificate for accuracy" in reason for reason in found.reasons)


def test_evidence_that_cannot_be_used_is_refused_with_its_row() -> None:
    """A score above 1, a propensity of zero, a missing column, two case types at once."""
    good = pd.DataFrame({"score": [0.1, 0.2], "bad": [0.0, 1.0], "propensity": [1.0, 1.0]})
    for column, value in (("score", 1.5), ("propensity", 0.0), ("bad", 0.5)):
        wrong = good.assign(**{column: [value, good[column].iloc[1]]})
        with pytest.raises(ValueError, match=f"{column}.*row 0"):
            certify(wrong, TARGETS)
    with pytest.raises(ValueError, match="no column 'propensity'"):
        certify(good.drop(columns="propensity"), TARGETS)
    with pytest.raises(ValueError, match="one case type at a time"):
        certify(good.assign(case_type=["a", "b"]), TARGETS)


def test_without_a_case_the_price_is_that_of_a_full_review() -> None:
    """The trials an exact test takes at 85 % power, 30 % of the limit true (METHODS 2)."""
    found = certify(Evidence.none(), Targets(precision=0.95, recall=0.99, delta=0.05))
    assert found.verdict is CertificateVerdict.INSUFFICIENT_EVIDENCE
    assert set(found.labels_needed) == {"pass", "block"}
    assert 900 < found.labels_needed["pass"] < 1_400  # METHODS: 973 at 80 %
    assert "No mature case has been scored by this model yet." in found.reasons
