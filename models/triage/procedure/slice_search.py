"""Where in the columns do errors pile up: which conditions would a shallow tree propose?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeRegressor

from models.triage.procedure.excess import BoolArray, FloatArray, strata_of, tally
from models.triage.procedure.slice_columns import Kind, SliceColumn
from models.triage.procedure.slice_conditions import Relation, SliceCondition, all_hold, rounded

MOST_TREES = 3
"""Each further tree sees the cases without the best slices of those before it."""
LEAST_EXPECTED = 1e-6
LARGEST = 1e30
"""Numbers beyond it, infinite ones among them, look like it to the tree, whose sums must not overflow."""

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How to look: tree depth, fewest cases a slice, the ratio worth proposing, and the seed."""

    most_depth: int
    fewest_cases: int
    least_ratio: float
    seed: int


def propose_slices(
    columns: Mapping[str, SliceColumn], wrong: BoolArray, expected: FloatArray, plan: SearchPlan
) -> list[tuple[SliceCondition, ...]]:
    """Conjunctions of conditions under which errors exceed their expectation, most telling first.

    A Poisson tree (Breiman et al. 1984) on errors over expected errors, weighted by the latter: its
    leaves hold ratios, and its splits maximise the likelihood that the excess test looks at. Expected
    errors are first scaled to the errors seen at the same expected probability.

    Args:
        columns: the judgeable columns, each of shape (n,).
        wrong, expected: shape (n,), expected above zero.
    """
    matrix, features = _design(columns)
    scaled = _as_many_as_seen(wrong, expected)
    left = np.ones(len(wrong), dtype=np.bool_)
    proposed: dict[tuple[SliceCondition, ...], None] = {}
    for _ in range(MOST_TREES):
        if not features or left.sum() < 2 * plan.fewest_cases or not wrong[left].any():
            break
        tree = _fitted(matrix[left], wrong[left], scaled[left], plan)
        ranked = sorted(_nodes(tree, features), key=lambda node: -node.gain)
        telling = [node for node in ranked if node.ratio >= plan.least_ratio]
        if not telling:
            break
        proposed.update(dict.fromkeys(node.conditions for node in telling))
        left &= ~all_hold(telling[0].conditions, columns)
    return list(proposed)


@dataclass(frozen=True, slots=True)
class _Split:
    """What a column of the design matrix tests: a numeric column, a level, or being missing.

    `other` is the only other level, where there are two.
    """

    column: str
    relation: Relation
    value: str = ""
    other: str = ""

    def branch(self, threshold: float, low: bool) -> SliceCondition:
        if self.relation is Relation.AT_MOST:
            return SliceCondition(
                self.column, Relation.AT_MOST if low else Relation.ABOVE, rounded(threshold)
            )
        if low and self.other:
            return SliceCondition(self.column, Relation.IS, self.other)
        opposite = {Relation.IS: Relation.IS_NOT, Relation.MISSING: Relation.KNOWN}
        return SliceCondition(
            self.column, opposite[self.relation] if low else self.relation, self.value
        )


@dataclass(frozen=True, slots=True)
class _Node:
    """A node below the root: its ratio to the rest, and how much likelihood the excess in it is worth."""

    conditions: tuple[SliceCondition, ...]
    ratio: float
    gain: float


def _design(columns: Mapping[str, SliceColumn]) -> tuple[Float32Array, list[_Split]]:
    """The tree's matrix and what each of its columns tests.

    A missing number takes the median, so that it moves no threshold, and has an indicator.
    """
    parts: list[Float32Array] = []
    splits: list[_Split] = []
    for name, column in columns.items():
        missing = column.missing
        if missing.all():
            continue
        if column.kind is Kind.NUMERIC:
            filled = np.where(missing, np.nanmedian(column.numbers), column.numbers)
            parts.append(np.clip(filled, -LARGEST, LARGEST).astype(np.float32))
            splits.append(_Split(name, Relation.AT_MOST))
        else:
            # One of two levels is enough; the other is its complement.
            two = len(column.levels) == 2
            for code in range(1, 2) if two else range(len(column.levels)):
                parts.append((column.numbers == code).astype(np.float32))
                other = column.levels[0] if two else ""
                splits.append(_Split(name, Relation.IS, column.levels[code], other))
        if missing.any():
            parts.append(missing.astype(np.float32))
            splits.append(_Split(name, Relation.MISSING))
    return (np.column_stack(parts) if parts else np.zeros((0, 0), np.float32)), splits


def _as_many_as_seen(wrong: BoolArray, expected: FloatArray) -> FloatArray:
    """Expected errors scaled within each stratum to the number of errors seen there, shape (n,)."""
    stratum = strata_of(expected)
    sums = tally(stratum * 0, 1, stratum, wrong, expected).of(0)
    factor = (sums.errors + 0.5) / (sums.expected + 0.5)
    return np.maximum(expected * factor[stratum], LEAST_EXPECTED)


def _fitted(
    matrix: Float32Array, wrong: BoolArray, expected: FloatArray, plan: SearchPlan
) -> DecisionTreeRegressor:
    tree = DecisionTreeRegressor(
        criterion="poisson",
        max_depth=plan.most_depth,
        min_samples_leaf=plan.fewest_cases,
        random_state=plan.seed,
    )
    return tree.fit(matrix, wrong / expected, sample_weight=expected)


def _nodes(tree: DecisionTreeRegressor, splits: list[_Split]) -> Iterator[_Node]:
    """Every node below the root, with the conditions on the way to it."""
    fitted = tree.tree_
    ratios: FloatArray = fitted.value[:, 0, 0]
    weights: FloatArray = fitted.weighted_n_node_samples
    all_errors, all_expected = float(ratios[0] * weights[0]), float(weights[0])
    open_nodes: list[tuple[int, tuple[SliceCondition, ...]]] = [(0, ())]
    while open_nodes:
        node, conditions = open_nodes.pop()
        if conditions:
            ratio, expected = float(ratios[node]), float(weights[node])
            errors = ratio * expected
            gain = errors * np.log(max(ratio, 1e-12)) - errors + expected
            # Against the rest, as the test will: where one slice holds most of the errors, they are
            # most of the expected ones, too, and its ratio to the whole can hardly exceed 1.
            rest = (all_errors - errors + 0.5) / max(all_expected - expected, 0.5)
            found = _Node(_simplified(conditions), ratio / rest, float(gain))
            yield found if ratio > 1.0 else replace(found, gain=0.0)
        if fitted.children_left[node] >= 0:
            split, threshold = splits[fitted.feature[node]], float(fitted.threshold[node])
            for child, low in (
                (int(fitted.children_left[node]), True),
                (int(fitted.children_right[node]), False),
            ):
                open_nodes.append((child, (*conditions, split.branch(threshold, low))))


def _simplified(conditions: tuple[SliceCondition, ...]) -> tuple[SliceCondition, ...]:
    """Without a condition that a later one implies: x<=10 and x<=5 is x<=5; c!=b and c=a is c=a."""
    kept = [
        condition
        for place, condition in enumerate(conditions)
        if not any(_implies(later, condition) for later in conditions[place + 1 :])
    ]
    return tuple(sorted(kept, key=lambda condition: (condition.column, condition.text)))


def _implies(stronger: SliceCondition, weaker: SliceCondition) -> bool:
    if stronger.column != weaker.column:
        return False
    if stronger.relation is weaker.relation:
        return stronger.relation in (Relation.AT_MOST, Relation.ABOVE)
    known = stronger.relation is not Relation.MISSING and weaker.relation is Relation.KNOWN
    return known or (stronger.relation is Relation.IS and weaker.relation is Relation.IS_NOT)
