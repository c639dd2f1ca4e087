"""A sprint on a live boundary: its price, its road, and what it changes in the cohort (METHODS 2)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from configs.errors import GateRefused, UserError
from flows.reports.pages.label_budget import budget_page
from flows.reports.words.proposal import proposal_dossier
from flows.verbs.certify.certify import certify_case_type
from flows.verbs.certify.generation import current_generation
from flows.verbs.certify.inputs import certification_inputs
from flows.verbs.certify.look import sequence_of
from flows.verbs.evidence.cohort_rows import membership
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.approve import approve
from flows.verbs.govern.promote import promote
from flows.verbs.intake.waiting_rows import open_draws
from flows.verbs.more_labels.extend_audit import ask_or_agree, draw_asked
from flows.verbs.more_labels.label_budget import label_budget
from flows.verbs.more_labels.sprint import SprintAsked, file_sprint, priced, sprint_asked
from flows.verbs.services import Services
from models.boundary.decision.audit import audit_purpose
from models.hub import EntryKind, previous_policy_id
from tests.flows.verbs.certified_desk import Certified, certified_desk
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    OLA,
    OTHER,
    copied_desk,
    decided_cases,
    verify,
)

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certified_desk(tmp_path_factory.mktemp("sprint") / "home")


@pytest.fixture
def services(made: Certified, tmp_path: Path) -> Services:
    return copied_desk(made.services, tmp_path / "home")


def asked_for(services: Services, made: Certified, **said: object) -> SprintAsked:
    found = sprint_asked(services, NAME, made.now, **said)
    assert found is not None
    return found


def sprinting(services: Services, made: Certified, **said: object) -> SprintAsked:
    """Asked for by the operator, approved and promoted by an approver within the hour."""
    asked = asked_for(services, made, **said)
    proposal = file_sprint(services, asked, OLA, made.now)
    approve(services, proposal, ANA, made.now)
    promoted = promote(services.ledger, services.registry, services.alerts, proposal, ANA, made.now)
    assert promoted.kind is EntryKind.PROMOTED
    return asked


def test_so_many_labels_take_so_long(services: Services, made: Certified) -> None:
    """400 audits at full rate last until the traffic has brought 400 automatic decisions."""
    asked = asked_for(services, made, labels=400)
    traffic = asked.priced.traffic
    assert traffic is not None
    assert asked.cost.labels == pytest.approx(400)
    assert asked.cost.days == pytest.approx(400 / (traffic.cases_per_day * traffic.decided))
    assert asked.until == made.now + timedelta(days=asked.cost.days)
    minutes = services.case_types[NAME].staffing.handling_minutes
    assert asked.cost.hours == pytest.approx(400 * minutes / 60)


def test_a_sprint_is_filed_with_its_hours_and_days_and_made_live(
    services: Services, made: Certified
) -> None:
    """The dossier says what it spends; the model, its evidence and what a rollback leads to stay."""
    before, behind = (
        current_generation(services.ledger, services.case_types, NAME),
        previous_policy_id(services.ledger.history(), NAME),
    )
    asked = asked_for(services, made, until=made.now + 10 * DAY, rate=0.8)
    proposal = file_sprint(services, asked, OLA, made.now)
    text = proposal_dossier(proposal)
    assert "| audits at least | 80 % |" in text
    assert "| days | 10 |" in text
    assert f"| reviewer hours | {int(np.ceil(asked.cost.hours)):,} |" in text
    with pytest.raises(GateRefused, match="was proposed already"):
        file_sprint(services, asked, ANA, made.now)
    approve(services, proposal, ANA, made.now)
    promote(services.ledger, services.registry, services.alerts, proposal, ANA, made.now)
    live = services.ledger.live_policy(NAME)
    assert live is not None
    assert (live.audit.sprint_rate, live.audit.sprint_until) == (0.8, made.now + 10 * DAY)
    assert live.boundary == made.live.boundary
    assert current_generation(services.ledger, services.case_types, NAME) == before
    assert previous_policy_id(services.ledger.history(), NAME) == behind


def test_within_a_sprint_every_case_below_its_rate_is_in_the_cohort(
    services: Services, made: Certified
) -> None:
    """And after its end those below the policy's own rate, as if there had been none."""
    asked = sprinting(services, made, until=made.now + 2 * DAY, rate=0.9)
    for opened in (made.now + DAY, made.now + 3 * DAY):
        decided_cases(
            services, asked.policy, opened, 200, bad_passed=0.0, seed=opened.day, keyed=True
        )
    rows = load_snapshot(services, made.now + 9 * DAY).known(NAME)
    rows = rows[(rows["policy_id"] == asked.policy.policy_id).to_numpy()].reset_index(drop=True)
    uniform = services.draws.case_draw(audit_purpose(NAME), rows["case_id"])
    within = (rows["decided_at"] < made.now + 2 * DAY).to_numpy()
    assert (within.sum(), (~within).sum()) == (200, 200)
    plain = made.live.audit.cohort_rates(made.live.boundary)[0]
    expected = uniform < np.where(within, 0.9, plain)
    np.testing.assert_array_equal(
        membership(services.ledger, services.draws, NAME, rows).member, expected
    )


