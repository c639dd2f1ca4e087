"""What must an agent elsewhere do, so that it decides as the ledger says?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.hub.policies.canonical import canonical_json, plain_document, sha256_of
from models.hub.policies.narrower import decides_nothing
from models.hub.policies.policy import Policy
from models.vocabulary import AbPlan

FORMAT = "ratchet.policy/1"
FETCH_WITHIN_HOURS = 1
"""So soon after an entry of the ledger an agent is expected to act by it."""

HALTED, NOTHING_LIVE, EXPIRED, LIVE = "halted", "nothing_live", "expired", "live"

_STEPS = (
    "1. halted is true, boundary is null, or now >= valid_until: escalate every case.",
    "2. The model that scored the case is not model_version, or there is no score: escalate.",
    "3. priority is missing or >= overrides.key_user_priority: escalate, to a senior.",
    "4. The case meets all conditions of one of overrides.senior_patterns (a missing value meets a "
    "condition): escalate, to a senior.",
    "5. score <= boundary.pass_at_or_below: auto_pass, unless amount_usd is missing or above "
    "overrides.never_auto_pass_above_usd (null: no limit): then escalate.",
    "6. score >= boundary.block_at_or_above: auto_block. A side that is null decides nothing.",
    "7. Everything else: escalate.",
)
_AUDIT = (
    "Rate of an automatic decision: block_rate for an auto_block where it is a number; else the rate "
    "of the first of steps [up_to_score, rate] with score <= up_to_score; else rate. Draw a number u "
    "in [0, 1) once a case, by a generator or a keyed hash of case_id whose key whoever opens or "
    "reviews cases does not know: the case is audited (reviewed all the same, blind) where u < rate."
)
_SPRINT = (
    " Until sprint_until an automatic decision's rate is the larger of that and sprint_rate; deliver "
    "those decisions under a policy_id of their own, as one id has one design."
)
_LOG = (
    "Deliver every decision (contract `decisions`): the score and model_version as they were, action, "
    "propensity = the audit rate used for an automatic decision and 1 for an escalated case, audited, "
    "arm, and your own policy's name as policy_id (never the policy_id of this document)."
)
_ARM = (
    "Cases opened at or after `since`, no key users: h = the first 8 bytes, big-endian, of SHA-256 of "
    "the UTF-8 text '<length of salt in characters>:<salt>:<case_id>'; arm is treatment where "
    "floor(h / 2^11) / 2^53 < treatment_share, else control. A treatment case is decided by the "
    "policy here instead; where the two policies act differently on it, an automatic decision is "
    "audited at the rate of the last of moved_audit [from this day since `since`, rate] that has begun."
)


def exported_policy(
    case_type: str,
    scorer: str,
    live: Policy | None,
    halted: bool,
    at: datetime,
    trial: tuple[Policy, AbPlan, datetime] | None = None,
) -> dict[str, Any]:
    """A live policy as a document for whoever carries it out elsewhere, with its SHA-256 under
    `digest` (of the canonical JSON of all the rest).

    It holds no secret: audits are drawn by the agent's own. The same state of the ledger gives the
    same document, whenever it is asked for, until a certificate expires.

    Args:
        live: None: nothing was promoted, so nothing is decided automatically.
        at: whether the certificate has expired by then (tz-aware).
        trial: the policy of a running A/B test, its plan, and since when.
    """
    state = _state(live, halted, at)
    acts = state == LIVE and live is not None and not decides_nothing(live, at)
    told: dict[str, Any] = {
        "format": FORMAT,
        "case_type": case_type,
        "scorer": scorer,
        "state": state,
        "halted": halted,
        "fetch_again_within_hours": FETCH_WITHIN_HOURS,
        **_rule(live, acts),
        "how_to_decide": list(_STEPS),
        "how_to_audit": _AUDIT + (_SPRINT if _sprints(live) else ""),
        "what_to_deliver": _LOG,
        "ab_test": None,
    }
    if trial is not None and not halted:
        policy, plan, since = trial
        tried = {
            **_rule(policy, not decides_nothing(policy, at)),
            "since": since,
            "salt": plan.salt,
            "treatment_share": plan.treatment_share,
            "moved_audit": [list(step) for step in plan.moved_audit],
            "how_to_assign": _ARM,
        }
        told |= {"ab_test": tried}
    plain: dict[str, Any] = plain_document(told)
    return {**plain, "digest": document_digest(plain)}


def document_digest(document: Mapping[str, Any]) -> str:
    """The SHA-256 (hex) of the canonical JSON of an exported document without its `digest`."""
    return sha256_of(canonical_json({k: v for k, v in document.items() if k != "digest"}))


_IN_A_SPRINT = ("sprint_rate", "sprint_until")


def _sprints(live: Policy | None) -> bool:
    return live is not None and live.audit.sprint_until is not None


def _state(live: Policy | None, halted: bool, at: datetime) -> str:
    if halted:
        return HALTED
    if live is None:
        return NOTHING_LIVE
    expired = live.valid_until is not None and live.valid_until <= at
    return EXPIRED if expired else LIVE


def _rule(policy: Policy | None, acts: bool) -> dict[str, Any]:
    """By what cases are decided; no boundary where nothing may be decided automatically."""
    if policy is None:
        names = ("policy_id", "model_version", "valid_until", "boundary", "audit", "overrides")
        return dict.fromkeys(names)
    document = policy.document()
    audit = {name: document["audit"][name] for name in ("rate", "salt_id")}
    return {
        "policy_id": policy.policy_id,
        "model_version": policy.model_version,
        "valid_until": policy.valid_until,
        "boundary": document["boundary"] if acts else None,
        "audit": {
            **audit,
            "steps": document["audit"].get("steps", []),
            "block_rate": document["audit"].get("block_rate"),
            **{name: document["audit"][name] for name in _IN_A_SPRINT if name in document["audit"]},
        },
        "overrides": document["overrides"],
    }
