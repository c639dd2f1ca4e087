"""Which past cases were drawn for an audit from the store, up to which rate, and who agreed? (METHODS 2)

The window ends at the request and begins at go-live or where the last one ended. Whoever asks may know the
price; what nobody may choose is the cases, or a window by what came to light in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.hub.policies.canonical import utc_stamp
from models.hub.policies.external import SHADOW
from models.hub.record.commands import ExtendAudit, RequestExtension
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, Entry, EntryKind
from models.hub.record.readers import dossier_digest, of, running_ab, was_revoked
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import Said, same_person, short

NO_WINDOW: Mapping[str, str] = {
    "last_extension": "none was drawn there before; begin at go-live",
    "this_model": "no model of it is under test while a boundary is or was live",
    "go_live": "no boundary of it was ever live, so every case was reviewed and is in the cohort",
}
"""Why a window has no beginning, and what would."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A draw from the store.

    Attributes:
        since, until: cases decided in [since, until) are drawn.
        rate: up to it, in (0, 1]: those with old rate <= uniform < rate join.
        at: when they were drawn, which is the moment of their entry.
    """

    since: datetime
    until: datetime
    rate: float
    at: datetime


def extensions_of(history: Sequence[Entry], case_type: str) -> tuple[Extension, ...]:
    """The draws from the store of one case type, oldest first."""
    return tuple(
        Extension(
            since=datetime.fromisoformat(str(entry.dossier["since"])),
            until=datetime.fromisoformat(str(entry.dossier["until"])),
            rate=float(entry.dossier["rate"]),
            at=entry.at,
        )
        for entry in of(history, case_type)
        if entry.kind is EntryKind.AUDIT_EXTENDED
    )


def extension_request_of(history: Sequence[Entry], case_type: str) -> Entry | None:
    """The first person's wish that waits for a second one; None: nobody's, or nobody's who may still
    act. The latest wish takes the place of an earlier one."""
    asked: Entry | None = None
    for entry in of(history, case_type):
        if entry.kind is EntryKind.EXTENSION_REQUESTED:
            asked = entry
        elif entry.kind is EntryKind.AUDIT_EXTENDED:
            asked = None
    return asked if asked is not None and not was_revoked(history, asked) else None


def window_begins(history: Sequence[Entry], case_type: str, since: str) -> datetime | None:
    """Where a window begins: at the first policy made live ("go_live"), where the last window ended
    ("last_extension"), or with the cases that may certify the model under test ("this_model"; never
    before go-live, as every case was reviewed until then); None: there is no such moment."""
    if since == "last_extension":
        done = extensions_of(history, case_type)
        return max(one.until for one in done) if done else None
    mine = of(history, case_type)
    live = next((one.at for one in mine if one.kind in CHANGES_THE_LIVE_POLICY), None)
    if live is None or since == "go_live":
        return live
    begins = _model_begins(mine)
    return None if begins is None else max(live, begins)


def _model_begins(mine: Sequence[Entry]) -> datetime | None:
    """From when on cases speak for the newest model that is under test; None: there is none."""
    begins: datetime | None = None
    for entry in mine:
        if entry.kind is EntryKind.GENERATION_STARTED and not entry.dossier.get(SHADOW):
            said = entry.dossier.get("trained_before")
        elif entry.kind is EntryKind.EVIDENCE_RESTARTED and begins is not None:
            said = max(utc_stamp(begins), str(entry.dossier["evidence_since"]))
        else:
            continue
        begins = None if said is None else datetime.fromisoformat(str(said))
    return begins


def request_extension(
    history: Sequence[Entry], command: RequestExtension, at: datetime
) -> Said | Refusal:
    begins = window_begins(history, command.case_type, command.since)
    if begins is None:
        return Refusal(
            f"Audits of {command.case_type} were to be drawn from the store, and "
            f"{NO_WINDOW[command.since]}.",
            RefusalRule.NOTHING_TO_EXTEND,
        )
    refusal = _while_a_trial_runs(history, command.case_type)
    if refusal is not None:
        return refusal
    told = {
        "window": command.since,
        "since": utc_stamp(begins),
        "until": utc_stamp(at),
        "rate": command.rate,
    }
    asked = extension_request_of(history, command.case_type)
    same = asked is not None and all(
        asked.dossier[name] == told[name] for name in ("window", "since", "rate")
    )
    if asked is not None and same:
        return Refusal(
            f"{asked.actor} asked for it at {asked.at.isoformat()}; a second person agrees to that "
            "request.",
            RefusalRule.EXTENSION_IS_ASKED_FOR,
        )
    return Said(EntryKind.EXTENSION_REQUESTED, dossier=told)


def extend_audit(history: Sequence[Entry], command: ExtendAudit, _: datetime) -> Said | Refusal:
    """The window is that of the request: what was decided since is in the next one."""
    asked = extension_request_of(history, command.case_type)
    if asked is None:
        return Refusal(
            f"Nobody asked to draw audits of {command.case_type} from the store; the first of two people "
            "asks.",
            RefusalRule.NOTHING_TO_EXTEND,
        )
    if same_person(asked.actor, command.actor):
        return Refusal(
            f"{command.actor} asked for it; a second person must agree, as it spends people's hours.",
            RefusalRule.TWO_PEOPLE_EXTEND,
        )
    if dossier_digest(asked) != command.request_digest:
        return Refusal(
            f"The request that was read is {short(command.request_digest)}, the one that waits is "
            f"{short(dossier_digest(asked))}. Read it and agree to that.",
            RefusalRule.APPROVAL_BINDS_TO_DOSSIER,
        )
    refusal = _while_a_trial_runs(history, command.case_type)
    if refusal is not None:
        return refusal
    told = {name: asked.dossier[name] for name in ("window", "since", "until", "rate")}
    return Said(
        EntryKind.AUDIT_EXTENDED,
        dossier={
            **told,
            "requested_by": asked.actor,
            "request_digest": command.request_digest,
            "approvers": [asked.actor, command.actor],
        },
    )


def _while_a_trial_runs(history: Sequence[Entry], case_type: str) -> Refusal | None:
    trial = running_ab(history, case_type)
    if trial is None:
        return None
    return Refusal(
        f"An A/B test of {short(trial.policy_id)} runs for {case_type} since {trial.at.isoformat()}, and "
        "its design was fixed before its first case; wait for its conclusion.",
        RefusalRule.ONE_AB_AT_A_TIME,
    )
