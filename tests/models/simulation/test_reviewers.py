"""The simulated reviewers: known error rates, answers tied to the case, and useful notes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.simulation.case_models import RECIPES
from models.simulation.exchange import Exchange
from models.simulation.faults import ProcedureFault, ThresholdFault, WeightFault, misread
from models.simulation.reviewers import REVIEW_COLUMNS, ReviewerPool

EXCHANGE = Exchange(seed=11)


@pytest.fixture(scope="module")
def services() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, ReviewerPool]:
    """Thirty days of cases, what the agent said, the first reviews, and the people."""
    cases = EXCHANGE.cases("ato", 0, 30)
    agent = EXCHANGE.agent(cases)
    pool = ReviewerPool(11, ["ato", "kyc_audit"])
    return cases, agent, reviewed(pool, cases, agent), pool


def reviewed(
    pool: ReviewerPool, cases: pd.DataFrame, agent: pd.DataFrame, kind: str = "escalation"
) -> pd.DataFrame:
    queued = cases["opened_at"] + pd.Timedelta(minutes=1)
    return pool.review(
        cases,
        recommendation=agent["recommendation"],
        score=agent["score"],
        kind=kind,
        queued_at=queued,
        resolved_at=queued + pd.Timedelta(minutes=30),
    )


def test_the_pool_is_two_teams_with_their_own_error_rates() -> None:
    """Six to ten people a type; sensitivities and specificities in range; bpo a little worse."""
    people = ReviewerPool(3, list(RECIPES)).reviewers
    assert people.groupby("case_type").size().between(6, 10).all()
    assert people["reviewer_id"].is_unique
    assert people["sensitivity"].between(0.985, 0.998).all()
    assert people["specificity"].between(0.993, 0.9995).all()
    by_team = people.groupby("team")[["sensitivity", "specificity"]].mean()
    assert (by_team.loc["bpo"] < by_team.loc["in_house"]).all()
    assert set(people["language"]) == {"en", "zh"}
    assert people.groupby("case_type")["team"].nunique().eq(2).all()


def test_reviews_have_the_columns_of_their_contract(services) -> None:
    """One review a case, in the cases' order, with plain unique ids and UTC stamps."""
    cases, _, first, _ = services
    assert tuple(first.columns) == REVIEW_COLUMNS
    assert first["case_id"].tolist() == cases["case_id"].tolist()
    assert first["review_id"].is_unique
    assert first["review_id"].str.fullmatch(r"[A-Za-z0-9._:-]{1,64}").all()
    assert str(first["resolved_at"].dtype) == "datetime64[us, UTC]"
    assert (first["revision"] == 0).all()


def test_people_err_as_often_as_their_rates_say(services) -> None:
    """Errors on good and on bad cases against the sum of each reviewer's own error probability.

    Tolerance: four standard deviations of a Poisson number of errors, fixed seed.
    """
    cases, _, first, pool = services
    rates = pool.reviewers.set_index("reviewer_id").loc[first["reviewer_id"]]
    bad, decided = cases["bad"].to_numpy(), (first["verdict"] != "escalate").to_numpy()
    said_bad = (first["verdict"] == "block").to_numpy()
    for truth, rate in ((True, "sensitivity"), (False, "specificity")):
        asked = decided & (bad == truth)
        expected = (1.0 - rates[rate].to_numpy()[asked]).sum()
        assert abs((said_bad != truth)[asked].sum() - expected) < 4.0 * np.sqrt(expected)
    # 24,000 cases: four standard errors of a share of .005 are .0018.
    assert abs((~decided).mean() - 0.005) < 0.0018


@pytest.mark.parametrize(
    ("recommendation", "verdict", "label"),
    [
        ("block", "block", "TP"),
        ("pass", "pass", "TN"),
        ("block", "pass", "FP"),
        ("pass", "block", "FN"),
    ],
)
def test_the_label_follows_from_recommendation_and_verdict(
    services, recommendation: str, verdict: str, label: str
) -> None:
    """Positive means block."""
    _, agent, first, _ = services
    rows = (agent["recommendation"] == recommendation) & (first["verdict"] == verdict)
    assert rows.any()
    assert set(first.loc[rows, "label"]) == {label}


