"""Which test judges which design."""

from __future__ import annotations

import pandas as pd
import pytest

from models.boundary import Evidence, certify, sequential
from models.boundary.proof.side_tests import block_tests, pass_tests
from models.vocabulary import Boundary, Targets

NOTHING, TODAY = Boundary(None, None), Boundary(0.2, 0.9)


def evidence(passed: list[float], blocked: list[float], between: float = 1.0) -> Evidence:
    """Cases with these propensities in the three zones of TODAY; all drawn and good."""
    propensity = [*passed, *[between] * 5, *blocked]
    score = [0.1] * len(passed) + [0.5] * 5 + [0.95] * len(blocked)
    return Evidence.from_frame(
        pd.DataFrame({"score": score, "bad": 0.0, "propensity": propensity, "drawn": True})
    )


@pytest.mark.parametrize(
    ("passed", "blocked", "between", "incumbent", "names"),
    [
        ([1.0], [1.0], 1.0, TODAY, ("exact", "exact")),
        ([0.1], [0.1], 1.0, TODAY, ("stratified", "stratified")),
        ([0.1, 1.0], [0.1, 1.0], 1.0, TODAY, ("stratified", "stratified")),
        ([0.1, 0.2], [0.1, 0.2], 1.0, TODAY, ("stratified", "betting")),
        ([0.1, 0.2, 0.3], [0.1], 1.0, TODAY, ("betting", "stratified")),
        ([0.1], [0.1], 0.5, TODAY, ("betting", "betting")),
        ([0.1], [0.1], 1.0, NOTHING, ("betting", "betting")),
    ],
)
def test_the_design_alone_chooses_the_test(
    passed: list[float],
    blocked: list[float],
    between: float,
    incumbent: Boundary,
    names: tuple[str, str],
) -> None:
    """At most two audited weights below the pass cut and one among the blocks (METHODS 1.2, 1.3)."""
    seen = evidence(passed, blocked, between)
    assert (pass_tests(seen, incumbent).name, block_tests(seen, incumbent).name) == names
    assert sequential(seen, incumbent) == (names == ("betting", "betting"))


def test_a_bad_label_nobody_confirmed_helps_no_claim() -> None:
    """400 bad cases above the cut prove a recall of .99; with no credence they prove nothing, and
    as errors below the cut they count in full."""
    frame = pd.DataFrame(
        {"score": [0.1] * 100 + [0.9] * 400, "bad": [0.0] * 100 + [1.0] * 400, "propensity": 1.0}
    )
    targets = Targets(recall=0.99)
    assert certify(frame, targets).boundary.pass_at_or_below is not None
    doubted = frame.assign(credence=0.0)
    assert certify(doubted, targets).boundary.pass_at_or_below is None
    half = certify(frame.assign(credence=0.5), targets)  # 200 of 299 bad cases
    assert half.boundary.pass_at_or_below is None
    below = frame.assign(bad=1.0, credence=[0.0] * 100 + [1.0] * 400)
    assert certify(below, targets).boundary.pass_at_or_below is None
