"""What does each tree contribute for every pattern of its decisions, so that a case need only look it up?

Path-dependent TreeSHAP (Lundberg et al. 2018) asks of a case nothing but which way it goes at each
node. So a tree's leaves are put into groups whose paths ask few enough nodes, and for each group the
sum of its leaves' contributions is tabulated by the pattern of those nodes' decisions (METHODS 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.risk.forest import LEAF, Forest, OutOfScope, Tree
from models.risk.path_gains import gains_by_pattern

Ints = npt.NDArray[np.intp]

DEEPEST = 8
MOST_BITS = 10
MOST_BYTES = 256 << 20
_TREES_AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a node asks of a case, as one bit.

    The bit is `x >= threshold`, to which a missing value says no; where a missing value goes right
    it is `x < threshold` instead (`turned`). A categorical split lists whether a case goes right:
    first for a missing value, then for each code, last for all larger codes.
    """

    feature: int
    threshold: np.float32
    turned: bool
    goes_right: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Some leaves of a tree: what their paths ask, and what each feature gains by pattern.

    Attributes:
        asked: places in the tree's questions; the first is the pattern's highest bit.
        columns: for each feature asked, its place and a table of shape (2 ** asked,).
    """

    asked: tuple[int, ...]
    columns: tuple[tuple[int, npt.NDArray[np.float32]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TabulatedTree:
    """A tree's questions, and its leaves in groups."""

    questions: tuple[Question, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tables:
    """A forest, tabulated; `bias` is its mean margin, which no feature is held to account for."""

    trees: tuple[TabulatedTree, ...] = field(repr=False)
    bias: float
    features: int

    @property
    def nbytes(self) -> int:
        groups = (group for tree in self.trees for group in tree.groups)
        return sum(table.nbytes for group in groups for _, table in group.columns)


def tabulate(forest: Forest, most_bits: int = MOST_BITS) -> Tables:
    """Tables of a forest; a tree of one leaf has none, it only moves the bias.

    Args:
        most_bits: how many nodes the paths of a group may ask (one path may always ask its own).

    Raises:
        OutOfScope: a tree is deeper than DEEPEST, or the tables would take more than MOST_BYTES.
    """
    plans = [_plan(tree, most_bits) for tree in forest.trees if tree.left[0] != LEAF]
    expected = sum(group.nbytes for plan in plans for group in plan.groups)
    if expected > MOST_BYTES:
        raise OutOfScope(f"its tables would take {expected >> 20:,} MB")
    spread = _Spread()
    trees: list[TabulatedTree] = []
    for start in range(0, len(plans), _TREES_AT_ONCE):
        trees += _tabulated(plans[start : start + _TREES_AT_ONCE], spread)
    return Tables(
        trees=tuple(trees),
        bias=forest.base_margin + sum(tree.mean for tree in forest.trees),
        features=forest.features,
    )


@dataclass(slots=True, eq=False)
class _Path:
    """The way to a leaf: the questions on it, the bit each must give, and the features they ask.

    `slots` says for each question which of the path's distinct `features` it asks; `shares` are
    those of the training cases that a feature's conditions let through. `gains` has the shape
    (features, 2 ** asked), by the bits of the path's questions; the first is the highest.
    """

    asked: tuple[int, ...]
    bits: tuple[bool, ...]
    slots: tuple[int, ...]
    features: tuple[int, ...]
    shares: tuple[float, ...]
    value: float
    gains: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


@dataclass(slots=True, eq=False)
class _GroupPlan:
    """Paths that will share tables, and all that they ask."""

    asked: frozenset[int]
    paths: list[_Path]

    @property
    def features(self) -> list[int]:
        return sorted({feature for path in self.paths for feature in path.features})

    @property
    def nbytes(self) -> int:
        return 4 * len(self.features) << len(self.asked)


@dataclass(frozen=True, slots=True, eq=False)
class _TreePlan:
    questions: tuple[Question, ...]
    groups: list[_GroupPlan]


def _plan(tree: Tree, most_bits: int) -> _TreePlan:
    nodes = np.flatnonzero(tree.left != LEAF).tolist()
    numbers = {node: number for number, node in enumerate(nodes)}
    questions = tuple(_question(tree, node) for node in nodes)
    paths = _paths(tree, questions, numbers)
    deepest = max(len(path.asked) for path in paths)
    if deepest > DEEPEST:
        raise OutOfScope(f"a tree is {deepest} deep; tables are kept up to depth {DEEPEST}")
    return _TreePlan(questions, _grouped(paths, max(most_bits, deepest)))


def _question(tree: Tree, node: int) -> Question:
    feature, left = int(tree.feature[node]), bool(tree.default_left[node])
    codes = tree.right_codes.get(node)
    if codes is None:
        return Question(feature, tree.threshold[node], turned=not left)
    goes_right = np.zeros(int(codes.max()) + 3, dtype=np.bool_)
    goes_right[codes + 1] = True
    goes_right[0] = not left
    return Question(feature, tree.threshold[node], turned=False, goes_right=goes_right)


def _paths(tree: Tree, questions: Sequence[Question], numbers: dict[int, int]) -> list[_Path]:
    """All paths, from the leftmost leaf to the rightmost: neighbours share most of their nodes."""
    left, right, features = tree.left.tolist(), tree.right.tolist(), tree.feature.tolist()
    cover, values = tree.cover.astype(np.float64).tolist(), tree.threshold.tolist()
    found = []
    waiting: list[tuple[int, tuple[tuple[int, int], ...]]] = [(0, ())]
    while waiting:
        node, way = waiting.pop()
        if left[node] != LEAF:
            waiting.append((right[node], (*way, (node, right[node]))))
            waiting.append((left[node], (*way, (node, left[node]))))
            continue
        shares: dict[int, float] = {}
        for parent, child in way:
            asks = features[parent]
            shares[asks] = shares.get(asks, 1.0) * cover[child] / cover[parent]
        slots = {feature: slot for slot, feature in enumerate(shares)}
        asked = tuple(numbers[parent] for parent, _ in way)
        to_right = [right[parent] == child for parent, child in way]
        found.append(
            _Path(
                asked=asked,
                bits=tuple(r != questions[q].turned for q, r in zip(asked, to_right, strict=True)),
                slots=tuple(slots[features[parent]] for parent, _ in way),
                features=tuple(shares),
                shares=tuple(shares.values()),
                value=values[node],
            )
        )
    return found


def _grouped(paths: Sequence[_Path], most_bits: int) -> list[_GroupPlan]:
    """Put each path to its neighbours while all of them ask no more than `most_bits` questions;
    then join what is left over where it fits."""
    groups: list[_GroupPlan] = []
    for path in paths:
        asked = frozenset(path.asked)
        last = groups[-1] if groups else None
        if last is not None and len(last.asked | asked) <= most_bits:
            last.asked |= asked
            last.paths.append(path)
        else:
            groups.append(_GroupPlan(asked, [path]))
    joined: list[_GroupPlan] = []
    for group in sorted(groups, key=lambda group: -len(group.asked)):
        for other in joined:
            if len(other.asked | group.asked) <= most_bits:
                other.asked |= group.asked
                other.paths += group.paths
                break
        else:
            joined.append(group)
    return joined


def _tabulated(plans: Sequence[_TreePlan], spread: _Spread) -> list[TabulatedTree]:
    _fill_gains([path for plan in plans for group in plan.groups for path in group.paths])
    return [
        TabulatedTree(plan.questions, tuple(_group(group, spread) for group in plan.groups))
        for plan in plans
    ]


def _fill_gains(paths: Sequence[_Path]) -> None:
    """Paths of one shape at once: the same number of questions about as many features."""
    alike: dict[tuple[int, int], list[_Path]] = {}
    for path in paths:
        alike.setdefault((len(path.asked), len(path.features)), []).append(path)
    for (asked, features), some in alike.items():
        gains = gains_by_pattern(
            np.array([path.shares for path in some]), np.array([path.value for path in some])
        )
        # A feature's conditions hold where all its questions give the bit that leads to the leaf.
        met = np.full((len(some), 1 << asked), (1 << features) - 1)
        patterns = np.arange(1 << asked)
        bits, slots = (np.array([getattr(p, name) for p in some]) for name in ("bits", "slots"))
        for place in range(asked):
            given = patterns >> (asked - 1 - place) & 1
            failed = given[None, :] != bits[:, place, None]
            met &= ~(failed << (features - 1 - slots[:, place, None]))
        by_bits = np.take_along_axis(gains, met[:, None, :], axis=2).astype(np.float32)
        for path, one in zip(some, by_bits, strict=True):
            path.gains = one


def _group(plan: _GroupPlan, spread: _Spread) -> Group:
    asked = sorted(plan.asked)
    place = {question: number for number, question in enumerate(asked)}
    features = plan.features
    row = {feature: number for number, feature in enumerate(features)}
    tables = np.zeros((len(features), 1 << len(asked)), dtype=np.float32)
    for path in plan.paths:
        bits = spread.of(len(asked), tuple(place[question] for question in path.asked))
        for feature, gains in zip(path.features, path.gains, strict=True):
            tables[row[feature]] += gains.take(bits)
    return Group(tuple(asked), tuple(zip(features, tables, strict=True)))


class _Spread:
    """For each pattern of a group the pattern of some of its bits; kept, for shapes recur."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, tuple[int, ...]], Ints] = {}

    def of(self, count: int, places: tuple[int, ...]) -> Ints:
        kept = self._kept.get((count, places))
        if kept is None:
            patterns = np.arange(1 << count)
            kept = np.zeros(1 << count, dtype=np.intp)
            for place in places:
                kept = kept << 1 | patterns >> (count - 1 - place) & 1
            self._kept[count, places] = kept
        return kept
