"""The tables of a whole forest end to end, so that a few cases are looked up in all of it at once.

A pass over the trees costs the same some ten milliseconds for one case as for a hundred: what is
served case by case would spend most of its time there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.risk.lookup_tables import Tables

FloatArray = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Column = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class FlatTables:
    """All questions, groups and tables of a forest, each kind in one array, in the trees' order.

    Attributes:
        feature, threshold, turned: of each question; see `Question`.
        categorical: places of the questions about categories; `lists` holds their `goes_right` end
            to end, `list_start` and `list_last` where each begins and the last place in it.
        asked, weight: the questions of all groups end to end, and what a yes adds to the group's
            pattern; `group_start` says where each group begins.
        gains: all tables end to end. A table starts at `table_start`, is read at the pattern of
            `table_group`, and is added to `table_sum`: its feature's sum in its block of trees.
        blocks, features: of the sums.
    """

    feature: Ints
    threshold: npt.NDArray[np.float32]
    turned: npt.NDArray[np.bool_]
    categorical: Ints
    lists: npt.NDArray[np.bool_] = field(repr=False)
    list_start: Ints
    list_last: Ints
    asked: Ints
    weight: Ints
    group_start: Ints
    gains: npt.NDArray[np.float32] = field(repr=False)
    table_start: Ints
    table_group: Ints
    table_sum: Ints
    blocks: int
    features: int

    @classmethod
    def of(cls, tables: Tables, trees_a_sum: int) -> FlatTables:
        """Lay the tables of a forest end to end.

        Args:
            trees_a_sum: how many trees are added up in float32, before their sum is in float64.
        """
        before = np.cumsum([0, *(len(tree.questions) for tree in tables.trees)])
        questions = [question for tree in tables.trees for question in tree.questions]
        groups = [
            (number // trees_a_sum, first, group)
            for number, (first, tree) in enumerate(zip(before, tables.trees, strict=False))
            for group in tree.groups
        ]
        held = [
            (block * tables.features + feature, place, table)
            for place, (block, _, group) in enumerate(groups)
            for feature, table in group.columns
        ]
        lists = [one.goes_right for one in questions if one.goes_right is not None]
        asks = [len(group.asked) for _, _, group in groups]
        return cls(
            feature=_ints(one.feature for one in questions),
            threshold=np.array([one.threshold for one in questions], dtype=np.float32),
            turned=np.array([one.turned for one in questions], dtype=np.bool_),
            categorical=np.flatnonzero([one.goes_right is not None for one in questions]),
            lists=np.concatenate([*lists, np.empty(0, np.bool_)]),
            list_start=_starts([len(one) for one in lists]),
            list_last=_ints(len(one) - 1 for one in lists),
            asked=_ints(first + place for _, first, group in groups for place in group.asked),
            weight=_ints(1 << bit for count in asks for bit in reversed(range(count))),
            group_start=_starts(asks),
            gains=np.concatenate([*(table for _, _, table in held), np.empty(0, np.float32)]),
            table_start=_starts([len(table) for _, _, table in held]),
            table_group=_ints(place for _, place, _ in held),
            table_sum=_ints(total for total, _, _ in held),
            blocks=-(-len(tables.trees) // trees_a_sum),
            features=tables.features,
        )

    def look_up(self, columns: list[Column]) -> FloatArray:
        """Contributions to the margin, shape (rows, features): the bits that the long road gives.

        Each sum is added up in the trees' order, in the same precision.

        Args:
            columns: one a feature, shape (rows,), as `Question` asks them.
        """
        rows = len(columns[0])
        patterns = np.add.reduceat(
            self._answers(columns)[:, self.asked] * self.weight, self.group_start, axis=1
        )
        said = self.gains[self.table_start + patterns[:, self.table_group]]
        sums = np.zeros((rows, self.blocks * self.features), dtype=np.float32)
        for own, of_row in zip(sums, said, strict=True):
            np.add.at(own, self.table_sum, of_row)
        by_feature = np.zeros((rows, self.features))
        for block in sums.reshape(rows, self.blocks, self.features).swapaxes(0, 1):
            by_feature += block
        return by_feature

    def _answers(self, columns: list[Column]) -> npt.NDArray[np.bool_]:
        """A bit for every question, shape (rows, questions)."""
        # float32 holds a category's place exactly: there are far fewer than 2 ** 24.
        told = np.stack([column.astype(np.float32, copy=False) for column in columns], axis=1)
        values = told[:, self.feature]
        bits = np.where(self.turned, values < self.threshold, values >= self.threshold)
        places = values[:, self.categorical].astype(np.intp)
        bits[:, self.categorical] = self.lists[self.list_start + np.minimum(places, self.list_last)]
        return bits


def _ints(values: Any) -> Ints:
    return np.fromiter(values, dtype=np.intp)


def _starts(sizes: list[int]) -> Ints:
    return np.cumsum([0, *sizes], dtype=np.intp)[:-1]
