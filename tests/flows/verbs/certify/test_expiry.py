"""How long a proof is believed: it narrows when it runs out, and is proposed anew while it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from flows.verbs.certify.certificate_life import FEWEST_FRESH
from flows.verbs.certify.certify import Judged, certify_case_type
from flows.verbs.certify.expiry import (
    ENDS_SOON,
    expire_policy,
    proves,
    renewal,
    warn_before_expiry,
)
from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.propose import act_on, waiting
from flows.verbs.night import change, run_night
from flows.verbs.record.night_results import NightResults, not_done, verdict
from flows.verbs.services import Services
from models.hub import EntryKind
from models.reviewers.gates import GATES
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NARROW,
    NOW,
    WIDE,
    hub_desk,
    made_live,
    policy,
)

DAYS = 30.0
UNTIL = NOW + DAYS * DAY
LIVE = policy(WIDE, valid_until=UNTIL)
HOLD, CERTIFIED = CertificateVerdict.HOLD, CertificateVerdict.CERTIFIED
PROVEN = {"recall": 0.93, "precision": 0.8}


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The live policy was proven for 30 days; recall .9 and precision .7 are promised."""
    made = hub_desk(tmp_path, certificate_days=DAYS)
    made_live(made, LIVE)
    return made


def judged(
    services: Services, at: datetime, verdict: CertificateVerdict = HOLD, **changed
) -> Judged:
    """What a look at fresh evidence said."""
    limits = changed.pop("limits", PROVEN)
    boundary = changed.pop("boundary", WIDE)
    empty = certify_case_type(services, load_snapshot(services, at), NAME).certificate
    certificate = replace(empty, verdict=verdict, boundary=boundary, limits=limits, automation_rate=0.6)  # fmt: skip
    fields = {
        "case_type": NAME,
        "certificate": certificate,
        "generation": current_generation(services.ledger, services.case_types, NAME),
        "evidence_digest": "e" * 64,
        "evidence_until": at,
        "rows": 9,
        "labelled": 9,
        "bad": 3,
        "may_propose": True,
        "fresh_labels": FEWEST_FRESH,
    }
    return Judged(**{**fields, **changed})


def test_what_has_expired_is_reviewed_and_people_are_told_once(services: Services) -> None:
    """Not a moment before; the policy differs by its boundary alone."""
    assert expire_policy(services.ledger, services.alerts, NAME, UNTIL - DAY) == []
    (entry,) = expire_policy(services.ledger, services.alerts, NAME, UNTIL)
    assert entry.kind is EntryKind.NARROWED
    assert services.ledger.live_policy(NAME) == replace(
        LIVE, boundary=Boundary.everything_reviewed()
    )
    (alert,) = services.alerts.recent(5)
    assert alert["kind"] == "certificate_expired"
    assert "everything is reviewed" in alert["sentence"]
    assert expire_policy(services.ledger, services.alerts, NAME, UNTIL + DAY) == []


