"""What does a person read after a night?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.verbs import live
from flows.verbs.record.night_results import NightResults
from models.hub.record.entries import Entry, EntryKind
from models.hub.rules.holds import Hold, HoldState
from tests.flows.commands.live_home import LiveHome
from tests.nights import quiet_dossier


def test_a_night_names_what_it_wrote_into_the_ledger(
    bare: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boundary that went back by itself stands on the screen, not in the dossier alone."""
    at = datetime(2026, 5, 4, tzinfo=UTC)
    kinds = (EntryKind.GUARDRAIL_TRIPPED, "a"), (EntryKind.ROLLED_BACK, "b")
    entries = [
        Entry(number, "ato", number, kind, "night", at, of * 64, number - 1, None, {}, "0", "0")
        for number, (kind, of) in enumerate(kinds, start=1)
    ]
    told = quiet_dossier(at, entries=entries)
    monkeypatch.setattr(live, "live_night", lambda *_: told)
    said = bare.ask("night")
    assert said.code == 0, said.err
    assert [line for line in said.out.splitlines() if line.startswith("Ledger:")] == [
        "Ledger: ato guardrail tripped aaaaaaaaaaaa",
        "Ledger: ato rolled back bbbbbbbbbbbb",
    ]


def test_a_night_says_first_what_is_held_or_failed_and_ends_with_3(
    bare: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines, before any count; `status` repeats them; alerts are kept."""
    at = datetime.now(UTC)
    results = NightResults()
    results.table("reviews").failed.append("reviews: the database is down.")
    results.case_type("ato").held.append("ato: on hold (H7).")
    hold = Hold("H7", "ato", "reviews", "base_rate", "it moved", at, None, HoldState.OPEN, at)
    verdict = "Failed: reviews. Held: ato. Done: nothing."
    told = quiet_dossier(at, results, holds=[hold])
    monkeypatch.setattr(live, "live_night", lambda *_: told)
    said = bare.ask("night")
    assert said.code == 3
    assert said.out.splitlines()[:4] == [
        verdict,
        "  reviews: the database is down.",
        "  ato: on hold (H7).",
        "  End it by: ratchet release H7 --reason R, or discard.",
    ]
    later = bare.ask("status")
    assert f"{verdict}\n  reviews: the database is down.\n  ato: on hold (H7).\n" in later.out
    assert "Alert" in later.out
    assert later.out.count("reviews: the database is down.") == 2


def test_status_says_when_no_night_has_been_run(bare: LiveHome) -> None:
    """Nobody guards what is live then."""
    assert "No night has been run in this home yet." in bare.ask("status").out


def test_a_retrain_that_answers_no_known_ticket_fits_nothing(bare: LiveHome) -> None:
    """Exit 2 before anything is read or registered; so does a case type that is none."""
    said = bare.ask("retrain", "ato", "--answers", "nope")
    assert (said.code, said.out) == (2, "")
    assert "ato has no ticket 'nope'; `ratchet tickets --json` lists them" in said.err
    said = bare.ask("retrain", "atoo", "--answers", "nope")
    assert (said.code, "there is no case type 'atoo'" in said.err) == (2, True)
