"""How much does the live policy decide by itself *now*?

What it decided long ago says nothing of what it decides: it may have narrowed or expired since
(FAULTS 63).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from flows.verbs.certify.generation import champion_generation, scored_elsewhere
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceServices
from models.hub import Entry, Policy, decides_nothing, is_halted
from models.hub.policies.renewal import RENEWS, renewed
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY
from models.hub.record.readers import of
from models.vocabulary import Action, Boundary

FEWEST = 200
"""Automatable cases decided since a policy went live from which its share of automation is read:
its standard error is then .035 at most."""


@dataclass(frozen=True, slots=True)
class LiveAutomation:
    """Share of all cases that the live policy decides by itself, in [0, 1], and a sentence's end on
    where that is known from."""

    share: float
    known_from: str


def automation_now(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> LiveAutomation | None:
    """What the live policy automates now: on the cases it decided since it went live, else by its
    boundary and its model's scores on its cohort. None: neither tells.

    While an A/B test runs the live policy decides the control arm alone, and every case that is not
    automatable: so the share is that among automatable cases, times the share of these.

    Raises:
        GateRefused: the ledger, the audit secret or a model is not at hand.
    """
    live, history = services.ledger.live_policy(case_type), services.ledger.history()
    if live is None or decides_nothing(live, snapshot.as_of) or is_halted(history, case_type):
        return LiveAutomation(0.0, "as every case goes to people")
    names, since = in_force(of(history, case_type), live)
    rows = snapshot.known(case_type)
    rows = rows[(rows["opened_at"] >= pd.Timestamp(since)).to_numpy(dtype=np.bool_)]
    free = rows["automatable"].to_numpy(dtype=np.bool_)
    mine = free.copy()
    if not scored_elsewhere(services.case_types, case_type):
        mine &= rows["policy_id"].astype("str").isin(list(names)).to_numpy(dtype=np.bool_)
    if mine.sum() >= FEWEST:
        acted = (rows["action"].astype("str") != Action.ESCALATE.value).to_numpy(dtype=np.bool_)
        share = float(acted[mine].mean()) * float(free.mean())
        return LiveAutomation(
            share, f"of {int(mine.sum()):,} cases it decided since {since:%Y-%m-%d}"
        )
    return _on_its_cohort(services, snapshot, case_type, live.boundary)


def in_force(mine: list[Entry], live: Policy) -> tuple[frozenset[str], datetime]:
    """The ids under which the live policy has decided, renewals of its certificate included, and since
    when.

    Args:
        mine: the case type's entries, oldest first.
    """
    names, name, since = {live.policy_id}, live.policy_id, mine[0].at
    for entry in reversed(mine):
        if entry.policy_id != name or entry.kind not in CHANGES_THE_LIVE_POLICY:
            continue
        since = entry.at
        if not renewed(entry):
            break
        name = str(entry.dossier[RENEWS])
        names.add(name)
    return frozenset(names), since


def _on_its_cohort(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, boundary: Boundary
) -> LiveAutomation | None:
    champion = champion_generation(services.ledger, services.case_types, case_type)
    if champion is None:
        return None
    rows = cohort_for(services, snapshot, case_type, champion)
    rows = rows[rows["in_cohort"].to_numpy(dtype=np.bool_)]
    if rows.empty:
        return None
    score = rows["score"].to_numpy(dtype=np.float64)
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    decided = (score <= (-np.inf if low is None else low)) | (score >= (np.inf if high is None else high))  # fmt: skip
    share = float((decided & rows["automatable"].to_numpy(dtype=np.bool_)).mean())
    return LiveAutomation(share, f"of the {len(rows):,} cases of its cohort, by their scores")
