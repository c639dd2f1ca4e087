"""Lineage: what was a model learned from, by which code, to answer what, and do we get it again?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from configs.errors import GateRefused
from flows.adapters.files.code_version import code_version
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.learn.training_rows import PresentModel, TrainingRows, cut_rows, known_rows
from flows.verbs.ports import ModelRegistry, NightServices, TrainingServices
from models.risk import Choice, RiskModel, TrainingPlan, choose
from models.vocabulary import Feature

TABLES = ("decisions", "reviews", "outcomes")
_NO_INPUT = ("answers", "candidate", "parent")
"""What a retrain was for, and what it chose: these follow, or change nothing."""


def lineage(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    choice: Choice,
    answers: Sequence[str],
) -> dict[str, Any]:
    """Plain values from which `reproduced` fits the same model again, bit for bit."""
    present = rows.present
    plan = asdict(services.training_plan)
    if math.isinf(plan["largest_weight"]):
        plan["largest_weight"] = None  # JSON has no infinity
    return {
        "as_of": snapshot.as_of.isoformat(),
        # Both tables' digests are of what had been observed; a source's own digest never gets here.
        "data": {table: services.store.digest(table, snapshot.as_of) for table in TABLES},
        "rows": rows.digests(),
        "code": code_version(),
        "plan": plan,
        "features": [asdict(one) for one in services.case_types[rows.case_type].features],
        "held_back": rows.held_back,
        "reserve": rows.reserve if rows.reserve_begun else None,
        "compare_share": services.training.compare_share,
        "present": None
        if present is None
        else {
            "version": present.version,
            "digest": present.digest,
            "learned_before": present.learned_before.isoformat(),
            "trained_before": present.trained_before.isoformat(),
        },
        "candidate": choice.chosen.name,
        "parent": choice.chosen.parent_digest,
        "answers": list(answers),
    }


def reproduced(services: NightServices, case_type: str, told: Mapping[str, Any]) -> RiskModel:
    """Fit the model of this lineage again, from the store as it was; compare its digest.

    The rows are read as of then and checked against their digest before anything is fitted.

    Raises:
        GateRefused: the store no longer gives the rows, or the parent's bytes are not there.
    """
    snapshot = load_snapshot(services, datetime.fromisoformat(told["as_of"]))
    present = _present(services.registry, case_type, told["present"])
    begun = told.get("reserve")
    if begun is not None:
        begun = datetime.fromisoformat(begun["since"]), datetime.fromisoformat(begun["until"])
    known, _ = known_rows(services, snapshot, case_type, present, begun)
    rows = cut_rows(case_type, known, present, told["held_back"], told["compare_share"])
    if rows.digests() != told["rows"]:
        data = {table: services.store.digest(table, snapshot.as_of) for table in TABLES}
        other = changed_inputs(told, {**told, "data": data, "rows": rows.digests()})
        raise GateRefused(
            f"{case_type}: the evidence as of {told['as_of']} no longer gives the rows that this "
            f"model learned from, so it cannot be fitted again. Changed: {', '.join(other)}. Was the "
            "case type's maturity changed, or the store restored from an older copy?"
        )
    features = [Feature(**{**one, "levels": tuple(one["levels"])}) for one in told["features"]]
    plan = told["plan"]
    if plan["largest_weight"] is None:
        plan = {**plan, "largest_weight": math.inf}
    return chosen(rows, features, TrainingPlan(**plan)).trained.model


def changed_inputs(told: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Which inputs two lineages differ in, by name (`data.reviews`, `plan.seed`, `features`); empty:
    the same model must come of both."""
    found: list[str] = []
    for name in [one for one in told if one not in _NO_INPUT]:
        ours, theirs = told[name], other.get(name)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            keys = dict.fromkeys([*ours, *theirs])
            found += [f"{name}.{key}" for key in keys if ours.get(key) != theirs.get(key)]
        elif ours != theirs:
            found.append(name)
    return tuple(found)


def chosen(rows: TrainingRows, features: Sequence[Feature], plan: TrainingPlan) -> Choice:
    """The better candidate on these rows.

    Raises:
        ValueError: no way to learn gave a model.
    """
    learning = rows.learning
    return choose(
        learning,
        learning["bad"].to_numpy(dtype=np.bool_),
        1.0 / learning["propensity"].to_numpy(dtype=np.float64),
        features,
        plan,
        parent=rows.present.model if rows.present else None,
        new_from=rows.new_from,
    )


def _present(
    registry: ModelRegistry, case_type: str, told: Mapping[str, Any] | None
) -> PresentModel | None:
    if told is None:
        return None
    return PresentModel(
        told["version"],
        told["digest"],
        datetime.fromisoformat(told["learned_before"]),
        datetime.fromisoformat(told["trained_before"]),
        registry.load(case_type, told["version"], told["digest"]),
    )
