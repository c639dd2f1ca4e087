"""Simulated reviewers who err, and the second reviews that settle what they said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.truth import contradictions, credence, settle
from models.vocabulary import Boundary

SENIOR_ACCURACY = 0.9995
SAMPLED = 0.2
"""Share of the bad first words above the pass cut that get a second review by design."""

CREDENCE_DELTA = 0.005
"""Out of the certificate's .05: what the limit on false bad labels may spend."""


def hoped_for(score: np.ndarray, recall: float, precision: float) -> Boundary:
    """The widest boundary that calibrated scores alone promise: where to look for contradictions."""
    ascending = np.sort(score)
    missed = np.cumsum(ascending) / ascending.sum()
    blocked = np.cumsum(ascending[::-1]) / np.arange(1, len(ascending) + 1)
    low = ascending[np.searchsorted(missed, 1.0 - recall) - 1]
    high = ascending[::-1][np.flatnonzero(blocked >= precision)[-1]]
    return Boundary(float(low), float(high))


def words(
    generator: np.random.Generator, bad: np.ndarray, sensitivity: float, specificity: float
) -> np.ndarray:
    """What a person says of each case: true = bad."""
    right = np.where(bad == 1.0, sensitivity, specificity)
    return np.where(generator.random(len(bad)) < right, bad == 1.0, bad != 1.0)


def reviewed_once(
    generator: np.random.Generator, frame: pd.DataFrame, sensitivity: float, specificity: float
) -> pd.DataFrame:
    """The evidence as first reviewers see it."""
    said = words(generator, frame["bad"].to_numpy(), sensitivity, specificity).astype(float)
    return frame.assign(bad=np.where(frame["bad"].isna(), np.nan, said))


def confirmed(
    generator: np.random.Generator,
    truth: pd.DataFrame,
    first: pd.DataFrame,
    boundary: Boundary,
    sensitivity: float,
    specificity: float,
) -> pd.DataFrame:
    """The evidence once every contradiction and a sample of the other bad words have been heard
    twice, by a second person as good as the first and, where the two differ, by a senior."""
    ids = np.array([f"c{row}" for row in range(len(first))], dtype=object)
    labels = first.assign(case_id=ids, confirmed=False)
    said_bad = (first["bad"] == 1.0).to_numpy()
    session = labels["case_id"].isin(contradictions(labels, boundary).rows["case_id"]).to_numpy()
    sampled = said_bad & (first["score"].to_numpy() > boundary.pass_at_or_below)
    sampled &= generator.random(len(first)) < SAMPLED
    again = session | sampled
    second = words(generator, truth["bad"].to_numpy(), sensitivity, specificity)
    senior = words(generator, truth["bad"].to_numpy(), SENIOR_ACCURACY, SENIOR_ACCURACY)
    differ = again & (second != said_bad)
    known = first["bad"].notna().to_numpy()
    reviews = pd.concat(
        [
            _reviews(ids, said_bad, known, "escalation"),
            _reviews(ids, second, again, "second"),
            _reviews(ids, senior, differ, "senior"),
        ]
    )
    outcomes = pd.DataFrame({"case_id": [], "observed_at": [], "bad": []})
    settled = settle(reviews, outcomes).set_index("case_id")["bad"].reindex(ids)
    labels = labels.assign(
        bad=settled.to_numpy(dtype=float, na_value=np.nan),
        first_bad=said_bad,
        confirmed=again,
        second_drawn=sampled,
    )
    return labels.assign(credence=credence(labels, boundary, CREDENCE_DELTA))


def _reviews(ids: np.ndarray, bad: np.ndarray, where: np.ndarray, kind: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "case_id": ids[where],
            "kind": kind,
            "verdict": np.where(bad[where], "block", "pass"),
            "resolved_at": pd.Timestamp("2026-03-01", tz="UTC"),
        }
    )
