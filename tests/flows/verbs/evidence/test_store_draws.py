"""Audits drawn later from the store: who joins, when, and what of them counts (METHODS 2)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from flows.verbs.certify.generation import current_generation
from flows.verbs.desk import Desk
from flows.verbs.evidence.cohort_rows import cohort_for, membership, reserve
from flows.verbs.evidence.store_draws import AUDITED_LATER, STORE_AT, STORE_RATE
from flows.verbs.evidence.truth import load_book
from flows.verbs.intake.population_watch import levels_of
from flows.verbs.intake.waiting_rows import open_draws
from flows.verbs.more_labels.extend_audit import ask_or_agree, draw_asked
from flows.verbs.record.last_night import second_persons
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
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Policy, pd.DataFrame]:
    """600 cases that the live policy decided, audited at .5; one passed case in ten is bad."""
    desk = with_scores(hub_desk(tmp_path_factory.mktemp("store") / "home"))
    live = policy()
    made_live(desk, live, NOW)
    rows = decided_cases(desk, live, NOW + DAY, 600, bad_passed=0.1, keyed=True)
    return desk, live, rows


@pytest.fixture
def desk(made: tuple[Desk, Policy, pd.DataFrame], tmp_path: Path) -> Desk:
    return copied_desk(made[0], tmp_path / "home")


def with_scores(desk: Desk) -> Desk:
    """A registry that answers with a model's reference scores and nothing else."""
    model = SimpleNamespace(reference_scores=np.linspace(0.0, 1.0, 1_000))
    desk.registry.load = lambda *_, **__: model  # type: ignore[method-assign, assignment, return-value]
    return desk


def draw(desk: Desk, rate: float, at: datetime = DRAWN) -> None:
    """An operator asks, an approver agrees an hour later."""
    asked = ask_or_agree(desk, draw_asked(desk, NAME, "go_live", at, rate=rate), OLA, at)
    assert asked.kind is EntryKind.EXTENSION_REQUESTED
    at += DAY / 24
    drawn = ask_or_agree(desk, draw_asked(desk, NAME, "go_live", at, rate=rate), ANA, at)
    assert drawn.kind is EntryKind.AUDIT_EXTENDED


def known(desk: Desk, at: datetime = LATER) -> pd.DataFrame:
    return load_book(desk, at).known(NAME).set_index("case_id", drop=False).sort_index()


def uniform(desk: Desk, rows: pd.DataFrame) -> np.ndarray:
    return desk.case_draw(audit_purpose(NAME), rows["case_id"])


def test_a_draw_makes_the_audits_of_one_draw_at_the_higher_rate(desk: Desk) -> None:
    """By the second road: audited and propensity as if the policy had said .8 from the start."""
    before = known(desk)
    draw(desk, 0.8)
    rows = known(desk)
    automatic = (rows["action"].astype("str") != "escalate").to_numpy()
    assert automatic.any()
    drawn = automatic & (uniform(desk, rows) < 0.8)
    np.testing.assert_array_equal(rows["audited"].to_numpy(dtype=bool), drawn)
    assert (rows["propensity"].to_numpy()[automatic] == 0.8).all()
    assert (rows["propensity"].to_numpy()[~automatic] == 1.0).all()
    newly = drawn & ~before["audited"].to_numpy(dtype=bool)
    np.testing.assert_array_equal(rows[AUDITED_LATER].to_numpy(dtype=bool), newly)
    found = membership(desk, NAME, rows)
    np.testing.assert_array_equal(found.member | found.later, uniform(desk, rows) < 0.8)
    np.testing.assert_array_equal(found.member, uniform(desk, rows) < 0.5)


def test_two_draws_are_one_at_the_higher_rate(desk: Desk, tmp_path: Path) -> None:
    once = copied_desk(desk, tmp_path / "once")
    draw(once, 0.8)
    draw(desk, 0.6, DRAWN - 3 * DAY)
    draw(desk, 0.8)
    names = ["audited", "propensity", STORE_RATE, "drawn"]
    pd.testing.assert_frame_equal(known(desk)[names], known(once)[names])
    one, two = (membership(each, NAME, known(each)) for each in (once, desk))
    np.testing.assert_array_equal(one.member | one.later, two.member | two.later)
    entered = known(desk)[STORE_AT]
    assert set(entered.dropna()) == {pd.Timestamp(at + DAY / 24) for at in (DRAWN - 3 * DAY, DRAWN)}


def test_what_surfaced_by_itself_joins_like_any_other(desk: Desk) -> None:
    """A chargeback on a case that was not drawn is no label; once the case is drawn, it counts."""
    rows = known(desk)
    between = (uniform(desk, rows) >= 0.5) & (uniform(desk, rows) < 0.8)
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
    store(desk, "outcomes", surfaced, ["case_id", "observed_at"], NOW + 5 * DAY)
    told = known(desk).loc[case]
    assert bool(told["surfaced"])
    assert np.isnan(told["bad"])
    draw(desk, 0.8)
    told = known(desk).loc[case]
    assert not bool(told["surfaced"])
    assert told["bad"] == 1.0


