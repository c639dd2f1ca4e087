"""Audits drawn later from the store: who joins, when, and what of them counts (METHODS 2)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.cohort_rows import cohort_for, membership, reserve
from flows.verbs.evidence.store_draws import AUDITED_LATER, STORE_AT, STORE_RATE
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.population_watch import levels_of
from flows.verbs.intake.waiting_rows import open_draws
from flows.verbs.more_labels.extend_audit import ask_or_agree, draw_asked
from flows.verbs.record.last_night import second_persons
from flows.verbs.services import Services
from models.boundary.decision.audit import audit_purpose
from models.hub import EntryKind, Policy
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    NOW,
    OLA,
    copied_desk,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    store,
    verify,
)

DRAWN = NOW + 60 * DAY
LATER = DRAWN + DAY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Services, Policy, pd.DataFrame]:
    """600 cases that the live policy decided, audited at .5; one passed case in ten is bad."""
    services = with_scores(hub_desk(tmp_path_factory.mktemp("store") / "home"))
    live = policy()
    made_live(services, live, NOW)
    rows = decided_cases(services, live, NOW + DAY, 600, bad_passed=0.1, keyed=True)
    return services, live, rows


@pytest.fixture
def services(made: tuple[Services, Policy, pd.DataFrame], tmp_path: Path) -> Services:
    return copied_desk(made[0], tmp_path / "home")


def with_scores(services: Services) -> Services:
    """A registry that answers with a model's reference scores and nothing else."""
    model = SimpleNamespace(reference_scores=np.linspace(0.0, 1.0, 1_000))
    services.registry.load = lambda *_, **__: model  # type: ignore[method-assign, assignment, return-value]
    return services


def draw(services: Services, rate: float, at: datetime = DRAWN) -> None:
    """An operator asks, an approver agrees an hour later."""
    asked = ask_or_agree(
        services.ledger, draw_asked(services, NAME, "go_live", at, rate=rate), OLA, at
    )
    assert asked.kind is EntryKind.EXTENSION_REQUESTED
    at += DAY / 24
    drawn = ask_or_agree(
        services.ledger, draw_asked(services, NAME, "go_live", at, rate=rate), ANA, at
    )
    assert drawn.kind is EntryKind.AUDIT_EXTENDED


def known(services: Services, at: datetime = LATER) -> pd.DataFrame:
    return load_snapshot(services, at).known(NAME).set_index("case_id", drop=False).sort_index()


def uniform(services: Services, rows: pd.DataFrame) -> np.ndarray:
    return services.draws.case_draw(audit_purpose(NAME), rows["case_id"])


def test_a_draw_makes_the_audits_of_one_draw_at_the_higher_rate(services: Services) -> None:
    """By the second road: audited and propensity as if the policy had said .8 from the start."""
    before = known(services)
    draw(services, 0.8)
    rows = known(services)
    automatic = (rows["action"].astype("str") != "escalate").to_numpy()
    assert automatic.any()
    drawn = automatic & (uniform(services, rows) < 0.8)
    np.testing.assert_array_equal(rows["audited"].to_numpy(dtype=bool), drawn)
    assert (rows["propensity"].to_numpy()[automatic] == 0.8).all()
    assert (rows["propensity"].to_numpy()[~automatic] == 1.0).all()
    newly = drawn & ~before["audited"].to_numpy(dtype=bool)
    np.testing.assert_array_equal(rows[AUDITED_LATER].to_numpy(dtype=bool), newly)
    found = membership(services.ledger, services.draws, NAME, rows)
    np.testing.assert_array_equal(found.member | found.later, uniform(services, rows) < 0.8)
    np.testing.assert_array_equal(found.member, uniform(services, rows) < 0.5)


def test_two_draws_are_one_at_the_higher_rate(services: Services, tmp_path: Path) -> None:
    once = copied_desk(services, tmp_path / "once")
    draw(once, 0.8)
    draw(services, 0.6, DRAWN - 3 * DAY)
    draw(services, 0.8)
    names = ["audited", "propensity", STORE_RATE, "drawn"]
    pd.testing.assert_frame_equal(known(services)[names], known(once)[names])
    one, two = (membership(each.ledger, each.draws, NAME, known(each)) for each in (once, services))
    np.testing.assert_array_equal(one.member | one.later, two.member | two.later)
    entered = known(services)[STORE_AT]
    assert set(entered.dropna()) == {pd.Timestamp(at + DAY / 24) for at in (DRAWN - 3 * DAY, DRAWN)}


def test_what_surfaced_by_itself_joins_like_any_other(services: Services) -> None:
    """A chargeback on a case that was not drawn is no label; once the case is drawn, it counts."""
    rows = known(services)
    between = (uniform(services, rows) >= 0.5) & (uniform(services, rows) < 0.8)
    passed = (rows["action"].astype("str") == "auto_pass").to_numpy()
    case = str(rows["case_id"][between & passed].iloc[0])
    surfaced = pd.DataFrame(
        {
            "case_id": [case],
            "case_type": NAME,
            "observed_at": [pd.Timestamp(NOW + 5 * DAY)],
            "bad": True,
            "source": "chargeback",
        }
    )
    store(services, "outcomes", surfaced, ["case_id", "observed_at"], NOW + 5 * DAY)
    told = known(services).loc[case]
    assert bool(told["surfaced"])
    assert np.isnan(told["bad"])
    draw(services, 0.8)
    told = known(services).loc[case]
    assert not bool(told["surfaced"])
    assert told["bad"] == 1.0


