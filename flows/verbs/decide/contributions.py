"""What did each feature add to the score of a case that a person gets to see? Kept with the case."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.generation import Generation
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceStore, ModelRegistry
from models.risk import RiskModel
from models.vocabulary import Action, CaseType

FloatArray = npt.NDArray[np.float64]

TABLE = "contributions"
KEY = ("case_id", "model_version")
PHI = "phi_"
"""Before a feature's name: the column of its contributions, as in an evidence table (DESIGN 7)."""


def keep_contributions(
    store: EvidenceStore,
    case_type: str,
    model: RiskModel,
    cases: pd.DataFrame,
    decided: pd.DataFrame,
    reason: npt.NDArray[np.str_],
    now: datetime | None,
) -> None:
    """Write down the deciding model's contributions to every escalated or audited case.

    The same cases again change nothing. One that could not be scored has none.

    Args:
        model: the one whose scores stand in the decisions.
        cases: with the model's features.
        decided: `action` and `audited` of the same cases, with the same index.
        reason: why each case cannot be scored, or "".
        now: when they are kept; None: the moment of the commit.
    """
    drawn = ((decided["action"] == Action.ESCALATE.value) | decided["audited"]).to_numpy(
        dtype=np.bool_
    )
    some = cases[drawn]
    told = model.contributions(some, reason=reason[drawn])
    scored = np.isfinite(told.margin)
    if not scored.any():
        return
    _keep(store, case_type, model, some[scored], told.margin[scored], told.values[scored], now)


def _keep(
    store: EvidenceStore,
    case_type: str,
    model: RiskModel,
    cases: pd.DataFrame,
    margin: FloatArray,
    values: FloatArray,
    now: datetime | None,
) -> None:
    whose = cases[["case_id", "opened_at"]].reset_index(drop=True)
    phi = pd.DataFrame(
        values.astype(np.float32), columns=[f"{PHI}{name}" for name in model.feature_names]
    )
    told_of = whose.assign(case_type=case_type, model_version=model.digest, margin=margin)
    rows = pd.concat([told_of, phi], axis="columns")
    nothing = pd.DataFrame({"broken_rules": pd.Series(dtype="str")})
    source = f"contributions {case_type}"
    store.append(TABLE, rows, nothing, key=KEY, source=source, received_at=now)


def kept_contributions(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    case_type: str,
    model_digest: str,
    as_of: datetime | None = None,
    since: datetime | None = None,
    *,
    case_ids: Collection[str] | None = None,
    numbered: bool = False,
) -> pd.DataFrame:
    """The kept contributions of one model to cases of one type, one row a case.

    Returns:
        case_id, opened_at, margin (calibrated log-odds, float64) and phi_<feature> (float32) for
        each feature of the case type; margin less their sum is the model's bias.

    Args:
        model_digest: of the model that decided the cases.
        as_of: what had been kept by then.
        since: only cases opened at or after it.
        case_ids: only these.
        numbered: add `case_number`, by which cases are joined with their decisions (a case whose
            decision was not admitted is left out).
    """
    asked = [f"{PHI}{name}" for name in case_types[case_type].feature_names]
    known = store.columns(TABLE)
    phi = [name for name in asked if name in known]
    filters: dict[str, Collection[str]] = {
        "case_type": [case_type],
        "model_version": [model_digest],
    }
    if case_ids is not None:
        filters["case_id"] = case_ids
    rows = store.read(
        TABLE,
        columns=["case_id", "opened_at", "margin", *phi],
        filters=filters,
        as_of=as_of,
        since=since,
        stamp="opened_at",
        numbered=numbered,
    )
    # Decided again with a value corrected: what stood there when it was first decided counts.
    rows = rows[~rows["case_id"].duplicated().to_numpy()]
    names = ["case_id", "opened_at", "margin", *asked, *([CASE_NUMBER] if numbered else [])]
    return rows.reindex(columns=names).reset_index(drop=True)


def delivered_contributions(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    cases: pd.DataFrame,
) -> pd.DataFrame | None:
    """What another agent says that each feature added to its score: its `phi_` columns.

    Args:
        cases: with `case_number`, in order of `opened_at`.

    Returns:
        A column a feature (float64, NaN where none was delivered), in the order of the cases; None
        where the decisions have no `phi_` column for each feature, or no case has them all.
    """
    names = [f"{PHI}{name}" for name in case_types[case_type].feature_names]
    if cases.empty or not names or not set(names) <= store.columns("decisions", snapshot.as_of):
        return None
    found = store.read(
        "decisions",
        columns=names,
        filters={"case_type": [case_type]},
        since=cases["opened_at"].iloc[0].to_pydatetime(),
        stamp="opened_at",
        as_of=snapshot.as_of,
        numbered=True,
    )
    found = found[~found[CASE_NUMBER].duplicated(keep="last").to_numpy()]
    at = pd.Index(found[CASE_NUMBER]).get_indexer(pd.Index(cases[CASE_NUMBER]))
    phi = np.full((len(cases), len(names)), np.nan)
    numbers = found[names].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    phi[at >= 0] = numbers[at[at >= 0]]
    phi[~np.isfinite(phi)] = np.nan
    if np.isnan(phi).any(axis=1).all():
        return None
    return pd.DataFrame(phi, columns=case_types[case_type].feature_names)


def contributions_for(
    store: EvidenceStore,
    registry: ModelRegistry,
    case_types: Mapping[str, CaseType],
    case_type: str,
    generation: Generation,
    cases: pd.DataFrame,
    features: pd.DataFrame,
    as_of: datetime,
) -> pd.DataFrame:
    """The contributions of one model to cases it scored, one row a case in their order.

    Kept ones are read; those of cases that another process decided (and kept none) are computed now
    and kept from then on, so that every night computes a case at most once.

    Args:
        cases: `case_id`, `opened_at` and `case_number`. features: theirs, by the same rows.

    Returns:
        phi_<feature> as float64; NaN where the model cannot score a case.
    """
    names = [f"{PHI}{name}" for name in case_types[case_type].feature_names]
    since = cases["opened_at"].min().to_pydatetime()
    found = pd.DataFrame(columns=[CASE_NUMBER, *names])
    if store.counts(TABLE)[0]:
        found = kept_contributions(
            store, case_types, case_type, generation.digest, as_of, since, numbered=True
        )
    at = pd.Index(found[CASE_NUMBER]).get_indexer(pd.Index(cases[CASE_NUMBER]))
    phi = np.full((len(cases), len(names)), np.nan)
    phi[at >= 0] = found[names].to_numpy(dtype=np.float64)[at[at >= 0]]
    missing = np.isnan(phi).any(axis=1)
    if missing.any():
        model = generation.load(registry)
        told = model.contributions(features[missing])
        phi[missing] = told.values
        new = np.isfinite(told.margin)
        if new.any():
            whose = cases[missing][new]
            _keep(store, case_type, model, whose, told.margin[new], told.values[new], as_of)
    return pd.DataFrame(phi, columns=names)
