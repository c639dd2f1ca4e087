"""The daily judgement of an A/B test: promoted when proven, stopped when not, else it goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.ab import validate_ab as validate_ab_module
from flows.verbs.ab.validate_ab import ab_table, validate_ab
from flows.verbs.certify.generation import last_version
from flows.verbs.decide.decide import AB_CASES
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.govern.approve import approve, pending
from flows.verbs.govern.brakes import halt, resume
from flows.verbs.govern.case_type_state import case_type_state
from flows.verbs.govern.promote import promote
from flows.verbs.services import Services
from models.boundary import assign_arm
from models.hub import PEOPLE, Entry, EntryKind, Policy, Revoke, running_ab
from models.hub.rules.people import VALIDATE_AB
from models.vocabulary import Boundary
from tests.flows.verbs.hub_desk import (
    A_PLAN,
    ANA,
    BEN,
    DAY,
    NAME,
    NARROW,
    NOW,
    OLA,
    WIDE,
    digest_of,
    filed,
    hub_desk,
    made_live,
    policy,
    store,
    verify,
)

CONTROL, TREATMENT = policy(NARROW), policy(WIDE, ab_plan=replace(A_PLAN, precision_margin=0.1))
MATURITY = 3  # days, as the case type says; outcomes alone, so no second review is waited for
PER_DAY = 400


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The wide boundary is on trial against the narrow one since NOW."""
    made = hub_desk(tmp_path)
    made_live(made, CONTROL, NOW - DAY)
    proposal = filed(made, TREATMENT)
    approve(made, proposal, ANA, NOW)
    assert (
        promote(made.ledger, made.registry, made.alerts, proposal, OLA, NOW).kind
        is EntryKind.AB_STARTED
    )
    return made


def tried_cases(
    services: Services,
    days: int,
    bad_passed: float = 0.0,
    lost: float = 0.0,
    astray: int = 0,
    seed: int = 1,
) -> pd.DataFrame:
    """Cases of the first days of the trial, by hand as deciding in arms stores them.

    Scores are uniform; what is at or below the wide boundary's .3 is bad with `bad_passed`, what is
    at or above its .7 is bad, half of the rest. Where both policies decide alike half is audited;
    where they differ every treated case is. A share of the treated cases is `lost` on the way; so
    many of the first are stored in the arm they do not belong to (`astray`).
    """
    count = days * PER_DAY
    draw = np.random.default_rng(seed)
    ids = [f"c{number:05d}" for number in range(count)]
    score, treated = draw.random(count), assign_arm(ids, A_PLAN.salt, 0.5) == "treatment"
    treated[:astray] = ~treated[:astray]
    bad = draw.random(count) < np.where(score <= 0.3, bad_passed, np.where(score >= 0.7, 1.0, 0.5))
    opened = pd.date_range(NOW, periods=count, freq=pd.Timedelta(days=1) / PER_DAY)
    control, treatment = (actions(score, one) for one in (CONTROL, TREATMENT))
    own = np.where(treated, treatment, control)
    rate = np.where(treated & (control != treatment), 1.0, 0.5)
    rate = np.where(own == "escalate", 1.0, rate)
    audited = (own != "escalate") & (draw.random(count) < rate)
    rows = pd.DataFrame(
        {
            "case_id": ids,
            "case_type": NAME,
            "opened_at": opened.astype("datetime64[us, UTC]"),
            "arm": np.where(treated, "treatment", "control"),
        }
    )
    rows["decided_at"] = rows["opened_at"]
    decisions = rows.assign(
        score=score,
        recommendation="pass",
        action=own,
        propensity=rate,
        audited=audited,
        policy_id=np.where(treated, TREATMENT.policy_id, CONTROL.policy_id),
        model_version="1",
        priority=10,
        amount_usd=10.0,
    )
    here = ~(treated & (draw.random(count) < lost))
    rows, decisions, own, audited = rows[here], decisions[here], own[here], audited[here]
    control, treatment = control[here], treatment[here]
    store(services, "decisions", decisions, ["case_id"], NOW)
    assigned = rows.assign(
        control_action=control, treatment_action=treatment, policy_id=TREATMENT.policy_id
    )
    store(services, AB_CASES, assigned, ["case_id"], NOW)
    drawn = decisions[(own == "escalate") | audited]
    verify(services, drawn, bad[drawn.index])
    return assigned.assign(drawn=(own == "escalate") | audited, bad=bad[here])


def actions(score: np.ndarray, by: Policy) -> np.ndarray:
    low, high = by.boundary.pass_at_or_below, by.boundary.block_at_or_above
    return np.where(score <= low, "auto_pass", np.where(score >= high, "auto_block", "escalate"))


def kinds(services: Services) -> list[EntryKind]:
    """What the A/B added to the ledger."""
    history = services.ledger.history(NAME)
    started = max(entry.version for entry in history if entry.kind is EntryKind.AB_STARTED)
    return [entry.kind for entry in history if entry.version > started]


