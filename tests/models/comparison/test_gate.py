"""May a challenger be put under test?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.comparison import DEFAULT_THRESHOLDS, Difference, Threshold, gate
from tests.models.comparison.worlds import forgetful, judged, later_cases


@pytest.fixture(scope="module")
def better():
    """Log loss falls by some .015 with a standard error of some .002."""
    return judged(later_cases(6_000, 1, challenger_sees=0.9))


def changed(comparison, name, value, error):
    """The same comparison with one metric's difference put in by hand (normal, 95 %)."""
    reach = 1.959964 * error
    told = Difference(value, value - reach, value + reach, error, np.inf, 0.5)
    metrics = tuple(
        replace(one, difference=told) if one.metric.name == name else one
        for one in comparison.metrics
    )
    return replace(comparison, metrics=metrics)


def test_a_better_challenger_and_an_equal_one_pass(better):
    """No rule speaks against either."""
    for comparison in (better, judged(later_cases(2_000, 2))):
        verdict = gate(comparison)
        assert verdict.passed
        assert verdict.reasons == ()
        assert verdict.checked == ("enough_cases", *DEFAULT_THRESHOLDS, "slices")
        assert "none of 7 rules speaks against it" in verdict.sentence()


@pytest.mark.parametrize(
    ("name", "value", "error", "passes"),
    [
        ("log_loss", 0.0190, 0.01, True),
        ("log_loss", 0.0199, 0.01, False),  # 1.99 errors above zero: beyond 1.96
        ("auc", -0.0240, 0.01, True),  # four guards share 5 %: 2.498 errors
        ("auc", -0.0255, 0.01, False),
        ("recall_same_automation", 0.9, 0.01, True),  # a gain, however large
        ("expected_loss_usd", 0.0255, 0.01, False),
        ("recall", -0.5, 0.01, True),  # judged at the same automation, not at the same scores
    ],
)
def test_a_metric_fails_when_its_interval_proves_it_worse(better, name, value, error, passes):
    """Judged on bounds, in the metric's bad direction."""
    verdict = gate(changed(better, name, value, error))
    assert verdict.passed is passes
    assert list(verdict.failures) == ([] if passes else [name])


def test_what_is_asked_for_must_be_proven_and_what_is_allowed_refuted(better):
    """A gain of .01 in AUC, seen as .012 with an error of .002: not proven at 95 % (lower end .0081).
    An allowed fall of .01, seen as -.012: not refuted (upper end -.0081)."""
    asked = {"auc": Threshold(min_absolute_change=0.01)}
    assert not gate(changed(better, "auc", 0.012, 0.002), asked).passed
    assert gate(changed(better, "auc", 0.016, 0.002), asked).passed
    allowed = {"auc": Threshold(min_absolute_change=-0.01)}
    assert gate(changed(better, "auc", -0.012, 0.002), allowed).passed
    refused = gate(changed(better, "auc", -0.016, 0.002), allowed)
    assert "-0.0100 is the most that is allowed" in refused.reasons[0]


def test_a_relative_change_is_a_share_of_the_champions_figure(better):
    """10 % less log loss, where less is better."""
    champion = better.primary.champion.value
    asked = {"log_loss": Threshold(min_relative_change=0.1)}
    assert gate(changed(better, "log_loss", -0.11 * champion, 1e-6), asked).passed
    refused = gate(changed(better, "log_loss", -0.09 * champion, 1e-6), asked)
    assert not refused.passed
    assert f"{-0.1 * champion:+.4f} was asked for" in refused.reasons[0]


def test_both_changes_must_hold(better):
    """The absolute one holds, the relative one does not."""
    both = {"log_loss": Threshold(min_absolute_change=0.001, min_relative_change=0.5)}
    assert not gate(changed(better, "log_loss", -0.01, 1e-6), both).passed


def test_a_worse_slice_fails_by_name():
    """Unless slices may get worse."""
    rows, new = forgetful(8_000, 3)
    comparison = judged(rows, slices={"account": np.where(new, "new", "old")})
    verdict = gate(comparison)
    assert list(verdict.failures) == ["slices"]
    assert "Worse on account=new" in verdict.sentence()
    assert gate(comparison, allow_slice_regressions=True).passed


def test_too_few_cases_fail_and_say_what_would_work():
    """Nothing is put under test unseen."""
    rows = later_cases(1_000, 4)
    verdict = gate(judged(replace(rows, bad=np.zeros(len(rows), dtype=np.bool_))))
    assert (verdict.passed, verdict.checked) == (False, ("enough_cases",))
    assert "Compare again when more later cases are labelled" in verdict.sentence()


def test_what_is_not_estimable_fails_only_where_a_gain_was_asked_for(better):
    """The challenger has no certified boundary, so its automation there is unknown."""
    name = "automation_certified"
    assert gate(better, {name: Threshold(min_absolute_change=-0.05)}).passed
    refused = gate(better, {name: Threshold(min_relative_change=0.05)})
    assert "not estimable, and an improvement was asked for" in refused.reasons[0]


def test_rules_that_make_no_sense_are_refused(better):
    """An unknown metric; a threshold that asks for nothing."""
    with pytest.raises(ValueError, match="no metric 'f1' to judge; there are log_loss, auc"):
        gate(better, {"f1": Threshold(min_absolute_change=0.0)})
    with pytest.raises(ValueError, match="needs a finite min_absolute_change"):
        Threshold()


def test_the_verdict_is_plain_for_json(better):
    """Values only."""
    told = gate(changed(better, "auc", -0.5, 0.01)).plain()
    assert told["passed"] is False
    assert list(told["failures"]) == ["auc"]
    assert told["sentence"].startswith(
        "The challenger is not put under test (1 of 7 rules failed)."
    )