def test_a_case_the_agent_could_not_score_gets_a_verdict_and_no_label(services) -> None:
    """Without a recommendation nobody is right or wrong, and nothing is contradicted."""
    cases, agent, first, pool = services
    unscored = agent.assign(recommendation=None, score=np.nan)
    reviews = reviewed(pool, cases, unscored)
    assert reviews["label"].isna().all()
    assert reviews["verdict"].equals(first["verdict"])
    assert set(reviews["feedback_path"]) == {"none"}
    later = pool.second_review(
        cases, reviews, recommendation=unscored["recommendation"], score=unscored["score"]
    )
    assert later.empty


def test_an_escalation_carries_no_label_and_only_errors_name_a_path(services) -> None:
    """A path A, B or C with FP and FN, none otherwise; path A names a feature."""
    _, _, first, _ = services
    assert (first["label"].isna() == (first["verdict"] == "escalate")).all()
    wrong = first["label"].isin(["FP", "FN"])
    assert set(first.loc[wrong, "feedback_path"]) == {"A", "B", "C"}
    assert set(first.loc[~wrong, "feedback_path"]) == {"none"}
    assert (first["feature_ref"].notna() == (first["feedback_path"] == "A")).all()
    assert set(first["feature_ref"].dropna()) <= set(RECIPES["ato"].feature_names)
    assert ((first["root_cause"] == "none") == ~wrong).all()
    assert set(first["sop_clause"].dropna()) == set(RECIPES["ato"].sop_clauses)


def test_notes_are_one_or_two_sentences_in_the_reviewer_s_language(services) -> None:
    """Counting the enders of both languages; only Chinese notes have Chinese characters."""
    _, _, first, _ = services
    assert first["annotation"].str.count(r"[.!?](?:\s|$)|[。！？；]").between(1, 2).all()
    chinese = first["annotation"].str.contains(r"[\u4e00-\u9fff]", regex=True)
    assert (chinese == (first["language"] == "zh")).all()
    assert not first["annotation"].str.contains(r"[{}]", regex=True).any()


def test_a_review_does_not_depend_on_the_call_it_came_in(services) -> None:
    """Chunk by chunk and backwards: identical reviews; another kind draws anew."""
    cases, agent, first, pool = services
    chunks = [
        reviewed(pool, cases.iloc[a:b], agent.iloc[a:b])
        for a, b in ((9000, len(cases)), (500, 9000), (0, 500))
    ]
    pd.testing.assert_frame_equal(pd.concat(chunks[::-1], ignore_index=True), first)
    audit = reviewed(pool, cases, agent, kind="audit")
    assert (audit["reviewer_id"] != first["reviewer_id"]).mean() > 0.5
    assert 0.45 < audit["blind"].mean() < 0.55
    assert not first["blind"].any()


def test_contradictions_get_a_second_opinion_and_disagreements_a_senior(services) -> None:
    """Seconds are blind, by a colleague, of contradictions alone; seniors settle the split ones."""
    cases, agent, first, pool = services
    later = second_opinions(services)
    second, senior = (later[later["kind"] == kind].set_index("case_id") for kind in _LATER)
    opening = first.set_index("case_id")
    advice = pd.Series(agent["recommendation"].array, index=cases["case_id"])
    verdict = opening["verdict"]
    contradicted = verdict.index[(verdict != "escalate") & (verdict != advice)]
    assert second.index.tolist() == contradicted.tolist()
    assert second["blind"].all()
    before = opening.loc[second.index]
    assert (second["reviewer_id"] != before["reviewer_id"]).all()
    assert set(second["reviewer_id"]) <= set(pool.reviewers["reviewer_id"])
    assert (second["resolved_at"] > before["resolved_at"]).all()
    split = second.index[second["verdict"] != before["verdict"]]
    assert senior.index.tolist() == split.tolist()
    assert len(senior) > 0
    assert set(senior["reviewer_id"]) <= set(pool.seniors["reviewer_id"])
    assert (senior["queued_at"] == second.loc[senior.index, "resolved_at"]).all()
    assert later["review_id"].is_unique


_LATER = ("second", "senior")


