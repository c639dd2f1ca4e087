"""Shadow: write down what a model says about cases that another one decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.adapters.evidence.arrow_rows import RECEIVED_AT
from flows.verbs.certify.generation import Generation, champion_generation, newest_of_ours
from flows.verbs.ports import (
    EvidenceStore,
    Ledger,
    ModelRegistry,
    ScoringServices,
)
from flows.verbs.record.night_results import NightResults
from models.risk import RiskModel
from models.vocabulary import CaseType

SHADOW_KEY = ("case_id", "model_version")


def score_in_shadow(
    store: EvidenceStore,
    case_type: str,
    model: RiskModel,
    cases: pd.DataFrame,
    now: datetime,
    received_at: datetime | None,
    *,
    read_until: datetime | None = None,
) -> datetime | None:
    """Store the model's scores of these cases (DESIGN 4, shadow_scores); they decide nothing, and a
    case keeps the first score that a model gave it.

    Args:
        received_at: None for the moment of the commit (see `EvidenceStore.append`).
        read_until: decisions that came before it need not be looked at again for this model.

    Returns:
        The stamp of what was stored; None: there was nothing to store.
    """
    if cases.empty:
        return None
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
    receipt = store.append(
        "shadow_scores",
        shadow,
        nothing,
        key=SHADOW_KEY,
        source=f"shadow {case_type}" if read_until is None else _looked_at(case_type, model.digest),
        received_at=received_at,
        watermark=read_until,
        once=True,
    )
    return receipt.received_at


@dataclass(frozen=True, slots=True)
class InShadow:
    """What one model of ours has said of the decisions that were delivered.

    Attributes:
        decisions: delivered ones of cases opened since it was fitted.
        scored: of them, how many have its score; the others lack what it reads.
        new: scored tonight.
        decides: whether the live policy rests on it by now.
        received_at: the stamp of tonight's scores; None: there were none.
    """

    case_type: str
    model_version: str
    decisions: int
    scored: int
    new: int
    decides: bool
    received_at: datetime | None = None

    def plain(self) -> dict[str, Any]:
        """For a dossier."""
        return {
            "case_type": self.case_type,
            "model_version": self.model_version,
            "decisions": self.decisions,
            "scored": self.scored,
            "new": self.new,
            "decides": self.decides,
        }


def score_delivered(
    services: ScoringServices, as_of: datetime, results: NightResults, *, at_commit: bool = False
) -> list[InShadow]:
    """Let our models under test score every delivered decision, whoever decided it: the newest of
    each case type, and the one that decides. Only what came since the last time is looked at.

    A walk's desk scores each case as it decides it, so there it has nothing to do.

    Args:
        at_commit: the scores are stamped when they are committed; else with `as_of`.
    """
    if services.simulated or not services.store.counts("decisions")[0]:
        return []
    found = []
    for name in services.case_types:
        for one in _under_test(services.ledger, services.case_types, name):
            what = f"scoring in shadow by version {one.version}"
            score = partial(
                _score_new,
                services.store,
                services.registry,
                one,
                as_of,
                None if at_commit else as_of,
            )
            told = results.attempt(name, what, score)
            found += [] if told is None else [told]
    return found


def read_after(shadows: list[InShadow], as_of: datetime) -> datetime:
    """The moment from which tonight's shadow scores can be read."""
    return max([as_of, *(one.received_at for one in shadows if one.received_at is not None)])


def _under_test(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str
) -> Iterator[Generation]:
    newest, champion = (
        newest_of_ours(ledger, case_type),
        champion_generation(ledger, case_types, case_type),
    )
    if newest is not None:
        yield newest
    if champion is not None and not champion.external and champion != newest:
        yield champion


def _score_new(
    store: EvidenceStore,
    registry: ModelRegistry,
    one: Generation,
    as_of: datetime,
    received_at: datetime | None,
) -> InShadow:
    seen = store.watermark(_looked_at(one.case_type, one.digest))
    ids = _delivered(store, one, as_of)
    fresh = ids if seen is None else ids[(ids[RECEIVED_AT] >= seen).to_numpy(dtype=np.bool_)]
    fresh = fresh[~_scored(store, one, fresh)]
    model = one.load(registry) if len(fresh) else None
    stamp = None
    if model is not None:
        cases = _with_features(store, one, model, as_of, seen)
        cases = cases[cases["case_id"].isin(fresh["case_id"]).to_numpy(dtype=np.bool_)]
        until = ids[RECEIVED_AT].max().to_pydatetime()
        stamp = score_in_shadow(
            store, one.case_type, model, cases, as_of, received_at, read_until=until
        )
    scored = int(_scored(store, one, ids).sum())
    return InShadow(one.case_type, one.version, len(ids), scored, len(fresh), one.promoted, stamp)


def _delivered(store: EvidenceStore, one: Generation, as_of: datetime) -> pd.DataFrame:
    """`case_id` and `received_at` of delivered decisions on cases opened since the model was fitted;
    what was decided here was scored while it was decided."""
    ids = store.read(
        "decisions",
        columns=["case_id", RECEIVED_AT],
        filters={"case_type": [one.case_type]},
        since=one.trained_before,
        stamp="opened_at",
        as_of=as_of,
    )
    ids = ids[~ids["case_id"].duplicated().to_numpy(dtype=np.bool_)]
    if ids.empty:
        return ids
    return ids[~store.holds("decisions", ids[["case_id"]], decided_here=True)]


def _scored(store: EvidenceStore, one: Generation, ids: pd.DataFrame) -> np.ndarray:
    if ids.empty:
        return np.zeros(0, dtype=np.bool_)
    return store.holds("shadow_scores", ids[["case_id"]].assign(model_version=one.digest))


def _with_features(
    store: EvidenceStore, one: Generation, model: RiskModel, as_of: datetime, seen: datetime | None
) -> pd.DataFrame:
    lost = sorted(set(model.feature_names) - store.columns("decisions", as_of))
    if lost:
        raise GateRefused(
            f"version {one.version} of {one.case_type} reads {', '.join(lost)}, which no stored "
            "decision holds. Deliver it with the decisions, or train again."
        )
    cases = store.read(
        "decisions",
        columns=["case_id", *model.feature_names],
        filters={"case_type": [one.case_type]},
        since=one.trained_before if seen is None else seen,
        stamp="opened_at" if seen is None else RECEIVED_AT,
        as_of=as_of,
    )
    return cases[~cases["case_id"].duplicated(keep="last").to_numpy(dtype=np.bool_)]


def _looked_at(case_type: str, digest: str) -> str:
    """Under which name the store keeps up to which decision a model has scored in shadow."""
    return f"shadow {case_type} {digest[:16]}"
