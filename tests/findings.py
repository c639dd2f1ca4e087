"""Findings to file and to announce, with figures that are easy to tell apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.vocabulary import FeedbackPath
from models.vocabulary.finding import Counterfactual, Finding

SUPPORTED = Counterfactual(200, 150, 0.25, 0.10, 0.40, later_cases=4_000)
UNSUPPORTED = replace(SUPPORTED, errors_after=190, fall=0.05, low=-0.10)


def a_finding(subject: str = "typing_rhythm_distance", **changes: Any) -> Finding:
    """A Type A finding of ato that fires."""
    told = {
        "case_type": "ato",
        "path": FeedbackPath.FEATURE_WEIGHT,
        "subject": subject,
        "slice": "network_type=vpn",
        "effect": -0.33,
        "low": -0.41,
        "high": -0.25,
        "unit": "relative weight",
        "p_value": 1e-6,
        "cases": 2_000,
        "errors": 120,
        "money_usd": 3_600.0,
        "marks": {"A": 90, "B": 20, "C": 10},
        "sentence": f"The weight of {subject} is 33 % too high on network_type=vpn (simulated).",
        "counterfactual": SUPPORTED,
    }
    return Finding(**{**told, **changes})
