"""What does a second person read before they approve a boundary?"""

from __future__ import annotations

from typing import Any

from models.hub import Entry, dossier_digest

_RISKS = {"false_omission_rate": "false omission"}


def proposal_dossier(proposal: Entry) -> str:
    """A proposal's dossier as markdown: what would change, what is proven, on what, and the digest
    that the approval binds to."""
    said = proposal.dossier
    lines = [
        f"# {proposal.case_type}: policy {str(proposal.policy_id)[:12]}",
        "",
        f"Proposed by {proposal.actor} at {proposal.at.isoformat()}.",
        "",
        "| what | value |",
        "|---|---|",
        *(f"| {name} | {_text(value)} |" for name, value in _facts(said)),
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
        f"{one['automation_rate']:.1%} | {_share(one['precision'])} | {_share(one['recall'])} |"
        for one in figures
    ]
    head = "| segment | value | cases | bad | automatic | precision | recall |"
    return ["", head, "|---|---|---|---|---|---|---|", *rows]


def _share(estimate: Any) -> str:
    if estimate is None:
        return "not estimable"
    return f"{estimate['value']:.2%} ({estimate['low']:.2%} to {estimate['high']:.2%})"


def _facts(said: Any) -> list[tuple[str, Any]]:
    limits = {
        f"{_RISKS.get(name, name)}, limit": value for name, value in said.get("limits", {}).items()
    }
    plan = said.get("ab_plan")
    facts = {
        "auto-pass at or below": said.get("pass_at_or_below"),
        "auto-block at or above": said.get("block_at_or_above"),
        "would decide by itself": said.get("automation_rate"),
        **limits,
        "confidence spent (delta)": said.get("delta"),
        "cases": said.get("rows"),
        "labelled": said.get("labelled"),
        "bad": said.get("bad"),
        "drawn and without a label": said.get("drawn_and_missing"),
        "model version": said.get("model_version"),
        "evidence from": said.get("evidence_since"),
        "evidence until": said.get("evidence_until"),
        "A/B test": "none: approval is enough"
        if plan is None
        else f"{plan['method']}, {plan['horizon_days']:g} days, {plan['treatment_share']:.0%} treated",
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