def after(days: float) -> datetime:
    return NOW + days * DAY


def test_what_is_proven_is_concluded_and_promoted(services: Services) -> None:
    """Ten days of a sound boundary: two ledger entries by the flow, an alert, nothing left to do."""
    tried_cases(services, 10)
    (told,) = validate_ab(services, after(10))
    assert told["verdict"] == "promote", told["reasons"]
    assert kinds(services) == [EntryKind.AB_CONCLUDED, EntryKind.PROMOTED]
    concluded, promoted = services.ledger.history(NAME)[-2:]
    assert (concluded.actor, promoted.actor) == (VALIDATE_AB, VALIDATE_AB)
    assert (concluded.dossier["verdict"], len(str(concluded.evidence_digest))) == ("promote", 64)
    assert concluded.dossier["proofs"] == told["proofs"]
    assert {one["claim"] for one in told["proofs"]} == {
        "automation", "precision", "precision_margin", "recall",
    }  # fmt: skip
    assert all(one["evidence"] >= one["needed"] for one in told["proofs"])
    assert services.ledger.live_policy(NAME) == TREATMENT
    assert [one["kind"] for one in services.alerts.recent(5)] == ["ab_concluded"]
    assert validate_ab(services, after(11)) == []


def test_a_boundary_that_breaks_its_promise_is_stopped(services: Services) -> None:
    """Six tenths of what it passes are bad: the live policy stays, and the approval is spent."""
    tried_cases(services, 10, bad_passed=0.6)
    (told,) = validate_ab(services, after(13))
    assert told["verdict"] == "stop"
    assert "proven to break its promise of recall" in told["reasons"][0]
    assert kinds(services) == [EntryKind.AB_CONCLUDED]
    assert services.ledger.live_policy(NAME) == CONTROL
    assert pending(services) == []


def test_what_is_not_proven_goes_on_and_ends_at_the_horizon(services: Services) -> None:
    """Without a single mature case nothing is proven; at 14 days that is the end."""
    tried_cases(services, 1)
    (told,) = validate_ab(services, after(1.5))
    assert (told["verdict"], told["cases_judged"]) == ("continue", 0)
    assert kinds(services) == []
    assert running_ab(services.ledger.history(), NAME) is not None
    (told,) = validate_ab(services, after(14))
    assert told["verdict"] == "stop"
    assert kinds(services) == [EntryKind.AB_CONCLUDED]
    assert services.ledger.live_policy(NAME) == CONTROL


def test_nothing_assigned_is_judged_as_nothing(services: Services) -> None:
    """A trial that has just begun: no rows, no arms, no error."""
    (told,) = validate_ab(services, after(0.5))
    assert (told["verdict"], told["arms"]) == ("continue", {"control": 0, "treatment": 0})


def test_immature_cases_count_in_the_split_only(services: Services) -> None:
    """Of six days at day 6.5, those opened before day 3 have matured on a day that is over."""
    cases = tried_cases(services, 6)
    (told,) = validate_ab(services, after(6.5))
    assert sum(told["arms"].values()) == len(cases)
    assert told["days_judged"] == 6
    assert told["cases_judged"] == 3 * PER_DAY
    assert told["missing"] == 0


def test_the_table_shows_truth_where_a_case_was_drawn_and_is_mature(services: Services) -> None:
    """Against what the cases were made of; a day is counted to the moment a truth was due."""
    cases = tried_cases(services, 6)
    trial = running_ab(services.ledger.history(), NAME)
    assert trial is not None
    as_of = after(6.5)
    table = ab_table(services, trial, load_snapshot(services, as_of, trial.at)).sort_values(
        "opened_at"
    )
    mature = (cases["opened_at"] < pd.Timestamp(as_of) - pd.Timedelta(days=MATURITY)).to_numpy()
    drawn = cases["drawn"].to_numpy()
    assert (table["drawn"].to_numpy() == drawn).all()
    shown = np.where(mature & drawn, cases["bad"].to_numpy(dtype=float), np.nan)
    assert np.array_equal(table["bad"].to_numpy(dtype=float), shown, equal_nan=True)
    age = (cases["opened_at"] - pd.Timestamp(NOW)) / pd.Timedelta(days=1)
    # a stamp has microseconds, of which a day has 8.64e10
    assert np.allclose(table["day"].to_numpy(), age.to_numpy() + MATURITY, atol=1e-10)


def test_a_case_whose_decision_was_not_admitted_is_left_out(services: Services) -> None:
    """It was assigned, and nobody knows what was done with it."""
    tried_cases(services, 2)
    stray = pd.DataFrame(
        {
            "case_id": ["stray"], "case_type": [NAME], "opened_at": [pd.Timestamp(NOW + DAY)],
            "decided_at": [pd.Timestamp(NOW + DAY)], "arm": ["control"],
            "control_action": ["escalate"], "treatment_action": ["escalate"],
            "policy_id": [TREATMENT.policy_id],
        }
    )  # fmt: skip
    stamps = dict.fromkeys(("opened_at", "decided_at"), "datetime64[us, UTC]")
    store(services, AB_CASES, stray.astype(stamps), ["case_id"], NOW + DAY)
    (told,) = validate_ab(services, after(2))
    assert sum(told["arms"].values()) == 2 * PER_DAY