def test_looks_go_on_over_a_draw_from_the_store(services: Services, made: Certified) -> None:
    """The sequence of the looks so far is continued by who joins: nothing began again, nothing moved, and
    each new member's label counts."""
    decided_cases(services, made.live, made.now + DAY, 1_500, bad_passed=0.0, seed=7, keyed=True)
    at = made.now + 12 * DAY
    before = certify_case_type(services, load_snapshot(services, at), NAME)
    for moment, actor in ((at + HOUR, OLA), (at + 2 * HOUR, ANA)):
        asked = draw_asked(services, NAME, "go_live", moment, rate=0.9)
        ask_or_agree(services.ledger, asked, actor, moment)
    waits = open_draws(services, at + 3 * HOUR, NAME)
    assert len(waits) == asked.labels
    open_ = certify_case_type(services, load_snapshot(services, at + 3 * HOUR), NAME).certificate
    assert any("no settled label yet" in reason for reason in open_.reasons)
    rows = load_snapshot(services, at).known(NAME)
    rows = rows[rows["case_id"].isin(waits["case_id"]).to_numpy()].reset_index(drop=True)
    # Of these worlds everything blocked is bad, and nothing passed.
    verify(services, rows, (rows["action"].astype("str") == "auto_block").to_numpy())
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    given = certification_inputs(services, load_snapshot(services, at + DAY), generation)
    _, told = sequence_of(given)
    assert told == ""  # else: the cases are not those of the last look
    members = given.frame[given.frame["in_cohort"].to_numpy(dtype=bool)]
    assert int(members["bad"].notna().sum()) == before.labelled + asked.counted
    assert asked.counted == asked.cases


def test_without_an_end_the_sprint_that_pays_for_a_notch_is_priced(
    services: Services, made: Certified
) -> None:
    found = sprint_asked(services, NAME, made.now)
    if found is not None:
        assert max(share for share in found.cost.brings.values() if share is not None) == 1.0
    kinds = [entry.kind for entry in services.ledger.history(NAME)]
    assert kinds == [entry.kind for entry in made.services.ledger.history(NAME)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"until": "past"}, "that moment is past"),
        ({"labels": 10, "rate": 0.01}, "above today's"),
    ],
)
def test_a_sprint_that_raises_nothing_is_refused(
    services: Services, made: Certified, said: dict[str, object], why: str
) -> None:
    said = {**said, **({"until": made.now - DAY} if "until" in said else {})}
    with pytest.raises(UserError, match=why):
        sprint_asked(services, NAME, made.now, **said)


def test_where_nothing_is_automatic_there_is_no_audit_to_raise(
    services: Services, made: Certified
) -> None:
    with pytest.raises(UserError, match="labels come by themselves"):
        sprint_asked(services, OTHER, made.now, labels=10)
    with pytest.raises(UserError, match="there is no case type"):
        sprint_asked(services, "atoo", made.now, labels=10)


def test_the_label_budget_prices_every_side_and_names_who_has_none(
    services: Services, made: Certified
) -> None:
    """A case type without a label holds up no other; the page needs nothing but itself."""
    budget = label_budget(services, made.now)
    told = budget.plain()
    assert {(one["case_type"], one["zone"]) for one in told["sides"]} == {
        (NAME, "pass"),
        (NAME, "block"),
    }
    assert [one["case_type"] for one in told["without_a_price"]] == [OTHER]
    page = budget_page(budget)
    assert page.startswith("<!DOCTYPE html>")
    assert budget.recommendation.split(":")[0] in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "prefers-color-scheme" in page


def test_a_wait_is_told_at_the_rate_that_lasts(services: Services, made: Certified) -> None:
    """Within two days at 90 % nobody waits for months at 90 %."""
    sprinting(services, made, until=made.now + 2 * DAY, rate=0.9)
    live = services.ledger.live_policy(NAME)
    assert live is not None
    assert live.audit.sprints_at(made.now + DAY)
    found = priced(services, load_snapshot(services, made.now + DAY), NAME)
    assert found.rate == found.given.rate == live.audit.rate


def test_a_draw_of_nothing_says_whether_a_higher_rate_helps(
    services: Services, made: Certified
) -> None:
    """Once everything is drawn, or where nothing was decided, no rate draws any."""
    decided_cases(services, made.live, made.now + DAY, 200, bad_passed=0.0, seed=7, keyed=True)
    later = made.now + 3 * DAY
    with pytest.raises(UserError, match="give a higher --rate"):
        draw_asked(services, NAME, "go_live", later, rate=made.live.audit.rate)
    for who in (OLA, ANA):
        ask_or_agree(services.ledger, draw_asked(services, NAME, "go_live", later), who, later)
    for window in ("go_live", "last_extension"):
        with pytest.raises(UserError, match="is left to draw at any rate"):
            draw_asked(services, NAME, window, later + DAY, rate=0.9)
