"""What does a second person read before they approve a boundary?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flows.reports.words.ab_proofs import ab_days_sentences
from flows.reports.words.stamps import to_the_second
from models.boundary.price.price_words import percent
from models.hub import Entry, dossier_digest
from models.vocabulary.finding_words import NOT_TOLD

_RENEWAL = (
    "It renews the certificate of today's boundary: nothing changes but the day on which it ends, and an A/B "
    "test that runs goes on."
)
_RISKS = {"false_omission_rate": "false omission"}
_SMALL_IS_GOOD = ("false_omission_rate", "expected_loss")


def proposal_dossier(proposal: Entry, who: Mapping[str, Any] | None = None) -> str:
    """A proposal's dossier as markdown: what would change, what is proven, on what, and the digest
    that the approval binds to.

    Args:
        who: who may approve it by now (`may_approve`, `approvers_needed`, `approved_by`), in place of
            who was enrolled when it was proposed.
    """
    said = proposal.dossier
    lines = [
        f"# {proposal.case_type}: policy {str(proposal.policy_id)[:12]}",
        "",
        f"Proposed by {proposal.actor} at {to_the_second(proposal.at.isoformat())}.",
        "",
        "| what | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in _facts(said) if value is not None),
    ]
    reasons = [str(reason) for reason in said.get("reasons", [])]
    if reasons:
        lines += ["", *(f"- {reason}" for reason in reasons)]
    if said.get("renews"):
        lines += ["", _RENEWAL]
    if said.get("ab_days"):
        lines += ["", *(f"- {sentence}" for sentence in ab_days_sentences(said["ab_days"]))]
    lines += _segments(said.get("segments", ()))
    if "may_approve" in said:
        lines += ["", *(f"- {line}" for line in beside_lines({**said, **(who or {})}))]
    lines += ["", f"Digest that an approval binds to: {dossier_digest(proposal)}"]
    return "\n".join(lines)


def beside_lines(said: Mapping[str, Any], waits_for: str = "approval") -> list[str]:
    """What to know beside the proof, in sentences: open tickets, a newer model under test, and who
    would approve, where an approval is what it waits for.

    Args:
        said: a proposal's dossier, or a row of what is pending.
    """
    tickets, newer = said["tickets"], said["newer_model"]
    lines = ["No ticket is open for this case type."] if not tickets else []
    for one in tickets:
        where = "" if one["slice"] == "all" else f" where {one['slice']}"
        answer = f", answered by version {one['answered_by']}" if one["answered_by"] else ""
        lines.append(
            f"Ticket {one['pattern_id']} ({one['path']}) is {one['status']}{answer}: "
            f"{one['subject']}{where}, {one['size']}, ${one['money_usd']:,.0f} at stake"
            + _remedy(one["remedy"])
        )
    if newer is not None:
        lines.append(
            f"A newer model, version {newer['model_version']}, is under test since "
            f"{to_the_second(newer['since'])}."
        )
    if "approval" in waits_for:
        lines.append(_who_approves(said))
    return lines


def _remedy(word: str | None) -> str:
    if word is None:
        return "."
    if word == NOT_TOLD:
        return f"; whether its remedy would hold {word}."
    return f"; its remedy {word} on later cases."


def _who_approves(said: Mapping[str, Any]) -> str:
    names = list(said["may_approve"])
    two = said.get("approvers_needed", 1) > 1
    given = list(said.get("approved_by", ()))
    if given:
        who = " or ".join(names) or "nobody else is enrolled as an approver"
        return f"Approved by {' and '.join(given)}; one more is needed: {who}."
    if len(names) < 1 + two:
        lacks = "two approvers" if two else "an approver"
        there = f"only {names[0]} is enrolled" if names else "none is enrolled"
        return f"It takes {lacks}, and {there}: `ratchet people add NAME --role approver`."
    who = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return f"It takes two people: two of {', '.join(names)}." if two else f"{who} may approve it."


def _segments(figures: Any) -> list[str]:
    """A good total can hide a bad segment, so each stands beside it."""
    if not figures:
        return []
    rows = [
        f"| {one['column']} | {one['value']} | {one['cases']:,} | {one['bad']:,} | "
        f"{one['automation_rate']:.1%} | {_figure(one['precision'])} | {_figure(one['recall'])} |"
        for one in figures
    ]
    apart = (
        "Each figure below is an estimate with its own 95 % interval. The proven limits above hold "
        "at the confidence spent, for whichever boundary is proposed and at every look, so they promise less."
    )
    head = "| segment | value | cases | bad | automatic | precision | recall |"
    return ["", apart, "", head, "|---|---|---|---|---|---|---|", *rows]


def _figure(estimate: Any) -> str:
    if estimate is None:
        return "not estimable"
    return f"{estimate['value']:.2%} ({estimate['low']:.2%} to {estimate['high']:.2%})"


def _facts(said: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    return [
        ("auto-pass at or below", _side(said, "pass_at_or_below")),
        ("auto-block at or above", _side(said, "block_at_or_above")),
        ("would decide by itself", _share(said.get("automation_rate"), 1)),
        *(
            (f"{_RISKS.get(name, name)}, proven limit", _proven(said, name, value))
            for name, value in said.get("limits", {}).items()
        ),
        ("delta of this look, of what the promise may spend in all", _number(said.get("delta"))),
        ("cases", _count(said.get("rows"))),
        ("labelled", _count(said.get("labelled"))),
        ("bad", _count(said.get("bad"))),
        ("drawn and without a label", _count(said.get("drawn_and_missing"))),
        ("model version", said.get("model_version")),
        ("evidence from", to_the_second(said.get("evidence_since"))),
        ("evidence until", to_the_second(said.get("evidence_until"))),
        ("expires", to_the_second(said.get("valid_until"))),
        ("A/B test", _trial(said.get("ab_plan"))),
        *_sprint(said),
    ]


def _sprint(said: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """What is asked for where the audits are raised for a time: the rate, until when, and the hours."""
    sprint, cost = said.get("sprint"), said.get("sprint_cost", {})
    if sprint is None:
        return []
    return [
        ("audits at least", percent(sprint["rate"])),
        ("until", to_the_second(sprint["until"])),
        ("days", _count(None if "days" not in cost else math.ceil(cost["days"]))),
        ("audits within it", _count(None if "labels" not in cost else round(cost["labels"]))),
        ("reviewer hours", _count(None if "hours" not in cost else math.ceil(cost["hours"]))),
    ]


def _proven(said: Mapping[str, Any], name: str, value: float) -> str | None:
    """A limit, and beside it what was promised, where the dossier says so."""
    promised = said.get("promised", {}).get(name)
    if promised is None:
        return _share(value, 2)
    bound = "at most" if name in _SMALL_IS_GOOD else "at least"
    return f"{_share(value, 2)} (promised: {bound} {_share(promised, 2)})"


def _side(said: Mapping[str, Any], side: str) -> str:
    """A cut, and beside it today's, where the proposal says what it would replace."""
    proposed = _cut(said.get(side))
    if "today" not in said:
        return proposed
    today = said["today"]
    return f"{proposed} (today: {_cut(None if today is None else today[side])})"


def _cut(value: float | None) -> str:
    return "reviewed" if value is None else f"{value:.6g}"


def _trial(plan: Mapping[str, Any] | None) -> str:
    if plan is None:
        return "none: approval is enough"
    return f"{plan['method']}, {plan['horizon_days']:g} days, {plan['treatment_share']:.0%} treated"


def _share(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}%}"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"
