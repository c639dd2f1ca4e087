"""Would the same case be decided the same again, from what is stored?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from flows.verbs.decide import decide_on_trial, speak
from flows.verbs.desk import Desk
from flows.verbs.standing import standing
from models.boundary.decide_in_arms import TREATMENT
from models.hub.deciding import AUDIT_SECRET_UNKNOWN, HALTED, LEDGER_BROKEN, REFUSED
from models.hub.policy import Policy
from models.risk import RiskModel

COMPARED = ("score", "recommendation", "action", "propensity", "audited", "override", "queue")


def stored_case(desk: Desk, case_id: str) -> pd.DataFrame:
    """The stored decision of a case with its features: one row.

    Raises:
        UserError: no such case was decided here.
    """
    found = desk.store.read("decisions", filters={"case_id": [case_id]}).head(1)
    if found.empty:
        raise UserError(
            f"no decision on case {case_id!r} is stored; ids are compared to the letter."
        )
    return found


def recompute(desk: Desk, case: pd.DataFrame) -> dict[str, Any]:
    """Decide a stored case again by the policy stored with it, as the ledger stood at `decided_at`.

    What the world did to the decision and the ledger does not know is taken from the row: that a
    model was refused, that the ledger or the audit secret could not be trusted, and a halt that came
    while the case was being decided. Its audit is drawn by the secret in force at `decided_at`.

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
    case_type, policy = str(row["case_type"].iloc[0]), _policy(desk, row["policy_id"].iloc[0])
    stood = standing(desk, case_type, row["decided_at"].iloc[0].to_pydatetime())
    override = row["override"].iloc[0] if "override" in row else None
    why = HALTED if stood.halted or override == HALTED else ""
    why = override if override in (AUDIT_SECRET_UNKNOWN, LEDGER_BROKEN) else why
    if override in (REFUSED, LEDGER_BROKEN):
        voice = speak(desk, policy, None, row, why or REFUSED)
    else:
        voice = speak(desk, policy, _model(desk, policy), row, why)
    if row["arm"].iloc[0] == TREATMENT and stood.trial is not None:
        live = stood.live or Policy.review_everything(case_type, policy.audit.rate)
        control = speak(desk, live, _model(desk, live), row, why)
        decided = decide_on_trial(row, control, voice, stood.trial)[0]
    else:
        decided = voice.scored.decide(row)
    again = {name: _plain(decided[name].iloc[0]) for name in COMPARED}
    agrees = {name: _same(row, name, again[name]) for name in COMPARED}
    return {"decided": again, "agrees": agrees, "agrees_in_all": all(agrees.values())}


def _policy(desk: Desk, policy_id: object) -> Policy:
    return desk.ledger.policy(str(policy_id))


def _model(desk: Desk, policy: Policy) -> RiskModel | None:
    if policy.model_digest is None or policy.model_version is None:
        return None
    return desk.registry.load(policy.case_type, policy.model_version, policy.model_digest)


def _same(row: pd.DataFrame, name: str, again: Any) -> bool:
    if name not in row:
        return True
    stored = _plain(row[name].iloc[0])
    return bool(stored == again and type(stored) is type(again))


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
