"""Do the simulated people answer what was decided and asked, once, and when they can?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from configs.settings import load_settings
from models.simulation import Exchange, SimulatedUpstream
from models.simulation.faults import WeightFault
from models.vocabulary import Shift, Staffing

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def upstream() -> SimulatedUpstream:
    """One case type, ten days of history, 120 cases a day."""
    kinds = {"ato": load_settings(env={}).load_case_types()["ato"]}
    exchange = Exchange(3, cases_per_day={"ato": 120}, start=START)
    made = SimulatedUpstream(exchange, kinds, START, nights=5, history_days=10)
    assert sum(len(cases) for cases in made.warm_up()) > 0
    return made


def decided(upstream: SimulatedUpstream, step: int, seniors: tuple[str, ...] = ()) -> pd.DataFrame:
    """A day on which everything is escalated and the agent leans to 'pass'; `seniors` go first."""
    (cases,) = upstream.arrivals(step)
    decisions = cases[["case_id", "case_type", "opened_at", "priority"]].assign(
        decided_at=cases["opened_at"], action="escalate", audited=False, recommendation="pass",
        score=0.1, queue=np.where(cases["case_id"].isin(seniors), "senior", "desk"),
    )  # fmt: skip
    upstream.note(decisions)
    return decisions


def delivered(upstream: SimulatedUpstream, as_of: datetime) -> pd.DataFrame:
    told = upstream.deliveries(as_of)
    upstream.received(told)
    return told["reviews"]


def test_each_escalated_case_is_reviewed_once_after_it_was_decided(upstream) -> None:
    decisions = decided(upstream, 0)
    reviews = pd.concat([delivered(upstream, START + night * DAY) for night in (1, 2, 3)])
    first = reviews[reviews["kind"] == "escalation"].drop_duplicates("review_id", keep="last")
    assert sorted(first["case_id"]) == sorted(decisions["case_id"])
    opened = decisions.set_index("case_id")["opened_at"].loc[first["case_id"]]
    # A slip of the pen may put the end before the beginning; it is mended the night after.
    assert (first["resolved_at"].to_numpy() >= opened.to_numpy()).all()


def test_who_is_asked_answers_by_the_next_night_and_only_once(upstream) -> None:
    """Of cases that a second person has seen already, nobody is asked again."""
    decided(upstream, 0)
    night = START + 2 * DAY
    seen = delivered(upstream, night)
    again = set(seen.loc[seen["kind"] == "second", "case_id"])
    alone = seen.loc[~seen["case_id"].isin(again), "case_id"].iloc[:10]
    asked = pd.concat([alone, pd.Series(sorted(again)[:3], dtype="str")])

    upstream.asked(asked, night)
    upstream.asked(asked, night)
    answers = pd.concat([delivered(upstream, night + one * DAY) for one in (1, 2)])
    second = answers[(answers["kind"] == "second") & answers["case_id"].isin(asked)]
    second = second.drop_duplicates("review_id", keep="last")
    assert sorted(second["case_id"]) == sorted(alone)
    first = seen.set_index("case_id").loc[second["case_id"], "reviewer_id"]
    assert (first.to_numpy() != second["reviewer_id"].to_numpy()).all()
    assert np.all(second["queued_at"] >= pd.Timestamp(night))


def test_the_seniors_queue_goes_first() -> None:
    """One reviewer for five times the work of a day: the case that comes last but goes to a senior
    is resolved at the first change of hands, all others as before or one case later."""
    one = Staffing(shifts=(Shift(0, 24, 1),), handling_minutes=60.0)
    kinds = {"ato": replace(load_settings(env={}).load_case_types()["ato"], staffing=one)}

    def resolved(last_to_a_senior: bool) -> pd.Series:
        exchange = Exchange(3, cases_per_day={"ato": 120}, start=START)
        upstream = SimulatedUpstream(exchange, kinds, START, nights=5, history_days=10)
        cases = exchange.cases("ato", 0, 1)
        assert list(upstream.warm_up())
        decided(upstream, 0, (cases["case_id"].iloc[-1],) if last_to_a_senior else ())
        reviews = delivered(upstream, START + 60 * DAY)
        first = reviews[reviews["kind"] == "escalation"]
        return first.set_index("case_id")["resolved_at"].loc[cases["case_id"]]

    plain, hurried = resolved(False), resolved(True)
    queue = pd.DataFrame({"plain": plain, "hurried": hurried})
    assert plain.idxmax() == plain.index[-1]
    assert (queue["hurried"] < queue["plain"]).sum() == 1
    assert queue["hurried"].iloc[-1] < queue["plain"].iloc[-1] - pd.Timedelta(days=2)


def test_what_a_reviewer_escalates_a_senior_settles_within_the_day(upstream) -> None:
    """Else the case stayed open for ever, and a proof would wait for it."""
    for step in range(4):
        decided(upstream, step)
    reviews = pd.concat([delivered(upstream, START + night * DAY) for night in range(1, 7)])
    reviews = reviews.drop_duplicates("review_id", keep="last")
    open_ones = reviews[(reviews["kind"] == "escalation") & (reviews["verdict"] == "escalate")]
    assert len(open_ones) >= 1, "the test needs a case that a reviewer escalated"
    seniors = reviews[reviews["kind"] == "senior"].set_index("case_id")
    for review in open_ones.itertuples():
        settled = seniors.loc[review.case_id]
        assert settled["verdict"] in ("pass", "block")
        assert review.resolved_at < settled["resolved_at"] <= review.resolved_at + DAY


def passed(upstream: SimulatedUpstream, step: int) -> pd.DataFrame:
    """A day on which everything is passed automatically and nothing is audited."""
    (cases,) = upstream.arrivals(step)
    decisions = cases[["case_id", "case_type", "opened_at", "priority"]].assign(
        decided_at=cases["opened_at"], action="auto_pass", audited=False, recommendation="pass",
        score=0.01, queue="desk",
    )  # fmt: skip
    upstream.note(decisions)
    return decisions


def test_cases_handed_out_later_are_audited_evenly_over_the_days_given(upstream) -> None:
    """Nobody reviews them before they are handed out; then each has one audit, as many on either day."""
    decisions = passed(upstream, 0)
    assert delivered(upstream, START + 2 * DAY).empty
    upstream.looked_at_later(decisions, START + 2 * DAY, days=2.0)
    first, second, third = (delivered(upstream, START + night * DAY) for night in (3, 4, 5))
    audits = pd.concat([first, second])
    audits = audits[audits["kind"] == "audit"].drop_duplicates("review_id")
    assert sorted(audits["case_id"]) == sorted(decisions["case_id"])
    assert (first["kind"] == "audit").sum() == len(decisions) // 2
    # Later only what was delivered with a slip of the pen comes once more, mended.
    assert third.loc[third["kind"] == "audit", "review_id"].isin(second["review_id"]).all()


def test_a_case_of_another_exchange_cannot_be_handed_out(upstream) -> None:
    """It has no truth here, so nobody could review it."""
    strange = passed(upstream, 0).head(1).assign(case_id="ato-999999-00000")
    with pytest.raises(ValueError, match="1 of 1 cases of ato are none of this exchange"):
        upstream.looked_at_later(strange, START + DAY, days=1.0)
    with pytest.raises(ValueError, match="must be positive"):
        upstream.looked_at_later(strange, START + DAY, days=0.0)


def past_labels(blamed: WeightFault | None, blamed_days: int) -> pd.DataFrame:
    """Forty days of the past with the truth (`bad_truth`) beside what its labels say (`bad`)."""
    kinds = {"ato": load_settings(env={}).load_case_types()["ato"]}
    exchange = Exchange(3, cases_per_day={"ato": 400}, start=START)
    made = SimulatedUpstream(exchange, kinds, START, 2, 40, blamed=blamed, blamed_days=blamed_days)
    (cases,) = made.warm_up()
    told = made.deliveries(START + 40 * DAY)["outcomes"][["case_id", "bad"]]
    rows = cases.merge(told, on="case_id", validate="one_to_one")
    return rows.merge(made.truth()[["case_id", "bad"]], on="case_id", suffixes=("", "_truth"))


def test_a_biased_past_blames_its_feature_until_its_days_are_over_and_not_after() -> None:
    """Labels of the first 30 days follow the fault: among its high values more are called bad."""
    rows = past_labels(WeightFault("ato", "failed_2fa_count", 3.0), 30)
    early = rows["opened_at"] < pd.Timestamp(START - 10 * DAY)
    later = rows[~early]
    assert (later["bad"] == later["bad_truth"]).all()
    blamed = rows[early & (rows["failed_2fa_count"] >= 3)]
    assert blamed["bad"].mean() > 1.15 * blamed["bad_truth"].mean()


def test_a_past_without_bias_says_the_truth() -> None:
    """The same past, nothing planted."""
    rows = past_labels(None, 0)
    assert (rows["bad"] == rows["bad_truth"]).all()


def test_a_bias_of_a_case_type_that_takes_no_part_is_refused() -> None:
    """It would plant nothing and say so nowhere."""
    kinds = {"ato": load_settings(env={}).load_case_types()["ato"]}
    fault = WeightFault("reset_2fa", "new_device", 2.0)
    with pytest.raises(ValueError, match="labels of reset_2fa cannot be biased"):
        SimulatedUpstream(Exchange(3), kinds, START, 2, 10, blamed=fault, blamed_days=5)
