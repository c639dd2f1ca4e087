"""How do open tickets read: one sentence, and a table with the size and the cost of each pattern?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def tickets_sentence(tickets: Sequence[Mapping[str, Any]]) -> str:
    """How many patterns of errors are open, what they cost, and how many are answered."""
    still_open = [one for one in tickets if one["status"] == "open"]
    answered = [one for one in tickets if one["status"] == "answered"]
    if not still_open and not answered:
        return "No pattern of errors is open."
    money = sum(one["money_usd"] for one in still_open)
    counted = [
        f"{_patterns(len(still_open))} open (${money:,.0f} at stake)" if still_open else "",
        f"{_patterns(len(answered))} answered by a challenger" if answered else "",
    ]
    return ", ".join(part for part in counted if part) + "."


def tickets_table(tickets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a ticket, in the given order; a cell that is not known is None."""
    return [
        {
            "case_type": one["case_type"],
            "path": one["path"],
            "blamed": one["subject"],
            "slice": one["slice"],
            "size": one["size"],
            "effect": effect_text(one),
            "remedy": one["remedy"],
            "cases": one["cases"],
            "errors": one["errors"],
            "money_usd": round(one["money_usd"]),
            "marks": " ".join(f"{path}:{n}" for path, n in sorted(one["marks"].items())) or None,
            "first_seen": one["first_seen"],
            "last_seen": one["last_seen"],
            "nights": one["nights"],
            "status": one["status"],
            "fired": None if one["fired_at"] is None else one["fired_at"][:10],
            "answered_by": one["answered_by"],
            "ticket": one["pattern_id"],
        }
        for one in tickets
    ]


def effect_text(ticket: Mapping[str, Any]) -> str:
    """The effect with its 95 % interval and unit, as in "-0.33 [-0.41, -0.25] relative weight"."""
    return f"{ticket['effect']:.2f} [{ticket['low']:.2f}, {ticket['high']:.2f}] {ticket['unit']}"


def _patterns(count: int) -> str:
    return f"{count} pattern of errors is" if count == 1 else f"{count} patterns of errors are"