def test_a_cohort_only_grows_by_a_draw(desk: Desk) -> None:
    """What stood in the order keeps its place; who joins comes at the moment of the draw, and is waited
    for from then on."""
    generation = current_generation(desk, NAME)
    assert generation is not None
    before = cohort_for(desk, load_book(desk, DRAWN), NAME, generation)
    draw(desk, 0.8)
    after = cohort_for(desk, load_book(desk, LATER), NAME, generation)
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
    again = cohort_for(desk, load_book(desk, LATER + 400 * DAY), NAME, generation)
    assert again["given_up"].any()  # nobody ever looked


def test_a_side_that_is_reviewed_keeps_its_places_too(tmp_path: Path) -> None:
    """Where nothing is blocked every case is in the block cohort from the start, at its own place; its
    entry into the cohort is another row."""
    desk = with_scores(hub_desk(tmp_path))
    live = policy(Boundary(0.3, None))
    made_live(desk, live, NOW)
    decided_cases(desk, live, NOW + DAY, 400, bad_passed=0.1, keyed=True)
    generation = current_generation(desk, NAME)
    assert generation is not None
    before = cohort_for(desk, load_book(desk, DRAWN), NAME, generation)
    assert before["in_block_cohort"].all()
    draw(desk, 0.8)
    after = cohort_for(desk, load_book(desk, LATER), NAME, generation)
    kept = ["case_id", "in_cohort", "in_block_cohort"]
    pd.testing.assert_frame_equal(after[kept].iloc[: len(before)], before[kept])
    joined = after.iloc[len(before) :]
    assert len(joined)
    assert not joined["in_block_cohort"].any()
    for flag in ("in_cohort", "in_block_cohort"):
        mine = after[after[flag].to_numpy(dtype=bool)]
        assert not mine["case_id"].duplicated().any()


def test_what_is_drawn_later_is_set_aside_from_nothing(desk: Desk) -> None:
    """A model may have learned from it by then: an escalated case has a label without any draw."""
    begins = (NOW, NOW)
    before = known(desk, DRAWN)
    aside = reserve(desk, NAME, before, membership(desk, NAME, before), begins)
    assert aside.any()
    draw(desk, 0.8)
    after = known(desk)
    now_aside = reserve(desk, NAME, after, membership(desk, NAME, after), begins)
    np.testing.assert_array_equal(now_aside, aside)


def test_what_is_drawn_waits_for_a_review_oldest_first(desk: Desk) -> None:
    nothing = open_draws(desk, LATER, NAME)
    assert nothing.empty
    asked = draw_asked(desk, NAME, "go_live", DRAWN, rate=0.8)
    draw(desk, 0.8)
    waits = open_draws(desk, LATER, NAME)
    assert len(waits) == asked.labels
    assert waits["decided_at"].is_monotonic_increasing
    assert waits["case_id"].is_unique


def test_a_draw_that_waits_for_a_second_person_is_named_with_its_command(desk: Desk) -> None:
    ask_or_agree(desk, draw_asked(desk, NAME, "go_live", DRAWN, rate=0.9), OLA, DRAWN)
    (waits,) = second_persons(desk, desk.ledger.history())
    assert waits["command"] == f"ratchet sprint {NAME} --from-store go-live --rate 0.9"
    assert waits["what"].startswith(f"{OLA} asks to draw audits")
    ask_or_agree(desk, draw_asked(desk, NAME, "go_live", DRAWN, rate=0.9), ANA, DRAWN)
    assert second_persons(desk, desk.ledger.history()) == []


def test_a_draw_is_seen_from_its_moment_on(desk: Desk) -> None:
    before = known(desk, DRAWN)
    draw(desk, 0.8)
    pd.testing.assert_frame_equal(known(desk, DRAWN), before)


@pytest.mark.parametrize("rate", [0.8, 1.0])
def test_labels_of_a_draw_from_the_store_are_a_level_of_their_own(desk: Desk, rate: float) -> None:
    """They are of decided cases alone, of which fewer are bad than of those that a policy's own draws and
    its escalations bring; side by side with these they would go on hold. A policy whose every case was
    drawn later reviewed no more of them itself."""
    own = [one for one in levels_of(desk, load_book(desk, LATER)) if one.case_type == NAME]
    draw(desk, rate)
    waits = open_draws(desk, LATER, NAME)
    good = np.zeros(len(waits), dtype=np.bool_)
    verify(desk, waits.assign(opened_at=pd.Timestamp(LATER)), good)
    book = load_book(desk, LATER + DAY)
    levels = [one for one in levels_of(desk, book) if one.case_type == NAME]
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
