"""How does the last night read on one screen, the verdict first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flows.reports.words.live_boundaries import live_lines
from flows.reports.words.stamps import to_the_second

MOST = 12
"""So many changes are shown, the newest; the others are counted."""
LATE_HOURS = 36
_NO_SHADOW = "No model: each one of ours decides, or there is none."


def last_night_lines(told: Mapping[str, Any], now: datetime) -> list[str]:
    """The whole screen, a line each; what the verb `last_night` tells."""
    lines = [f"Night of {to_the_second(told['as_of'])}: {told['verdict']}"]
    lines += [f"  {sentence}" for sentence in told["not_done"]]
    lines += _titled("Moved, and no evidence ended", told["moved"]) if told["moved"] else []
    late = how_late(told["as_of"], now)
    lines += [late] if late else []
    if told["live"]:
        lines += _titled("Live", live_lines(told["live"]))
    lines += _titled("A/B tests", told["next"]) if told.get("next") else []
    lines += _titled("Rows", [_rows(one) for one in told["tables"]] or ["No table was read."])
    if told["ledger"]:
        lines += ["", f"The ledger is not to be trusted, so nothing rests on it: {told['ledger']}"]
        return lines
    lines += _titled("On hold", [_hold(one) for one in told["holds"]] or ["Nothing."])
    lines += _titled("In shadow", [_shadow(one) for one in told["shadow"]] or [_NO_SHADOW])
    since = to_the_second(told["before"])
    title = f"Changed since the night of {since}" if since else "Changed so far"
    lines += _titled(title, _changes(told["changed"]) or ["Nothing."])
    lines += _titled("Waits", [_wait(one) for one in told["waits"]] or ["Nothing."])
    if told["expires"]:
        lines += _titled("Certificates end", [_expiry(one) for one in told["expires"]])
    return lines


def how_late(as_of: str, now: datetime) -> str:
    """A sentence where the newest night is long ago, or ""."""
    hours = (now - datetime.fromisoformat(as_of)).total_seconds() / 3600.0
    if hours <= LATE_HOURS:
        return ""
    return f"No night has been run for {hours:.0f} hours: nobody guards what is live."


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)]


def _rows(one: Mapping[str, Any]) -> str:
    parts = [f"{one['new']:,} new"]
    parts += [f"{one['read_again']:,} read again"] * bool(one["read_again"])
    if one["quarantined"]:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in one["by_rule"].items())
        parts.append(f"{one['quarantined']:,} quarantined ({rules})")
    parts += [f"{one['waiting']:,} wait for their decisions"] * bool(one["waiting"])
    return f"{one['table']}: {', '.join(parts)}"


def _hold(one: Mapping[str, Any]) -> str:
    return (
        f"{one['hold_id']} {one['case_type']} {one['table']} since {one['since'][:10]} ({one['rule']}), "
        f"{one['lasts']}; or `{one['command']}`"
    )


def _shadow(one: Mapping[str, Any]) -> str:
    beside = "nothing is live" if one["decides"] is None else f"version {one['decides']} decides"
    return (
        f"{one['case_type']} version {one['model_version']} since {one['since'][:10]}: "
        f"{one['scored']:,} cases scored, {one['scored_lately']:,} since the night before; {beside}"
    )


def _changes(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = [_change(one) for one in entries[-MOST:]]
    left = len(entries) - len(shown)
    earlier = [f"{left:,} earlier ones: `ratchet history` lists them all"] if left > 0 else []
    return [*earlier, *shown]


def _change(one: Mapping[str, Any]) -> str:
    policy = f" {one['policy_id'][:12]}" if one["policy_id"] else ""
    why = f": {one['why']}" if one["why"] else ""
    what = one["kind"].replace("_", " ")
    return f"{to_the_second(one['at'])} {one['case_type']} {what}{policy} by {one['actor']}{why}"


def _wait(one: Mapping[str, Any]) -> str:
    count = "" if one["count"] == 1 and "policy" in one["what"] else f"{one['count']:,} "
    count = "" if "halted" in one["what"] or "asks" in one["what"] else count
    who = f" ({', '.join(one['who'])})" if one["who"] else ""
    return f"{one['case_type']}: {count}{one['what']}: `{one['command']}`{who}"


def _expiry(one: Mapping[str, Any]) -> str:
    when = to_the_second(one["valid_until"])
    if one["days"] <= 0:
        return (
            f"{one['case_type']}: ended at {when}; everything is reviewed until it is proven anew"
        )
    return f"{one['case_type']}: {when}, in {one['days']:g} days ({one['policy_id'][:12]})"
