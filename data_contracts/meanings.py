"""What does each column of a contract mean, in a sentence for whoever maps their table onto it?"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from data_contracts.contract import Contract

_CASE_ID = "The case, the same id in every table; 1 to 64 characters of A-Z a-z 0-9 . _ : - ."
_CASE_TYPE = "What kind of case it is: the name of a file in case_types/."
_OPENED_AT = "When the case arose, before anybody decided it."
_PRIORITY = "0 to 100; from 75 on, and where empty, a key user whom only a person decides."
_AMOUNT = "The money at stake, in US dollars, zero or more; empty where there is none."

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "decisions": {
        "case_id": _CASE_ID,
        "case_type": _CASE_TYPE,
        "opened_at": _OPENED_AT,
        "decided_at": "When the agent decided; not before opened_at.",
        "score": "The agent's probability in [0, 1] that the case is bad; empty only where it could "
        "not be scored, and then it is escalated.",
        "recommendation": "What the agent would do by itself: pass or block.",
        "action": "What it did: auto_pass, auto_block or escalate.",
        "propensity": "The designed probability in (0, 1] that a person sees the case: 1 for an "
        "escalated one, the audit rate for an automatic one, logged when it is decided.",
        "audited": "Whether an automatically decided case was drawn for a review all the same.",
        "arm": "control, or treatment where the case was decided by a policy on trial.",
        "policy_id": "Which policy acted; one of ours only on what it served.",
        "model_version": "Which version of the agent's model scored the case.",
        "priority": _PRIORITY,
        "amount_usd": _AMOUNT,
        "override": "Which rule sent the case to a person whatever its score; empty: none.",
        "queue": "Whose queue an escalated case went to: senior or desk.",
        "reasoning": "The agent's steps, and the clause of the procedure that each one names.",
    },
    "reviews": {
        "review_id": "One review; corrections keep it and count the revision up.",
        "case_id": _CASE_ID,
        "revision": "0 for the first delivery, then 1, 2, ... for each correction.",
        "reviewer_id": "The pseudonymous id of the person who reviewed the case.",
        "team": "in_house or bpo.",
        "kind": "Why the case was reviewed: escalation, audit, second, senior or gold.",
        "blind": "Whether the reviewer saw nothing of the agent's or another person's answer.",
        "queued_at": "When the case came to the reviewers.",
        "resolved_at": "When the reviewer answered; not before queued_at.",
        "verdict": "What the reviewer says: pass, block, or escalate (the case stays open).",
        "label": "TP, TN, FP or FN; it follows from recommendation and verdict, so it may be empty.",
        "feedback_path": "Why the agent erred: A (a feature's weight), B (the threshold), C (the "
        "procedure) or none; asked for where it did.",
        "root_cause": "The cause in the reviewers' own code.",
        "feature_ref": "The feature that is to blame, on path A.",
        "sop_clause": "The clause of the operating procedure that applies.",
        "annotation": "The root cause in one or two sentences.",
        "language": "The annotation's language: en or zh.",
    },
    "outcomes": {
        "case_id": _CASE_ID,
        "observed_at": "When the outcome became known; not before the case was opened.",
        "bad": "Whether the case was bad after all.",
        "source": "chargeback, victim_report, appeal, law_enforcement or reverification.",
    },
    "history": {
        "case_id": _CASE_ID,
        "case_type": _CASE_TYPE,
        "opened_at": _OPENED_AT,
        "bad": "Whether the case was bad; empty where nobody knows.",
        "amount_usd": _AMOUNT,
        "priority": "0 to 100; from 75 on a key user whom only a person decides. Without the column 0.",
    },
    "cases": {
        "case_id": _CASE_ID,
        "case_type": _CASE_TYPE,
        "opened_at": _OPENED_AT,
        "priority": _PRIORITY,
        "amount_usd": _AMOUNT,
    },
}
"""By contract and column; a test holds them beside the contracts themselves."""

PURPOSES: Mapping[str, str] = {
    "decisions": "What an agent decided, a row a case, with the features it saw. Only another agent's "
    "are delivered; what Ratchet decides itself is stored as it is decided.",
    "reviews": "What people said of cases, append-only: a row a review and revision. A correction is a "
    "new revision.",
    "outcomes": "Truth that came to light later: chargebacks, appeals, reports.",
    "history": "Past cases whose truth is known, with their features: for a backtest and for the first "
    "model.",
    "cases": "New cases for Ratchet to decide, with their features.",
}
"""What each contract is for."""


def type_words(contract: Contract, column: str) -> str:
    """A column's type in a word for people.

    Raises:
        KeyError: the contract has no such column.
    """
    kind = contract.schema.field(column).type
    if pa.types.is_timestamp(kind):
        return "stamp"
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_integer(kind):
        return "whole number"
    if pa.types.is_floating(kind):
        return "number"
    if pa.types.is_list(kind):
        return "list of {step, sop_clause}"
    return "text"


def presence(contract: Contract, column: str) -> str:
    """Whether a table must bring a column, and whether its cells may be empty."""
    if column not in contract.required:
        return "optional"
    return "may be empty" if contract.schema.field(column).nullable else "required"
