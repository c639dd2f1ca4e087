"""Which certificate does the live boundary of a case type rest on?"""

from __future__ import annotations

from typing import Any

from flows.verbs.ports import Ledger
from models.hub import EntryKind
from models.hub.record.provenance import provenance

_OF_A_CERTIFICATE = (
    "limits", "delta", "rows", "labelled", "bad", "evidence_since", "evidence_until",
    "pass_at_or_below", "block_at_or_above",
)  # fmt: skip


def live_proof(ledger: Ledger, case_type: str) -> dict[str, Any] | None:
    """The proof as it was filed, from the dossier in the ledger, as plain values; None: nothing is live.

    `limits` by promise, on `rows` cases of which `labelled` and `bad`; `proven_at`, `evidence_since`
    and `evidence_until`, `approved_by`, `valid_until`. A narrowed boundary rests on the proof of the
    wider one it came from (`narrowed_at`); one that was forced (`forced`) on none: then the figures
    are None.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    live = ledger.live_policy(case_type)
    if live is None:
        return None
    behind = provenance(ledger.history(), case_type, live.policy_id)
    said = {} if behind.proposal is None else behind.proposal.dossier
    made = behind.made_live
    narrowed = made is not None and made.kind is EntryKind.NARROWED
    return {
        "policy_id": live.policy_id,
        "proven_at": None if behind.proposal is None else behind.proposal.at.isoformat(),
        **{name: said.get(name) for name in _OF_A_CERTIFICATE},
        "limits": dict(said.get("limits", {})),
        "approved_by": list(behind.approved_by),
        "forced": behind.forced is not None,
        "narrowed_at": made.at.isoformat() if narrowed and made is not None else None,
        "valid_until": None if live.valid_until is None else live.valid_until.isoformat(),
    }
