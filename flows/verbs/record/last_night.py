"""What did the last night do, what changed since the night before, and what waits for whom?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from configs.errors import GateRefused, UserError
from flows.verbs.certify.generation import (
    champion_generation,
    current_generation,
    newest_of_ours,
    scored_elsewhere,
)
from flows.verbs.govern.approve import pending
from flows.verbs.intake.population_watch import holds_that_wait
from flows.verbs.intake.waiting_rows import oldest_open_draws
from flows.verbs.more_labels.look_back import look_backs
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger, RecordServices
from flows.verbs.record.dossier_files import filed_dossiers
from flows.verbs.record.night_results import moved, not_done
from models.drift.levels import HoldPlan
from models.hub import (
    Entry,
    EntryKind,
    Hold,
    HoldState,
    extension_request_of,
    halt_of,
    resume_request_of,
    rollback_request_of,
)
from models.vocabulary import CaseType

_ROUTINE = frozenset(
    {EntryKind.LOOK_TAKEN, EntryKind.AUDIT_SECRET_RECORDED, EntryKind.ENROLLED, EntryKind.REVOKED}
)
"""What happens every night, or is about people, is no change of what decides."""


_WINDOWS = {
    "go_live": "go-live",
    "last_extension": "last-draw",
    "this_model": "this-model",
}


def last_night(services: RecordServices, now: datetime) -> dict[str, Any]:
    """The newest night's dossier in short, and what the ledger says today, as plain values.

    Returns:
        `as_of`, `verdict`, `not_done`, `moved` (sentences; what moved and ended nothing); `live` (how
        each live boundary stands); `next` (what follows an A/B test that proved nothing); `tables` (new rows, rows read again, quarantined by
        rule, waiting); `holds`, each with what ends it; `shadow` (models that score and decide
        nothing); `changed` (ledger entries since the night before); `waits` (what a person can do,
        with the command); `expires` (certificates of live policies); `ledger` ("" or why it is not to
        be trusted: then nothing is told that rests on it).

    Raises:
        UserError: no night has been run in this home yet.
    """
    newest = filed_dossiers(services.home, services.shared, 2)
    if not newest:
        raise UserError(
            "no night has been run in this home yet, so there is none to tell of; `ratchet night` "
            "runs one."
        )
    night, before = newest[0], newest[1] if len(newest) > 1 else None
    told: dict[str, Any] = {
        "as_of": night["as_of"],
        "before": None if before is None else before["as_of"],
        "verdict": night["verdict"],
        "not_done": not_done(night["results"]),
        "moved": moved(night["results"]),
        "live": night.get("live", []),  # dossiers of before say nothing of it
        "next": night.get("next", []),
        "tables": _tables(night),
    }
    since = None if before is None else datetime.fromisoformat(before["as_of"])
    try:
        return told | _of_the_ledger(services, night, since, now) | {"ledger": ""}
    except GateRefused as broken:
        lost: dict[str, Any] = {
            name: [] for name in ("holds", "shadow", "changed", "waits", "expires")
        }
        return told | lost | {"ledger": str(broken)}


def _tables(night: dict[str, Any]) -> list[dict[str, Any]]:
    """By table: rows that were new, read again, quarantined (by rule) and waiting for decisions."""
    found: dict[str, dict[str, Any]] = {}
    for batch in night["batches"]:
        one = found.setdefault(
            batch["table"],
            {"table": batch["table"], "new": 0, "read_again": 0, "quarantined": 0, "waiting": 0,
             "by_rule": Counter()},
        )  # fmt: skip
        if batch["failed"]:
            continue
        one["new"] += batch["admitted"] - batch["already_stored"]
        one["read_again"] += batch["already_stored"]
        one["quarantined"] += batch["quarantined"]
        one["waiting"] += batch["waiting"]
        one["by_rule"].update(batch["rejections"])
    return [{**one, "by_rule": dict(one["by_rule"].most_common())} for one in found.values()]


def _of_the_ledger(
    services: EvidenceServices, night: dict[str, Any], since: datetime | None, now: datetime
) -> dict[str, Any]:
    history = services.ledger.history()
    holds = [
        hold for name in services.case_types for hold in holds_that_wait(services.ledger, name)
    ]
    return {
        "holds": [_hold(services.hold_plan, hold, now) for hold in holds],
        "shadow": [
            one
            for name in services.case_types
            for one in _shadow(services.ledger, services.store, services.case_types, name, since)
        ],
        "changed": [
            _change(entry)
            for entry in history
            if entry.kind not in _ROUTINE and (since is None or entry.at > since)
        ],
        "waits": [*_decisions(services, history), *_work(services, night, now)],
        "expires": [
            one for name in services.case_types for one in _expiry(services.ledger, name, now)
        ],
    }


def _hold(hold_plan: HoldPlan, hold: Hold, now: datetime) -> dict[str, Any]:
    plan = hold_plan
    if hold.state is HoldState.BOUNDED:
        lasts = "until a person speaks: what came after it is of another level"
    else:
        earliest = hold.since + plan.lasts
        from_when = f"{earliest:%Y-%m-%d}" if earliest > now else "any night now"
        lasts = (
            f"until its level has lasted {plan.lasts.days} days in {plan.rows:,} rows: {from_when} at "
            "the earliest"
        )
    return {
        "hold_id": hold.hold_id,
        "case_type": hold.case_type,
        "table": hold.table,
        "rule": hold.rule,
        "since": hold.since.isoformat(),
        "state": hold.state.value,
        "reason": hold.reason,
        "lasts": lasts,
        "command": f"ratchet release {hold.hold_id} --reason R (or discard)",
    }


def _shadow(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    case_type: str,
    since: datetime | None,
) -> list[dict[str, Any]]:
    """The newest model of ours of a case type, while another one decides (also another agent's) or
    nobody does; how many cases it scored in all, and since the night before."""
    elsewhere = scored_elsewhere(case_types, case_type)
    newest = (
        newest_of_ours(ledger, case_type)
        if elsewhere
        else current_generation(ledger, case_types, case_type)
    )
    if newest is None or newest.promoted:
        return []
    sizes = store.sizes("shadow_scores", "model_version")
    mine = sizes[(sizes["model_version"].astype("str") == newest.digest).to_numpy(dtype=bool)]
    late = mine if since is None else mine[(mine["received_at"] > since).to_numpy(dtype=bool)]
    champion = champion_generation(ledger, case_types, case_type)
    return [
        {
            "case_type": case_type,
            "model_version": newest.version,
            "decides": None if champion is None else champion.version,
            "since": newest.started_at.isoformat(),
            "scored": int(mine["rows"].sum()),
            "scored_lately": int(late["rows"].sum()),
        }
    ]


def _change(entry: Entry) -> dict[str, Any]:
    said = entry.dossier
    why = said.get("reason") or said.get("note") or " ".join(said.get("reasons", []))
    if entry.kind is EntryKind.GENERATION_STARTED:
        why = f"model version {said['model_version']} is under test from now on"
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "case_type": entry.case_type,
        "kind": entry.kind.value,
        "actor": entry.actor,
        "policy_id": entry.policy_id,
        "why": str(why or said.get("why", "")),
    }


def _decisions(services: EvidenceServices, history: Sequence[Entry]) -> list[dict[str, Any]]:
    """What the ledger waits for: approvals, promotions, and the second of two people."""
    waits = []
    for row in pending(services):
        step = "approve" if "approval" in row["waits_for"] else "promote"
        trial = row["waits_for"] == "A/B test runs"
        command = "ratchet validate-ab" if trial else f"ratchet {step} {row['policy_id'][:12]}"
        kind = "" if row["sprint"] is None else " (a sprint)"
        awaited = row["waits_for"].removesuffix(" runs")
        what = f"policy {row['policy_id'][:12]}{kind} for its {awaited}"
        waits.append(_wait(row["case_type"], what, 1, command, row["may_approve"]))
    return [*waits, *second_persons(services.case_types, history)]


def second_persons(
    case_types: Mapping[str, CaseType], history: Sequence[Entry]
) -> list[dict[str, Any]]:
    """What one person asked for and another has to agree to, beside proposals: halts, draws from the
    store, rollbacks. Each with its case type, what it is, and the command that answers it."""
    waits = []
    for name in case_types:
        halt, back = halt_of(history, name), rollback_request_of(history, name)
        if halt is not None:
            asked = resume_request_of(history, name)
            second = f"; {asked.actor} asks to resume" if asked else ""
            what = f"halted by {halt.actor}{second}"
            waits.append(_wait(name, what, 1, f"ratchet resume {name} --reason R"))
        draw = extension_request_of(history, name)
        if draw is not None:
            what = f"{draw.actor} asks to draw audits from the store; an approver agrees"
            window = _WINDOWS[str(draw.dossier["window"])]
            command = f"ratchet sprint {name} --from-store {window} --rate {draw.dossier['rate']:g}"
            waits.append(_wait(name, what, 1, command))
        if back is not None:
            what = f"{back.actor} asks to roll back; a second person agrees"
            waits.append(_wait(name, what, 1, f"ratchet rollback {name} --reason R"))
    return waits


def _work(services: EvidenceServices, night: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """What people have to look at, by case type: second reviews, open draws, tickets."""
    second = Counter(one["case_type"] for one in night["second_reviews"])
    draws = {one["case_type"]: one for one in oldest_open_draws(services, now)}
    still_open = [one for one in night["tickets"] if one["status"] == "open"]
    waits = []
    for name in services.case_types:
        if second[name]:
            command = f"ratchet second-reviews --case-type {name} --to FILE"
            waits.append(_wait(name, "second reviews are needed", second[name], command))
        if name in draws:
            command = f"ratchet open-draws --case-type {name} --to FILE"
            waits.append(_wait(name, draws[name]["what"], draws[name]["draws"], command))
        for one in look_backs(services, name, now):
            if len(one.waiting):
                what = (
                    f"cases to look back at since its boundary fell on {one.fall.at:%Y-%m-%d}, "
                    f"{one.hours:,.1f} reviewer hours, ${one.harm_usd:,.0f} of expected harm"
                )
                command = f"ratchet look-back {name} --to FILE"
                waits.append(_wait(name, what, len(one.waiting), command))
        mine = [one for one in still_open if one["case_type"] == name]
        if mine:
            money = sum(one["money_usd"] for one in mine)
            what = f"open tickets, ${money:,.0f} at stake"
            waits.append(_wait(name, what, len(mine), "ratchet tickets"))
    return waits


def _wait(
    case_type: str, what: str, count: int, command: str, who: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "case_type": case_type,
        "what": what,
        "count": count,
        "command": command,
        "who": list(who),
    }


def _expiry(ledger: Ledger, case_type: str, now: datetime) -> list[dict[str, Any]]:
    live = ledger.live_policy(case_type)
    if live is None or live.valid_until is None or live.boundary.automates_nothing:
        return []
    return [
        {
            "case_type": case_type,
            "policy_id": live.policy_id,
            "valid_until": live.valid_until.isoformat(),
            "days": round((live.valid_until - now).total_seconds() / 86_400.0, 1),
        }
    ]
