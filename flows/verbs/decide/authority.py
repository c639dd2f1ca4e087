"""Is there an authority to decide by, and what becomes of the cases where there is none?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from configs.errors import GateRefused
from flows.verbs.govern.case_type_state import CaseTypeState, case_type_state
from flows.verbs.ports import Alerts, AuditSecrets, Ledger
from models.hub.policies.deciding import AUDIT_SECRET_UNKNOWN, HALTED, LEDGER_BROKEN

NO_AUTHORITY: Mapping[str, str] = {
    LEDGER_BROKEN: "the ledger is not as it was written (`ratchet ledger verify`)",
    AUDIT_SECRET_UNKNOWN: "the audit secret is not the one that the ledger knows (`ratchet doctor`)",
}
"""What keeps every case from being decided automatically, whatever is live, and how it is told."""


def standing_or_none(
    ledger: Ledger, alerts: Alerts, secrets: AuditSecrets, case_type: str, now: datetime
) -> tuple[CaseTypeState, str]:
    """How a case type stands, and why nothing may be decided by it, or "".

    Where the ledger cannot be trusted nothing stands: everything goes to people, and they are told.
    Where no audit can be drawn by the secret that the ledger knows, the live policy still speaks, and
    decides nothing. The first draw of a home lets the ledger know its secret.
    """
    try:
        stands = case_type_state(ledger, case_type)
        secrets.record(now)
    except GateRefused as broken:
        _tell_once(
            alerts, LEDGER_BROKEN, f"Every case of {case_type} goes to people. {broken}", now
        )
        return CaseTypeState(live=None, halted=True, trial=None), LEDGER_BROKEN
    try:
        secrets.in_force(now)
    except GateRefused as lost:
        sentence = f"Every case of {case_type} goes to people. {lost}"
        _tell_once(alerts, AUDIT_SECRET_UNKNOWN, sentence, now)
        return stands, AUDIT_SECRET_UNKNOWN
    return stands, HALTED if stands.halted else ""


def refuse_without_authority(overrides: Iterable[Mapping[str, int]]) -> None:
    """Say what was withheld after it was decided, so that whoever asked for it hears.

    Args:
        overrides: how many cases each rule sent to people, of each piece or case type.

    Raises:
        GateRefused: cases were sent to people for want of an authority; they are stored.
    """
    told = list(overrides)
    for name, why in NO_AUTHORITY.items():
        count = sum(one.get(name, 0) for one in told)
        if count:
            raise GateRefused(f"{count:,} cases were decided by nothing and go to people: {why}.")


def _tell_once(alerts: Alerts, kind: str, sentence: str, now: datetime) -> None:
    """One alert a run: a file is decided in many pieces."""
    stamp = now.isoformat()
    told = [(one.get("kind"), one.get("of_run")) for one in alerts.recent(20)]
    if (kind, stamp) not in told:
        alerts.send(kind, None, sentence, now, of_run=stamp)
