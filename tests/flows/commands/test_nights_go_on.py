"""Eight nights on a small simulated feed with everything that goes wrong in a month of a real one.

Two outages, a source without a watermark, an outcomes table that is empty for a night, a delivery in
which every row stands twice, a wave of bad cases: no night is lost, no row, and no judgement on the
live boundary.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.feed import Agent, Feed, Habits, write_config
from flows.verbs import live
from models.hub.record.entries import EntryKind
from tests.flows.commands.live_home import LiveHome, Said, proposed, with_a_model

START = pd.Timestamp("2026-03-02", tz="UTC")
CASE_TYPE = {
    "name": "simulated_card",
    "features": [{"name": "amount"}, {"name": "distance"}],
    "targets": {"precision": 0.9, "false_omission_rate": 0.05},
    "maturity_days": 2,
    "audit_rate": 0.1,
}
CASES_A_DAY, DAYS, WAVE = 300, 14, (7, 14)
NIGHTS = (1, 2, 5, 6, 7, 11, 12, 13)  # two outages: two nights and three
EMPTY_OUTCOMES, DOUBLED = 6, 7
KEYS = {"decisions": ["case_id"], "reviews": ["review_id", "revision"],
        "outcomes": ["case_id", "source", "observed_at"]}  # fmt: skip


@dataclass
class Nights:
    """What every night said and filed, and the home and feed they ran in."""

    home: LiveHome
    feed: Feed
    said: dict[int, Said]
    dossiers: dict[int, dict[str, Any]]

    @staticmethod
    def moment(day: int) -> pd.Timestamp:
        return START + pd.Timedelta(days=day, hours=2)


def small_feed() -> Feed:
    """Some 5 % bad, in the wave 2.5 times as many; whom the agent is sure of it decides."""
    rng = np.random.default_rng([12, 3])
    size = CASES_A_DAY * DAYS
    opened = START + pd.to_timedelta(np.sort(rng.random(size)) * DAYS * 86_400, unit="s")
    day = (opened - START).days.to_numpy()
    bad = rng.random(size) < np.where((day >= WAVE[0]) & (day < WAVE[1]), 0.125, 0.05)
    signal = rng.normal(size=(size, 2)) + bad[:, None]
    cases = pd.DataFrame(
        {
            "case_id": [f"case-{one:05d}" for one in range(size)],
            "case_type": CASE_TYPE["name"],
            "opened_at": opened.floor("us"),
            "priority": 0,
            "amount_usd": 20.0,
            "score": 1.0 / (1.0 + np.exp(4.0 - 1.5 * signal.sum(axis=1))),
            "bad": bad,
            "amount": signal[:, 0],
            "distance": signal[:, 1],
        }
    )
    cases["opened_at"] = cases["opened_at"].astype("datetime64[us, UTC]")
    agent = Agent("the-other-agents-policy", "their-model", 0.03, 0.95, audit_rate=0.1)
    habits = Habits(late_chargebacks=5, late_days=(3.5, 5.0), chargeback_days=(0.5, 2.0),
                    correction_days=(1.0, 2.0))  # fmt: skip
    return Feed(cases, agent, seed=3, habits=habits)


@pytest.fixture
def nights(manned: LiveHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """All nights by `ratchet night`, with a live boundary approved and promoted by commands."""
    tables = tmp_path / "tables"
    tables.mkdir()
    for name, value in write_config(tmp_path / "config", CASE_TYPE, tables).items():
        monkeypatch.setenv(name, value)
    for name, days in (("NIGHT__HOLD", 2), ("NIGHT__WHOLE_READ", 2), ("TRIAGE__EVERY", 14)):
        monkeypatch.setenv(f"RATCHET_{name}_DAYS", str(days))
    services = manned.services()
    policy = proposed(services, with_a_model(services, CASE_TYPE["name"]), CASE_TYPE["name"])
    for command, by in ((("approve", "--yes"), "ana"), (("promote",), "ben")):
        said = manned.ask(*command, policy.policy_id, by=by)
        assert said.code == 0, said.err
    found = Nights(manned, small_feed(), {}, {})
    for day in NIGHTS:
        at = found.moment(day)
        found.feed.write(
            tables,
            at,
            empty=["outcomes"] if day == EMPTY_OUTCOMES else [],
            doubled=["decisions", "reviews"] if day == DOUBLED else [],
        )
        found.said[day] = manned.ask("night", "--as-of", at.isoformat())
        file = manned.home / "live" / "dossiers" / f"{at.date()}.json"
        if file.exists():
            found.dossiers[day] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_no_night_no_row_and_no_judgement_is_lost(nights: Nights) -> None:
    """Whatever was delivered, every night files what it did, held and failed; in the end every row is
    stored once, and what is left aside has a rule's name."""
    assert list(nights.dossiers) == list(NIGHTS)
    for day, told in nights.dossiers.items():
        results = told["results"]
        assert set(results["tables"]) == set(KEYS), f"day {day}"
        one = results["case_types"][CASE_TYPE["name"]]
        assert one["guard"], f"day {day}: the live boundary was not judged"
        _exit_code_and_words(nights.said[day], results)
    _every_row_is_stored_once(nights)
    _the_wave_was_held_and_let_go(nights)


def _exit_code_and_words(said: Said, results: dict[str, Any]) -> None:
    """0 where all is done; else 3, and what is not done stands before everything else."""
    states = [one["state"] for group in results.values() for one in group.values()]
    assert said.code == (0 if set(states) == {"done"} else 3), said.err
    if said.code:
        not_done = [
            why for group in results.values() for one in group.values() for why in one["why"]
        ]
        assert not_done[0] in said.out


def _every_row_is_stored_once(nights: Nights) -> None:
    with pytest.MonkeyPatch.context() as here:
        here.setenv("RATCHET_HOME", str(nights.home.home))
        services = live.open_services()
    for table, keys in KEYS.items():
        came = nights.feed.there(table, nights.moment(NIGHTS[-1]))
        stored = services.store.read(table, columns=keys)
        assert len(came) > (20 if table == "outcomes" else 1_000)
        assert not stored.duplicated(keys).any()
        both = came.merge(stored, on=keys, how="left", indicator=True)["_merge"]
        assert both.eq("both").all(), f"{both.ne('both').sum()} {table} are not stored"
        copies = services.store.rejects(table)
        if len(copies):
            assert set(copies["broken_rules"]) == {"not_delivered_twice_in_one_batch"}
    assert len(nights.feed.late_chargebacks(nights.moment(NIGHTS[-1]))) > 0


def _the_wave_was_held_and_let_go(nights: Nights) -> None:
    """Its labels went on hold the first night it was seen, and counted again once it had lasted."""
    entries = nights.home.services().ledger.history(CASE_TYPE["name"])
    holds = [(one.kind, one.at.day - START.day) for one in entries if "hold" in one.kind.value]
    assert holds == [(EntryKind.HOLD_PLACED, 11), (EntryKind.HOLD_RELEASED, 13)]
    said = {day: nights.said[day].code for day in NIGHTS}
    assert said == {day: 3 if day in (11, 12) else 0 for day in NIGHTS}
