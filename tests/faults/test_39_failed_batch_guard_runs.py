"""A batch of any table fails: the guard and the expiry run all the same, for every case type; only what rests on that batch waits.

Injected: a live boundary that its audits refute, and a night on which one delivery is broken in a way
of its own: one of ten reviewers supplies 30 % of 300 reviews, cases a day are twelve times as many, a
rule raises, a column is missing, the source is down.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import data_contracts
from data_contracts.contract import RowRule
from flows.verbs.services import Services
from models.hub import EntryKind
from models.vocabulary import Boundary
from tests.faults.nights import holds, night, quiet_nights, stored
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    OTHER,
    WIDE,
    Echo,
    copied_desk,
    decided_cases,
    hub_desk,
    made_live,
    policy,
)
from tests.outside_agent import decided, reviewed

LATER = NOW + 10 * DAY


class Undecided(Echo):
    """A model to which every case is alike."""

    def score(self, cases: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        scores = np.full(len(cases), 0.5)
        return scores, scores


@pytest.fixture(scope="module")
def refuted_template(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Of what the live policy passes 60 % is bad, and one of the other case type has expired."""
    services = hub_desk(tmp_path_factory.mktemp("refuted") / "home")
    # What is delivered meanwhile scores between the cuts, so that the audits alone refute.
    undecided = Undecided("0" * 64)
    services.registry.load = lambda *_, **__: undecided  # type: ignore[method-assign, assignment, return-value]
    made_live(services, policy(WIDE), NOW)
    made_live(services, policy(WIDE, case_type=OTHER, valid_until=LATER), NOW)
    quiet_nights(services, LATER - 6 * DAY, 6, rows=300)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.6)
    return services


@pytest.fixture
def refuted(refuted_template: Services, tmp_path: Path) -> Services:
    return copied_desk(refuted_template, tmp_path / "home")


def unreadable() -> str:
    return "the database of desk decisions does not answer."


@pytest.mark.parametrize("broken", ["reviewer", "volume", "rule raises", "column", "source down"])
def test_the_guard_and_the_expiry_run_whatever_was_delivered(
    refuted: Services, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refuted boundary narrows the same night, the expired one too, and the night says what broke."""
    cases = decided(LATER, 3_600 if broken == "volume" else 300)
    reviews = reviewed(cases, busy=0.3 if broken == "reviewer" else 0.0)
    decisions: pd.DataFrame | str = cases
    if broken == "rule raises":
        rule = RowRule("raises", ("verdict",), "It raises.", lambda frame, _: frame["gone"])
        contract = data_contracts.CONTRACTS["reviews"]
        raising = replace(contract, row_rules=(*contract.row_rules, rule))
        changed = {**data_contracts.CONTRACTS, "reviews": raising}
        monkeypatch.setattr("flows.verbs.intake.delivered_decisions.CONTRACTS", changed)
    elif broken == "column":
        reviews = reviews.drop(columns="verdict")
    elif broken == "source down":
        decisions = unreadable()
    told = night(refuted, LATER + DAY, decisions=decisions, reviews=reviews)

    kinds = {(one["case_type"], one["kind"]) for one in told["entries"]}
    assert (NAME, "guardrail_tripped") in kinds
    assert (OTHER, "narrowed") in kinds
    live = refuted.ledger.live_policy(NAME)
    assert live is not None
    assert (live.boundary.pass_at_or_below or 0.0) < 0.1  # of 0.3
    assert told["results"]["case_types"][NAME]["guard"] == "tripped"
    assert told["verdict"].startswith(("Failed:", "Held:"))


def test_what_does_not_rest_on_the_broken_table_goes_on(refuted: Services) -> None:
    """Reviews without a column fail as a delivery; the decisions beside them are stored."""
    before = stored(refuted, "decisions")
    cases = decided(LATER, 300)
    told = night(
        refuted, LATER + DAY, decisions=cases, reviews=reviewed(cases).drop(columns="team")
    )
    assert stored(refuted, "decisions") == before + 300
    assert told["results"]["tables"]["decisions"]["state"] == "done"
    failed = told["results"]["tables"]["reviews"]
    assert failed["state"] == "failed"
    assert "missing from reviews: 'team'" in failed["why"][0]
    again = night(refuted, LATER + DAY, reviews=reviewed(cases))
    assert again["results"]["tables"]["reviews"]["state"] == "done"
    assert again["rows_new"] == 300


def test_a_reviewer_above_the_cap_is_capped_and_not_a_reason_to_stop(refuted: Services) -> None:
    """All 300 reviews are stored; of the 90 by one person those beyond a quarter wait."""
    cases = decided(LATER, 300)
    told = night(refuted, LATER + DAY, decisions=cases, reviews=reviewed(cases, busy=0.3))
    assert told["rows_new"] == 600
    (hold,) = holds(refuted)
    assert (hold.rule, hold.table) == ("no_reviewer_above_cap", "reviews")
    assert hold.reason.startswith("One of 10 reviewers supplies 30% of 300 reviews")
    assert "p0" not in str(told["holds"])
    placed = refuted.ledger.history(NAME)
    assert [one.kind for one in placed].count(EntryKind.HOLD_PLACED) == 1


def test_a_boundary_without_a_generation_is_said_to_be_unguarded(tmp_path: Path) -> None:
    """Nothing can be held against it, so the night is not done."""
    services = hub_desk(tmp_path)
    made_live(services, policy(Boundary(0.3, None)), NOW)
    services.registry.digests[NAME, "9"] = "9" * 64
    other = replace(policy(WIDE), model_version="9", model_digest="9" * 64)
    made_live(services, other, NOW + DAY)
    told = night(services, NOW + 2 * DAY)
    assert told["results"]["case_types"][NAME]["guard"] == "not judged"
    assert told["results"]["case_types"][NAME]["state"] == "failed"
