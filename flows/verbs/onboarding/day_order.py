"""Does the day stand first in 03/04/2026, or the month, where the cells of a table settle it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from configs.errors import UserError
from flows.adapters.tables.reading.stamps import cells_with_slashes
from flows.verbs.onboarding.table_columns import is_stamp


@dataclass(frozen=True, slots=True)
class DayOrder:
    """What the cells of a table say.

    Attributes:
        order: `dmy` or `mdy`, where every cell can be read that way and some only that way.
        by: the column whose cells settle it. cells: how many do.
    """

    order: str | None = None
    by: str = ""
    cells: int = 0

    def told(self) -> Iterable[str]:
        """A sentence for the guess."""
        if self.order is not None:
            which = "day" if self.order == "dmy" else "month"
            yield (
                f"the {which} stands first in dates: {self.cells:,} cells of {self.by!r} can be read no "
                "other way, and none contradicts; --dates says otherwise."
            )


def day_order_in(table: pd.DataFrame) -> DayOrder:
    """Which order all dates of a table are in, by those whose day is above 12; years of two digits
    settle nothing."""
    found = {
        str(name): cells_with_slashes(table[name])
        for name in table.columns
        if not pd.api.types.is_datetime64_any_dtype(table[name].dtype) and is_stamp(table[name])
    }
    day_first = {name: one.day_first for name, one in found.items()}
    month_first = {name: one.month_first for name, one in found.items()}
    sound = all(one.settles for one in found.values())
    forced = [
        (kind, by) for kind, by in (("dmy", day_first), ("mdy", month_first)) if any(by.values())
    ]
    if not sound or len(forced) != 1:
        return DayOrder()
    order, by = forced[0]
    name = max(by, key=lambda one: by[one])
    return DayOrder(order, name, by[name])


def refuse_unsettled(values: pd.Series, name: str) -> None:
    """Nothing, if the column's dates can be read without being told in which order.

    Raises:
        UserError: they cannot, with the options that say so.
    """
    cells = cells_with_slashes(values)
    if cells.too_many:
        raise UserError(
            f"Say --dates dmy or --dates mdy: {cells.count:,} cells of {name!r} are written like "
            "03/04/2026, and "
            + (
                "some begin with the day and others with the month; mend these at the source."
                if cells.day_first and cells.month_first
                else "no cell shows whether the day comes first or the month."
            )
        )
