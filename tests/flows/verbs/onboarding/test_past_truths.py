"""Of how many past cases is the truth bad, good, or not known?"""

from __future__ import annotations

import pandas as pd

from flows.verbs.onboarding.past_truths import PastTruths, past_truths
from tests.builders import START

DAY = pd.Timedelta(days=1)


def rows(*told: tuple[int, bool | None]) -> pd.DataFrame:
    """(day opened, bad) of each case."""
    return pd.DataFrame(
        {
            "opened_at": [START + day * DAY for day, _ in told],
            "bad": pd.array([bad for _, bad in told], dtype="boolean"),
        }
    )


def test_every_case_is_bad_good_or_not_known() -> None:
    """Of the last the mature ones are counted apart: only they weigh in a proof."""
    past = rows((0, True), (1, False), (2, False), (3, None), (9, None), (9, True))
    assert past_truths(past, START + 5 * DAY) == PastTruths(
        bad=2, good=2, unknown=1 + 1, unknown_and_mature=1
    )


def test_what_becomes_of_the_unknown_is_said() -> None:
    """Nothing where there are none; the mature ones count as the worst case, the young ones wait."""
    assert PastTruths(2, 7, 0, 0).sentence("loan") == (
        "loan: 2 cases are bad, 7 good, of 0 the truth is not known."
    )
    assert "counts as the worst case" not in PastTruths(2, 7, 3, 0).sentence("loan")
    both = PastTruths(2, 7, 894, 800).sentence("loan")
    assert "94 of these are younger than `maturity_days`" in both
    assert "800 are older" in both
    assert "counts as the worst case" in both
