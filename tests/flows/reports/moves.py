"""A replayed move as `flows.verbs.whatif.whatif` tells it, small enough to read."""

from __future__ import annotations

from typing import Any


def a_move(**changes: Any) -> dict[str, Any]:
    """A given move of both sides, with curves, bins and a queue; simulated figures."""
    outcome = {
        "cases": 1_000,
        "auto_passed": 300,
        "missed_bad": {"value": 2.0, "low": 0.5, "high": 6.0, "labels": 40},
        "false_blocks": {"value": None, "low": None, "high": None, "labels": 0},
    }
    told: dict[str, Any] = {
        "case_type": "ato",
        "as_of": "2026-03-13T00:00:00+00:00",
        "best": False,
        "days": 28,
        "cases": 1_000,
        "current": {"pass_at_or_below": 0.01, "block_at_or_above": None},
        "moved": {"pass_at_or_below": 0.02, "block_at_or_above": 0.9},
        "certificate": {
            "verdict": "certified",
            "reasons": ["A wider pass side is proven."],
            "labels_needed": {},
            "days_needed": [],
            "model_version": "4",
            "decides": True,
        },
        "automation_rate": {"current": 0.3, "moved": 0.45},
        "replay": {"before": outcome, "after": outcome, "unsupported": ()},
        "cheapest": {"pass_at_or_below": 0.015, "block_at_or_above": None, "loss_usd": 4_321.0},
        "queue": {"current": _queue(4.0), "moved": _queue(2.0)},
        "limits": {
            "recall": {"target": 0.99, "current": 0.985, "moved": 0.975},
            "precision": {"target": 0.95, "current": None, "moved": None},
        },
        "curves": [_curve("recall", "pass", 0.99), _curve("precision", "block", 0.95)],
        "reliability": [_side("pass", 0.02), _side("block", 0.9)],
    }
    return told | changes


def no_move() -> dict[str, Any]:
    """The best certified move was asked for and there is none."""
    return a_move(
        best=True,
        moved=None,
        replay=None,
        cheapest=None,
        queue=None,
        reliability=[],
        certificate={
            "verdict": "insufficient_evidence",
            "reasons": [
                "Too little evidence for a proof; labels still needed: 1,200 in the pass zone.",
                "The pass zone has its labels after 12 days with every case reviewed.",
            ],
            "labels_needed": {"pass": 1_200},
            "days_needed": [{"zone": "pass", "audit_rate": 1.0, "days": 12.0, "afresh": False}],
            "model_version": "4",
            "decides": False,
        },
    )


def _queue(busy: float) -> dict[str, Any]:
    hours = [
        {
            "hour": hour,
            "arrivals_per_hour": busy * (1 + hour % 12),
            "waiting": busy * (hour % 7),
            "within_sla": None if hour == 3 else 0.9,
        }
        for hour in range(24)
    ]
    return {"reviewed": 700, "within_sla": 0.93, "p95_hours": 3.2, "by_hour": hours}


def _curve(risk: str, side: str, target: float) -> dict[str, Any]:
    cuts = [0.01, 0.02, 0.03] if side == "pass" else [0.97, 0.93, 0.9]
    return {
        "risk": risk,
        "side": side,
        "target": target,
        "test": "stratified",
        "confidence": 0.995,
        "certified": cuts[1],
        "automation": {"current": 0.2 if side == "pass" else None, "moved": 0.4},
        "candidates": [
            {"cut": cut, "automated": 100, "automation": 0.1 * place, "estimate": 0.997,
             "limit": None if place == 3 else 1.0 - 0.004 * place}
            for place, cut in enumerate(cuts, start=1)
        ],
    }  # fmt: skip


def _side(side: str, cut: float) -> dict[str, Any]:
    known = {
        "cases": 90,
        "labels": 60,
        "predicted": cut,
        "observed": 0.03,
        "low": 0.01,
        "high": 0.07,
    }
    blind = {
        "cases": 90,
        "labels": 0,
        "predicted": cut,
        "observed": None,
        "low": None,
        "high": None,
    }
    return {
        "side": side,
        "cut": cut,
        "whose": "moved",
        "bins": [
            {"low_edge": cut / 2, "high_edge": cut, "supported": True, **known},
            {"low_edge": cut, "high_edge": 1.1 * cut, "supported": False, **blind},
        ],
    }
