"""What does a replayed threshold move say, in sentences and a table?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.reports.words.stamps import to_the_second

PEEK = "The limits are a peek: it spends no look and proposes nothing; only a night's look can."


def move_verdict(told: Mapping[str, Any]) -> str:
    """The move in two or three sentences, unsupported bands named; or, in one line, that there is no
    certified move, with its price."""
    if told["moved"] is None:
        return f"{told['case_type']}: no certified move. {_price(told['certificate'])}"
    queue, share = told["queue"], told["automation_rate"]
    sentence = (
        f"{told['case_type']}: on {told['cases']:,} mature cases the share decided automatically goes "
        f"from {_share(share['current'])} to {_share(share['moved'])}; reviews "
        f"within the SLA from {_share(queue['current']['within_sla'])} to "
        f"{_share(queue['moved']['within_sla'])} (simulated queue)."
    )
    if told["best"]:
        sentence = f"{_found(told)} {sentence} {PEEK}"
    unsupported = told["replay"]["unsupported"]
    if unsupported:
        sentence += " Not supported by any label: " + "; ".join(unsupported) + "."
    return sentence


def move_table(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Before and after, one row a figure; empty when nothing was moved."""
    if told["moved"] is None:
        return []
    before, after = told["replay"]["before"], told["replay"]["after"]
    rows = [
        {"figure": name, "current": told["current"][name], "moved": told["moved"][name]}
        for name in told["current"]
    ]
    rows += [
        {"figure": name, "current": _plain(before[name]), "moved": _plain(after[name])}
        for name in before
    ]
    rows += [
        {
            "figure": f"proven {risk.replace('_', ' ')} (target {limit['target']:g})",
            "current": _known(limit["current"]),
            "moved": _known(limit["moved"]),
        }
        for risk, limit in told["limits"].items()
    ]
    queue = told["queue"]
    rows += [
        {
            "figure": f"queue {name}",
            "current": queue["current"][name],
            "moved": queue["moved"][name],
        }
        for name in queue["current"]
        if name != "by_hour"
    ]
    return rows


def proof_text(told: Mapping[str, Any]) -> str:
    """The certificate that the live boundary rests on, each limit beside what today's evidence says of
    the same boundary; "" where nothing is live."""
    proof = told.get("proof")
    if proof is None:
        return ""
    name = f"The live boundary ({proof['policy_id'][:12]})"
    if proof["forced"]:
        return f"{name} was forced by {' and '.join(proof['approved_by'])}: it rests on no proof."
    fresh = {risk: limit["current"] for risk, limit in told["limits"].items()}
    limits = [
        f"{risk.replace('_', ' ')} {limit:.2%} ({_fresh(fresh.get(risk))})"
        for risk, limit in proof["limits"].items()
    ]
    counted = [
        f"{proof[key]:,} {word}"
        for key, word in (("rows", "cases"), ("labelled", "labelled"), ("bad", "bad"))
        if proof[key] is not None
    ]
    parts = [f"{name} rests on the certificate of {to_the_second(proof['proven_at'])}"]
    parts += [f"approved by {' and '.join(proof['approved_by'])}"] * bool(proof["approved_by"])
    parts += [f"on {', '.join(counted)}"] * bool(counted)
    text = f"{', '.join(parts)}: {'; '.join(limits) or 'its limits are not in the ledger'}."
    if proof["narrowed_at"]:
        text += f" It was narrowed since, at {to_the_second(proof['narrowed_at'])}."
    if proof["valid_until"]:
        text += f" It ends at {to_the_second(proof['valid_until'])}."
    return text


def boundary_text(boundary: Mapping[str, float | None]) -> str:
    """Where a boundary's two sides stand, in words."""
    low, high = boundary["pass_at_or_below"], boundary["block_at_or_above"]
    sides = [] if low is None else [f"pass at or below {low:.4g}"]
    sides += [] if high is None else [f"block at or above {high:.4g}"]
    return ", ".join(sides) or "everything is reviewed"


def cheapest_text(told: Mapping[str, Any]) -> str:
    """Which boundary the configured costs alone would choose, and that this proves nothing."""
    cheapest = told["cheapest"]
    return (
        f"By the configured costs alone, the cheapest boundary on these cases would be: "
        f"{boundary_text(cheapest)} (an estimated {cheapest['loss_usd']:,.0f} USD). It is an estimate "
        "in hindsight and keeps no promise."
    )


def _fresh(limit: float | None) -> str:
    return "today: not estimable" if limit is None else f"today: {limit:.2%}"


def _found(told: Mapping[str, Any]) -> str:
    if told["certificate"]["verdict"] == "certified":
        model = told["certificate"]["model_version"]
        who = "" if told["certificate"]["decides"] else f" of model {model}, which is under test"
        return f"The widest certified boundary{who}: {boundary_text(told['moved'])}."
    why = told["certificate"]["reasons"][0]
    return f"{why} What is left of it: {boundary_text(told['moved'])}."


def _price(certificate: Mapping[str, Any]) -> str:
    """Why there is no certified move, and the labels and days that one would take."""
    return " ".join([*certificate["reasons"], PEEK])


def _plain(value: Any) -> Any:
    """An estimate as its value, or 'unsupported'."""
    if isinstance(value, Mapping):
        return "unsupported" if value["value"] is None else value["value"]
    return value


def _known(limit: float | None) -> Any:
    return "not estimable" if limit is None else limit


def _share(value: float | None) -> str:
    return "not estimable" if value is None else f"{value:.1%}"
