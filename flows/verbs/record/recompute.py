"""Would the same case be decided the same again, from what is stored?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.verbs.decide.decide import decide_on_trial, speak
from flows.verbs.govern.case_type_state import case_type_state
from flows.verbs.ports import (
    AdmissionServices,
    EvidenceStore,
    Ledger,
    ModelRegistry,
)
from models.boundary.decision.decide_in_arms import TREATMENT
from models.hub.policies.deciding import (
    AUDIT_SECRET_UNKNOWN,
    HALTED,
    LEDGER_BROKEN,
    REFUSED,
    SUPERSEDED,
    UNREADABLE_LEDGER,
)
from models.hub.policies.policy import Policy
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, PEOPLE
from models.risk import RiskModel
from models.risk.cells import CELLS_ARE_READABLE
from models.vocabulary import Boundary

COMPARED = ("score", "recommendation", "action", "propensity", "audited", "override", "queue")
WITHHELD = (
    HALTED, REFUSED, SUPERSEDED, UNREADABLE_LEDGER, LEDGER_BROKEN, AUDIT_SECRET_UNKNOWN,
)  # fmt: skip
FROM_OUTSIDE = (*WITHHELD, CELLS_ARE_READABLE)
"""What may send a case to a person without the ledger's knowing it."""


def stored_case(store: EvidenceStore, case_id: str) -> pd.DataFrame:
    """The stored decision of a case with its features: one row.

    Raises:
        UserError: no such case was decided here.
    """
    found = store.read("decisions", filters={"case_id": [case_id]}).head(1)
    if found.empty:
        raise UserError(
            f"no decision on case {case_id!r} is stored; ids are compared to the letter."
        )
    return found


def recompute(services: AdmissionServices, case: pd.DataFrame) -> dict[str, Any]:
    """Decide a stored case again by the policy stored with it (see `recomputed`).

    Args:
        case: one row of table `decisions`, see `stored_case`.

    Returns:
        `decided`: the columns of `COMPARED`, recomputed; `agrees`: by column, whether the stored
        value is the same (to the last bit, missing is missing; a column that an older row lacks
        agrees); `agrees_in_all`.

    Raises:
        GateRefused: the policy or its model is not as it was written, or the audit secret of that
            time is not kept here.
        UserError: the ledger has no such policy: the agent was somebody else's.
    """
    row = case.reset_index(drop=True)
    policy = services.ledger.policy(str(row["policy_id"].iloc[0]))
    decided = recomputed(services, policy, row)
    again = {name: _plain(decided[name].iloc[0]) for name in COMPARED}
    agrees = {name: _same(row, name, again[name]) for name in COMPARED}
    return {"decided": again, "agrees": agrees, "agrees_in_all": all(agrees.values())}


def recomputed(services: AdmissionServices, policy: Policy, rows: pd.DataFrame) -> pd.DataFrame:
    """What a policy says of cases it has decided, as the ledger stood at each one's `decided_at`.

    What the ledger does not know is taken from the row, where it sent the case to a person: that a
    model was refused, that the ledger or the audit secret could not be trusted, that a cell could
    not be read, that a server could not see the ledger or saw another policy live, and a halt that
    came while the case was being decided. Audits are drawn by the secret in force at `decided_at`.

    Args:
        rows: decisions of the policy's case type with their features, shape (cases,).

    Returns:
        The columns of `COMPARED`, and `in_force`: whether the policy decided such cases then (or
        tried to, on the arm that the row names); by the index of `rows`.

    Raises:
        GateRefused: the ledger, or the policy's model, is not as it was written.
    """
    claimed = _claimed(rows)
    changes = sorted(
        {e.at for e in services.ledger.history() if e.case_type in (policy.case_type, PEOPLE)}
    )
    # In one unit: pandas reads whole seconds as such, and refuses to compare finer stamps with them.
    since = (
        pd.DatetimeIndex(changes, tz="UTC")
        .as_unit("us")
        .searchsorted(pd.DatetimeIndex(rows["decided_at"]).as_unit("us"), side="right")
    )
    keys = pd.DataFrame(
        {"since": since, "arm": rows["arm"].to_numpy(), "claimed": claimed.to_numpy()},
        index=rows.index,
    )
    pieces = [
        _again(services, policy, rows.loc[same.index], str(arm), str(word))
        for (_, arm, word), same in keys.groupby(["since", "arm", "claimed"], dropna=False)
    ]
    return pd.concat(pieces).loc[rows.index]


def _claimed(rows: pd.DataFrame) -> pd.Series:
    """The reason from outside the ledger that a row gives for sending its case to a person, or ""."""
    if "override" not in rows:
        return pd.Series("", index=rows.index)
    said = rows["override"].astype("str")
    return said.where(said.isin(FROM_OUTSIDE), "")


def _again(
    services: AdmissionServices, policy: Policy, rows: pd.DataFrame, arm: str, claimed: str
) -> pd.DataFrame:
    """Of cases between two entries of the ledger, on one arm, that claim the same."""
    stood = case_type_state(
        services.ledger, policy.case_type, rows["decided_at"].max().to_pydatetime()
    )
    why = HALTED if stood.halted else (claimed if claimed in WITHHELD else "")
    unreadable = np.full(len(rows), claimed == CELLS_ARE_READABLE)
    model = None if claimed in (REFUSED, LEDGER_BROKEN) else _model(services.registry, policy)
    voice = speak(services.draws, services.case_types, policy, model, rows, why, unreadable)
    live = stood.live or Policy.review_everything(policy.case_type, policy.audit.rate)
    if arm == TREATMENT and stood.trial is not None:
        control = speak(
            services.draws,
            services.case_types,
            live,
            _model(services.registry, live),
            rows,
            why,
            unreadable,
        )
        decided = decide_on_trial(rows, control, voice, stood.trial)[0]
        tried = stood.trial.policy.policy_id == policy.policy_id
        return decided[list(COMPARED)].assign(in_force=(decided["arm"] == TREATMENT) & tried)
    if claimed == SUPERSEDED:
        in_force = _was_live(services.ledger, policy, rows)
    elif stood.live is None:
        in_force = policy.boundary == Boundary.everything_reviewed()
    else:
        in_force = live.policy_id == policy.policy_id
    decided = voice.scored.decide(rows)
    return decided[list(COMPARED)].assign(in_force=bool(in_force and arm != TREATMENT))


def _was_live(ledger: Ledger, policy: Policy, rows: pd.DataFrame) -> bool:
    until = rows["decided_at"].max().to_pydatetime()
    return any(
        entry.policy_id == policy.policy_id and entry.kind in CHANGES_THE_LIVE_POLICY
        for entry in ledger.history(policy.case_type, until)
    )


def _model(registry: ModelRegistry, policy: Policy) -> RiskModel | None:
    if policy.model_digest is None or policy.model_version is None:
        return None
    return registry.load(policy.case_type, policy.model_version, policy.model_digest)


def _same(row: pd.DataFrame, name: str, again: Any) -> bool:
    if name not in row:
        return True
    stored = _plain(row[name].iloc[0])
    if name in ("override", "queue") and stored is None:
        stored = ""  # as a file of answers writes "nothing"
    return bool(stored == again and type(stored) is type(again))


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
