"""Whether the day or the month stands first is told by days above 12, or asked."""

from __future__ import annotations

import pandas as pd
import pytest

from configs.errors import UserError
from flows.verbs.onboarding.day_order import day_order_in, refuse_unsettled


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["30/11/2025 14:05", "01/12/2025 09:00"], "dmy"),
        (["11/30/2025", "12/01/2025"], "mdy"),
        (["30.11.2025", "1.12.2025"], "dmy"),
        (["30/11/2025", None, "N/A"], "dmy"),
        (["03/04/2025", "05/06/2025"], None),  # nothing forces it
        (["30/11/2025", "11/30/2025"], None),  # they contradict each other
        (["30/11/2025", "31/13/2025"], None),  # no day in any order
        (["25/11/30", "25/11/01"], None),  # a year of two digits may stand first
        (["2025/11/30", "2025/12/01"], None),  # nothing to tell
    ],
)
def test_a_day_above_twelve_settles_the_order(cells: list[str | None], order: str | None) -> None:
    """Where every cell allows it, and some allow nothing else."""
    found = day_order_in(pd.DataFrame({"seen": pd.Series(cells, dtype="str")}))
    assert found.order == order
    assert len(list(found.told())) == (order is not None)


def test_another_column_of_the_table_may_settle_it_or_contradict() -> None:
    """One program wrote both; `dates:` is said once for a source."""
    unclear, day, month = ["03/04/2025"] * 3, ["30/11/2025"] * 3, ["11/30/2025"] * 3
    assert day_order_in(pd.DataFrame({"a": unclear, "b": day})).by == "b"
    assert day_order_in(pd.DataFrame({"a": unclear, "b": day})).order == "dmy"
    assert day_order_in(pd.DataFrame({"a": month, "b": day})).order is None


def test_what_is_unsettled_is_asked_with_the_option_first() -> None:
    """And what is mixed says so."""
    with pytest.raises(
        UserError, match=r"^Say --dates dmy or --dates mdy: 2 cells of 'seen'.*no cell"
    ):
        refuse_unsettled(pd.Series(["03/04/2025", "05/06/2025"]), "seen")
    with pytest.raises(UserError, match="some begin with the day and others with the month"):
        refuse_unsettled(pd.Series(["30/11/2025", "11/30/2025"]), "seen")
    refuse_unsettled(pd.Series(["2025-04-03", "2025/04/03"]), "seen")