def test_a_cohort_only_grows_by_a_draw(services: Services) -> None:
    """What stood in the order keeps its place; who joins comes at the moment of the draw, and is waited
    for from then on."""
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    before = cohort_for(services, load_snapshot(services, DRAWN), NAME, generation)
    draw(services, 0.8)
    after = cohort_for(services, load_snapshot(services, LATER), NAME, generation)
    kept = ["case_id", "in_cohort", "in_block_cohort", "score"]
    pd.testing.assert_frame_equal(after[kept].iloc[: len(before)], before[kept])
    joined = after.iloc[len(before) :]
    assert len(joined)
    assert joined["from_store"].all()
    assert joined["in_cohort"].all()
    assert not joined["given_up"].any()
    automatic = (joined["action"].astype("str") != "escalate").to_numpy()
    assert joined["bad"].isna().to_numpy()[automatic].all()  # these wait
    assert joined["bad"].notna().to_numpy()[~automatic].all()  # a person had decided them anyway
    members = after[after["in_cohort"].to_numpy(dtype=bool)]
    assert not members["case_id"].duplicated().any()
    again = cohort_for(services, load_snapshot(services, LATER + 400 * DAY), NAME, generation)
    assert again["given_up"].any()  # nobody ever looked


def test_a_side_that_is_reviewed_keeps_its_places_too(tmp_path: Path) -> None:
    """Where nothing is blocked every case is in the block cohort from the start, at its own place; its
    entry into the cohort is another row."""
    services = with_scores(hub_desk(tmp_path))
    live = policy(Boundary(0.3, None))
    made_live(services, live, NOW)
    decided_cases(services, live, NOW + DAY, 400, bad_passed=0.1, keyed=True)
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    before = cohort_for(services, load_snapshot(services, DRAWN), NAME, generation)
    assert before["in_block_cohort"].all()
    draw(services, 0.8)
    after = cohort_for(services, load_snapshot(services, LATER), NAME, generation)
    kept = ["case_id", "in_cohort", "in_block_cohort"]
    pd.testing.assert_frame_equal(after[kept].iloc[: len(before)], before[kept])
    joined = after.iloc[len(before) :]
    assert len(joined)
    assert not joined["in_block_cohort"].any()
    for flag in ("in_cohort", "in_block_cohort"):
        mine = after[after[flag].to_numpy(dtype=bool)]
        assert not mine["case_id"].duplicated().any()


def test_what_is_drawn_later_is_set_aside_from_nothing(services: Services) -> None:
    """A model may have learned from it by then: an escalated case has a label without any draw."""
    begins = (NOW, NOW)
    before = known(services, DRAWN)
    aside = reserve(
        services.ledger,
        services.draws,
        NAME,
        before,
        membership(services.ledger, services.draws, NAME, before),
        begins,
    )
    assert aside.any()
    draw(services, 0.8)
    after = known(services)
    now_aside = reserve(
        services.ledger,
        services.draws,
        NAME,
        after,
        membership(services.ledger, services.draws, NAME, after),
        begins,
    )
    np.testing.assert_array_equal(now_aside, aside)


def test_what_is_drawn_waits_for_a_review_oldest_first(services: Services) -> None:
    nothing = open_draws(services, LATER, NAME)
    assert nothing.empty
    asked = draw_asked(services, NAME, "go_live", DRAWN, rate=0.8)
    draw(services, 0.8)
    waits = open_draws(services, LATER, NAME)
    assert len(waits) == asked.labels
    assert waits["decided_at"].is_monotonic_increasing
    assert waits["case_id"].is_unique


def test_a_draw_that_waits_for_a_second_person_is_named_with_its_command(
    services: Services,
) -> None:
    ask_or_agree(
        services.ledger, draw_asked(services, NAME, "go_live", DRAWN, rate=0.9), OLA, DRAWN
    )
    (waits,) = second_persons(services.case_types, services.ledger.history())
    assert waits["command"] == f"ratchet sprint {NAME} --from-store go-live --rate 0.9"
    assert waits["what"].startswith(f"{OLA} asks to draw audits")
    ask_or_agree(
        services.ledger, draw_asked(services, NAME, "go_live", DRAWN, rate=0.9), ANA, DRAWN
    )
    assert second_persons(services.case_types, services.ledger.history()) == []


def test_a_draw_is_seen_from_its_moment_on(services: Services) -> None:
    before = known(services, DRAWN)
    draw(services, 0.8)
    pd.testing.assert_frame_equal(known(services, DRAWN), before)


@pytest.mark.parametrize("rate", [0.8, 1.0])
def test_labels_of_a_draw_from_the_store_are_a_level_of_their_own(
    services: Services, rate: float
) -> None:
    """They are of decided cases alone, of which fewer are bad than of those that a policy's own draws and
    its escalations bring; side by side with these they would go on hold. A policy whose every case was
    drawn later reviewed no more of them itself."""
    own = [
        one for one in levels_of(services, load_snapshot(services, LATER)) if one.case_type == NAME
    ]
    draw(services, rate)
    waits = open_draws(services, LATER, NAME)
    good = np.zeros(len(waits), dtype=np.bool_)
    verify(services, waits.assign(opened_at=pd.Timestamp(LATER)), good)
    snapshot = load_snapshot(services, LATER + DAY)
    levels = [one for one in levels_of(services, snapshot) if one.case_type == NAME]
    new = [
        one for one in levels if one.deliveries[0].epoch not in {o.deliveries[0].epoch for o in own}
    ]
    assert len(new) == 1
    assert sum(one.rows for one in new[0].deliveries) == len(waits)
    assert sum(one.bad for one in new[0].deliveries) == 0
    # Not one bad among them is what a sound boundary passes, and holds nothing.
    assert all(one.decided_alone for one in new[0].deliveries)
    assert not any(delivery.decided_alone for one in own for delivery in one.deliveries)
    kept = {one.deliveries[0].epoch: one.deliveries for one in levels if one not in new}
    assert kept == {one.deliveries[0].epoch: one.deliveries for one in own}
