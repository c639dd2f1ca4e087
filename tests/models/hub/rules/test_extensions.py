"""Audits drawn from the store: the window is never chosen, and two people agree."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from models.hub import (
    EntryKind,
    ExtendAudit,
    RefusalRule,
    RequestExtension,
    dossier_digest,
    extension_request_of,
    extensions_of,
)
from models.hub.rules.extensions import window_begins
from tests.hub import MIDDLE, NOW, THIN, TRIED, Hub, a_team, entered, rule


def ask(hub: Hub, rate: float = 0.3, since: str = "go_live", actor: str = "ana"):
    return hub.ask(RequestExtension, since=since, rate=rate, actor=actor)


def agree(hub: Hub, actor: str = "ben", digest: str | None = None):
    asked = extension_request_of(hub.history, "ato")
    read = digest or ("" if asked is None else dossier_digest(asked))
    return hub.ask(ExtendAudit, request_digest=read, actor=actor)


def a_live_hub() -> Hub:
    hub = Hub()
    hub.make_live(THIN)
    return hub


def test_the_window_runs_from_go_live_to_the_request():
    """Not to the second person's word: what was decided since is in the next window."""
    hub = a_live_hub()
    live = hub.history[-1].at
    hub.make_live(MIDDLE)
    asked = entered(ask(hub))
    assert asked.kind is EntryKind.EXTENSION_REQUESTED
    hub.now += timedelta(days=2)
    done = entered(agree(hub))
    (one,) = extensions_of(hub.history, "ato")
    assert (one.since, one.until, one.rate, one.at) == (live, asked.at, 0.3, done.at)
    assert done.dossier["approvers"] == ["ana", "ben"]


def test_the_next_window_may_begin_where_the_last_one_ended():
    hub = a_live_hub()
    assert rule(ask(hub, since="last_extension")) is RefusalRule.NOTHING_TO_EXTEND
    entered(ask(hub))
    entered(agree(hub))
    entered(ask(hub, since="last_extension"))
    entered(agree(hub))
    first, second = extensions_of(hub.history, "ato")
    assert second.since == first.until


def test_the_window_of_the_model_begins_with_its_cases_and_never_before_go_live():
    hub = Hub()
    hub.make_live(THIN)
    live = hub.history[-1].at
    assert window_begins(hub.history, "ato", "this_model") is None
    hub.start_generation("b" * 64, trained_before=NOW - timedelta(days=9))
    assert window_begins(hub.history, "ato", "this_model") == live
    later = datetime(2026, 2, 1, tzinfo=NOW.tzinfo)
    hub.start_generation("c" * 64, trained_before=later)
    assert window_begins(hub.history, "ato", "this_model") == later


def test_before_go_live_there_is_nothing_to_draw():
    assert rule(ask(Hub())) is RefusalRule.NOTHING_TO_EXTEND
    assert rule(agree(Hub())) is RefusalRule.NOTHING_TO_EXTEND


def test_one_person_does_not_spend_the_hours_of_others():
    hub = a_live_hub()
    entered(ask(hub))
    assert rule(agree(hub, actor="ana")) is RefusalRule.TWO_PEOPLE_EXTEND
    assert extensions_of(hub.history, "ato") == ()


def test_the_second_person_agrees_to_the_request_that_they_read():
    hub = a_live_hub()
    entered(ask(hub, 0.1))
    read = dossier_digest(extension_request_of(hub.history, "ato"))
    entered(ask(hub, 0.9))  # takes the place of the first
    assert rule(agree(hub, digest=read)) is RefusalRule.APPROVAL_BINDS_TO_DOSSIER
    entered(agree(hub))
    assert [one.rate for one in extensions_of(hub.history, "ato")] == [0.9]
    assert rule(agree(hub, actor="cai")) is RefusalRule.NOTHING_TO_EXTEND


def test_the_same_wish_is_kept_once():
    hub = a_live_hub()
    entered(ask(hub))
    assert rule(ask(hub, actor="ben")) is RefusalRule.EXTENSION_IS_ASKED_FOR


def test_a_running_trial_keeps_its_design():
    hub = a_live_hub()
    entered(ask(hub))
    entered(hub.propose(TRIED))
    entered(hub.approve(TRIED))
    entered(hub.start_ab())
    assert rule(ask(hub, 0.5)) is RefusalRule.ONE_AB_AT_A_TIME
    assert rule(agree(hub)) is RefusalRule.ONE_AB_AT_A_TIME


def test_a_request_of_somebody_revoked_draws_nothing():
    hub = a_team()
    entered(hub.propose(THIN))
    entered(hub.approve(THIN))
    entered(hub.promote(THIN))
    entered(ask(hub, actor="cai"))
    entered(hub.revoke("cai"))
    assert rule(agree(hub)) is RefusalRule.NOTHING_TO_EXTEND


@pytest.mark.parametrize(("name", "asks", "agrees"), [("ben", True, True), ("cai", True, False), ("dee", False, False)])  # fmt: skip
def test_who_may_ask_and_who_may_agree(name: str, asks: bool, agrees: bool):
    hub = a_team()
    entered(hub.propose(THIN))
    entered(hub.approve(THIN))
    entered(hub.promote(THIN))
    said = ask(hub, actor=name)
    assert (entered(said).actor == name) if asks else rule(said) is RefusalRule.ROLE_PERMITS
    entered(ask(hub, 0.7, actor="ana"))
    said = agree(hub, actor=name)
    assert (entered(said).actor == name) if agrees else rule(said) is RefusalRule.ROLE_PERMITS


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.1}, {"since": "last tuesday"}])
def test_a_window_or_a_rate_of_ones_own_is_refused(wrong: dict[str, object]):
    said = {"since": "go_live", "rate": 0.3, **wrong}
    with pytest.raises(ValueError, match=r"rate|window"):
        RequestExtension(case_type="ato", actor="ana", base_version=0, **said)
