"""When do labels wait, and whose word ends it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.hub import (
    BoundHold,
    DiscardHold,
    Entry,
    HoldState,
    PlaceHold,
    Refusal,
    ReleaseHold,
    handle_command,
    holds_of,
    version_of,
)
from models.hub.record.refusal import RefusalRule
from models.hub.rules.people import NIGHT

NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)
DAY = timedelta(days=1)
ATO = "ato"


class Book:
    """A ledger of holds."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def ask(self, kind, at=NOW, actor=NIGHT, **fields):
        command = kind(
            case_type=ATO, actor=actor, base_version=version_of(self.entries, ATO), **fields
        )
        said = handle_command(self.entries, command, at)
        if isinstance(said, Entry):
            self.entries.append(said)
        return said

    def place(self, table="reviews", rule="base_rate_near_trailing", since=NOW):
        told = {"table": table, "rule": rule, "since": since, "reason": "5 % for 78 %."}
        return self.ask(PlaceHold, **told)

    @property
    def hold(self):
        return holds_of(self.entries, ATO)[-1]


@pytest.fixture
def snapshot() -> Book:
    return Book()


def test_a_hold_is_open_until_somebody_or_something_ends_it(snapshot):
    """It is named by H and the ledger's number."""
    placed = snapshot.place()
    assert isinstance(placed, Entry)
    assert (snapshot.hold.hold_id, snapshot.hold.state) == ("H1", HoldState.OPEN)
    assert (snapshot.hold.since, snapshot.hold.until, snapshot.hold.waits) == (NOW, None, True)
    assert (snapshot.hold.proves_nothing, snapshot.hold.refutes_nothing) == (True, False)


def test_one_rule_holds_a_table_once_at_a_time(snapshot):
    """Another table, or another rule, is another hold; so is the next one after it was bounded."""
    snapshot.place()
    assert snapshot.place().rule is RefusalRule.HELD_ALREADY
    assert isinstance(snapshot.place(table="decisions", rule="volume_near_trailing"), Entry)
    snapshot.ask(BoundHold, hold_id="H1", until=NOW + DAY, reason="It lasted.")
    assert isinstance(snapshot.place(since=NOW + 2 * DAY), Entry)


def test_a_bounded_hold_keeps_what_it_holds(snapshot):
    """What came in from then on counts; it still waits, and can be bounded once."""
    snapshot.place()
    assert (
        snapshot.ask(BoundHold, hold_id="H1", until=NOW, reason="x").rule
        is RefusalRule.BOUND_LIES_AFTER
    )
    snapshot.ask(BoundHold, hold_id="H1", until=NOW + DAY, reason="It lasted.")
    assert (snapshot.hold.state, snapshot.hold.until, snapshot.hold.waits) == (
        HoldState.BOUNDED,
        NOW + DAY,
        True,
    )
    again = snapshot.ask(BoundHold, hold_id="H1", until=NOW + 2 * DAY, reason="x")
    assert again.rule is RefusalRule.HOLD_HAS_ENDED


def test_a_released_hold_proves_again(snapshot):
    """By whom and when is kept; a second word is too late."""
    snapshot.place()
    snapshot.ask(ReleaseHold, hold_id="H1", reason="A real wave.", actor="ana", at=NOW + DAY)
    hold = snapshot.hold
    assert (hold.state, hold.ended_by, hold.ended_at) == (HoldState.RELEASED, "ana", NOW + DAY)
    assert not hold.proves_nothing
    late = snapshot.ask(DiscardHold, hold_id="H1", reason="Swapped.", actor="ben")
    assert late.rule is RefusalRule.HOLD_HAS_ENDED


def test_one_person_takes_proof_from_labels_and_two_take_refutation(snapshot):
    """The same person twice is one person, however they are spelled."""
    snapshot.place()
    snapshot.ask(DiscardHold, hold_id="H1", reason="Swapped.", actor="ana", at=NOW + DAY)
    assert (snapshot.hold.proves_nothing, snapshot.hold.refutes_nothing) == (True, False)
    again = snapshot.ask(DiscardHold, hold_id="H1", reason="Swapped.", actor="ANA")
    assert again.rule is RefusalRule.TWO_PEOPLE_STRIKE
    snapshot.ask(DiscardHold, hold_id="H1", reason="Seen.", actor="ben", at=NOW + 2 * DAY)
    assert (snapshot.hold.state, snapshot.hold.refutes_nothing) == (HoldState.STRUCK, True)


@pytest.mark.parametrize("kind", [ReleaseHold, DiscardHold])
def test_ending_a_hold_takes_a_reason_and_a_hold(snapshot, kind):
    """Those that wait are named."""
    snapshot.place()
    assert (
        snapshot.ask(kind, hold_id="H1", reason="  ", actor="ana").rule
        is RefusalRule.REASON_IS_GIVEN
    )
    unknown = snapshot.ask(kind, hold_id="H7", reason="x", actor="ana")
    assert isinstance(unknown, Refusal)
    assert unknown.rule is RefusalRule.HOLD_IS_KNOWN
    assert "on hold there: H1" in unknown.reason


def test_only_a_table_of_the_contracts_can_be_held(snapshot):
    """A bug, not a person's mistake."""
    with pytest.raises(ValueError, match="not on 'people'"):
        snapshot.place(table="people")
