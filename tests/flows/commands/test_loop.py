"""What does a person read after a night?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.verbs import live, night
from tests.flows.commands.live_home import LiveHome


def test_a_night_names_what_it_wrote_into_the_ledger(
    bare: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boundary that went back by itself stands on the screen, not in the dossier alone."""
    told = night.stopped_dossier(datetime(2026, 5, 4, tzinfo=UTC), [])
    told |= {
        "stopped": False,
        "entries": [
            {"case_type": "ato", "kind": "guardrail_tripped", "policy_id": "a" * 64},
            {"case_type": "ato", "kind": "rolled_back", "policy_id": "b" * 64},
        ],
    }
    monkeypatch.setattr(live, "configured_sources", dict)
    monkeypatch.setattr(live, "load_deliveries", lambda *_: [])
    monkeypatch.setattr(night, "run_night", lambda *_: told)
    said = bare.ask("night")
    assert said.code == 0, said.err
    assert [line for line in said.out.splitlines() if line.startswith("Ledger:")] == [
        "Ledger: ato guardrail tripped aaaaaaaaaaaa",
        "Ledger: ato rolled back bbbbbbbbbbbb",
    ]


def test_a_retrain_that_answers_no_known_ticket_fits_nothing(bare: LiveHome) -> None:
    """Exit 2 before anything is read or registered; so does a case type that is none."""
    said = bare.ask("retrain", "ato", "--answers", "nope")
    assert (said.code, said.out) == (2, "")
    assert "ato has no ticket 'nope'; `ratchet tickets --json` lists them" in said.err
    said = bare.ask("retrain", "atoo", "--answers", "nope")
    assert (said.code, "there is no case type 'atoo'" in said.err) == (2, True)
