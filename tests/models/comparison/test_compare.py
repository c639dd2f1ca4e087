"""Is a challenger called better when it is, and only then?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.comparison import ScoredRows
from models.vocabulary import Boundary
from tests.models.comparison.worlds import judged, later_cases


@pytest.mark.parametrize(
    ("repetitions", "world"),
    [(120, {"cases": 1_500}), (80, {"cases": 6_000, "audit": 0.05, "base": -4.0})],
    ids=["all labelled", "audited at 5 %"],
)
def test_models_of_equal_quality_are_called_no_difference(repetitions, world):
    """At least 95 % of repetitions, less two standard errors of the simulation itself (4.0 and
    4.9 points); as rarely is the primary metric or a guard called worse (2.5 % each)."""
    verdicts, guards = Counter(), 0
    for seed in range(repetitions):
        found = judged(later_cases(seed=1_000 + seed, **world), draws=100)
        verdicts[found.verdict] += 1
        guards += any(sentence.startswith("Worse overall") for sentence in found.regressions)
    allowed = 2 * (0.05 * 0.95 / repetitions) ** 0.5
    assert verdicts["no_difference"] / repetitions >= 0.95 - allowed
    assert guards / repetitions <= 0.05 + allowed


@pytest.mark.parametrize("audit", [None, 0.05])
def test_a_real_improvement_is_found(audit):
    """The challenger sees most of the champion's clue besides its own: 15 of 15 with all labels, and
    under a 5 % audit at least 13."""
    found = Counter(
        judged(later_cases(8_000, seed, challenger_sees=0.8, audit=audit), draws=100).verdict
        for seed in range(15)
    )
    assert found["better"] >= (15 if audit is None else 13)


def test_seen_from_the_other_side_it_is_worse():
    """Champion and challenger swapped: the same difference with its sign turned."""
    rows = later_cases(6_000, 31, challenger_sees=0.6)
    turned = ScoredRows(rows.challenger, rows.champion, rows.bad, rows.weight, rows.automatable)
    first, second = judged(rows), judged(turned)
    assert (first.verdict, second.verdict) == ("better", "worse")
    for name in ("log_loss", "auc", "recall", "automation"):
        there, back = first.metric(name).difference, second.metric(name).difference
        assert (back.value, back.low) == pytest.approx((-there.value, -there.high))


def test_a_lucky_audit_does_not_make_the_challenger_worse():
    """Misses of the champion weigh 20 and are rarely drawn, those of the challenger outside the
    audited zone weigh 1 and are all seen: with models of equal quality, resampled scatter alone calls
    recall worse in most repetitions."""
    worse = naive = 0
    for seed in range(25):
        rows = later_cases(8_000, 300 + seed, base=-5.0, audit=0.05)
        told = judged(rows, draws=100).metric("recall")
        worse += told.difference.high < 0.0
        missed = rows.weight * rows.bad
        loss = missed * (
            (rows.challenger <= 0.01).astype(float) - (rows.champion <= 0.01).astype(float)
        )
        naive += loss.sum() > 1.96 * np.sqrt((loss**2).sum())
    assert naive >= 8
    assert worse <= 1


def test_intervals_cover_the_true_difference():
    """Log loss and AUC of a challenger that is better by a known amount (a simulation 100 times as
    large): 95 % intervals cover it in at least 90 % of 80 repetitions (two standard errors below
    .95 are .90; the truth itself is known to a tenth of an interval)."""
    large = judged(later_cases(150_000, 7, challenger_sees=0.5), draws=100)
    covered = Counter()
    for seed in range(80):
        found = judged(later_cases(1_500, 500 + seed, challenger_sees=0.5), draws=100)
        for name in ("log_loss", "auc", "automation"):
            told, truth = found.metric(name).difference, large.metric(name).difference.value
            covered[name] += told.low <= truth <= told.high
    assert min(covered.values()) / 80 >= 0.90


def test_better_log_loss_with_a_worse_guard_is_mixed():
    """The challenger's probabilities are right where the champion's are far too high, but among low
    scores it ranks worse: it is not called better, and the sentence says what is worse."""
    rows = later_cases(8_000, 41)
    generator = np.random.default_rng(1)
    champion = np.clip(rows.champion**0.4, 0.0, 1.0)  # ranks as before, says far too much
    noise = np.exp(1.2 * generator.normal(size=len(rows)))
    odds = rows.champion / (1.0 - rows.champion) * noise
    found = judged(replace(rows, champion=champion, challenger=odds / (1.0 + odds)))
    assert found.metric("log_loss").change == "better"
    assert found.metric("auc").change == "worse"
    assert found.verdict == "mixed"
    assert "so it is not better" in found.sentence()
    assert "AUC is worse" in found.sentence()


def test_the_same_scores_are_no_difference_for_sure():
    """A retrain that changed nothing: zero, with an interval of zero."""
    rows = later_cases(1_000, 51)
    found = judged(replace(rows, challenger=rows.champion))
    assert found.verdict == "no_difference"
    assert (found.primary.difference.low, found.primary.difference.high) == (0.0, 0.0)
    assert found.regressions == ()


@pytest.mark.parametrize("bad", [0, 9, 991, 1000])
def test_too_few_of_a_class_cannot_be_compared(bad):
    """Said with what would be needed; no figure pretends."""
    rows = later_cases(1_000, 61)
    found = judged(replace(rows, bad=np.arange(1_000) < bad))
    assert (found.verdict, found.metrics) == ("not_estimable", ())
    assert f"{bad:,} of them bad; at least 10 bad and 10 good" in found.sentence()


def test_no_row_at_all_cannot_be_compared():
    """A challenger trained a minute ago."""
    rows = later_cases(10, 1)
    assert judged(rows.only(np.zeros(10, dtype=np.bool_))).verdict == "not_estimable"


def test_the_same_seed_gives_the_same_comparison():
    """To the last bit, and another seed moves only the errors."""
    rows = later_cases(1_000, 71, audit=0.2)
    first, again, other = judged(rows, seed=1), judged(rows, seed=1), judged(rows, seed=2)
    assert first.plain() == again.plain()
    assert first.primary.difference.value == other.primary.difference.value
    assert first.metric("auc").champion.low != other.metric("auc").champion.low


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"confidence": 1.0}, "confidence must lie"), ({"draws": 20}, "at least 100 draws")],
)
def test_settings_out_of_range_are_refused(wrong, message):
    """With what was asked and what would work."""
    with pytest.raises(ValueError, match=message):
        judged(later_cases(100, 1), **wrong)


def test_a_perfect_model_is_compared_too():
    """Every case separated: no interval of its AUC, but a difference and a verdict."""
    rows = later_cases(1_000, 81)
    perfect = np.where(rows.bad, 0.99, 0.01)
    found = judged(replace(rows, challenger=perfect), challenger_certified=Boundary(0.5, 0.6))
    auc = found.metric("auc")
    assert (auc.challenger.value, auc.challenger.low) == (1.0, None)
    assert "separates every case" in auc.why_not
    assert found.verdict == "better"


def test_nothing_that_is_told_is_nan():
    """Not estimable is None with a reason, in every value handed out."""
    rows = later_cases(400, 91, audit=0.05)
    told = judged(rows, slices={"half": np.arange(len(rows)) % 2})

    def walk(value):
        if isinstance(value, dict):
            return [one for part in value.values() for one in walk(part)]
        if isinstance(value, list):
            return [one for part in value for one in walk(part)]
        return [value]

    assert all(value == value for value in walk(told.plain()))
