"""One case explained, as a person reads it."""

from __future__ import annotations

from typing import Any

from flows.reports.words.stamps import to_the_second

_SOURCES = {
    "kept": "kept with the case when it was decided",
    "computed": "computed now from the stored case by the model that decided it",
}
_MADE_LIVE = {"rolled_back": "returned to in a rollback"}
"""A policy that a rollback makes live is not the one that was left."""


def explanation(told: dict[str, Any]) -> str:
    """What was decided and by what, in a few sentences; `told` comes from the verb `explain`."""
    score = "without a score" if told["score"] is None else f"score {told['score']:.5g}"
    lines = [
        f"{told['case_id']} ({told['case_type']}), opened {to_the_second(told['opened_at'])}, "
        f"decided {to_the_second(told['decided_at'])}: {told['action']}, {score}{_rule(told)}.",
        f"Policy {told['policy_id']}, model version {told['model_version']}.",
        *_behind(told),
        f"Its truth was to be observed with probability {told['propensity']:.5g}; it was "
        f"{'drawn' if told['drawn'] else 'not drawn'} for review.",
    ]
    lines.append(_again(told["again"]))
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


def _behind(told: dict[str, Any]) -> list[str]:
    """The boundary, and who stands behind it."""
    policy = told["policy"]
    if policy is None:
        return ["This ledger has no such policy: the agent was somebody else's."]
    low, high = policy["pass_at_or_below"], policy["block_at_or_above"]
    sides = [f"passes at or below {low:.6g}"] if low is not None else []
    sides += [f"blocks at or above {high:.6g}"] if high is not None else []
    rule = f"It {' and '.join(sides)}." if sides else "It sends everything to people."
    if policy["made_live"] is None and not policy["tried_since"]:
        return [f"{rule} Nothing was live then: the model advised, and nobody had to approve that."]
    if policy["forced"]:
        by = " and ".join(policy["approved_by"])
        return [f"{rule} Forced by {by} without its proof: {policy['forced_because']}"]
    said = f"Proposed by {policy['proposed_by']}, approved by {' and '.join(policy['approved_by'])}"
    if policy["made_live"] is None:
        return [
            f"{rule} {said}; on trial since {to_the_second(policy['tried_since'])} (arm {told['arm']})."
        ]
    made = _MADE_LIVE.get(policy["made_live"], policy["made_live"].replace("_", " "))
    at = to_the_second(policy["made_live_at"])
    return [f"{rule} {said}; {made} by {policy['made_live_by']} at {at}."]


def _again(again: dict[str, Any]) -> str:
    if "why" in again:
        return f"It cannot be decided again: {again['why']}."
    if again["agrees_in_all"]:
        return "Decided again from what is stored: the same in everything, to the last bit."
    other = ", ".join(name for name, same in again["agrees"].items() if not same)
    return f"Decided again from what is stored: DIFFERENT in {other}."


def _rule(told: dict[str, Any]) -> str:
    return f", by the rule {told['override']}" if told["override"] else ""
