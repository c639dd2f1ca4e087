"""The label is known by a word for a loss, and never by one that is about other cases."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.verbs.onboarding.column_roles import roles_in, yes_no_columns

NOTHING_GIVEN = dict.fromkeys(("case_id", "opened_at", "bad", "amount_usd", "priority"))


def loans(**flags: list[str]) -> pd.DataFrame:
    """Four loans with an id, a time and the columns that a test is about."""
    return pd.DataFrame(
        {
            "loan_id": ["L1", "L2", "L3", "L4"],
            "opened": [f"2026-01-0{day} 10:00:00" for day in (1, 2, 3, 4)],
            **flags,
        }
    )


YES_NO = ["yes", "no", "no", "no"]


@pytest.mark.parametrize(
    "name",
    [
        "defaulted", "default", "is_default", "default.payment.next.month", "loan_default", "is_bad",
        "bad_flag", "charged_off", "chargeoff", "WrittenOff", "chargeback", "charged_back", "is_fraud",
        "FraudFlag", "delinquent",
    ],
)  # fmt: skip
def test_a_yes_no_column_with_a_word_for_a_loss_is_the_label(name: str) -> None:
    """However it is written."""
    assert roles_in(loans(**{name: YES_NO}), NOTHING_GIVEN, "loan").columns["bad"] == name


@pytest.mark.parametrize(
    "name",
    [
        "has_guarantor", "churned", "default_address", "default_card", "previous_default",
        "defaulted_before", "past_chargeback",
    ],
)  # fmt: skip
def test_other_yes_no_columns_are_not(name: str) -> None:
    """What is about the customer, or about earlier cases, is a feature."""
    assert "bad" not in roles_in(loans(**{name: YES_NO}), NOTHING_GIVEN, "loan").columns


def test_a_word_for_a_loss_needs_yes_and_no() -> None:
    """`defaulted` that holds amounts is no label; and the plainest name goes first."""
    assert (
        "bad"
        not in roles_in(loans(defaulted=["3.5", "0", "1", "9"]), NOTHING_GIVEN, "loan").columns
    )
    both = loans(other_party_is_fraud=YES_NO, fraud=YES_NO)
    assert roles_in(both, NOTHING_GIVEN, "loan").columns["bad"] == "fraud"


def test_yes_no_columns_hold_both() -> None:
    """One value alone says nothing of a case."""
    table = loans(has_guarantor=YES_NO, closed=["no"] * 4, opened_by=["ana", "ben", "ana", "ben"])
    assert yes_no_columns(table, {"loan_id"}) == ["has_guarantor"]
