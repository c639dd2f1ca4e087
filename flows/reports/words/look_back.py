"""How does a look-back read: what fell, what was found, what waits, and does it fit the SLA?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.reports.words.stamps import to_the_second

if TYPE_CHECKING:
    from flows.verbs.more_labels.look_back import LookBack


def look_back_sentences(
    case_type: str, found: Sequence[LookBack], fits: Mapping[str, Any]
) -> list[str]:
    """The whole answer, what waits first; `fits` is what `within_sla` says."""
    if not found:
        return [
            f"{case_type}: no boundary has fallen on its pass side, so there is nothing to look back at."
        ]
    waiting = sum(len(one.waiting) for one in found)
    hours, harm = sum(one.hours for one in found), sum(one.harm_usd for one in found)
    told = [
        f"{case_type}: {waiting:,} cases are still worth a look: {hours:,.1f} reviewer hours, ${harm:,.0f} of "
        "expected harm."
        if waiting
        else f"{case_type}: nothing that fallen boundaries passed is still worth a look."
    ]
    if waiting:
        told.append(_fit(fits))
    return [*told, *(_showed(one) for one in found)]


def look_back_row(one: LookBack) -> dict[str, Any]:
    """A fall as a line of a table."""
    return {
        "fell": to_the_second(one.fall.at.isoformat()),
        "by": one.fall.kind.value.replace("_", " "),
        "policy": one.fall.fallen[:12],
        "above": one.above,
        "up to": one.up_to,
        "passed": one.passed,
        "audited": one.audited,
        "bad": one.audited_bad,
        "looked at": one.looked_at,
        "found bad": one.found_bad,
        "found usd": one.found_usd,
        "by itself": one.surfaced_bad,
        "waiting": len(one.waiting),
        "harm usd": one.harm_usd,
    }


def _fit(fits: Mapping[str, Any]) -> str:
    today, days = fits["today"], fits["spread_days"]
    if today is None:
        return (
            "Whether they fit the SLA is not known: nobody reviewed a case in the last four weeks."
        )
    kept = f"{today:.1%} of reviews would be within the SLA without them"
    if days is None:
        return f"They do not fit the SLA even over four weeks ({kept}): staff them apart."
    spread = "one day" if days == 1 else f"{days} days"
    return f"They fit the SLA when spread over {spread}: {fits['then']:.1%} within it ({kept})."


def _showed(one: LookBack) -> str:
    band = (
        "everything" if one.above is None else f"scores above {one.above:.6g} up to {one.up_to:.6g}"
    )
    found = (
        f"{one.looked_at:,} looked at since, {one.found_bad:,} of them bad (${one.found_usd:,.0f})"
        if one.looked_at
        else "none looked at yet"
    )
    raised = (
        f"; its audits found {one.ranking.understated:.1f} times as many bad ones as the scores say, so "
        "scores are raised by that"
        if one.ranking.understated > 1.0
        else ""
    )
    return (
        f"Entry {one.fall.seq}: {one.passed:,} cases were passed in {band}; of {one.audited:,} drawn by "
        f"design {one.audited_bad:,} are bad{raised}; of the others {found}, and {one.surfaced_bad:,} came "
        "to light by themselves."
    )
