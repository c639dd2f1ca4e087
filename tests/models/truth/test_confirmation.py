"""Which labels does a second person review?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.truth import blind_second_sample, contradictions
from models.vocabulary import Boundary

CUTS = Boundary(0.2, 0.9)


def settled(*rows: tuple[str, float, bool | None, float, bool]) -> pd.DataFrame:
    columns = ["case_id", "score", "bad", "propensity", "confirmed"]
    frame = pd.DataFrame(list(rows), columns=columns)
    return frame.assign(bad=frame["bad"].astype("boolean"))


LABELS = settled(
    ("miss, audited", 0.15, True, 0.1, False),
    ("miss, deep", 0.01, True, 0.1, False),
    ("miss, all reviewed", 0.01, True, 1.0, False),
    ("miss, confirmed", 0.05, True, 0.1, True),
    ("good, passed", 0.05, False, 0.1, False),
    ("bad, just above", 0.22, True, 1.0, False),
    ("bad, between", 0.5, True, 1.0, False),
    ("good, just below", 0.88, False, 1.0, False),
    ("good, blocked", 0.95, False, 1.0, False),
    ("bad, blocked", 0.95, True, 1.0, False),
    ("open", 0.02, None, 0.1, False),
)


def test_unconfirmed_labels_that_hurt_wait_the_heaviest_and_deepest_first() -> None:
    """Misses of weight 10 before those of weight 1; among equals the deeper beyond its cut."""
    found = contradictions(LABELS, CUTS)
    assert list(found.rows["case_id"]) == [
        "miss, deep", "miss, audited", "miss, all reviewed", "good, blocked",
    ]  # fmt: skip
    assert list(found.rows["side"]) == ["pass", "pass", "pass", "block"]
    assert list(found.rows["weight"]) == [10.0, 10.0, 1.0, 1.0]
    assert found.rows["depth"].to_numpy() == pytest.approx([0.19, 0.05, 0.19, 0.05])
    assert (found.hold, found.hurting) == (True, 4 + 1)
    assert "4 of 5 labels" in found.sentence
    assert "3 bad ones where cases pass, 1 good ones" in found.sentence


def test_margins_reach_beyond_the_cuts_each_on_its_side() -> None:
    """The labels just outside come in, with a negative depth, on their own side alone."""
    low = set(contradictions(LABELS, CUTS, pass_margin=0.05).rows["case_id"])
    high = set(contradictions(LABELS, CUTS, block_margin=0.05).rows["case_id"])
    assert "bad, just above" in low - high
    assert "good, just below" in high - low
    rows = contradictions(LABELS, CUTS, pass_margin=0.05).rows.set_index("case_id")
    assert rows.loc["bad, just above", "depth"] == pytest.approx(-0.02)


def test_confirmed_labels_hold_nothing() -> None:
    """Each label confirmed: the certificate goes on."""
    found = contradictions(LABELS.assign(confirmed=True), CUTS)
    assert not found.hold
    assert found.sentence == "All 5 labels that contradict the boundary are confirmed."


def test_a_side_that_is_reviewed_has_no_contradictions() -> None:
    """Nothing is passed: no miss; nothing is decided: none at all."""
    blocks = contradictions(LABELS, Boundary(None, 0.9), pass_margin=0.5)
    assert set(blocks.rows["side"]) == {"block"}
    nothing = contradictions(LABELS, Boundary.everything_reviewed())
    assert nothing.sentence == "No label contradicts the boundary."
    assert list(nothing.rows.columns) == ["case_id", "side", "weight", "depth"]


def test_a_blind_second_review_goes_to_a_share_of_the_audits_unconfirmed_good_labels() -> None:
    """Neither bad, open, confirmed nor escalated ones; and who is drawn stays drawn."""
    labels = pd.DataFrame(
        {
            "bad": pd.array([False, False, True, None, False, False], dtype="boolean"),
            "audited": [True, True, True, True, False, True],
            "confirmed": [False, False, False, False, False, True],
        }
    )
    uniform = np.array([0.05, 0.5, 0.05, 0.05, 0.05, 0.05])
    assert blind_second_sample(labels, uniform, 0.1).tolist() == [True] + [False] * 5
    assert blind_second_sample(labels, uniform, 0.6).tolist() == [True, True] + [False] * 4
    assert not blind_second_sample(labels, uniform, 0.0).any()


def test_unusable_input_is_refused_with_the_reason() -> None:
    """A missing column, a negative margin, numbers out of range."""
    with pytest.raises(ValueError, match=r"1 column is missing.*'confirmed'"):
        contradictions(LABELS.drop(columns="confirmed"), CUTS)
    with pytest.raises(ValueError, match="cannot be negative"):
        contradictions(LABELS, CUTS, pass_margin=-0.1)
    audit = LABELS.assign(audited=True)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        blind_second_sample(audit, np.zeros(len(audit)), 1.5)
    with pytest.raises(ValueError, match="keyed hash"):
        blind_second_sample(audit, np.ones(len(audit)), 0.5)
