"""Contributions are kept with every case a person gets to see, once."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.decide.contributions import TABLE, keep_contributions, kept_contributions
from flows.verbs.decide.decide import decide_cases
from flows.verbs.services import Services
from tests.builders import small_settings
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised


@pytest.fixture
def empty(advised: Advised, tmp_path) -> Services:
    """The same case type's desk with nothing kept."""
    return Services.at(tmp_path, small_settings(), advised.services.case_types, seed=3)


def kept(advised: Advised, **asked) -> pd.DataFrame:
    return kept_contributions(
        advised.services.store,
        advised.services.case_types,
        CASE_TYPE,
        advised.model.digest,
        **asked,
    )


def test_what_is_kept_adds_up_to_the_log_odds_of_the_decisions_score(advised: Advised) -> None:
    """Everything is reviewed, so every case has them; float32 values, hence 1e-5."""
    rows = kept(advised)
    assert rows["case_id"].tolist() == advised.decided["case_id"].tolist()
    np.testing.assert_allclose(rows["margin"], logit(advised.decided["score"]), atol=1e-9)
    phi = rows.filter(like="phi_")
    assert list(phi) == [f"phi_{name}" for name in advised.model.feature_names]
    assert set(phi.dtypes) == {np.dtype(np.float32)}
    bias = rows["margin"] - phi.astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(bias, advised.model.contributions(advised.cases).bias, atol=1e-5)


def test_cases_before_the_first_model_have_none(advised: Advised) -> None:
    """Nobody's model decided them."""
    assert not set(kept(advised)["case_id"]) & set(advised.past["case_id"])


def test_deciding_the_same_cases_again_keeps_nothing_twice(advised: Advised) -> None:
    """Not in other batches either."""
    before = advised.services.store.read(TABLE)
    decide_cases(advised.services, CASE_TYPE, advised.cases, advised.now + timedelta(hours=1))
    decide_cases(
        advised.services, CASE_TYPE, advised.cases[100:230], advised.now + timedelta(hours=2)
    )
    pd.testing.assert_frame_equal(advised.services.store.read(TABLE), before)


def test_only_escalated_and_audited_cases_that_were_scored_are_kept(
    advised: Advised, empty: Services
) -> None:
    """Of four cases: escalated, audited, neither, and escalated because nobody could score it."""
    cases = advised.cases.head(4).copy()
    cases.loc[3, "client_platform"] = "abacus"
    decided = pd.DataFrame(
        {
            "action": ["escalate", "auto_pass", "auto_pass", "escalate"],
            "audited": [False, True, False, False],
        }
    )
    reason = advised.model.score(cases)[1]
    keep_contributions(empty.store, CASE_TYPE, advised.model, cases, decided, reason, advised.now)
    rows = kept_contributions(empty.store, empty.case_types, CASE_TYPE, advised.model.digest)
    assert rows["case_id"].tolist() == cases["case_id"].tolist()[:2]
    pd.testing.assert_frame_equal(rows, kept(advised).head(2))


def test_what_is_asked_for_is_what_comes(advised: Advised) -> None:
    """By moment of keeping, by the case's opening, by id and by model."""
    opened = advised.cases["opened_at"]
    late = kept(advised, since=opened.iloc[300].to_pydatetime())
    assert late["case_id"].tolist() == advised.cases["case_id"].tolist()[300:]
    assert kept(advised, as_of=advised.now - timedelta(days=1)).empty
    one = advised.cases["case_id"].iloc[7]
    assert kept(advised, case_ids=[one])["case_id"].tolist() == [one]
    assert kept_contributions(
        advised.services.store, advised.services.case_types, CASE_TYPE, "f" * 64
    ).empty


def test_numbered_rows_join_with_their_decisions(advised: Advised) -> None:
    """By number as by id."""
    numbered = kept(advised, numbered=True)
    decisions = advised.services.store.read("decisions", columns=["case_id"], numbered=True)
    by_number = decisions.set_index(CASE_NUMBER)["case_id"]
    assert by_number.loc[numbered[CASE_NUMBER]].tolist() == numbered["case_id"].tolist()


def test_a_desk_that_has_kept_nothing_says_so_in_the_same_columns(
    advised: Advised, empty: Services
) -> None:
    """No table yet, and no case to keep, are no errors."""
    none = advised.cases.head(0)
    decided = advised.decided.head(0)
    reason = np.empty(0, dtype="U24")
    keep_contributions(empty.store, CASE_TYPE, advised.model, none, decided, reason, advised.now)
    rows = kept_contributions(empty.store, empty.case_types, CASE_TYPE, advised.model.digest)
    assert len(rows) == 0
    assert list(rows) == list(kept(advised))
