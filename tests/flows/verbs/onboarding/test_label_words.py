"""How is each word of somebody's label read: bad, good, or not known?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from flows.verbs.onboarding.init_asked import Asked
from flows.verbs.onboarding.label_words import (
    LabelWord,
    label_candidates,
    read_label,
    told_of_label,
)

LOANS = pd.DataFrame({"Status": ["paid", "default", " running ", "paid", None, "running", "paid"]})


def asked(bad: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Asked:
    return Asked(case_type="loan", table="loans.csv", bad_values=bad, unknown_values=unknown)


def test_a_word_is_bad_not_known_or_good() -> None:
    """What is empty is not known, too, and needs no word in the source file."""
    read = read_label(LOANS, "Status", asked(("default",), ("running",)))
    np.testing.assert_array_equal(read.bad, [0.0, 1.0, np.nan, 0.0, np.nan, np.nan, 0.0])
    assert read.meanings == {"values": {"bad": {"running": None, "default": True, "paid": False}}}
    assert set(read.words) == {
        LabelWord("paid", 3, "good"),
        LabelWord("running", 2, "not known"),
        LabelWord("default", 1, "bad"),
        LabelWord("(empty)", 1, "not known"),
    }
    assert read.words[0].rows == 3


def test_a_word_that_nobody_named_passes_for_good_and_that_is_said() -> None:
    """894 open loans of 3,000 became good ones without a word."""
    read = read_label(LOANS, "Status", asked(("default",)))
    told = "\n".join(told_of_label("Status", read.words, named=True))
    assert "running: 2 rows, good" in told
    assert "--unknown-value WORD" in told
    assert "--unknown-value" not in "\n".join(told_of_label("Status", read.words, named=False))


def test_beside_yes_and_no_only_what_is_not_known_needs_a_name() -> None:
    rows = pd.DataFrame({"bad": ["yes", "no", "pending", "no"]})
    read = read_label(rows, "bad", asked((), ("pending",)))
    np.testing.assert_array_equal(read.bad, [1.0, 0.0, np.nan, 0.0])
    assert read.meanings == {"values": {"bad": {"pending": None}}}
    assert read_label(rows.iloc[:2], "bad", asked()).meanings == {}


def test_a_code_beside_empty_cells_is_named_as_it_is_written() -> None:
    """pandas makes 2 of them 2.0."""
    rows = pd.DataFrame({"code": [0.0, 1.0, 2.0, np.nan]})
    read = read_label(rows, "code", asked(("1",), ("2",)))
    np.testing.assert_array_equal(read.bad, [0.0, 1.0, np.nan, np.nan])
    assert read.meanings["values"]["bad"] == {"0": False, "1": True, "2": None}


@pytest.mark.parametrize(
    ("bad", "unknown", "said"),
    [
        ((), (), r"it holds paid \(3\), running \(2\), default \(1\)"),
        (
            ("defaulted",),
            (),
            "holds no 'defaulted'; it holds 3 values: 'default', 'paid', 'running'",
        ),
        (("default",), ("open",), "holds no 'open'"),
        (("default",), ("default",), "cannot be bad and not known"),
    ],
)
def test_what_the_words_are_is_said_where_they_do_not_fit(
    bad: tuple[str, ...], unknown: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        read_label(LOANS, "Status", asked(bad, unknown))


def test_a_status_of_few_words_is_named_as_a_label_that_may_be_meant() -> None:
    """By its name or by a word for bad among its cells; with the options that would make it one."""
    count = 40
    table = pd.DataFrame(
        {
            "Status": ["paid", "in default"] * (count // 2),
            "region": ["north", "south"] * (count // 2),
            "Ausgang": ["ok", "chargeback"] * (count // 2),
            "note": [f"text {number}" for number in range(count)],
            "taken": ["fraud", "fine"] * (count // 2),
        }
    )
    found = label_candidates(table, {"taken"})
    assert found == [
        "'Status' (paid (20), in default (20)): --label Status --bad-value 'in default'",
        "'Ausgang' (ok (20), chargeback (20)): --label Ausgang --bad-value chargeback",
    ]
