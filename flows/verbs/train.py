"""Retrain: fit a challenger on all mature truth as of a moment, register it, and score in shadow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.verbs.desk import RETRAIN_ACTOR, Desk
from flows.verbs.generation import current_generation, last_version
from flows.verbs.truth import Book
from models.boundary.hindsight import plug_in_boundary
from models.hub.transitions import Refusal, StartGeneration
from models.risk import RiskModel, TrainedModel, train
from models.risk.encoding import encode

SHADOW_KEY = ("case_id", "model_version")


@dataclass(frozen=True, slots=True)
class Challenger:
    """What a retrain brought: the registered model, or why there is none."""

    case_type: str
    version: str | None
    digest: str | None
    rows: int
    bad: int
    later_auc: float | None
    note: str


def retrain(desk: Desk, book: Book, case_type: str, answers: Sequence[str] = ()) -> Challenger:
    """Fit, register and file a new generation; no live decision changes (METHODS 1).

    Args:
        answers: pattern ids of the findings it answers; they stand in its lineage.

    Raises:
        UserError: the case type is not configured.
    """
    return retrain_all(desk, book, [case_type], answers)[0]


def retrain_all(
    desk: Desk, book: Book, case_types: Sequence[str], answers: Sequence[str] = ()
) -> list[Challenger]:
    """`retrain` for several case types: fitted side by side, registered and filed in their order.

    Raises:
        UserError: a case type is not configured.
    """
    for name in case_types:
        if name not in desk.case_types:
            raise UserError(
                f"there is no case type {name!r}; configured: {', '.join(sorted(desk.case_types))}."
            )
    rows = [_training_rows(desk, book, name) for name in case_types]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as fitting:
        fitted = list(fitting.map(partial(_fit, desk), case_types, rows))
    return [
        _file(desk, book, name, learned_from, model, answers)
        if isinstance(model, TrainedModel)
        else Challenger(
            name, None, None, len(learned_from), int(learned_from["bad"].sum()), None, model
        )
        for name, learned_from, model in zip(case_types, rows, fitted, strict=True)
    ]


def _fit(desk: Desk, case_type: str, rows: pd.DataFrame) -> TrainedModel | str:
    """A model, or why none could be fitted."""
    bad = rows["bad"].to_numpy(dtype=np.bool_)
    weights = 1.0 / rows["propensity"].to_numpy(dtype=np.float64)
    features = desk.case_types[case_type].features
    try:
        return train(rows, bad, weights, features, desk.training_plan())
    except ValueError as too_little:
        return f"No model was fitted: {too_little}"


def score_in_shadow(
    desk: Desk,
    case_type: str,
    model: RiskModel,
    cases: pd.DataFrame,
    now: datetime,
) -> None:
    """Write down what a model says about cases that another one decides (DESIGN 4, shadow_scores)."""
    if cases.empty:
        return
    scores = model.score(cases)[0]
    shadow = pd.DataFrame(
        {
            "case_id": cases["case_id"].to_numpy(),
            "case_type": case_type,
            "model_version": model.digest,
            "score": scores,
            "scored_at": pd.Series(now, index=range(len(cases))).astype("datetime64[us, UTC]"),
        }
    )
    nothing = shadow.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    desk.store.append(
        "shadow_scores",
        shadow,
        nothing,
        key=SHADOW_KEY,
        source=f"shadow {case_type}",
        received_at=now,
    )


def _training_rows(desk: Desk, book: Book, case_type: str) -> pd.DataFrame:
    """Mature, drawn and labelled cases with their features, in order of time."""
    mature = book.mature(desk, case_type)
    known = mature[mature["bad"].notna()]
    features = list(desk.case_types[case_type].feature_names)
    stored = desk.store.read(
        "decisions",
        columns=["case_id", *features],
        filters={"case_type": [case_type]},
        as_of=book.as_of,
    )
    rows = known[["case_id", "opened_at", "propensity", "bad"]].merge(
        stored[["case_id", *features]], on="case_id", how="inner", validate="one_to_one"
    )
    if current_generation(desk, case_type) is None:
        # A fully reviewed past can both teach a first model and, its later part, certify it.
        rows = rows.iloc[: int(len(rows) * (1.0 - desk.training.hold_back_share))]
    return rows


def _file(
    desk: Desk,
    book: Book,
    case_type: str,
    rows: pd.DataFrame,
    fitted: TrainedModel,
    answers: Sequence[str],
) -> Challenger:
    trained_before = rows["opened_at"].max().to_pydatetime() + timedelta(microseconds=1)
    # Both tables' digests are of what had been observed; a source's own digest never gets here.
    dataset = desk.store.digest("decisions", book.as_of)
    note = (
        f"{case_type}: {fitted.trees} trees on {fitted.rows:,} labelled cases ({fitted.bad:,} bad); "
        f"AUC {fitted.later_auc:.3f} on the later slice. Not live: it scores in shadow until certified."
    )
    if answers:
        note += f" It answers {', '.join(answers)}."
    registered = desk.registry.register(
        case_type,
        fitted.model,
        encode(rows.head(5), fitted.model.features, fitted.model.levels),
        dataset_digest=dataset,
        metrics={
            "val/auc": fitted.later_auc,
            "val/log_loss": fitted.later_log_loss,
            "data/rows": fitted.rows,
            "data/bad": fitted.bad,
        },
        parameters={"trees": fitted.trees, "trained_before": trained_before.isoformat()},
        tags={
            "digest": fitted.model.digest,
            "data_digest": dataset,
            **({"answers": ", ".join(answers)} if answers else {}),
        },
        note=note,
    )
    tuned = plug_in_boundary(
        fitted.later_scores, fitted.later_bad, desk.case_types[case_type].targets
    )
    filed = desk.ledger.submit(
        StartGeneration(
            case_type=case_type,
            model_digest=registered.digest,
            actor=RETRAIN_ACTOR,
            base_version=last_version(desk, case_type),
            dossier={
                "model_version": registered.version,
                "trained_before": trained_before.isoformat(),
                "data_digest": dataset,
                "answers": list(answers),
                "rows": fitted.rows,
                "later_auc": fitted.later_auc,
                "tuned_once": {
                    "pass_at_or_below": tuned.pass_at_or_below,
                    "block_at_or_above": tuned.block_at_or_above,
                },
            },
        ),
        book.as_of,
    )
    if isinstance(filed, Refusal):
        note = f"Registered as version {registered.version}, but not filed: {filed.reason}"
        return Challenger(case_type, None, None, fitted.rows, fitted.bad, fitted.later_auc, note)
    later = desk.store.read(
        "decisions",
        columns=["case_id", *desk.case_types[case_type].feature_names],
        filters={"case_type": [case_type]},
        since=trained_before,
        stamp="opened_at",
        as_of=book.as_of,
    )
    score_in_shadow(desk, case_type, fitted.model, later, book.as_of)
    return Challenger(
        case_type,
        registered.version,
        registered.digest,
        fitted.rows,
        fitted.bad,
        fitted.later_auc,
        note,
    )
