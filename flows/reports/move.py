"""What does a replayed threshold move say, in sentences and a table?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
