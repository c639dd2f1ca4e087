"""What does a replayed threshold move say, in a sentence and a table?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def move_verdict(told: Mapping[str, Any]) -> str:
    """The move in two sentences, unsupported bands named."""
    queue, share = told["queue"], told["automation_rate"]
    sentence = (
        f"{told['case_type']}: on {told['cases']:,} mature cases the share decided automatically goes "
        f"from {_share(share['current'])} to {_share(share['moved'])}; reviews "
        f"within the SLA from {_share(queue['current']['within_sla'])} to "
        f"{_share(queue['moved']['within_sla'])}."
    )
    unsupported = told["replay"]["unsupported"]
    if unsupported:
        sentence += " Not supported by any label: " + "; ".join(unsupported) + "."
    return sentence


def move_table(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Before and after, one row a figure."""
    before, after = told["replay"]["before"], told["replay"]["after"]
    rows = [
        {"figure": name, "current": _plain(before[name]), "moved": _plain(after[name])}
        for name in before
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


def _plain(value: Any) -> Any:
    """An estimate as its value, or 'unsupported'."""
    if isinstance(value, Mapping):
        return "unsupported" if value["value"] is None else value["value"]
    return value


def _share(value: float | None) -> str:
    return "not estimable" if value is None else f"{value:.1%}"
