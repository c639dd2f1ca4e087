"""The certificate of the live policy ends while a challenger waits: the challenger is proposed, the champion renewed in time, people warned 14 and 3 days ahead.

Injected: a newer model under test from the hour of the promotion on, an A/B test of it that runs, and a
clock that passes the end of the live certificate.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flows.verbs.certify.expiry import ENDS_SOON, expire_policy
from flows.verbs.decide.live_automation import automation_now
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.approve import approve
from flows.verbs.govern.promote import promote
from models.hub import EntryKind, running_ab
from models.hub.policies.renewal import RENEWS
from tests.faults.renewals import (
    CHALLENGER,
    beside_a_challenger,
    cases_since,
    failed,
    looks,
    night,
    spent,
)
from tests.flows.verbs.certified_desk import Certified
from tests.flows.verbs.hub_desk import A_PLAN, ANA, BEN, DAY, NAME, NARROW, OLA, filed, policy


@pytest.fixture
def certified(tmp_path: Path, database_url: str | None) -> Certified:
    return beside_a_challenger(tmp_path / "home", database_url)


def test_the_champion_is_renewed_from_its_own_cohort(certified: Certified) -> None:
    """Proposed in the last third, approved by a person, and nothing ends on the day it would have."""
    services, live = certified.services, certified.live
    assert live.valid_until is not None
    cases_since(certified)
    before = spent(services)
    entries, _ = night(services, live.valid_until - 15 * DAY)
    assert not any(entry.dossier.get(RENEWS) for entry in entries)  # not due so far
    at = live.valid_until - 9 * DAY
    entries, results = night(services, at)
    assert failed(results) == []
    (renewal,) = [entry for entry in entries if entry.dossier.get(RENEWS) == live.policy_id]
    assert renewal.dossier["model_version"] == live.model_version != CHALLENGER
    approve(services, renewal, ANA, at)
    promote(services.ledger, services.registry, services.alerts, renewal, ANA, at)
    now = services.ledger.live_policy(NAME)
    assert now is not None
    assert now == replace(live, valid_until=now.valid_until, ab_plan=None)
    assert now.valid_until is not None
    assert now.valid_until > live.valid_until
    assert (
        expire_policy(services.ledger, services.alerts, NAME, live.valid_until + timedelta(hours=1))
        == []
    )
    # The champion's sequence was paid for when it began; the challenger's first look pays for its own.
    theirs = [one for one in looks(services) if one.dossier["model_digest"] != live.model_digest]
    paid = sum(float(one.dossier["delta_spent"]) for one in theirs)
    assert spent(services) - before == pytest.approx(paid)


def test_a_renewal_leaves_the_challengers_test_running(certified: Certified) -> None:
    services, live = certified.services, certified.live
    assert live.valid_until is not None
    tried = policy(NARROW, CHALLENGER, ab_plan=A_PLAN)
    proposal = filed(services, tried, certified.now)
    approve(services, proposal, ANA, certified.now)
    started = promote(
        services.ledger, services.registry, services.alerts, proposal, OLA, certified.now
    )
    assert started.kind is EntryKind.AB_STARTED
    cases_since(certified)
    at = live.valid_until - 9 * DAY
    entries, _ = night(services, at)
    (renewal,) = [entry for entry in entries if entry.dossier.get(RENEWS) == live.policy_id]
    approve(services, renewal, BEN, at)
    promote(services.ledger, services.registry, services.alerts, renewal, BEN, at)
    assert running_ab(services.ledger.history(), NAME) == started


def test_a_challenger_is_compared_with_what_is_decided_now(certified: Certified) -> None:
    """As long as the live policy decides, by what it decided; once it has ended, with nothing, so that
    the challenger is proposed the same night."""
    services, live = certified.services, certified.live
    assert live.valid_until is not None
    cases = cases_since(certified)
    decided = float((cases["action"] != "escalate").mean())
    at = live.valid_until - timedelta(hours=1)
    found = automation_now(services, load_snapshot(services, at), NAME)
    assert found is not None
    assert found.share == pytest.approx(decided)
    assert f"of {len(cases):,} cases it decided since" in found.known_from
    after = live.valid_until + timedelta(hours=1)
    ended = automation_now(services, load_snapshot(services, after), NAME)
    assert ended is not None
    assert ended.share == 0.0
    entries, results = night(services, after)
    assert entries[0].kind is EntryKind.NARROWED
    (proposed,) = [entry for entry in entries if entry.kind is EntryKind.PROPOSED]
    assert proposed.dossier["model_version"] == CHALLENGER, results.plain()


def test_people_are_warned_ahead(certified: Certified) -> None:
    """14 and 3 days before, and each once, however many nights there are."""
    services, live = certified.services, certified.live
    assert live.valid_until is not None
    for days in (15, 13, 12, 4, 2.5, 1):
        night(services, live.valid_until - days * DAY)
    told = [one for one in services.alerts.recent(50) if one["kind"] == ENDS_SOON]
    assert [one["within_days"] for one in told] == [3, 14]