def test_desk_practice_mends_most_errors(services) -> None:
    """After second and senior reviews fewer contradictions are wrong than before, by far."""
    cases, _, first, _ = services
    later = second_opinions(services).drop_duplicates("case_id", keep="last").set_index("case_id")
    truth = cases.set_index("case_id")["bad"].loc[later.index]
    opening = first.set_index("case_id").loc[later.index, "verdict"]
    wrong_first = ((opening == "block") != truth).sum()
    wrong_last = ((later["verdict"] == "block") != truth).sum()
    assert wrong_first >= 20
    assert wrong_last <= 0.25 * wrong_first


def test_who_asks_gets_exactly_those_second_reviews_and_after_he_asked(services) -> None:
    """Agreeing ones too; nobody is asked about a case that was not named."""
    cases, agent, _, pool = services
    audits = reviewed(pool, cases, agent, kind="audit")
    named, when = np.arange(len(cases)) % 7 == 0, pd.Timestamp("2030-01-01", tz="UTC")
    later = pool.second_review(
        cases, audits, recommendation=agent["recommendation"], score=agent["score"],
        asked=named, asked_at=when,
    )  # fmt: skip
    second = later[later["kind"] == "second"]
    assert second["case_id"].tolist() == cases.loc[named, "case_id"].tolist()
    assert (later["resolved_at"] > when).all()
    first = audits.set_index("case_id").loc[second["case_id"], "reviewer_id"]
    assert (first.to_numpy() != second["reviewer_id"].to_numpy()).all()


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        (WeightFault("ato", "new_device", 2.5), "A"),
        (ThresholdFault("ato", shift=2.0, slope=1.0), "B"),
        (ProcedureFault("ato", "ATO-07", "network_type", "mobile", 0.3), "C"),
    ],
)
def test_reviewers_name_a_planted_cause_more_often_than_any_other(fault, path: str) -> None:
    """Of the errors that the fault makes (the true agent being right) most carry its path."""
    cases = EXCHANGE.cases("ato", 0, 10)
    agent = Exchange(seed=11, faults=[fault]).agent(cases)
    marks = reviewed(ReviewerPool(11, ["ato"], faults=[fault]), cases, agent)
    true_advice = EXCHANGE.agent(cases)["recommendation"]
    made = (agent["recommendation"] != true_advice) & marks["label"].isin(["FP", "FN"])
    assert made.sum() > 50
    assert (marks.loc[made, "feedback_path"] == path).mean() > 0.7
    if path == "A":
        assert marks.loc[made, "feature_ref"].eq("new_device").mean() > 0.7
    if path == "C":
        turned = made & misread(fault, cases, seed=11)
        assert marks.loc[turned, "sop_clause"].eq("ATO-07").mean() > 0.7


def test_what_cannot_be_reviewed_is_refused_with_a_reason(services) -> None:
    """Unknown types, values that do not fit the cases, local stamps, and foreign first reviews."""
    cases, agent, first, pool = services
    with pytest.raises(ValueError, match="has no case types 'card'"):
        ReviewerPool(1, ["card"])
    with pytest.raises(ValueError, match="recommendation must hold one value a case"):
        reviewed(pool, cases, agent.head(3))
    withdrawals = EXCHANGE.cases("withdrawal_anomaly", 0, 1)
    with pytest.raises(ValueError, match="employs nobody for case type 'withdrawal_anomaly'"):
        reviewed(pool, withdrawals, EXCHANGE.agent(withdrawals))
    naive = cases["opened_at"].dt.tz_localize(None)
    with pytest.raises(ValueError, match="tz-aware"):
        pool.review(
            cases,
            recommendation=agent["recommendation"],
            score=agent["score"],
            kind="audit",
            queued_at=naive,
            resolved_at=naive,
        )
    with pytest.raises(ValueError, match="in the order of `cases`"):
        pool.second_review(
            cases[::-1], first, recommendation=agent["recommendation"], score=agent["score"]
        )


def second_opinions(services) -> pd.DataFrame:
    cases, agent, first, pool = services
    return pool.second_review(
        cases, first, recommendation=agent["recommendation"], score=agent["score"]
    )
