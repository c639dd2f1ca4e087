"""The sample of another agent is one that only advises."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.verbs.onboarding.sample_tables import Sample, sample_tables


def test_the_agent_advises_and_people_see_every_case() -> None:
    """Nothing is automatic; every block that somebody asked for, or gave, was looked at twice."""
    told = sample_tables(Sample(datetime(2026, 3, 2, tzinfo=UTC), 6, 200, external=True))
    decisions, reviews = told["decisions"], told["reviews"]
    assert set(decisions["action"]) == {"escalate"}
    assert set(decisions["propensity"]) == {1.0}
    assert not decisions["audited"].any()
    assert decisions["score"].between(0.0, 1.0).all()
    first = reviews[reviews["kind"] == "escalation"].set_index("case_id")
    again = set(reviews.loc[reviews["kind"] == "second", "case_id"])
    early = first.index[first["resolved_at"] < "2026-03-01"]
    blocked = set(early[first.loc[early, "verdict"] == "block"])
    assert blocked
    assert blocked <= again
    # All but the last hours' cases have their first review.
    assert len(first) > 0.9 * len(decisions)
