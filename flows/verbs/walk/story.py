"""What happened in a walk, and on which night? Read off the ledger, the nights' dossiers and the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.reports.words.story_events import Event
from flows.verbs.learn.challenger import NOT_COMPARED, Challenger
from models.hub import Entry
from models.hub.policies.renewal import RENEWS
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, SPRINT, EntryKind

if TYPE_CHECKING:
    from flows.verbs.walk.walk import Walk

"""The kinds of events, each with the short word that a chart has room for."""

"""Promotions after the first certificate: the boundary is wider than the one it replaces."""


@dataclass(frozen=True, slots=True)
class Planted:
    """What a simulation was made to do: from which night on, for how many nights, and in words."""

    step: int
    case_type: str
    what: str
    days: int


def story_of(walk: Walk) -> tuple[Event, ...]:
    """Everything that a reader of the walk should know, in the order in which it happened."""
    found = [
        _event(walk, one.step, one.case_type, "planted", f"Planted: {one.what}", one.days)
        for one in walk.planted
    ]
    for case_type in walk.services.case_types:
        found += _of_the_ledger(walk, case_type)
    found += _tickets(walk)
    if walk.people is not None:
        found += [
            _event(
                walk,
                _step(walk, one.at),
                one.case_type,
                "look_back",
                f"Look-back: {one.cases:,} cases that the fallen boundary passed go to reviewers "
                f"({one.hours:,.0f} hours).",
            )
            for one in walk.people.handed
            if one.why == "look_back"
        ]
        found += [
            _event(
                walk,
                _step(walk, one.at),
                one.case_type,
                "refused",
                f"A draw from the store was asked for and refused: {one.why}",
            )
            for one in walk.people.refused
        ]
    found += [
        _event(
            walk,
            _step(walk, at),
            one.case_type,
            "retrain",
            f"A retrain, and nothing new is put under test ({_BESIDE.get(one.verdict, one.verdict)}).",
        )
        for at, one in walk.fits
        if not one.filed
    ]
    # Within a night: as planted, then in the order of the ledger, then what people did the day after.
    return tuple(sorted(found, key=lambda one: (one.step, one.case_type, _LATER.get(one.kind, 1))))


_LATER = {"planted": 0, "look_back": 2, "refused": 2, "ticket": 3}


def _event(walk: Walk, step: int, case_type: str, kind: str, what: str, days: int = 0) -> Event:
    date = (walk.upstream.start + step * walk.upstream.step).date().isoformat()
    return Event(step, date, case_type, kind, what, days)


def _step(walk: Walk, at: datetime) -> int:
    return int((at - walk.upstream.start) // walk.upstream.step)


def _of_the_ledger(walk: Walk, case_type: str) -> Iterator[Event]:
    """A case type's entries as events; a promotion is told by what came before it."""
    fits = {one.version: one for _, one in walk.fits if one.case_type == case_type}
    handed = [] if walk.people is None else walk.people.handed
    drawn = {one.at: one for one in handed if one.why == "sprint" and one.case_type == case_type}
    digest: str | None = None
    fell = sprinted = False
    proposed: dict[str | None, Entry] = {}
    models = 0
    for entry in walk.services.ledger.history(case_type):
        step = _step(walk, entry.at)
        match entry.kind:
            case EntryKind.PROPOSED:
                proposed[entry.policy_id] = entry
            case EntryKind.GENERATION_STARTED:
                models += 1
                if models > 1:
                    told = _retrained(entry, fits.get(entry.dossier["model_version"]))
                    yield _event(walk, step, case_type, "retrain", told)
            case EntryKind.AUDIT_EXTENDED:
                sprinted = True
                told = _drawn(entry, drawn.get(entry.at))
                yield _event(walk, step, case_type, "sprint", told)
            case EntryKind.EVIDENCE_RESTARTED:
                yield _event(walk, step, case_type, "evidence", str(entry.dossier["why"]))
            case EntryKind.GUARDRAIL_TRIPPED:
                reasons = " ".join(entry.dossier.get("reasons", []))
                told = f"The guard trips on the boundary {_cuts(walk, entry)}. {reasons}"
                yield _event(walk, step, case_type, "tripped", told)
            case EntryKind.ROLLED_BACK:
                fell = True
                told = f"Rolled back to the boundary before: {_cuts(walk, entry)}."
                yield _event(walk, step, case_type, "rolled_back", told)
            case EntryKind.NARROWED:
                fell = True
                yield _event(
                    walk,
                    step,
                    case_type,
                    "narrowed",
                    f"Narrowed to what is left: {_cuts(walk, entry)}.",
                )
            case EntryKind.PROMOTED if not (RENEWS in entry.dossier or SPRINT in entry.dossier):
                model = walk.services.ledger.policy(str(entry.policy_id)).model_digest
                kind = _kind(digest is None, fell, digest != model, sprinted)
                fell = sprinted = False
                told = _promoted(walk, kind, entry, proposed.get(entry.policy_id))
                yield _event(walk, step, case_type, kind, told)
        if entry.kind in CHANGES_THE_LIVE_POLICY:
            digest = walk.services.ledger.policy(str(entry.policy_id)).model_digest


