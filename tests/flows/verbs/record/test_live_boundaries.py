"""How does each live boundary stand tonight, and what proves a wider one?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from configs.errors import GateRefused
from flows.commands.output import certificate_row
from flows.reports.words.live_boundaries import live_lines, share_of
from flows.verbs.certify.certify import certify_case_type
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.night import run_night
from flows.verbs.record.live_boundaries import live_boundaries
from flows.verbs.record.night_results import NightResults
from models.boundary.decision.audit import audit_purpose
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    OTHER,
    WIDE,
    decided_cases,
    hub_desk,
    made_live,
    policy,
)


def test_the_night_after_a_promotion_is_no_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts for the next proof yet: the boundary is in force, and that is said first."""
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    services = hub_desk(tmp_path)
    made_live(services, policy(WIDE))
    night = run_night(services, [], NOW + DAY).plain()
    (one,) = night["live"]
    assert (one["case_type"], one["guard"]) == (NAME, "no mature case yet")
    assert (one["decided"], one["automatic"], one["proven_automation"]) == (0, 0, 0.5)
    assert one["evidence_cases"] == 0
    (said,) = live_lines(night["live"])
    assert "is in force; none of its cases is mature yet" in said
    assert (
        "Decided automatically since then: 0 of 0 cases; 50.0% of the cases that proved it." in said
    )
    assert "goes on from what is proven: 0 cases of the cohort so far" in said
    for certificate in night["certificates"]:
        assert "No mature case has been scored by this model yet." in certificate["reasons"]


def test_what_it_decided_is_counted_and_the_guard_named(tmp_path: Path) -> None:
    """Of 200 cases those beyond a cut, and no case of another policy; the next proof goes on from the
    draws of both."""
    services = hub_desk(tmp_path)
    model = SimpleNamespace(reference_scores=np.linspace(0.0, 1.0, 1_000))
    services.registry.load = lambda *_, **__: model  # type: ignore[method-assign, assignment, return-value]
    live = policy(WIDE)
    made_live(services, live)
    rows = decided_cases(services, live, NOW + DAY, 200, bad_passed=0.0, keyed=True)
    before = policy(Boundary(0.05, None))
    decided_cases(services, before, NOW + 2 * DAY, 50, bad_passed=0.0, seed=2)
    at = NOW + 30 * DAY
    snapshot = load_snapshot(services, at)
    results = NightResults()
    results.case_type(NAME).guard = "holds"
    judged = certify_case_type(services, snapshot, NAME)
    (one,) = live_boundaries(services.ledger, services.case_types, snapshot, [judged], results)
    automatic = int((rows["action"] != "escalate").sum())
    assert (one["decided"], one["automatic"]) == (200, automatic)
    drawn = int(
        (services.draws.case_draw(audit_purpose(NAME), rows["case_id"]) < live.audit.rate).sum()
    )
    assert drawn <= one["evidence_cases"] == judged.rows <= drawn + 50
    (said,) = live_lines([one])
    assert "holds: the guard has nothing against it" in said
    assert f"{automatic} of 200 ({automatic / 200:.1%}) cases" in said


def test_where_nothing_is_automated_there_is_nothing_to_say(tmp_path: Path) -> None:
    services = hub_desk(tmp_path)
    made_live(services, policy(Boundary.everything_reviewed()))
    assert (
        live_boundaries(
            services.ledger, services.case_types, load_snapshot(services, NOW), [], NightResults()
        )
        == []
    )


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(1, 3, "1 of 3"), (0, 0, "0 of 0"), (15, 30, "15 of 30 (50.0%)")]
)
def test_few_cases_make_no_percentage(part: int, whole: int, said: str) -> None:
    assert share_of(part, whole) == said


@pytest.mark.parametrize(("rows", "said"), [(0, None), (3, "33% of 3 cases"), (30, 1 / 3)])
def test_a_certificates_automation_of_few_cases_names_their_number(rows: int, said: object) -> None:
    one = {
        "case_type": NAME, "verdict": "hold", "pass_at_or_below": 0.3, "block_at_or_above": None,
        "automation_rate": 1 / 3, "reasons": [], "rows": rows,
    }  # fmt: skip
    assert certificate_row(one)["automation"] == said


def test_what_cannot_be_told_of_one_case_type_is_said_and_the_others_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = hub_desk(tmp_path)
    made_live(services, policy(WIDE))
    results = NightResults()

    def broken(*_: object) -> None:
        raise GateRefused("the policy is not as it was written")

    monkeypatch.setattr("flows.verbs.record.live_boundaries.provenance", broken)
    assert (
        live_boundaries(
            services.ledger, services.case_types, load_snapshot(services, NOW), [], results
        )
        == []
    )
    (why,) = results.case_type(NAME).failed
    assert "what its live boundary decided: the policy is not as it was written" in why
    assert results.case_type(OTHER).failed == []
