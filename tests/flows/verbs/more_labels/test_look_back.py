"""Looking back after a boundary fell: which cases, in which order, and what their labels may say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from flows.reports.words.look_back import look_back_sentences
from flows.verbs.certify.expiry import expire_policy
from flows.verbs.certify.generation import champion_generation
from flows.verbs.certify.guardrail import guard_live_policy
from flows.verbs.certify.inputs import evidence_digest
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.truth import evidence_for, load_snapshot
from flows.verbs.govern.promote import roll_back
from flows.verbs.live import file_dossier
from flows.verbs.more_labels.look_back import LookBack, look_backs, waiting_cases, within_sla
from flows.verbs.record.last_night import last_night
from flows.verbs.services import Services
from models.hub import Policy
from models.vocabulary import Boundary, Shift, Staffing
from tests.flows.verbs.hub_desk import (
    ANA,
    DAY,
    NAME,
    NARROW,
    NOW,
    WIDE,
    decided_cases,
    hub_desk,
    made_live,
    policy,
    store,
    with_model,
)
from tests.nights import quiet_night

LATER = NOW + 10 * DAY


def fallen(
    services: Services, before: Policy | None = None, bad_passed: float = 0.6
) -> pd.DataFrame:
    """A boundary that passes too many bad cases, decided by for two days, and refuted by the guard."""
    if before is not None:
        made_live(services, before, NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    cases = decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=bad_passed)
    assert guard_live_policy(services, load_snapshot(services, LATER), NAME)
    return cases


def reviewed(services: Services, cases: pd.DataFrame, said_bad: np.ndarray) -> None:
    """A person's word on each of these cases, after the fall."""
    rows = pd.DataFrame(
        {
            "review_id": "back-" + cases["case_id"].astype("str"),
            "case_id": cases["case_id"],
            "revision": 1,
            "reviewer_id": "rita",
            "team": "in_house",
            "kind": "audit",
            "blind": True,
            "queued_at": pd.Timestamp(LATER),
            "resolved_at": pd.Timestamp(LATER) + pd.Timedelta(hours=1),
            "verdict": np.where(said_bad, "block", "pass"),
            "label": "TN",
            "feedback_path": "none",
            "root_cause": "none",
            "feature_ref": "none",
            "sop_clause": "none",
            "annotation": "none",
            "language": "en",
        }
    ).astype({"queued_at": "datetime64[us, UTC]", "resolved_at": "datetime64[us, UTC]"})
    store(services, "reviews", rows, ["review_id", "revision"], LATER + DAY)


def only(services: Services) -> LookBack:
    (one,) = look_backs(services, NAME, LATER + 9 * DAY)
    return one


def test_the_undrawn_cases_of_the_band_wait_most_harm_first(services: Services) -> None:
    """Passed at .3 and left at .1: scores between, not audited. The audits find some three times as many
    bad ones as the scores say, so a score s of a $10 case is worth a $4 review from 10 x 3 s > 4 on."""
    cases = fallen(services, policy(NARROW))
    one = only(services)
    band = cases[(cases["action"] == "auto_pass") & (cases["score"] > 0.1)]
    assert (one.above, one.up_to, one.passed) == (0.1, 0.3, len(band))
    drawn = band[band["audited"]]
    assert (one.audited, one.audited_bad) == (len(drawn), int(drawn["bad"].sum()))
    factor = drawn["bad"].sum() / drawn["score"].sum()
    assert one.ranking.understated == pytest.approx(factor)
    hidden = band[~band["audited"]]
    worth = hidden[10.0 * factor * hidden["score"] > 4.0].sort_values("score", ascending=False)
    assert one.waiting["case_id"].tolist() == worth["case_id"].tolist()
    assert list(one.waiting) == ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
    assert one.hours == pytest.approx(len(worth) * 10 / 60)
    assert one.unlabelled == len(hidden)


def test_an_audit_draw_without_a_label_waits_for_its_audit(services: Services) -> None:
    """It is drawn by design and named by `ratchet open-draws`; it is passed in the band all the same."""
    cases = fallen(services, policy(NARROW)).drop(columns="bad")
    before = only(services)
    drawn = cases[(cases["action"] == "auto_pass") & cases["audited"]].head(50)
    late = drawn.assign(case_id="late-" + drawn["case_id"], score=0.29)
    store(services, "decisions", late, ["case_id"], NOW + DAY)
    after = only(services)
    assert after.passed == before.passed + 50
    assert after.audited == before.audited
    assert after.waiting.equals(before.waiting)


