"""Which trees does a booster hold, as arrays one can reckon with?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

LEAF = -1

Ints = npt.NDArray[np.int64]


class OutOfScope(ValueError):
    """This booster is of a kind that is not read here; the message says which."""


@dataclass(frozen=True, eq=False)
class Tree:
    """One regression tree; arrays of shape (nodes,), node 0 is the root.

    A case goes left where `x < threshold` (both float32); of a categorical split it goes right
    where its code is in `right_codes`, else left. A missing value follows `default_left`.

    Attributes:
        left, right: the children's numbers, or -1 at a leaf.
        feature: the place of the feature that is asked, in the order of the booster.
        threshold: float32; at a leaf its value.
        default_left: where a missing value goes.
        cover: float32, the sum of hessians of the training cases that reached the node.
        right_codes: for each categorical split the codes that go right, in order.
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: npt.NDArray[np.float32]
    default_left: npt.NDArray[np.bool_]
    cover: npt.NDArray[np.float32]
    right_codes: Mapping[int, Ints] = field(default_factory=dict)

    @cached_property
    def mean(self) -> float:
        """The leaf values' mean over the training cases: what the tree says of nobody in particular.

        Each node takes its children's means by their cover, as XGBoost does, from the leaves up.
        """
        waiting, order = [0], []
        while waiting:
            node = waiting.pop()
            order.append(node)
            if self.left[node] != LEAF:
                waiting += [int(self.left[node]), int(self.right[node])]
        means = self.threshold.astype(np.float64)
        cover = self.cover.astype(np.float64)
        for node in reversed(order):
            left, right = self.left[node], self.right[node]
            if left != LEAF:
                reached = means[left] * cover[left] + means[right] * cover[right]
                means[node] = reached / cover[node]
        return float(means[0])


@dataclass(frozen=True, eq=False)
class Forest:
    """The trees of a booster, whose leaf values add up; `base_margin` is what it adds to all."""

    trees: tuple[Tree, ...]
    base_margin: float
    features: int


def read_forest(booster: xgb.Booster) -> Forest:
    """Read a single-output booster of plain trees.

    Raises:
        OutOfScope: another kind of booster or objective, several outputs, or a node that no
            training case reached.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        raise OutOfScope(f"the booster is a {kind!r}, not 'gbtree'")
    outputs = learner["learner_model_param"]
    if int(outputs["num_class"]) > 1 or int(outputs["num_target"]) > 1:
        raise OutOfScope("the booster has several outputs")
    model = learner["gradient_booster"]["model"]
    return Forest(
        trees=tuple(_tree(told) for told in model["trees"]),
        base_margin=_base_margin(learner["objective"]["name"], outputs["base_score"]),
        features=int(outputs["num_feature"]),
    )


def _tree(told: Mapping[str, Any]) -> Tree:
    left = np.array(told["left_children"], dtype=np.int64)
    cover = np.array(told["sum_hessian"], dtype=np.float32)
    kept = left != LEAF
    if int(told["tree_param"]["size_leaf_vector"]) > 1:
        raise OutOfScope("a leaf holds several values")
    if kept[0] and not (cover[kept] > 0).all():
        raise OutOfScope("no training case reached a node that asks")
    segments = zip(
        told["categories_nodes"],
        told["categories_segments"],
        told["categories_sizes"],
        strict=True,
    )
    codes = np.array(told["categories"], dtype=np.int64)
    return Tree(
        left=left,
        right=np.array(told["right_children"], dtype=np.int64),
        feature=np.array(told["split_indices"], dtype=np.int64),
        threshold=np.array(told["split_conditions"], dtype=np.float32),
        default_left=np.array(told["default_left"], dtype=np.bool_),
        cover=cover,
        right_codes={node: codes[start : start + size] for node, start, size in segments},
    )


def _base_margin(objective: str, written: str) -> float:
    """Log-odds of the base score, or the score itself where the objective has no link."""
    score = float(written.strip("[]"))
    if objective == "binary:logistic":
        return float(np.log(score) - np.log1p(-score))
    if objective in ("binary:logitraw", "reg:squarederror"):
        return score
    raise OutOfScope(f"the objective {objective!r} is not one whose margin is known here")
