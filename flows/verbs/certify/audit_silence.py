"""Do the audits of a live boundary still bring labels? A boundary that nobody can check does not stay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from flows.verbs.certify.generation import last_version
from flows.verbs.decide.live_automation import in_force
from flows.verbs.evidence.store_draws import AUDITED_LATER
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.ports import EvidenceServices, Ledger
from models.hub import Entry, Narrow
from models.hub.record.readers import of
from models.hub.rules.people import NIGHT
from models.vocabulary import Action, Boundary

FEWEST_AUDITS = 5
"""So many mature audits without a label, and none with one after them, are no accident."""


@dataclass(frozen=True)
class Silence:
    """Audits of one live boundary that bring nothing: since when, how many, and what was done."""

    case_type: str
    sentence: str
    entry: Entry | None


def hear_audits(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> Silence | None:
    """Warn when mature audits of the live boundary stay without a label; after
    `night.audit_grace_days` more everything is reviewed (FAULTS 44).

    Returns:
        None while labels come, or nothing is automated.
    """
    live = services.ledger.live_policy(case_type)
    if live is None or live.boundary.automates_nothing:
        return None
    # A renewed certificate starts no new silence.
    _, since = in_force(of(services.ledger.history(), case_type), live)
    waiting = _unlabelled(services, snapshot, case_type, since)
    if len(waiting) < FEWEST_AUDITS:
        return None
    maturity = timedelta(days=services.case_types[case_type].maturity_days)
    oldest = waiting.min().to_pydatetime()
    overdue = snapshot.as_of - (oldest + maturity)
    told = (
        f"{case_type}: {len(waiting):,} audits of the live boundary are mature and have no label, "
        f"and none has come since the case of {oldest:%Y-%m-%d}."
    )
    if overdue <= services.audit_grace:
        until = oldest + maturity + services.audit_grace
        return Silence(case_type, f"{told} From {until:%Y-%m-%d} on everything is reviewed.", None)
    why = f"{told} Nobody can check the boundary, so everything is reviewed."
    entry = looking_again(lambda: _narrow(services.ledger, case_type, why, snapshot.as_of))
    return Silence(case_type, why, entry)


def _unlabelled(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, since: datetime | None
) -> pd.Series:
    """When the mature audits after the last labelled one were opened (`opened_at`)."""
    rows = snapshot.mature(services, case_type, since, refuting=True)
    automatic = rows["action"].astype("str") != Action.ESCALATE.value
    # A draw from the store is mature at once; that its queue is not empty yet is no silence.
    drawn = rows["audited"].astype(bool) & ~rows[AUDITED_LATER].astype(bool)
    audits = rows[(automatic & drawn).to_numpy(dtype=np.bool_)]
    heard = np.flatnonzero(audits["bad"].notna().to_numpy())
    return audits["opened_at"].iloc[heard[-1] + 1 if len(heard) else 0 :]


def _narrow(ledger: Ledger, case_type: str, why: str, at: datetime) -> Entry | None:
    live = ledger.live_policy(case_type)
    if live is None or live.boundary.automates_nothing:
        return None
    command = Narrow(
        case_type=case_type,
        incumbent=live,
        narrowed=replace(live, boundary=Boundary.everything_reviewed()),
        actor=NIGHT,
        base_version=last_version(ledger, case_type),
        dossier={"reasons": [why]},
    )
    return submitted(ledger, command, at)
