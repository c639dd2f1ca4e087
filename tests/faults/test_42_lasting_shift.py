"""A shift that lasts: labels are kept, held back from widening proofs, free to refute; the hold ends by itself when the new level has lasted, or by a person's word with a reason.

Injected: the share of bad labels falls from 78 % to 5 % and stays; a wave of four times as many bad
cases comes and goes; one delivery has its labels swapped; all of one class.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import GateRefused, UserError
from flows.verbs.evidence.truth import load_snapshot, on_hold
from flows.verbs.intake.holds import discard_hold, release_hold
from flows.verbs.services import Services
from models.hub import HoldState
from tests.faults.nights import holds, night, quiet_nights
from tests.flows.verbs.hub_desk import (
    ANA,
    AUDREY,
    BEN,
    DAY,
    NAME,
    NOW,
    OTHER,
    hub_desk,
    with_model,
)
from tests.outside_agent import decided, reviewed


@pytest.fixture
def steady(tmp_path: Path) -> Services:
    services = hub_desk(tmp_path)
    quiet_nights(services, NOW - 8 * DAY, 8, rows=200, bad=0.1)
    return services


def nights_at(services: Services, first: int, count: int, bad: float) -> list[str]:
    """Nights at one level; what each of them said of the case type."""
    said = []
    for number in range(first, first + count):
        cases = decided(NOW + (number - 1) * DAY, 200, name="d")
        told = night(services, NOW + number * DAY, decisions=cases, reviews=reviewed(cases, bad))
        said.append(told["results"]["case_types"][NAME]["state"])
    return said


def test_a_fall_that_stays_is_held_and_ends_by_itself_within_the_stated_days(
    tmp_path: Path,
) -> None:
    """From 78 % to 5 %: every night says so, and after hold_days the labels count, all of them."""
    services = hub_desk(tmp_path)
    quiet_nights(services, NOW - 30 * DAY, 30, rows=200, bad=0.78)
    days = services.hold_plan.lasts.days
    said = nights_at(services, 1, days + 2, 0.05)
    assert said == ["held"] * days + ["done"] * 2
    (hold,) = holds(services)
    assert hold.state is HoldState.RELEASED
    assert hold.reason == "5.00% of 200 labels are bad, 78.00% of the 6,000 before."
    snapshot = load_snapshot(services, NOW + (days + 2) * DAY)
    assert (
        len(on_hold(services.ledger, services.draws, services.reviewer_share_cap, snapshot, NAME))
        == 0
    )


def test_labels_on_hold_prove_nothing_and_refute(steady: Services) -> None:
    """They are missing from what widens, and there in what refutes."""
    nights_at(steady, 1, 1, 0.6)
    snapshot = load_snapshot(steady, NOW + 10 * DAY)
    held = snapshot.mature(steady, NAME)
    whole = snapshot.mature(steady, NAME, refuting=True)
    assert int(whole["bad"].notna().sum()) - int(held["bad"].notna().sum()) == 200
    waits = held["bad"].isna() & whole["bad"].notna()
    assert set(held.loc[waits.to_numpy(), "opened_at"].dt.date) == {NOW.date()}
    assert bool(held.loc[waits.to_numpy(), "drawn"].all())


def test_a_wave_that_passes_waits_for_a_persons_word(steady: Services) -> None:
    """Four days of it; the level after it lasts, so only the wave stays on hold until somebody speaks."""
    assert set(nights_at(steady, 1, 4, 0.5)) == {"held"}
    nights_at(steady, 5, steady.hold_plan.lasts.days + 2, 0.1)
    (hold,) = holds(steady)
    assert hold.state is HoldState.BOUNDED
    snapshot, at = load_snapshot(steady, NOW + 60 * DAY), NOW + 20 * DAY
    assert (
        len(on_hold(steady.ledger, steady.draws, steady.reviewer_share_cap, snapshot, NAME)) == 800
    )

    with pytest.raises(GateRefused, match="No reason is given"):
        release_hold(steady.ledger, steady.case_types, hold.hold_id, ANA, " ", at)
    with pytest.raises(GateRefused, match="takes the role"):
        release_hold(
            steady.ledger, steady.case_types, hold.hold_id, AUDREY, "The wave was real.", at
        )
    with pytest.raises(UserError, match=f"On hold are: {hold.hold_id}"):
        release_hold(steady.ledger, steady.case_types, "H999", ANA, "The wave was real.", at)
    release_hold(steady.ledger, steady.case_types, hold.hold_id, ANA, "The wave was real.", at)
    assert len(on_hold(steady.ledger, steady.draws, steady.reviewer_share_cap, snapshot, NAME)) == 0
    first = 5 + steady.hold_plan.lasts.days + 2
    assert nights_at(steady, first, 1, 0.1) == ["done"]


def test_discarded_labels_refute_until_a_second_person_agrees(steady: Services) -> None:
    """One person alone would silence the guard."""
    nights_at(steady, 1, 1, 0.9)
    (hold,) = holds(steady)
    at, snapshot = NOW + 2 * DAY, load_snapshot(steady, NOW + 10 * DAY)
    discard_hold(steady.ledger, steady.case_types, hold.hold_id, ANA, "Labels were swapped.", at)
    assert (
        len(on_hold(steady.ledger, steady.draws, steady.reviewer_share_cap, snapshot, NAME)) == 200
    )
    assert (
        len(
            on_hold(
                steady.ledger,
                steady.draws,
                steady.reviewer_share_cap,
                snapshot,
                NAME,
                refuting=True,
            )
        )
        == 0
    )
    with pytest.raises(GateRefused, match="takes a second person"):
        discard_hold(
            steady.ledger, steady.case_types, hold.hold_id, ANA, "Labels were swapped.", at
        )
    discard_hold(steady.ledger, steady.case_types, hold.hold_id, BEN, "I have seen it, too.", at)
    assert (
        len(
            on_hold(
                steady.ledger,
                steady.draws,
                steady.reviewer_share_cap,
                snapshot,
                NAME,
                refuting=True,
            )
        )
        == 200
    )
    with pytest.raises(GateRefused, match="nothing is left to say"):
        release_hold(steady.ledger, steady.case_types, hold.hold_id, BEN, "No.", at)


def test_never_a_loop_that_refuses_for_ever(steady: Services) -> None:
    """Whatever level comes after another one, sixty nights later the loop has taken it in."""
    number = 1
    for level in (0.5, 0.1, 0.9):
        nights_at(steady, number, 16, level)
        number += 16
    assert nights_at(steady, number, 1, 0.9) == ["done"]
    assert {hold.state for hold in holds(steady)} == {HoldState.RELEASED}


def test_a_type_of_few_labels_gets_its_hold_ended_too(tmp_path: Path) -> None:
    """Forty labels a fortnight: the 500 rows that end a hold take longer than the sixteen weeks of
    deliveries that are compared with each other."""
    services = hub_desk(tmp_path)

    def fortnights(first: int, count: int, bad: float) -> None:
        for number in range(first, first + count):
            at = NOW + 14 * number * DAY
            cases = decided(at - DAY, 40)
            night(services, at, decisions=cases, reviews=reviewed(cases, bad))

    fortnights(0, 6, 0.5)
    fortnights(6, 10, 0.05)
    (hold,) = holds(services)
    assert (hold.state, hold.rule) == (HoldState.OPEN, "base_rate_near_trailing")
    fortnights(16, 4, 0.05)
    (hold,) = holds(services)
    assert hold.state is HoldState.RELEASED
    assert (
        len(
            on_hold(
                services.ledger,
                services.draws,
                services.reviewer_share_cap,
                load_snapshot(services, NOW + 14 * 30 * DAY),
                NAME,
            )
        )
        == 0
    )


def test_new_models_do_not_keep_a_hold_open(tmp_path: Path) -> None:
    """A hundred labels a week and a new generation every other week: what the hold holds is counted
    from its start, not from where the newest model's evidence begins."""
    services = hub_desk(tmp_path)
    for week in range(12):
        at = NOW + 7 * week * DAY
        if week >= 5 and week % 2:
            for name in (NAME, OTHER):
                with_model(services, str(week), at - DAY / 2, name)
        cases = decided(at - 2 * DAY, 100)
        night(services, at, decisions=cases, reviews=reviewed(cases, 0.1 if week < 4 else 0.6))
    (hold,) = holds(services)
    assert hold.state is HoldState.RELEASED
