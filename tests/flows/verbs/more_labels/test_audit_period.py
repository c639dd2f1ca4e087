"""A closed period's audit over a home: what counts, what comes next, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from flows.verbs.certify.generation import champion_generation
from flows.verbs.certify.inputs import evidence_digest
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.truth import evidence_for, load_snapshot
from flows.verbs.more_labels.audit_period import PeriodTold, audit_period
from flows.verbs.services import Services
from tests.flows.verbs.hub_desk import (
    DAY,
    NAME,
    NOW,
    WIDE,
    decided_cases,
    made_live,
    policy,
    store,
    verify,
)

LATER = NOW + 10 * DAY
UNTIL = NOW + 3 * DAY


def lived(services: Services, bad_passed: float) -> pd.DataFrame:
    """3,000 cases: some 900 passed, half of them audited, and some 1,000 bad ones caught."""
    made_live(services, policy(WIDE), NOW)
    return decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=bad_passed)


def asked(services: Services, until: datetime = UNTIL, **more: float) -> PeriodTold:
    return audit_period(services, NAME, NOW, until, LATER, **more)


def reviewed(services: Services, cases: pd.DataFrame, told: PeriodTold) -> None:
    """Everything that was named gets its truth."""
    mine = cases[cases["case_id"].isin(told.next_cases["case_id"])]
    assert len(mine) == len(told.next_cases) > 0
    verify(services, mine, mine["bad"].to_numpy())


@pytest.mark.parametrize(
    ("share", "said"), [(0.00004, "0.004%"), (0.01, "1%"), (0.0125, "1.25%"), (0.99999, "99.999%")]
)
def test_a_promise_is_said_as_it_was_given(services: Services, share: float, said: str) -> None:
    """Rounded to two digits the first one would be "at most 0.00%", which nobody promised."""
    lived(services, bad_passed=0.0)
    told = asked(services, miss_share=share)
    assert f"at most {said} of the bad cases" in told.sentences()[0]
    assert "(90%)" in told.sentences()[0] or "(95%)" in told.sentences()[0]


def test_an_audit_and_its_top_ups_prove_a_kept_promise(services: Services) -> None:
    """Each time what is named is reviewed; what the ordinary audits saw is not named again."""
    cases = lived(services, bad_passed=0.0)
    told, nights = asked(services), 0
    passed = cases[cases["action"] == "auto_pass"]
    assert told.audit.cases == len(passed)
    assert told.audit.verdict.value == "not_yet"
    seen = set(passed["case_id"][passed["audited"]])
    while told.audit.verdict.value == "not_yet":
        assert not set(told.next_cases["case_id"]) & seen
        before = told.audit.reviewed
        reviewed(services, cases, told)
        told, nights = asked(services), nights + 1
        assert told.audit.reviewed > before
        assert nights < 9
    assert told.audit.verdict.value == "proven"
    assert told.audit.reviewed < 0.4 * len(passed)
    caught = cases["bad"] & ((cases["action"] == "escalate") | cases["audited"])
    assert told.period.caught == int(caught.sum())
    assert told.sentences()[0].startswith(
        f"{NAME}: Proven: at most 1% of the bad cases of 2026-05-04"
    )


def test_a_broken_promise_is_refuted(services: Services) -> None:
    """A tenth of what was passed is bad: some 90 misses beside 1,000 caught ones."""
    cases = lived(services, bad_passed=0.1)
    told = asked(services, rate=0.5)
    if told.audit.verdict.value == "not_yet":
        reviewed(services, cases, told)
        told = asked(services, rate=0.5)
    assert told.audit.verdict.value == "refuted"
    passed = cases["action"] == "auto_pass"
    known = cases["bad"] & ~passed & ((cases["action"] == "escalate") | cases["audited"])
    open_ = ~passed & ~known & ~((cases["action"] == "escalate") | cases["audited"])
    assert told.period.caught == int(known.sum())
    assert told.period.caught_at_most == int(known.sum() + open_.sum())
    assert "Refuted" in told.sentences()[0]
    assert asked(services, miss_share=0.5, rate=1.0).audit.verdict.value == "proven"


def test_caught_cases_that_nobody_confirmed_do_not_all_count(services: Services) -> None:
    """Reviewers' word alone, and no second review drawn among them by then: nothing is known of how many
    are false, so none counts, one miss breaks the promise, and the answer says why."""
    cases = lived(services, bad_passed=0.0)
    escalated = cases[(cases["action"] == "escalate") & cases["bad"]]
    rows = escalated.assign(opened_at=escalated["opened_at"]).drop(columns="bad")
    late = rows.assign(case_id="word-" + rows["case_id"].astype("str"))
    store(services, "decisions", late, ["case_id"], NOW + DAY)
    before = asked(services).period.caught
    store(services, "reviews", words(late), ["review_id", "revision"], NOW + 2 * DAY)
    told = asked(services)
    assert (told.period.caught, told.left_out) == (before, len(late))
    assert f"(of {len(late)} more nobody has confirmed the word" in told.sentences()[1]


def test_the_prefix_is_as_long_as_the_rate_says(services: Services) -> None:
    """A quarter of the passed cases, less those whose truth is there; a longer one begins with it."""
    lived(services, bad_passed=0.0)
    quarter, half = asked(services, rate=0.25), asked(services, rate=0.5)
    assert quarter.planned == int(np.ceil(0.25 * quarter.audit.cases))
    assert set(quarter.next_cases["case_id"]) < set(half.next_cases["case_id"])
    assert list(quarter.next_cases) == [
        "case_id",
        "case_type",
        "opened_at",
        "priority",
        "amount_usd",
    ]
    assert quarter.next_cases["opened_at"].is_monotonic_increasing


def test_the_order_is_not_that_of_the_ordinary_audit(services: Services) -> None:
    """Half of the passed cases were audited, by the draw that makes the cohort. What those audits showed
    decided which cases were passed later, so they must not all stand first; half of a prefix is theirs."""
    made_live(services, policy(WIDE), NOW)
    decided_cases(services, policy(WIDE), NOW, 3_000, bad_passed=0.0, keyed=True)
    told = asked(services, rate=0.4)
    # 368 cases, each unlabelled with probability .5: three standard deviations are 29.
    assert abs(len(told.next_cases) - 0.5 * told.planned) < 3 * np.sqrt(0.25 * told.planned)


def test_that_no_chargeback_came_is_no_word_on_a_case(services: Services) -> None:
    """Good outcomes of another source on what is named leave it to be reviewed."""
    lived(services, bad_passed=0.0)
    told = asked(services, rate=0.5)
    facts = told.next_cases[["case_id", "case_type"]].assign(
        observed_at=told.next_cases["opened_at"] + pd.Timedelta(days=5),
        bad=False,
        source="chargeback",
    )
    store(services, "outcomes", facts, ["case_id", "observed_at"], NOW + 6 * DAY)
    again = asked(services, rate=0.5)
    assert again.next_cases.equals(told.next_cases)


def test_its_reviews_enter_no_cohort_and_no_weighted_estimate(services: Services) -> None:
    """All of the order is reviewed, and a tenth of it is bad: evidence and cohort have the digests they
    had, but for what has surfaced, which may refute."""
    cases = lived(services, bad_passed=0.1)
    champion = champion_generation(services.ledger, services.case_types, NAME)
    assert champion is not None
    before = load_snapshot(services, LATER)
    frames = (
        evidence_for(services, before, NAME, champion),
        cohort_for(services, before, NAME, champion),
    )
    reviewed(services, cases, asked(services, rate=1.0))
    after = load_snapshot(services, LATER)
    again = (
        evidence_for(services, after, NAME, champion),
        cohort_for(services, after, NAME, champion),
    )
    for old, new in zip(frames, again, strict=True):
        kept, now = old.drop(columns="surfaced"), new.drop(columns="surfaced")
        undrawn = ~new["drawn"].to_numpy(dtype=bool)
        assert now["bad"][undrawn].isna().all()
        same = evidence_digest(kept.drop(columns="confirmed"), "m")
        assert same == evidence_digest(now.drop(columns="confirmed"), "m")
    assert int(again[0]["surfaced"].sum()) > int(frames[0]["surfaced"].sum()) == 0


def words(cases: pd.DataFrame) -> pd.DataFrame:
    """One reviewer calls each of these cases bad."""
    stamp = cases["opened_at"] + pd.Timedelta(hours=1)
    words = ("label", "feedback_path", "root_cause", "feature_ref", "sop_clause", "annotation")
    return pd.DataFrame(
        {
            "review_id": "r-" + cases["case_id"].astype("str"),
            "case_id": cases["case_id"].astype("str"),
            "revision": 1,
            "reviewer_id": "rita",
            "team": "in_house",
            "kind": "escalation",
            "blind": True,
            "queued_at": stamp,
            "resolved_at": stamp,
            "verdict": "block",
            **dict.fromkeys(words, "none"),
            "language": "en",
        }
    )


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (NOW, LATER, "is not closed"),
        (UNTIL, NOW, "has no moment in it"),
        (NOW - 20 * DAY, NOW - 10 * DAY, "there is nothing to audit"),
    ],
)
def test_a_period_that_cannot_be_meant_is_refused(
    services: Services, since: datetime, until: datetime, said: str
) -> None:
    lived(services, bad_passed=0.0)
    with pytest.raises(UserError, match=said):
        audit_period(services, NAME, since, until, LATER)
    with pytest.raises(UserError, match="there is no case type"):
        audit_period(services, "nothing", since, until, LATER)
