"""Do the simulated people answer what was decided and asked, once, and when they can?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from configs.settings import load_settings
from models.simulation import Exchange, SimulatedUpstream
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