def test_with_nothing_left_in_force_all_that_it_passed_is_in_the_band(services: Services) -> None:
    """The pass side goes back to people as a whole, or to where the narrowed one ends."""
    cases = fallen(services)
    one, live = only(services), services.ledger.live_policy(NAME)
    assert live is not None
    assert one.above == live.boundary.pass_at_or_below
    low = -1.0 if one.above is None else one.above
    assert one.passed == int(((cases["action"] == "auto_pass") & (cases["score"] > low)).sum())


def test_what_looks_have_shown_is_told_and_waits_no_more(services: Services) -> None:
    """Of the first hundred, as many as are bad, at $10 each; a word on a case ends its waiting."""
    cases = fallen(services, policy(NARROW)).set_index("case_id")["bad"]
    before = only(services)
    first = before.waiting.iloc[:100]
    bad = cases[first["case_id"]].to_numpy(dtype=bool)
    reviewed(services, first, bad)
    after = only(services)
    assert (after.looked_at, after.found_bad) == (100, int(bad.sum()))
    assert after.found_usd == pytest.approx(10.0 * bad.sum())
    assert after.waiting["case_id"].tolist() == before.waiting["case_id"].iloc[100:].tolist()
    assert after.ranking.understated == before.ranking.understated  # chosen cases raise no score
    told = " ".join(
        look_back_sentences(
            NAME, [after], within_sla(services.store, services.case_types, NAME, [after], LATER)
        )
    )
    assert f"100 looked at since, {int(bad.sum())} of them bad" in told
    json.dumps(after.plain())


def test_its_labels_enter_no_cohort_and_no_weighted_estimate(services: Services) -> None:
    """They are there as `surfaced` where they are bad, which may refute, and nowhere else."""
    cases = fallen(services, policy(NARROW)).set_index("case_id")["bad"]
    champion = champion_generation(services.ledger, services.case_types, NAME)
    assert champion is not None
    snapshot = load_snapshot(services, LATER)
    frames = (
        evidence_for(services, snapshot, NAME, champion),
        cohort_for(services, snapshot, NAME, champion),
    )
    waiting = only(services).waiting
    bad = cases[waiting["case_id"]].to_numpy(dtype=bool)
    reviewed(services, waiting, bad)
    later = load_snapshot(services, LATER + 2 * DAY)
    again = (
        evidence_for(services, later, NAME, champion),
        cohort_for(services, later, NAME, champion),
    )
    for old, new in zip(frames, again, strict=True):
        looked_at = new["case_id"].isin(waiting["case_id"]).to_numpy(dtype=bool)
        assert new["bad"][looked_at].isna().all()
        assert not new["drawn"][looked_at].any()
        plain = ["case_id", "score", "bad", "propensity", "drawn", "automatable"]
        assert evidence_digest(old[plain], "m") == evidence_digest(new[plain], "m")
    surfaced = again[0].loc[again[0]["surfaced"], "case_id"]
    assert set(surfaced) == set(waiting["case_id"][bad])
    # Their share of bad is no level of the labels either, so that it puts none on hold.
    labels = later.labels
    assert not labels.loc[labels["reviewer_id"] == "rita", "first"].any()
    assert labels.loc[labels["table"] == "outcomes", "first"].all()


def test_a_renewal_of_the_fallen_policy_had_passed_the_band_too(services: Services) -> None:
    """The same cut under an earlier expiry: another policy, and the same cases in question."""
    first = policy(WIDE, valid_until=NOW + 300 * DAY)
    made_live(services, first, NOW - 3 * DAY)
    early = decided_cases(services, first, NOW - 3 * DAY, 500, bad_passed=0.0, seed=2)
    cases = fallen(services)
    one = only(services)
    every = pd.concat([early, cases])
    low = -1.0 if one.above is None else one.above
    assert one.since == NOW - 3 * DAY
    assert one.passed == int(((every["action"] == "auto_pass") & (every["score"] > low)).sum())


