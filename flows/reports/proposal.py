"""What does a second person read before they approve a boundary?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.reports.stamps import to_the_second
from models.hub import Entry, dossier_digest

_RISKS = {"false_omission_rate": "false omission"}


def proposal_dossier(proposal: Entry) -> str:
    """A proposal's dossier as markdown: what would change, what is proven, on what, and the digest
    that the approval binds to."""
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
    lines += _segments(said.get("segments", ()))
    lines += ["", f"Dossier: {dossier_digest(proposal)}"]
    return "\n".join(lines)


def _segments(figures: Any) -> list[str]:
    """A good total can hide a bad segment, so each stands beside it."""
    if not figures:
        return []
    rows = [
        f"| {one['column']} | {one['value']} | {one['cases']:,} | {one['bad']:,} | "
        f"{one['automation_rate']:.1%} | {_figure(one['precision'])} | {_figure(one['recall'])} |"
        for one in figures
    ]
    head = "| segment | value | cases | bad | automatic | precision | recall |"
    return ["", head, "|---|---|---|---|---|---|---|", *rows]


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
            (f"{_RISKS.get(name, name)}, proven limit", _share(value, 2))
            for name, value in said.get("limits", {}).items()
        ),
        ("confidence spent (delta)", _number(said.get("delta"))),
        ("cases", _count(said.get("rows"))),
        ("labelled", _count(said.get("labelled"))),
        ("bad", _count(said.get("bad"))),
        ("drawn and without a label", _count(said.get("drawn_and_missing"))),
        ("model version", said.get("model_version")),
        ("evidence from", to_the_second(said.get("evidence_since"))),
        ("evidence until", to_the_second(said.get("evidence_until"))),
        ("expires", to_the_second(said.get("valid_until"))),
        ("A/B test", _trial(said.get("ab_plan"))),
    ]


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
