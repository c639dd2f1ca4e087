"""Which rows wait for somebody: quarantined ones, second reviews that are needed, audits not labelled?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.admission import BROKEN_RULES
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.evidence.second_reviews import second_reviews
from flows.verbs.evidence.store_draws import store_drawn
from flows.verbs.evidence.truth import VERIFIED, load_snapshot
from flows.verbs.intake.deliveries import TABLES, not_stored
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import EvidenceServices, EvidenceStore
from models.vocabulary import Action, CaseType

DELIVERED_BY = "delivered_by"
_FIRST = ["table", BROKEN_RULES, DELIVERED_BY, "received_at"]
_AUDIT = ["case_id", "case_type", "opened_at", "decided_at", "action", "audited", "policy_id"]
_CASE = ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
_NAMED = 3
"""So many of the oldest open draws are named; the others are counted."""
OPEN_DRAW = ["case_id", "case_type", "opened_at", "decided_at", "age_days", "policy_id"]


def quarantined(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    table: str | None = None,
    case_type: str | None = None,
    since: datetime | None = None,
) -> pd.DataFrame:
    """The quarantined rows that are still missing: `table`, `broken_rules`, `delivered_by` (the
    source's name), `received_at`, then their own columns; the newest first.

    A row that was read again on several nights is there once; one whose key was stored since (it was
    mended, or its case became known) is not.

    Args:
        table: only of this one. since: only those received since.
        case_type: only its rows; of a review or an outcome its stored case tells the type.

    Raises:
        UserError: no such case type is configured.
    """
    if case_type is not None:
        known_case_type(case_types, case_type)
    found = [_of_table(store, name, case_type, since) for name in TABLES if table in (None, name)]
    found = [rows for rows in found if len(rows)]
    if not found:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in _FIRST})
    rows = pd.concat(found, ignore_index=True) if len(found) > 1 else found[0]
    rest = [name for name in rows.columns if name not in _FIRST]
    order = rows["received_at"].sort_values(ascending=False, kind="stable").index
    return rows.loc[order, [*_FIRST, *rest]].reset_index(drop=True)


def second_reviews_needed(
    services: EvidenceServices,
    now: datetime,
    case_type: str | None = None,
    since: datetime | None = None,
) -> pd.DataFrame:
    """The cases whose first review needs a second one, by the time they were opened: case_id,
    case_type, opened_at, priority, amount_usd.

    Neither the first verdict nor why a second is asked for stands there, nor an order that would
    tell: the second reviewer is blind.

    Args:
        since: only cases opened since.

    Raises:
        UserError: no such case type is configured.
    """
    if case_type is not None:
        known_case_type(services.case_types, case_type)
    snapshot = load_snapshot(
        services,
        now,
        earliest_evidence(services.ledger, services.case_types, services.hold_plan, now),
    )
    asked = second_reviews(services, snapshot)
    if case_type is not None:
        asked = asked[(asked["case_type"] == case_type).to_numpy(dtype=np.bool_)]
    if asked.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in _CASE})
    ids = asked["case_id"].astype("str").tolist()
    cases = services.store.read("decisions", columns=_CASE, filters={"case_id": ids}, as_of=now)
    cases = _since(cases.drop_duplicates("case_id"), "opened_at", since)
    return cases.sort_values(["opened_at", "case_id"], kind="stable")[_CASE].reset_index(drop=True)


def open_draws(
    services: EvidenceServices,
    now: datetime,
    case_type: str | None = None,
    since: datetime | None = None,
) -> pd.DataFrame:
    """The automatic decisions that were drawn for an audit, when they were decided or later from the
    store, and have no label yet, oldest first:
    case_id, case_type, opened_at, decided_at, age_days (since the decision), policy_id.

    What was decided does not stand there: an audit is blind. A review that escalates is no label.

    Args:
        since: only cases decided since.

    Raises:
        UserError: no such case type is configured.
    """
    filters: dict[str, list[object]] = {"audited": [True]}
    if case_type is not None:
        filters["case_type"] = [known_case_type(services.case_types, case_type)]
    if not services.store.counts("decisions")[1]:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in OPEN_DRAW})
    rows = services.store.read("decisions", columns=_AUDIT, filters=filters, as_of=now)
    automatic = rows["action"].astype("str") != Action.ESCALATE.value
    rows = rows[automatic.to_numpy(dtype=np.bool_)].drop_duplicates("case_id")
    names = list(services.case_types) if case_type is None else [case_type]
    drawn_later = [later for name in names if len(later := store_drawn(services, name, now))]
    if drawn_later:
        rows = pd.concat([rows, *(later[_AUDIT] for later in drawn_later)], ignore_index=True)
    rows = _since(rows, "decided_at", since)
    rows = rows[~rows["case_id"].isin(_labelled(services.store, rows["case_id"], now)).to_numpy()]
    age = (pd.Timestamp(now) - rows["decided_at"]).dt.total_seconds() / 86_400.0
    rows = rows.assign(age_days=age.round(1)).sort_values(["decided_at", "case_id"], kind="stable")
    return rows[OPEN_DRAW].reset_index(drop=True)


def oldest_open_draws(services: EvidenceServices, now: datetime) -> list[dict[str, Any]]:
    """By case type with open draws, as plain values: `draws` (how many), `age_days` of the oldest, the
    ids of the `oldest`, oldest first, and a sentence (`what`).

    Raises:
        GateRefused: audits were drawn from the store, and the audit secret is not at hand.
    """
    found = []
    for name, mine in open_draws(services, now).groupby("case_type", sort=True, observed=True):
        oldest = mine["case_id"].astype("str").head(_NAMED).tolist()
        age, more = float(mine["age_days"].max()), ", ..." if len(mine) > _NAMED else ""
        what = (
            f"audit draws without a label, the oldest {age:g} days old ({', '.join(oldest)}{more})"
        )
        found.append(
            {
                "case_type": str(name),
                "draws": len(mine),
                "age_days": age,
                "oldest": oldest,
                "what": what,
            }
        )
    return found


def _of_table(
    store: EvidenceStore, table: str, case_type: str | None, since: datetime | None
) -> pd.DataFrame:
    parts = [
        store.rejects(table, source=source).assign(**{DELIVERED_BY: source})
        for source in store.sources(table)
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    rows = _since(rows, "received_at", since)
    named = [name for name in rows.columns if name not in ("received_at", DELIVERED_BY)]
    again = rows[named].astype("str").duplicated(keep="last").to_numpy()
    rows = rows[~again].reset_index(drop=True)
    rows = rows[not_stored(store, table, rows)].reset_index(drop=True)
    if case_type is not None:
        rows = rows[(_case_types(store, rows) == case_type).to_numpy()].reset_index(drop=True)
    return rows.assign(table=table)


def _case_types(store: EvidenceStore, rows: pd.DataFrame) -> pd.Series:
    if "case_type" in rows:
        return rows["case_type"].astype("str")
    if "case_id" not in rows or not store.counts("decisions")[1]:
        return pd.Series("", index=rows.index)
    ids = rows["case_id"].dropna().astype("str").unique().tolist()
    names = ["case_id", "case_type"]
    cases = store.read("decisions", columns=names, filters={"case_id": ids})
    types = cases.drop_duplicates("case_id").set_index("case_id")["case_type"].astype("str")
    return rows["case_id"].astype("str").map(types).fillna("")


def _labelled(store: EvidenceStore, case_ids: pd.Series, now: datetime) -> set[str]:
    """Which of these cases somebody judged, or an outcome settled."""
    ids, found = case_ids.astype("str").tolist(), set[str]()
    if store.counts("reviews")[1]:
        names = ["case_id", "verdict"]
        said = store.read("reviews", columns=names, filters={"case_id": ids}, as_of=now)
        judged = said["verdict"].astype("str").isin(["pass", "block"])
        found |= set(said.loc[judged.to_numpy(), "case_id"].astype("str"))
    if store.counts("outcomes")[1]:
        names = ["case_id", "bad", "source"]
        told = store.read("outcomes", columns=names, filters={"case_id": ids}, as_of=now)
        settled = told["bad"].astype("bool") | (told["source"].astype("str") == VERIFIED)
        found |= set(told.loc[settled.to_numpy(), "case_id"].astype("str"))
    return found


def _since(rows: pd.DataFrame, stamp: str, since: datetime | None) -> pd.DataFrame:
    if since is None:
        return rows
    return rows[(rows[stamp] >= pd.Timestamp(since)).to_numpy(dtype=np.bool_)]