def test_a_boundary_of_another_model_leaves_all_that_was_passed_in_question(
    services: Services,
) -> None:
    """By two people's word back to model 1, whose .25 says nothing about model 2's scores."""
    made_live(services, policy(Boundary(0.25, 0.9)), NOW - DAY)
    with_model(services, "2", NOW - DAY / 2)
    made_live(services, policy(WIDE, "2"), NOW)
    cases = decided_cases(services, policy(WIDE, "2"), NOW, 300, bad_passed=0.0)
    roll_back(services, NAME, "ola", "odd passes", LATER)
    roll_back(services, NAME, ANA, "I agree", LATER)
    one = only(services)
    assert one.above is None
    assert one.passed == int((cases["action"] == "auto_pass").sum())


def test_an_expiry_is_no_fall_and_a_block_side_no_look_back(services: Services) -> None:
    """Nothing was found against what expired; a rollback that narrows blocks alone leaves no pass."""
    made_live(services, policy(Boundary(0.1, 0.9)), NOW - DAY)
    made_live(services, policy(Boundary(0.1, 0.7), valid_until=LATER), NOW)
    decided_cases(services, policy(Boundary(0.1, 0.7), valid_until=LATER), NOW, 300, bad_passed=0.0)
    roll_back(services, NAME, "ola", "odd blocks", NOW + DAY)
    assert look_backs(services, NAME, LATER) == []
    made_live(services, policy(WIDE, valid_until=LATER), NOW + 2 * DAY)
    assert expire_policy(services.ledger, services.alerts, NAME, LATER + DAY)
    assert look_backs(services, NAME, LATER + 2 * DAY) == []
    assert look_back_sentences(NAME, [], {}) == [
        f"{NAME}: no boundary has fallen on its pass side, so there is nothing to look back at."
    ]
    with pytest.raises(UserError, match="there is no case type"):
        look_backs(services, "nothing", LATER)


def test_two_falls_of_one_night_name_no_case_twice(services: Services) -> None:
    """Back from .3 to .2, and narrower from there: two bands side by side."""
    made_live(services, policy(Boundary(0.2, 0.9)), NOW - DAY)
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 8_000, bad_passed=0.9)
    guard_live_policy(services, load_snapshot(services, LATER), NAME)
    found = look_backs(services, NAME, LATER)
    assert len(found) >= 1
    rows = waiting_cases(found)
    assert rows["case_id"].is_unique
    assert len(rows) == sum(len(one.waiting) for one in found)


@pytest.mark.parametrize(("reviewers", "days"), [(10, 1), (9, 2), (8, 4), (7, None)])
def test_whether_the_reviews_fit_the_sla_depends_on_who_is_there(
    tmp_path: Path, reviewers: int, days: int | None
) -> None:
    """1,440 cases a day, of which .4 are escalated, half of the others audited, and the rest of the fallen
    band reviewed: some 1,150 reviews a day, and 277 that wait. A reviewer does 144 a day: ten have room
    for all of them on one day (1,440), nine for 140 a day, eight for none by this count, but the queue is
    watched for two days only and takes 70; seven are late without them."""
    services = hub_desk(tmp_path, staffing=Staffing(shifts=(Shift(0, 24, reviewers),)))
    fallen(services, policy(NARROW))
    one = only(services)
    fits = within_sla(services.store, services.case_types, NAME, [one], LATER)
    assert fits["spread_days"] == days
    assert (fits["today"] == 1.0) == (days is not None)
    told = " ".join(look_back_sentences(NAME, [one], fits))
    fit = (
        "They fit the SLA when spread over "
        if days
        else "They do not fit the SLA even over four weeks"
    )
    assert fit in told
    assert within_sla(services.store, services.case_types, NAME, [], LATER)["spread_days"] is None


def test_the_morning_after_names_what_waits_and_by_which_command(services: Services) -> None:
    """With its size; once all of it is judged, no more."""
    cases = fallen(services, policy(NARROW)).set_index("case_id")["bad"]
    file_dossier(services, quiet_night(LATER))
    one = only(services)
    (wait,) = [w for w in last_night(services, LATER)["waits"] if "look back" in w["what"]]
    assert (wait["count"], wait["command"]) == (
        len(one.waiting),
        f"ratchet look-back {NAME} --to FILE",
    )
    assert f"{one.hours:,.1f} reviewer hours" in wait["what"]
    reviewed(services, one.waiting, cases[one.waiting["case_id"]].to_numpy(dtype=bool))
    waits = last_night(services, LATER + 2 * DAY)["waits"]
    assert not [w for w in waits if "look back" in w["what"]]