def _kind(first: bool, fell: bool, other_model: bool, sprinted: bool) -> str:
    if first:
        return "certificate"
    if fell:
        return "recovered"
    if other_model:
        return "wider"
    return "sprint_notch" if sprinted else "notch"


_PROMOTED = {
    "certificate": "First certificate",
    "notch": "A notch, from the nightly audits",
    "sprint_notch": "A notch, paid by the audits drawn from the store",
    "wider": "A wider boundary, from the retrained model",
    "recovered": "Recovery: a boundary is promoted again",
}


def _promoted(walk: Walk, kind: str, entry: Entry, proposal: Entry | None) -> str:
    """What was promoted, what it decides of its cohort, and what stands proven of it."""
    dossier = {} if proposal is None else proposal.dossier
    rate, limits = dossier.get("automation_rate"), dossier.get("limits", {})
    decides = "" if rate is None else f" {rate:.1%} is decided automatically,"
    proven = ", ".join(
        f"{name.replace('_', ' ')} {'at most' if _is_ceiling(name) else 'at least'} {limit:.2%}"
        for name, limit in sorted(limits.items())
    )
    return f"{_PROMOTED[kind]}:{decides} {_cuts(walk, entry)}{'; proven: ' + proven if proven else ''}."


def _is_ceiling(risk: str) -> bool:
    return risk in ("false_omission_rate", "expected_loss")


def _cuts(walk: Walk, entry: Entry) -> str:
    boundary = walk.services.ledger.policy(str(entry.policy_id)).boundary
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    if low is None and high is None:
        return "everything is reviewed"
    sides = (
        [] if low is None else [f"pass at or below {low:.4f}"],
        [] if high is None else [f"block at or above {high:.4f}"],
    )
    return ", ".join(word for side in sides for word in side)


def _retrained(entry: Entry, fit: Challenger | None) -> str:
    version = entry.dossier["model_version"]
    answers = entry.dossier.get("lineage", {}).get("answers", ())
    why = " It answers the ticket." if answers else ""
    if fit is None or fit.verdict == NOT_COMPARED:
        return f"A retrained model is under test, version {version}.{why}"
    return (
        f"A retrained model is under test, version {version}, from {fit.rows:,} labelled cases; "
        f"beside today's it is {_BESIDE.get(fit.verdict, fit.verdict)}.{why}"
    )


_BESIDE = {"no_difference": "not proven to differ", "not_estimable": "not to be told apart"}


def _drawn(entry: Entry, handed: Any) -> str:
    many = (
        ""
        if handed is None
        else f" {handed.cases:,} of them are reviewed ({handed.hours:,.0f} hours)."
    )
    return f"A sprint: {entry.actor} agrees to draw audits of stored cases.{many}"


def _tickets(walk: Walk) -> Iterator[Event]:
    """Tickets that ask for a retrain, each on the night that found its pattern first."""
    seen: set[str] = set()
    for night in walk.nights:
        step = _step(walk, datetime.fromisoformat(night["as_of"]))
        for ticket in night["tickets"]:
            if ticket["fires"] and ticket["pattern_id"] not in seen:
                seen.add(ticket["pattern_id"])
                sentence = str(ticket["sentence"]).removeprefix(f"{ticket['case_type']}: ")
                yield _event(
                    walk, step, str(ticket["case_type"]), "ticket", f"Ticket: {_first(sentence)}"
                )


def _first(text: str) -> str:
    """The first sentence: up to a full stop that ends one (no decimal)."""
    head, stop, _ = text.partition(". ")
    return head + ("." if stop else "")
