"""Which way to learn gives the better model by a later slice: a fresh fit, or a warm start?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from models.risk.model import RiskModel
from models.risk.training import (
    FEWEST_BAD,
    BoolArray,
    FloatArray,
    LearningRows,
    TrainedModel,
    TrainingPlan,
    fit,
    refuse_too_few,
)
from models.vocabulary import Feature

FRESH, WARM = "fresh fit", "warm start"
FEWEST_TO_CHOOSE = 50
"""Bad and good cases below which a later slice is not made smaller for a warm start's sake."""
MOST_TREES = 1_000
"""A model that has more is not added to: each case's score costs a walk down every tree."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to learn, and what came of it: a model with its later figures, or why there is none.

    Attributes:
        trained: its `later_log_loss` and `later_auc` are of the later slice that all share.
        parent_digest: of the model a warm start began with; None for a fresh fit.
    """

    name: str
    trained: TrainedModel | None
    why_not: str = ""
    parent_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Every candidate, the one chosen, and a sentence for people.

    `later_rows` stopped each fit, calibrated it and chose between them. They may therefore neither
    compare the choice with another model nor certify it: their figures are flattering.
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    trained: TrainedModel
    later_rows: int
    sentence: str


def choose(
    cases: pd.DataFrame,
    bad: BoolArray,
    weights: FloatArray,
    features: Sequence[Feature],
    plan: TrainingPlan,
    *,
    parent: RiskModel | None = None,
    new_from: int = 0,
) -> Choice:
    """Fit afresh on all rows, and, from `parent` on the rows it has not seen; the smaller log loss
    on the same later slice wins, and at a tie the fresh fit. Byte-identical for equal input.

    Neither may have learned from the later slice. So with a parent it is at most half of the new
    rows, as long as that leaves enough of both classes in both halves; otherwise there is no warm
    start and the slice is the plan's share of all rows.

    Args:
        cases, bad, weights, features, plan: as for `train`; cases in order of time.
        parent: the model to continue.
        new_from: the first row that the parent has not learned from; all later ones are new to it.

    Raises:
        ValueError: no way to learn gave a model.
    """
    learning = LearningRows.of(cases, bad, weights, features, plan)
    new_from = int(learning.kept[:new_from].sum())
    why_not = _why_no_warm_start(learning, parent, new_from)
    if not why_not:
        learning = replace(
            learning, later=min(learning.later, (len(learning.rows) - new_from) // 2)
        )
    candidates = [_fitted(FRESH, learning, plan)]
    if parent is not None and why_not:
        candidates.append(Candidate(WARM, None, why_not, parent.digest))
    elif parent is not None:
        candidates.append(_fitted(WARM, learning, plan, new_from, parent))
    return _chosen(candidates, learning.later)


def _chosen(candidates: Sequence[Candidate], later_rows: int) -> Choice:
    found = [(one, one.trained) for one in candidates if one.trained is not None]
    if not found:
        raise ValueError(candidates[0].why_not)
    chosen, trained = min(found, key=lambda pair: pair[1].later_log_loss)
    others = [
        f"{one.name}: log loss {one.trained.later_log_loss:.5f}"
        if one.trained is not None
        else f"no {one.name}: {one.why_not}"
        for one in candidates
        if one is not chosen
    ]
    sentence = (
        f"{chosen.name.capitalize()} with {trained.trees} trees, log loss "
        f"{trained.later_log_loss:.5f} on the newest {later_rows:,} of them, which no tree learned from"
    )
    return Choice(
        tuple(candidates), chosen, trained, later_rows, f"{'; '.join([sentence, *others])}."
    )


def _fitted(
    name: str,
    learning: LearningRows,
    plan: TrainingPlan,
    start: int = 0,
    parent: RiskModel | None = None,
) -> Candidate:
    digest = parent.digest if parent is not None else None
    try:
        return Candidate(name, fit(learning, plan, start=start, parent=parent), "", digest)
    except ValueError as too_little:
        return Candidate(name, None, str(too_little), digest)


def _why_no_warm_start(learning: LearningRows, parent: RiskModel | None, new_from: int) -> str:
    if parent is None:
        return "there is no model to start from"
    if _read_by(parent.features) != _read_by(learning.features):
        return "the features are not those of the present model"
    changed = [name for name, levels in learning.levels.items() if levels != parent.levels[name]]
    if changed:
        return f"the categories of {', '.join(changed)} are not those of the present model"
    trees = parent.booster.num_boosted_rounds()
    if trees > MOST_TREES:
        return f"the present model has {trees:,} trees, and above {MOST_TREES:,} none are added"
    half = len(learning.rows) - min(learning.later, (len(learning.rows) - new_from) // 2)
    try:
        refuse_too_few({"new": learning.bad[new_from:half]}, FEWEST_BAD)
        refuse_too_few({"later": learning.bad[half:]}, FEWEST_TO_CHOOSE)
    except ValueError as too_few:
        return f"of the rows the present model did not learn from, {too_few}"
    return ""


def _read_by(features: Sequence[Feature]) -> list[tuple[str, str, int, bool]]:
    """What the trees depend on; a family or a description may change."""
    return [(one.name, one.kind, one.monotone, one.may_be_missing) for one in features]
