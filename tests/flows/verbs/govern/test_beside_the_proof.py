"""What stands beside a proposal's proof, and which proof the live boundary rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from flows.reports.words.proposal import beside_lines
from flows.verbs.causes.tickets import file_findings
from flows.verbs.certify.live_proof import live_proof
from flows.verbs.govern.approve import approve, pending
from flows.verbs.govern.beside_the_proof import beside_the_proof
from flows.verbs.govern.promote import promote
from flows.verbs.intake.waiting_rows import open_draws
from flows.verbs.live import file_dossier
from flows.verbs.record.last_night import last_night
from flows.verbs.services import Services
from models.hub import EntryKind, Narrow
from models.hub.rules.people import GUARDRAIL, NIGHT
from tests.findings import UNSUPPORTED, a_finding
from tests.flows.verbs.hub_desk import (
    ANA,
    BEN,
    DAY,
    NAME,
    NARROW,
    NOW,
    OTHER,
    WIDE,
    filed,
    made_live,
    policy,
    store,
    verify,
    with_model,
)
from tests.nights import quiet_night
from tests.outside_agent import decided, reviewed


def test_tickets_a_newer_model_and_who_may_approve_are_named(services: Services) -> None:
    """Of this case type alone; an operator and the proposer may not approve."""
    file_findings(
        services.store,
        [
            a_finding("amount", case_type=NAME, counterfactual=UNSUPPORTED),
            a_finding("age", case_type=OTHER),
        ],
        NOW,
    )
    with_model(services, "2", NOW)
    told = beside_the_proof(services, policy(), ANA)
    (ticket,) = told["tickets"]
    assert (ticket["subject"], ticket["remedy"]) == ("amount", "did not hold")
    assert told["newer_model"] == {"model_version": "2", "since": NOW.isoformat()}
    assert told["may_approve"] == [BEN]
    assert beside_lines(told) == [
        f"Ticket {ticket['pattern_id']} (A) is open: amount where network_type=vpn, 1.5 times what the "
        "labels say, $3,600 at stake; its remedy did not hold on later cases.",
        "A newer model, version 2, is under test since 2026-05-04T02:00:00Z.",
        "ben may approve it.",
    ]
    assert beside_the_proof(services, policy(version="2"), NIGHT)["newer_model"] is None


def test_two_words_are_asked_for_and_counted(services: Services) -> None:
    """By the desk's setting; who has spoken is not asked again."""
    strict = replace(services, four_eyes="two_people")
    proposal = filed(strict, policy())
    (row,) = pending(strict)
    assert (row["waits_for"], row["approvers_needed"], row["may_approve"]) == (
        "approval",
        2,
        [ANA, BEN],
    )
    assert approve(strict, proposal, ANA, NOW).kind is EntryKind.FIRST_APPROVED
    (row,) = pending(strict)
    assert (row["waits_for"], row["approved_by"], row["may_approve"]) == (
        "second approval",
        [ANA],
        [BEN],
    )
    assert approve(services, proposal, BEN, NOW).kind is EntryKind.APPROVED
    (row,) = pending(strict)
    assert (row["waits_for"], row["approved_by"]) == ("promotion", [ANA, BEN])
    assert (
        promote(strict.ledger, strict.registry, strict.alerts, proposal, BEN, NOW).kind
        is EntryKind.PROMOTED
    )


def test_the_live_boundary_rests_on_the_dossier_that_was_approved(services: Services) -> None:
    """Also after a narrowing, which is named; nothing live rests on nothing."""
    assert live_proof(services.ledger, NAME) is None
    proposed = policy(WIDE)
    proposal = filed(
        services, proposed, NOW, limits={"precision": 0.96}, rows=900, labelled=300, bad=20
    )
    approve(services, proposal, ANA, NOW)
    promote(services.ledger, services.registry, services.alerts, proposal, BEN, NOW)
    told = live_proof(services.ledger, NAME)
    assert told is not None
    assert (told["limits"], told["rows"], told["labelled"]) == ({"precision": 0.96}, 900, 300)
    assert (told["proven_at"], told["approved_by"]) == (NOW.isoformat(), [ANA])
    assert told["narrowed_at"] is None
    narrowed = replace(proposed, boundary=NARROW)
    version = services.ledger.history(NAME)[-1].version
    services.ledger.submit(
        Narrow(case_type=NAME, incumbent=proposed, narrowed=narrowed, actor=GUARDRAIL,
               base_version=version), NOW + DAY,
    )  # fmt: skip
    after = live_proof(services.ledger, NAME)
    assert after is not None
    assert (after["policy_id"], after["limits"]) == (narrowed.policy_id, told["limits"])
    assert after["narrowed_at"] == (NOW + DAY).isoformat()


def test_draws_without_a_label_are_named_oldest_first_and_blind(services: Services) -> None:
    """A label takes a case off the list, a review that escalates does not; what was decided, and the
    score, are not on it."""
    days = [decided(NOW + day * DAY, 6) for day in (2, 1)]
    rows = pd.concat(days, ignore_index=True)
    action = np.tile(["auto_pass", "auto_block", "escalate"], 4)
    rows = rows.assign(action=action, audited=np.arange(12) % 2 == 0, propensity=0.5)
    store(services, "decisions", rows, ["case_id"], NOW + 2 * DAY)
    due = rows[rows["audited"] & (rows["action"] != "escalate")].sort_values("decided_at")
    assert len(due) == 4
    later = NOW + 9 * DAY
    told = open_draws(services, later)
    assert list(told["case_id"]) == list(due["case_id"])
    assert told["age_days"].iloc[0] == 8.0
    assert {"action", "score", "recommendation"}.isdisjoint(told.columns)
    assert open_draws(services, later, OTHER).empty
    assert len(open_draws(services, later, NAME, since=NOW + 2 * DAY)) == 2
    reviews = reviewed(due).assign(verdict=["pass", "escalate", "block", "escalate"])
    store(services, "reviews", reviews, ["review_id", "revision"], NOW + 3 * DAY)
    left = list(due["case_id"].iloc[[1, 3]])
    assert list(open_draws(services, later)["case_id"]) == left
    verify(services, due.iloc[[1]], np.array([False]))
    assert list(open_draws(services, later)["case_id"]) == left[1:]


def test_expiries_and_narrowings_stand_in_the_last_night(services: Services) -> None:
    """A certificate that ends in ten days; what happened before the night before is no change."""
    live = policy(valid_until=NOW + 10 * DAY)
    made_live(services, live, NOW - DAY)
    for at in (NOW - timedelta(hours=12), NOW + timedelta(hours=12)):
        file_dossier(services, quiet_night(at))
    filed(services, policy(WIDE), NOW)
    told = last_night(services, NOW + timedelta(hours=13))
    assert [one["kind"] for one in told["changed"]] == ["proposed"]
    (expiry,) = told["expires"]
    assert (expiry["case_type"], expiry["days"]) == (NAME, 9.5)
    (waits,) = told["waits"]
    assert waits["who"] == [ANA, BEN]