def test_a_broken_split_stops_it(services: Services) -> None:
    """A third of the treated cases got lost, of 2,000."""
    tried_cases(services, 5, lost=1 / 3)
    (told,) = validate_ab(services, after(5))
    assert told["verdict"] == "stop"
    assert told["reasons"][0].startswith("The split is broken")
    assert told["split_p_value"] < 0.001


def test_a_case_in_another_arm_than_its_id_draws_stops_it(services: Services) -> None:
    """One of 4,000, in a test that would be proven otherwise."""
    tried_cases(services, 10, astray=1)
    (told,) = validate_ab(services, after(10))
    assert told["verdict"] == "stop"
    assert told["reasons"] == [
        "1 cases are stored in another arm than the hash of their id draws. Nothing is proven."
    ]


def test_killed_between_the_conclusion_and_the_promotion_the_next_call_promotes(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof stands in the ledger; halted, it waits."""
    tried_cases(services, 10)
    with monkeypatch.context() as killed:
        killed.setattr("flows.verbs.ab.validate_ab._finish", lambda *_: [])
        validate_ab(services, after(10))
    assert kinds(services) == [EntryKind.AB_CONCLUDED]
    assert pending(services)[0]["waits_for"] == "promotion"
    halt(services.ledger, services.case_types, NAME, OLA, "a test", after(10))
    assert validate_ab(services, after(10)) == []
    assert kinds(services)[-1] is EntryKind.HALTED
    resume(services.ledger, services.case_types, NAME, OLA, "mended", after(10))
    resume(services.ledger, services.case_types, NAME, ANA, "checked", after(10))
    assert validate_ab(services, after(11)) == []
    assert services.ledger.live_policy(NAME) == TREATMENT


def test_a_promotion_that_is_refused_is_told_and_not_raised(services: Services) -> None:
    """Its model's file is gone since the approval: proven, concluded, and not live."""
    tried_cases(services, 10)
    del services.registry.digests[NAME, "1"]
    (told,) = validate_ab(services, after(10))
    assert told["verdict"] == "promote"
    assert "was not promoted" in told["reasons"][-1]
    assert services.ledger.live_policy(NAME) == CONTROL
    assert {one["kind"] for one in services.alerts.recent(5)} == {
        "ab_concluded", "ab_not_promoted", "model_files_refused",
    }  # fmt: skip
    services.registry.digests[NAME, "1"] = digest_of("1")
    validate_ab(services, after(11))
    assert services.ledger.live_policy(NAME) == TREATMENT


def test_a_test_that_cannot_be_judged_is_told_and_stops_no_other(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stored rows hold what is no number; the night of the other tests goes on."""
    tried_cases(services, 10)
    sound = validate_ab_module.ab_table

    def broken(services: Services, trial: Entry, snapshot: EvidenceSnapshot) -> pd.DataFrame:
        return sound(services, trial, snapshot).assign(day="soon")

    with monkeypatch.context() as spoilt:
        spoilt.setattr(validate_ab_module, "ab_table", broken)
        (told,) = validate_ab(services, after(10))
    assert told["verdict"] == "not_judged"
    assert "holds text that is no number" in told["reasons"][0]
    assert [one["kind"] for one in services.alerts.recent(5)] == ["ab_not_judged"]
    assert kinds(services) == []
    (told,) = validate_ab(services, after(10))
    assert told["verdict"] == "promote"


def test_a_first_boundary_is_tried_against_full_review(tmp_path: Path) -> None:
    """No policy is live: the control reviews everything, and the trial's design says so."""
    services = hub_desk(tmp_path)
    first = replace(TREATMENT, boundary=Boundary(0.3, None))
    proposal = filed(services, first)
    approve(services, proposal, ANA, NOW)
    started = promote(services.ledger, services.registry, services.alerts, proposal, OLA, NOW)
    assert started.dossier["control"] is None
    (told,) = validate_ab(services, after(1))
    assert told["verdict"] == "continue"
    tested = {one["claim"] for one in told["proofs"] if one["tested"]}
    assert tested == {"automation", "recall"}


def test_who_approved_it_was_revoked_so_it_is_tried_no_more(services: Services) -> None:
    """From that moment every case is decided by what is live, and the next looks find no test."""
    tried_cases(services, 10)
    revoked = Revoke(name=ANA, actor=BEN, base_version=last_version(services.ledger, PEOPLE))
    assert isinstance(services.ledger.submit(revoked, after(9)), Entry)
    assert case_type_state(services.ledger, NAME, after(9) - timedelta(seconds=1)).trial is not None
    assert case_type_state(services.ledger, NAME).trial is None
    assert validate_ab(services, after(10)) == []
    assert services.ledger.live_policy(NAME) == CONTROL
