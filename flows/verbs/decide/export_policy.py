"""Export: what an agent elsewhere must do to decide a case type as the ledger says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows.verbs.govern.case_type_state import case_type_state
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import Ledger
from models.hub.policies.exported import EXPIRED, HALTED, LIVE, exported_policy
from models.vocabulary import CaseType


def export_policy(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str, now: datetime
) -> dict[str, Any]:
    """The live policy of a case type as a document (`models.hub.policies.exported`): boundary, audit rule,
    overrides, expiry, a halt, a running A/B test, and the digest of all of it.

    Args:
        now: tz-aware.

    Raises:
        UserError: there is no such case type.
        GateRefused: the ledger, or a policy in it, is not as it was written.
    """
    kind = case_types[known_case_type(case_types, case_type)]
    stands = case_type_state(ledger, case_type)
    one = stands.trial
    trial = None if one is None else (one.policy, one.plan, one.since)
    return exported_policy(case_type, kind.scorer, stands.live, stands.halted, now, trial)


def said_of_export(told: dict[str, Any]) -> str:
    """One sentence for whoever exports it."""
    name, digest = told["case_type"], told["digest"][:12]
    if told["state"] == HALTED:
        why = "it is halted, so the document has no boundary: every case is escalated"
    elif told["state"] == EXPIRED:
        why = (
            "its certificate has expired, so the document has no boundary: every case is escalated"
        )
    elif told["state"] != LIVE:
        why = (
            "nothing is live yet, so the document has no boundary: every case is escalated. "
            "`ratchet proposals` shows what waits for an approval"
        )
    elif told["boundary"] is None:
        why = "its live policy decides nothing: every case is escalated"
    else:
        why = f"policy {told['policy_id'][:12]} for scores of model version {told['model_version']}"
    return f"{name}: {why} (digest {digest})."