def test_the_nights_dossier_tells_what_expired(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.verbs.night.judge_case_types", lambda *_: [])
    monkeypatch.setattr("flows.verbs.night.find_causes", lambda *_: [])
    night = run_night(services, [], UNTIL).plain()
    assert [one["kind"] for one in night["entries"]] == ["narrowed"]


def test_without_an_expiry_nothing_expires(tmp_path: Path) -> None:
    services = hub_desk(tmp_path)
    made_live(services, policy(WIDE))
    assert expire_policy(services.ledger, services.alerts, NAME, NOW + 10_000 * DAY) == []


@pytest.mark.parametrize(
    ("days", "changed", "renewed"),
    [
        (19.9, {}, False),  # two thirds of 30 days are not over
        (20.0, {}, True),
        (29.0, {}, True),
        (25.0, {"verdict": CertificateVerdict.INSUFFICIENT_EVIDENCE}, True),  # of a wider one
        (25.0, {"verdict": CertificateVerdict.INCUMBENT_UNCERTIFIED}, False),
        (25.0, {"boundary": NARROW}, False),
        (25.0, {"limits": {"recall": 0.89, "precision": 0.8}}, False),
        (25.0, {"limits": {"recall": 0.93}}, False),
        (25.0, {"generation": None}, False),
        (25.0, {"fresh_labels": FEWEST_FRESH - 1}, False),  # nothing has tried to refute it
        (25.0, {"evidence_until": NOW}, False),  # older than what it rests on already
    ],
)
def test_renewed_is_what_a_fresh_look_proves_again_late_in_its_life(
    services: Services, days: float, changed: dict, renewed: bool
) -> None:
    """The same policy, with an expiry 30 days after its evidence."""
    at = NOW + days * DAY
    found = renewal(services.ledger, services.case_types, judged(services, at, **changed), at)
    assert found == (replace(LIVE, valid_until=at + DAYS * DAY) if renewed else None)


def test_a_broken_gate_on_reviewers_holds_a_renewal(services: Services) -> None:
    """What may not be proposed may not be renewed."""
    at = NOW + 25 * DAY
    found = judged(services, at)
    broken = replace(found.certificate, reasons=(f"{GATES[0]} the proof of ...",))
    assert (
        renewal(services.ledger, services.case_types, replace(found, certificate=broken), at)
        is None
    )


def test_people_are_warned_14_and_3_days_ahead_once_each(services: Services) -> None:
    """Every night asks; a renewed policy is warned of anew."""
    for days in (10, 15.9, 16.1, 17, 20, 26.9, 27.1, 28, 29.5, 31):
        warn_before_expiry(services.ledger, services.alerts, NAME, NOW + days * DAY)
    told = [one for one in services.alerts.recent(20) if one["kind"] == ENDS_SOON]
    assert [one["within_days"] for one in told] == [3, 14]
    assert "in 13.9 days; from then on every case is reviewed" in told[1]["sentence"]
    assert "No renewal is proven so far" in told[1]["sentence"]


def test_a_warning_names_the_renewal_that_waits(services: Services) -> None:
    at = NOW + 25 * DAY
    entry = act_on(services, judged(services, at), at)
    assert entry is not None
    assert entry.dossier["renews"] == LIVE.policy_id
    warn_before_expiry(services.ledger, services.alerts, NAME, at)
    (alert,) = services.alerts.recent(1)
    assert f"ratchet approve {str(entry.policy_id)[:12]}" in alert["sentence"]


def test_a_renewal_is_proposed_and_never_made_live_by_itself(services: Services) -> None:
    """And only by a look that spent its share of delta."""
    at = NOW + 25 * DAY
    assert act_on(services, judged(services, at, may_propose=False), at) is None
    entry = act_on(services, judged(services, at), at)
    assert entry is not None
    assert entry.kind is EntryKind.PROPOSED
    assert services.ledger.live_policy(NAME) == LIVE


def test_a_proof_of_every_night_does_not_file_a_proposal_every_night(services: Services) -> None:
    """One waits until it is in the last third of its own life; then another one is filed."""
    nights = [NOW + day * DAY for day in (21, 22, 23, 41, 42)]
    filed = [
        act_on(services, judged(services, at, evidence_digest=f"{at:%d%m}" * 16), at)
        for at in nights
    ]
    assert [entry is not None for entry in filed] == [True, False, False, True, False]
    assert len(waiting(services.ledger, NAME)) == 2


def test_a_proof_that_has_ended_is_not_proposed_and_the_night_says_so(
    services: Services, monkeypatch
) -> None:
    """Certified on evidence of a year ago: the night is not green, and says what to set."""
    at = NOW + 21 * DAY
    ended = policy(Boundary(0.4, 0.6), valid_until=at - 185 * DAY)
    monkeypatch.setattr("flows.verbs.govern.propose.policy_for", lambda *_: ended)
    results = NightResults()
    proven = judged(services, at, CERTIFIED, boundary=ended.boundary)
    assert change(services, [proven], at, results) == []
    assert waiting(services.ledger, NAME) == ()
    told = results.plain()
    assert verdict(told).startswith(f"Failed: {NAME}.")
    assert "must be longer than `maturity_days`" in not_done(told)[0]


def test_another_boundary_is_proposed_beside_the_one_that_waits(
    services: Services, monkeypatch
) -> None:
    """What is wider is news."""
    advised = policy(Boundary(0.4, 0.6))
    monkeypatch.setattr("flows.verbs.govern.propose.policy_for", lambda *_: advised)
    at = NOW + 21 * DAY
    act_on(services, judged(services, at), at)
    wider = act_on(services, judged(services, at, CERTIFIED, boundary=advised.boundary), at)
    assert wider is not None
    assert wider.policy_id == advised.policy_id


BOTH = Targets(precision=0.95, recall=0.99)
BLOCKS, PASSES = Boundary(None, 0.9), Boundary(0.1, None)


@pytest.mark.parametrize(
    ("boundary", "targets", "limits", "proven"),
    [
        (NARROW, BOTH, {"precision": 0.96, "recall": 0.991}, True),
        (NARROW, BOTH, {"precision": 0.95, "recall": 0.99}, True),
        (NARROW, BOTH, {"precision": 0.94, "recall": 0.991}, False),
        (NARROW, BOTH, {"precision": 0.96, "recall": 0.989}, False),
        (NARROW, BOTH, {"precision": 0.96}, False),
        (NARROW, BOTH, {}, False),
        (BLOCKS, BOTH, {"precision": 0.96}, True),
        (PASSES, BOTH, {"recall": 0.991}, True),
        (PASSES, BOTH, {"precision": 0.96}, False),
        (PASSES, Targets(false_omission_rate=0.002), {"false_omission_rate": 0.0019}, True),
        (PASSES, Targets(false_omission_rate=0.002), {"false_omission_rate": 0.0021}, False),
        (PASSES, Targets(false_omission_rate=0.002), {}, False),
        (PASSES, Targets(recall=0.9, false_omission_rate=0.002), {"recall": 0.95}, False),
        (BLOCKS, Targets(recall=0.99), {"recall": 1.0}, False),  # nobody promised what it does
        (NARROW, Targets(recall=0.99), {"recall": 1.0}, False),
        (Boundary.everything_reviewed(), BOTH, {"precision": 1.0, "recall": 1.0}, False),
    ],
)
def test_a_certificate_proves_a_boundary_by_its_limits(
    boundary: Boundary, targets: Targets, limits: dict[str, float], proven: bool
) -> None:
    """At least every promise about a side that decides; precision and recall from below, a rate of
    errors from above."""
    given = Certificate(HOLD, boundary, automation_rate=0.6, limits=limits)
    assert proves(given, targets) == proven
