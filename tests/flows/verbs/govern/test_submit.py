"""What an unattended step does when somebody's entry comes in between."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from configs.errors import GateRefused
from flows.verbs.certify.expiry import expire_policy
from flows.verbs.certify.generation import last_version
from flows.verbs.certify.guardrail import guard_live_policy
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.submit import StaleBase, looking_again, submitted
from flows.verbs.services import Services
from models.hub import Command, Entry, EntryKind, Narrow, Promote, Refusal, RollBack
from models.hub.record.refusal import RefusalRule
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    NARROW,
    NOW,
    WIDE,
    decided_cases,
    filed,
    hub_desk,
    made_live,
    policy,
)


def somebody_is_quicker(
    services: Services, monkeypatch: pytest.MonkeyPatch, than: type[Command], times: int
) -> None:
    """Before such a command arrives, so many times, another proposal of the case type does."""
    submit, others = services.ledger.submit, [Boundary(0.01 * (1 + n), None) for n in range(times)]

    def outrun(command: Command, at: datetime) -> Entry | Refusal:
        if isinstance(command, than) and others:
            filed(services, policy(others.pop()), at)
        return submit(command, at)

    monkeypatch.setattr(services.ledger, "submit", outrun)


def test_who_comes_second_hears_that_the_base_is_stale(tmp_path: Path) -> None:
    """Of another refusal the base is not the reason."""
    services = hub_desk(tmp_path)
    filed(services, policy(WIDE))
    said = {"case_type": NAME, "policy_id": policy(WIDE).policy_id, "actor": ANA}
    with pytest.raises(StaleBase, match="stale base"):
        submitted(
            services.ledger,
            Promote(base_version=last_version(services.ledger, NAME) + 1, **said),
            NOW,
        )
    with pytest.raises(GateRefused) as refused:
        submitted(
            services.ledger, Promote(base_version=last_version(services.ledger, NAME), **said), NOW
        )
    assert not isinstance(refused.value, StaleBase)


def test_an_expiry_is_not_held_up_by_somebody_elses_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice somebody was quicker; both stale attempts are kept as refusals."""
    services = hub_desk(tmp_path, certificate_days=30.0)
    made_live(services, policy(WIDE, valid_until=NOW + 30 * DAY))
    somebody_is_quicker(services, monkeypatch, Narrow, times=2)
    (entry,) = expire_policy(services.ledger, services.alerts, NAME, NOW + 31 * DAY)
    assert entry.kind is EntryKind.NARROWED
    assert [one.rule for one in services.ledger.refusals(NAME)] == [RefusalRule.STALE_BASE] * 2
    assert services.ledger.live_policy(NAME).boundary.automates_nothing


def test_a_rollback_by_the_guard_is_not_held_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm is raised anew on the ledger as it is by then, and answered."""
    services = hub_desk(tmp_path)
    made_live(services, policy(NARROW), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    somebody_is_quicker(services, monkeypatch, RollBack, times=1)
    (tripped,) = guard_live_policy(services, load_snapshot(services, NOW + 10 * DAY), NAME)
    assert [one.kind for one in tripped.entries] == [
        EntryKind.GUARDRAIL_TRIPPED, EntryKind.ROLLED_BACK,
    ]  # fmt: skip
    assert services.ledger.live_policy(NAME) == policy(NARROW)


def test_it_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that never rests is somebody's mistake, and no reason to try for ever."""
    services = hub_desk(tmp_path, certificate_days=30.0)
    made_live(services, policy(WIDE, valid_until=NOW + 30 * DAY))
    somebody_is_quicker(services, monkeypatch, Narrow, times=9)
    with pytest.raises(StaleBase):
        expire_policy(services.ledger, services.alerts, NAME, NOW + 31 * DAY)
    assert len(services.ledger.refusals(NAME)) == 3


def test_a_step_that_is_refused_for_another_reason_is_not_tried_again() -> None:
    """Asking again would change nothing."""
    asked: list[int] = []

    def refuse() -> None:
        asked.append(1)
        raise GateRefused("no approval")

    with pytest.raises(GateRefused, match="no approval"):
        looking_again(refuse)
    assert len(asked) == 1
