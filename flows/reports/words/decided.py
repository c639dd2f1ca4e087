"""What became of the cases of a source, in a sentence and in a table of numbers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from models.vocabulary import Action

_ACTIONS = tuple(sorted(action.value for action in Action))
_COLUMNS = ("rows_in", "decided", "late", "already_decided", "copies", "refused")


def decided_verdict(told: Mapping[str, Mapping[str, Any]]) -> str:
    """How many cases were decided, how many of them came late, and what was put aside by which rule.

    Args:
        told: by case type, as `decide_new_cases` counts them.
    """
    if not told:
        return "The source has no rows; nothing was decided."
    sums = {name: sum(int(one.get(name, 0)) for one in told.values()) for name in _COLUMNS}
    refused = _by_rule(told)
    aside = ", ".join(f"{count:,} by {rule}" for rule, count in sorted(refused.items()))
    return (
        f"{sums['rows_in']:,} rows: {sums['decided']:,} decided now ({sums['late']:,} of them came "
        f"late), {sums['already_decided']:,} before, {sums['copies']:,} copies, "
        f"{sums['refused']:,} in quarantine{f' ({aside})' if aside else ''}."
    )


def where_they_are(told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where the decisions are and how one is looked at, in sentences; none where none was made now."""
    examples = [str(one["example"]) for one in told.values() if one.get("example") is not None]
    if not examples:
        return []
    return [
        "The decisions are stored (table `decisions` of the home's evidence). An agent or a desk fetches "
        "them as a file by `ratchet decide --to DECISIONS` (.csv or .parquet): a case keeps the decision "
        "that it has.",
        f"Why one was decided so: `ratchet explain {shlex.quote(examples[0])}`.",
    ]


def decided_table(told: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a case type: what became of its rows, the actions, and what stands in quarantine."""
    return [
        {
            "case_type": name,
            **{column: int(one.get(column, 0)) for column in _COLUMNS},
            **{action: int(one.get("actions", {}).get(action, 0)) for action in _ACTIONS},
            "by_rule": _listed({**one.get("overrides", {}), **one.get("rejections", {})}),
        }
        for name, one in told.items()
    ]


def _by_rule(told: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in told.values():
        for rule, count in one.get("rejections", {}).items():
            found[rule] = found.get(rule, 0) + int(count)
    return found


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {rule}" for rule, count in counts.items())
