"""What a second person reads: nothing with a wall of digits, and the digest they approve."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flows.reports.words.proposal import proposal_dossier
from models.hub import Entry, EntryKind, dossier_digest


def proposal(**dossier: Any) -> Entry:
    return Entry(
        seq=1,
        case_type="ato",
        version=1,
        kind=EntryKind.PROPOSED,
        actor="nightly_calibration",
        at=datetime(2026, 5, 4, 2, 0, 0, 123456, tzinfo=UTC),
        policy_id="ab" * 32,
        base_version=0,
        evidence_digest="e" * 64,
        dossier=dossier,
        previous_hash="0" * 64,
    )


def test_a_dossier_says_what_would_change_and_what_is_proven() -> None:
    """Shares in per cent, stamps to the second, today's cuts beside the new ones."""
    said = proposal(
        pass_at_or_below=0.0123456789,
        block_at_or_above=0.9,
        today={"pass_at_or_below": None, "block_at_or_above": 0.95},
        automation_rate=0.61803398875,
        limits={"precision": 0.9612345678, "false_omission_rate": 0.0012345678},
        promised={"precision": 0.95, "false_omission_rate": 0.002},
        delta=0.0030396355,
        rows=20_000,
        valid_until="2026-08-02T00:00:00+00:00",
        ab_plan={"method": "betting", "horizon_days": 28.0, "treatment_share": 0.5},
        reasons=["The pass side widens."],
    )
    assert proposal_dossier(said).splitlines() == [
        "# ato: policy abababababab",
        "",
        "Proposed by nightly_calibration at 2026-05-04T02:00:00Z.",
        "",
        "| what | value |",
        "|---|---|",
        "| auto-pass at or below | 0.0123457 (today: reviewed) |",
        "| auto-block at or above | 0.9 (today: 0.95) |",
        "| would decide by itself | 61.8% |",
        "| precision, proven limit | 96.12% (promised: at least 95.00%) |",
        "| false omission, proven limit | 0.12% (promised: at most 0.20%) |",
        "| delta of this look, of what the promise may spend in all | 0.00304 |",
        "| cases | 20,000 |",
        "| expires | 2026-08-02T00:00:00Z |",
        "| A/B test | betting, 28 days, 50% treated |",
        "",
        "- The pass side widens.",
        "",
        f"Digest that an approval binds to: {dossier_digest(said)}",
    ]


def test_a_first_boundary_replaces_full_review() -> None:
    """Nothing is live: both sides are reviewed today; without a plan approval is enough."""
    text = proposal_dossier(proposal(pass_at_or_below=0.1, block_at_or_above=None, today=None))
    assert "| auto-pass at or below | 0.1 (today: reviewed) |" in text
    assert "| auto-block at or above | reviewed (today: reviewed) |" in text
    assert "| A/B test | none: approval is enough |" in text


def test_who_approves_is_said_as_of_now() -> None:
    """When it was proposed nobody was enrolled; the digest binds to the dossier all the same."""
    said = proposal(tickets=[], newer_model=None, may_approve=[])
    assert "- It takes an approver, and none is enrolled" in proposal_dossier(said)
    now = proposal_dossier(said, {"may_approve": ["ana"], "approvers_needed": 1, "approved_by": []})
    assert "- ana may approve it." in now
    assert "none is enrolled" not in now
    assert now.splitlines()[-1] == f"Digest that an approval binds to: {dossier_digest(said)}"


def test_estimates_are_told_from_limits() -> None:
    """Two figures of one promise: the row `all` is an estimate."""
    row = {
        "column": "all", "value": "all", "cases": 10, "bad": 2, "automation_rate": 0.5,
        "precision": {"value": 0.99, "low": 0.97, "high": 1.0}, "recall": None,
    }  # fmt: skip
    text = proposal_dossier(proposal(limits={"precision": 0.9647}, segments=[row]))
    assert "| precision, proven limit | 96.47% |" in text
    assert "Each figure below is an estimate with its own 95 % interval." in text


def test_the_days_of_an_ab_test_are_named_before_anybody_approves() -> None:
    """With what would help where the plan is too short for the traffic."""
    days = {
        "days": 61.0, "horizon_days": 28.0, "by_horizon": 0.2, "by_claim": {"recall": 0.2},
        "hardest": "recall", "power": 0.8, "runs": 200, "cases_per_day": 500.0,
        "maturity_days": 3.0, "most_days": 3650.0,
    }  # fmt: skip
    shown = proposal_dossier(proposal(ab_days=days))
    assert "- Its A/B test, simulated at 500 cases a day: 20% of 200 simulated tests" in shown
    assert "it takes 61 days until 80% do" in shown
    assert "So the horizon is too short for this traffic" in shown
    assert "simulated" not in proposal_dossier(proposal())


def test_a_renewal_says_that_nothing_else_changes() -> None:
    assert "nothing changes but the day on which it ends" in proposal_dossier(proposal(renews="p"))
    assert "renews" not in proposal_dossier(proposal())
