"""Does a proof last until its policy can decide something?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from models.hub import Entry, EntryKind
from models.hub.policies.lasting import lasts_until_live
from models.vocabulary import AbPlan, Targets
from tests.hub import NOW, THIN, Hub, rule

DAY = timedelta(days=1)
TRIAL = AbPlan(Targets(precision=0.95, recall=0.99), horizon_days=28.0)


def test_what_has_ended_already_is_not_proposed():
    """A year of maturity and half a year of belief: the proof ended half a year ago."""
    ended = replace(THIN, valid_until=NOW - 365 * DAY + 180 * DAY)
    hub = Hub()
    said = hub.propose(ended)
    assert rule(said) == "certificate_lasts"
    assert "`certificate_days` must be longer than `maturity_days`" in said.reason
    assert isinstance(hub.propose(replace(THIN, valid_until=NOW + DAY)), Entry)


@pytest.mark.parametrize(("days", "refused"), [(27.0, True), (28.0, True), (28.1, False)])
def test_a_trial_takes_its_horizon_before_a_policy_is_live(days, refused):
    """A certificate that ends with the trial, or during it, decides nothing."""
    said = lasts_until_live("p" * 64, NOW + days * DAY, TRIAL, NOW)
    assert (said is not None) == refused


def test_the_moment_of_its_end_is_past():
    """A certificate holds until `valid_until`, and no longer at it."""
    assert lasts_until_live("p" * 64, NOW, None, NOW) is not None
    assert lasts_until_live("p" * 64, NOW + timedelta(seconds=1), None, NOW) is None
    assert lasts_until_live("p" * 64, None, TRIAL, NOW) is None


def test_a_proposal_that_waited_too_long_is_neither_approved_nor_promoted():
    """What lasted when it was proposed may have ended since."""
    short = replace(THIN, valid_until=NOW + 2 * DAY)
    waited, agreed = Hub(), Hub()
    waited.propose(short)
    waited.now += 3 * DAY
    assert rule(waited.approve(short)) == "certificate_lasts"
    agreed.propose(short)
    assert agreed.approve(short).kind is EntryKind.APPROVED
    agreed.now += 3 * DAY
    assert rule(agreed.promote(short)) == "certificate_lasts"


def test_no_trial_begins_on_a_certificate_that_has_ended():
    tried = replace(THIN, valid_until=NOW + 29 * DAY, ab_plan=TRIAL)
    hub = Hub()
    hub.propose(tried)
    hub.approve(tried)
    hub.now += 30 * DAY
    assert rule(hub.start_ab(tried)) == "certificate_lasts"


def test_the_end_stands_in_the_entry_whatever_the_dossier_says():
    """Who approves reads the policy's own end."""
    lasts = replace(THIN, valid_until=NOW + 90 * DAY)
    said = Hub().propose(lasts, dossier={"valid_until": "2099-01-01T00:00:00+00:00"})
    assert said.dossier["valid_until"] == "2026-04-01T00:00:00.000000+00:00"
