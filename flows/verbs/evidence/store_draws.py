"""Which stored cases were drawn for an audit later than they were decided? (METHODS 2)

A draw from the store asks nothing of a case but its keyed uniform, the one that drew its audit when it was
decided. So two draws of one time equal one at the higher rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.evidence.cohort_rates import decided_here
from flows.verbs.ports import CaseDraws, EvidenceServices, Ledger
from models.boundary.decision.audit import audit_purpose
from models.hub import Extension, extensions_of
from models.vocabulary import Action, CaseType

FloatArray = npt.NDArray[np.float64]

STORE_RATE, STORE_AT, AUDITED_LATER = "store_rate", "store_at", "audited_later"
"""Of a stored case: up to which rate its time was drawn later (0: it was not), when such a draw reached it
first (missing: none did), and whether it is audited for that reason alone."""


def with_store_draws(
    ledger: Ledger,
    draws: CaseDraws,
    case_types: Mapping[str, CaseType],
    decisions: pd.DataFrame,
    as_of: datetime,
) -> pd.DataFrame:
    """Decisions as they are drawn by now: `audited` and `propensity` of automatic ones as by one draw at
    the higher rate, with `store_rate`, `store_at` and `audited_later`.

    Args:
        decisions: case_id, case_type, decided_at, action, audited, propensity, policy_id.
        as_of: only what was drawn from the store by then.
    """
    rate, at = np.zeros(len(decisions)), np.full(len(decisions), np.datetime64("NaT", "us"))
    for case_type in case_types:
        extensions = extensions_of(ledger.history(case_type, as_of), case_type)
        if extensions:
            mine = (decisions["case_type"] == case_type).to_numpy(dtype=np.bool_)
            rate[mine], at[mine] = _drawn_from(
                ledger, draws, case_type, decisions[mine], extensions
            )
    stamps = pd.Series(pd.DatetimeIndex(at).tz_localize("UTC"), index=decisions.index)
    told = decisions.copy(deep=False)
    told[STORE_RATE], told[STORE_AT], told[AUDITED_LATER] = rate, stamps, False
    if not (rate > 0.0).any():
        return told
    automatic = _automatic(decisions) & (rate > 0.0)
    audited = decisions["audited"].to_numpy(dtype=np.bool_)
    propensity = decisions["propensity"].to_numpy(dtype=np.float64)
    newly = automatic & ~audited & ~np.isnat(at)
    drawn: pd.DataFrame = told.assign(
        audited=audited | newly,
        propensity=np.where(automatic, np.maximum(propensity, rate), propensity),
        **{AUDITED_LATER: newly},
    )
    return drawn


def store_drawn(services: EvidenceServices, case_type: str, now: datetime) -> pd.DataFrame:
    """The automatic decisions of a case type that were drawn from the store (and not when they were
    decided): the columns of `with_store_draws`, with `opened_at`."""
    names = [
        "case_id", "case_type", "opened_at", "decided_at", "action", "audited", "propensity", "policy_id",
    ]  # fmt: skip
    extensions = extensions_of(services.ledger.history(case_type, now), case_type)
    if not extensions or not services.store.counts("decisions")[1]:
        nothing = {name: pd.Series(dtype="str") for name in [*names, AUDITED_LATER]}
        return pd.DataFrame(nothing)
    rows = services.store.read(
        "decisions",
        columns=names,
        filters={"case_type": [case_type]},
        as_of=now,
        since=min(extension.since for extension in extensions),
        stamp="decided_at",
    ).drop_duplicates("case_id")
    rows = with_store_draws(services.ledger, services.draws, services.case_types, rows, now)
    return rows[rows[AUDITED_LATER].to_numpy(dtype=np.bool_)]


def _drawn_from(
    ledger: Ledger,
    draws: CaseDraws,
    case_type: str,
    rows: pd.DataFrame,
    extensions: tuple[Extension, ...],
) -> tuple[FloatArray, npt.NDArray[np.datetime64]]:
    """(the highest rate that a case's time was drawn up to, the first draw that reached it)."""
    rate, at = np.zeros(len(rows)), np.full(len(rows), np.datetime64("NaT", "us"))
    decided_at = rows["decided_at"]
    # What another agent decided drew its own audits; our uniform says nothing of them.
    after = decided_at >= pd.Timestamp(min(extension.since for extension in extensions))
    covered = decided_here(ledger, rows) & after.to_numpy(dtype=np.bool_)
    if not covered.any():
        return rate, at
    uniform = np.full(len(rows), np.nan)
    uniform[covered] = draws.case_draw(audit_purpose(case_type), rows["case_id"][covered])
    known = covered & ~np.isnan(uniform)
    for extension in extensions:
        inside = (decided_at >= pd.Timestamp(extension.since)) & (
            decided_at < pd.Timestamp(extension.until)
        )
        window = known & inside.to_numpy(dtype=np.bool_)
        rate[window] = np.maximum(rate[window], extension.rate)
        reached = window & (uniform < extension.rate) & np.isnat(at)
        at[reached] = np.datetime64(extension.at.replace(tzinfo=None), "us")
    return rate, at


def _automatic(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return (rows["action"].astype("str") != Action.ESCALATE.value).to_numpy(dtype=np.bool_)
