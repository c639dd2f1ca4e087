"""One case explained, as a person reads it."""

from __future__ import annotations

from typing import Any

_SOURCES = {
    "kept": "kept with the case when it was decided",
    "computed": "computed now from the stored case by the model that decided it",
}


def explanation(told: dict[str, Any]) -> str:
    """What was decided and by what, in a few sentences; `told` comes from the verb `explain`."""
    score = "without a score" if told["score"] is None else f"score {told['score']:.5g}"
    lines = [
        f"{told['case_id']} ({told['case_type']}), opened {told['opened_at']}: "
        f"{told['action']}, {score}{_rule(told)}.",
        f"Policy {told['policy_id']}, model version {told['model_version']}.",
        f"Its truth was to be observed with probability {told['propensity']:.5g}; it was "
        f"{'drawn' if told['drawn'] else 'not drawn'} for review.",
    ]
    said = told["contributions"]
    if said["source"] == "none":
        lines.append(f"No contributions: {said['why']}.")
    else:
        lines.append(
            f"Log-odds {said['margin']:+.4f} = {said['bias']:+.4f} and what each feature added "
            f"({_SOURCES[said['source']]}):"
        )
    return "\n".join(lines)


def largest_first(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The table under it."""
    return [
        {
            "feature": one["feature"],
            "value": one["value"],
            "contribution": f"{one['contribution']:+.4f}",
        }
        for one in told["contributions"]["by_feature"]
    ]


def _rule(told: dict[str, Any]) -> str:
    return f", by the rule {told['override']}" if told["override"] else ""
