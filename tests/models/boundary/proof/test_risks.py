"""The catalogue of promises: what each one counts, and which of them can be proven."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boundary import certify
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.hindsight import HindsightCounts
from models.boundary.proof.risks import ACCURACY, RISKS, Outcomes, certifiable, without_certificate
from models.vocabulary import CertificateVerdict, Targets
from tests.models.boundary.worlds import world

ALL = Targets(
    precision=0.95, recall=0.99, false_omission_rate=0.01, accuracy=0.98, expected_loss=3.0
)

# pass: 4 good, 1 bad; review: 1 good, 2 bad; block: 1 good, 3 bad
TINY = Outcomes(
    passed=np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool),
    blocked=np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1], dtype=bool),
    bad=np.array([0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1], dtype=bool),
)


@pytest.mark.parametrize(
    ("name", "errors", "trials"),
    [
        ("precision", 1, 1 + 3),
        ("recall", 1, 1 + 2 + 3),
        ("false_omission_rate", 1, 4 + 1),
        ("accuracy", 1 + 1, 5 + 4),
        ("expected_loss", 1 + 1, 12),
    ],
)
def test_each_risk_is_an_error_among_some_cases(name: str, errors: int, trials: int) -> None:
    """Counted by hand on twelve cases."""
    assert RISKS[name].counts(TINY) == (errors, trials)


def test_the_catalogue_has_every_promise_that_can_be_made() -> None:
    """Neither a target without a risk nor a risk that nobody can promise."""
    assert set(RISKS) == set(ALL.named())
    assert all(name == risk.name for name, risk in RISKS.items())


def test_limits_and_shares_are_stated_as_people_state_them() -> None:
    """Precision 95 % allows one error in twenty; a false omission is its own limit."""
    assert RISKS["precision"].error_limit(0.75) == 0.25
    assert RISKS["false_omission_rate"].error_limit(0.25) == 0.25
    assert RISKS["recall"].as_stated(0.25) == 0.75
    assert RISKS["false_omission_rate"].as_stated(0.25) == 0.25


def test_what_has_no_certificate_takes_no_delta_and_says_so_with_what_would_work() -> None:
    """Three promises share delta; two say plainly that nothing proves them."""
    assert certifiable(ALL) == ("precision", "recall", "false_omission_rate")
    assert set(delta_shares(ALL, 0.06)) == set(certifiable(ALL))
    accuracy, loss = without_certificate(ALL)
    assert accuracy.startswith("There is no certificate for accuracy: ")
    assert "false omission rate" in accuracy
    assert loss.startswith("There is no certificate for expected loss: amounts have no upper limit")
    assert without_certificate(Targets(recall=0.99)) == ()


def test_a_promise_that_nothing_proves_automates_nothing() -> None:
    """30,000 simulated cases, all reviewed: the answer is a plain sentence, never a boundary."""
    found = certify(world(np.random.default_rng(1), 30_000), Targets(accuracy=0.9))
    assert found.verdict is CertificateVerdict.HOLD
    assert found.boundary.automates_nothing
    assert any("no certificate for accuracy" in reason for reason in found.reasons)


@given(st.lists(st.tuples(st.sampled_from("prb"), st.booleans()), max_size=60))
def test_precision_and_false_omission_together_imply_accuracy(
    cases: list[tuple[str, bool]],
) -> None:
    """What `no_certificate` of accuracy advises: the error share of both sides together never
    exceeds the larger of the two."""
    seen = Outcomes(
        np.array([zone == "p" for zone, _ in cases], dtype=bool),
        np.array([zone == "b" for zone, _ in cases], dtype=bool),
        np.array([bad for _, bad in cases], dtype=bool),
    )
    shares = [
        errors / trials
        for name in ("precision", "false_omission_rate")
        if (counted := RISKS[name].counts(seen))[1]
        for errors, trials in [counted]
    ]
    errors, trials = ACCURACY.counts(seen)
    assert errors <= max(shares, default=0.0) * trials + 1e-9


def test_hindsight_names_a_broken_accuracy() -> None:
    """The truth over a boundary's life judges every share, proven beforehand or not: 10 errors
    among 100 decided cases reject 98 %."""
    tally = HindsightCounts(
        cases=200, bad=60, auto_passed=50, auto_blocked=50, missed=5, falsely_blocked=5
    )
    assert tally.broken_promises(Targets(accuracy=0.98)) == ("accuracy",)
    assert tally.broken_promises(Targets(accuracy=0.85)) == ()


def test_outcomes_that_cannot_be_are_refused() -> None:
    """No case is both passed and blocked, and every case has all three."""
    yes, no = np.array([True]), np.array([False])
    with pytest.raises(ValueError, match="both passed and blocked"):
        Outcomes(yes, yes, no)
    with pytest.raises(ValueError, match="one shape"):
        Outcomes(yes, no, np.array([True, False]))
