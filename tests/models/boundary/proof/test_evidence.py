"""Which cases speak, and how much each one weighs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.boundary import Evidence, certify
from models.vocabulary import Boundary, Targets
from tests.models.boundary.worlds import seen_as


def test_truth_enters_only_where_a_case_was_drawn() -> None:
    """Five cases: labelled, drawn and missing, audited, not drawn, and an outcome nobody drew."""
    found = seen_as(
        scores=[0.1, 0.2, 0.3, 0.4, 0.5],
        bad=[True, None, True, None, True],
        propensity=[1.0, 1.0, 0.1, 0.1, 0.1],
        drawn=[True, True, True, False, False],
    )
    assert found.drawn.tolist() == [True, True, True, False, False]
    assert found.labelled.tolist() == [True, False, True, False, False]
    assert found.missing.tolist() == [False, True, False, False, False]
    assert found.bad.tolist() == [True, False, True, False, False]


def test_without_a_drawn_column_a_label_or_certain_observation_means_drawn() -> None:
    """An audited case without a label cannot be told from one that was not drawn."""
    found = seen_as([0.1, 0.2, 0.3, 0.4], [None, True, None, False], [1.0, 1.0, 0.1, 0.1])
    assert found.drawn.tolist() == [True, True, False, True]


def test_a_case_that_must_be_observed_cannot_drop_out_of_the_proof() -> None:
    """500 unseen cases with propensity 1, said not to be drawn, count as the worst."""
    frame = pd.DataFrame(
        {
            "score": [0.1] * 600 + [0.9] * 600,
            "bad": [np.nan] * 500 + [0.0] * 100 + [1.0] * 600,
            "propensity": 1.0,
            "drawn": [False] * 500 + [True] * 700,
        }
    )
    assert int(Evidence.from_frame(frame).missing.sum()) == 500
    found = certify(frame, Targets(recall=0.99))
    assert found.boundary == Boundary.everything_reviewed()
    assert found.drawn_and_missing == 500
    known = certify(frame.assign(drawn=True, bad=frame["bad"].fillna(0.0)), Targets(recall=0.99))
    assert known.boundary.pass_at_or_below is not None


def test_full_review_is_a_matter_of_design_not_of_luck() -> None:
    """METHODS 1.2, trap: an audit that happened to see everything is still an audit."""
    lucky = seen_as([0.1, 0.9], [False, True], [0.5, 1.0], drawn=[True, True])
    assert lucky.labelled.all()
    assert not lucky.fully_reviewed
    assert lucky.largest_weight == 1 / 0.5
    unlucky = seen_as([0.1, 0.9], [None, None], 1.0)
    assert unlucky.fully_reviewed
    assert unlucky.largest_weight == 1.0


def test_a_score_on_a_side_counts_as_decided_and_a_key_user_never_does() -> None:
    """Two of five: equal to a side is inside it, the fifth case is not to be automated."""
    found = seen_as(
        [0.2, 0.2000001, 0.8, 0.7999999, 0.1],
        [False] * 5,
        automatable=[True, True, True, True, False],
    )
    assert found.automation_rate(Boundary(0.2, 0.8)) == 2 / 5
    assert found.automation_rate(Boundary.everything_reviewed()) == 0.0


@pytest.mark.parametrize(
    "truth",
    [
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series([True, False, None], dtype=object),
        pd.Series([1.0, 0.0, np.nan]),
        pd.Series([1, 0, None], dtype="Int8"),
    ],
    ids=["boolean", "object", "float", "integer"],
)
def test_truth_may_come_in_any_column_type(truth: pd.Series) -> None:
    """True, false and null mean the same whatever wrote the file."""
    found = Evidence.from_frame(
        pd.DataFrame({"score": [0.1, 0.2, 0.3], "bad": truth, "propensity": 1.0})
    )
    assert found.bad.tolist() == [True, False, False]
    assert found.missing.tolist() == [False, False, True]


@pytest.mark.parametrize("column", ["score", "propensity"])
@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, np.inf])
def test_a_number_that_is_no_probability_is_refused(column: str, value: float) -> None:
    """Nothing is clipped or dropped silently; the row is named."""
    good = pd.DataFrame({"score": [0.1, 0.2], "bad": [0.0, 1.0], "propensity": [1.0, 0.5]})
    good.loc[1, column] = value
    with pytest.raises(ValueError, match=f"1 rows have no valid '{column}'.*row 1"):
        Evidence.from_frame(good)


def test_a_flag_that_is_empty_is_refused() -> None:
    """Whether a case may be automated cannot be left open."""
    frame = pd.DataFrame({"score": [0.1], "bad": [0.0], "propensity": [1.0]})
    frame["automatable"] = pd.array([None], dtype="boolean")
    with pytest.raises(ValueError, match="no value in 'automatable'"):
        Evidence.from_frame(frame)


def test_the_largest_weight_comes_from_every_designed_propensity() -> None:
    """Also from that of a case which the draw left out: its weight was possible."""
    found = seen_as([0.1, 0.2, 0.9], [False, None, True], [0.25, 0.05, 1.0])
    assert not found.drawn[1]
    assert found.largest_weight == 1 / 0.05


def test_an_empty_table_is_evidence_of_nothing() -> None:
    """Before the first case matures there is no rate, no weight and nothing missing."""
    found = Evidence.from_frame(
        pd.DataFrame({"score": [], "bad": [], "propensity": []}, dtype=np.float64)
    )
    assert (len(found), int(found.missing.sum()), found.largest_weight) == (0, 0, 1.0)
    assert found.automation_rate(Boundary(0.1, 0.9)) == 0.0


def test_missing_columns_are_all_named() -> None:
    """One message, every column, and what the table has instead."""
    with pytest.raises(ValueError, match="no column 'score', 'propensity'; it has 'bad'"):
        Evidence.from_frame(pd.DataFrame({"bad": [1.0]}))


def test_days_are_read_from_stamps_and_from_nothing_else() -> None:
    """Fractions of a day in UTC; a missing stamp counts as the first, text tells no day."""
    columns = {"score": [0.1] * 3, "bad": [0.0] * 3, "propensity": [1.0] * 3}
    stamps = pd.to_datetime(["1970-01-03T12:00Z", None, "1970-01-05T00:00Z"], format="ISO8601")
    told = Evidence.from_frame(pd.DataFrame({**columns, "opened_at": stamps}))
    assert told.day.tolist() == [2.5, 2.5, 4.0]
    assert Evidence.from_frame(pd.DataFrame(columns)).day.tolist() == [0.0, 0.0, 0.0]
    text = Evidence.from_frame(pd.DataFrame({**columns, "opened_at": ["1970-01-03"] * 3}))
    assert text.day.tolist() == [0.0, 0.0, 0.0]
