"""How does a night say that what is live goes on, before it tells of what is not proven yet?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.reports.words.stamps import to_the_second

FEWEST_FOR_A_SHARE = 30
"""Of fewer cases a share says nothing by itself, so their number stands beside it."""

_GUARD: Mapping[str, str] = {
    "holds": "holds: the guard has nothing against it",
    "no mature case yet": "is in force; none of its cases is mature yet, so nothing can speak against it",
    "tripped": "was refuted tonight",
    "not judged": "is in force, and could NOT be guarded tonight",
}


def live_lines(live: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each live boundary: whether it holds, what it decided, and what proves a wider one."""
    return [_line(one) for one in live]


def share_of(part: int, whole: int) -> str:
    """A share with its numbers: of few cases it is no percentage."""
    if whole < FEWEST_FOR_A_SHARE:
        return f"{part:,} of {whole:,}"
    return f"{part:,} of {whole:,} ({part / whole:.1%})"


def _line(one: Mapping[str, Any]) -> str:
    guard = _GUARD.get(str(one["guard"]), "is in force")
    proven = one["proven_automation"]
    expected = "" if proven is None else f"; {proven:.1%} of the cases that proved it"
    text = (
        f"{one['case_type']}: the live boundary {one['policy_id'][:12]}, since {to_the_second(one['since'])}, "
        f"{guard}. Decided automatically since then: {share_of(one['automatic'], one['decided'])} "
        f"cases{expected}."
    )
    if one["evidence_cases"] is None:
        return text
    return (
        f"{text} The proof of a wider one goes on from what is proven: {one['evidence_cases']:,} cases of "
        "the cohort so far."
    )
