"""How does each live boundary stand tonight: does it hold, what did it decide, and what proves a wider one?

Without this a reader takes a price, or a certificate without a case, for a boundary that has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.certify.certify import Judged
from flows.verbs.certify.generation import scored_elsewhere
from flows.verbs.decide.live_automation import in_force
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import Ledger
from flows.verbs.record.night_results import NightResults
from models.hub.record.provenance import provenance
from models.hub.record.readers import of
from models.vocabulary import Action, CaseType


def live_boundaries(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    judged: Sequence[Judged],
    results: NightResults,
) -> list[dict[str, Any]]:
    """Each case type whose live boundary automates something, as plain values.

    Returns:
        `case_type`, `policy_id`, `since` (when it was made live, its certificate's renewals apart), `pass_at_or_below`,
        `block_at_or_above`, `guard` (what the guard said tonight: `holds`, `no mature case yet`,
        `tripped`, `not judged`), `decided` and `automatic` (cases decided under it, or
        opened since where another agent decides), `proven_automation` (what its proof promised, or None) and
        `evidence_cases` (of the cohort so far; None: another model is under test). Of a case type for
        which it cannot be told, `results` says so.
    """
    # The newest model's comes first; the champion's own beside it tells of its renewal alone.
    certificates = {one.case_type: one for one in reversed(judged)}
    found = []
    for name in case_types:
        tell = partial(
            _live_boundary, ledger, case_types, snapshot, name, certificates.get(name), results
        )
        told = results.attempt(name, "what its live boundary decided", tell)
        found += [] if told is None else [told]
    return found


def _live_boundary(
    ledger: Ledger,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    name: str,
    judged: Judged | None,
    results: NightResults,
) -> dict[str, Any] | None:
    live = ledger.live_policy(name)
    if live is None or live.boundary.automates_nothing:
        return None
    behind = provenance(ledger.history(), name, live.policy_id)
    if behind.made_live is None:
        return None
    mine = snapshot.decisions[(snapshot.decisions["case_type"] == name).to_numpy(dtype=np.bool_)]
    names, began = in_force(of(ledger.history(), name), live)
    since = mine[_decided_by(mine, names, began, scored_elsewhere(case_types, name))]
    said = {} if behind.proposal is None else behind.proposal.dossier
    return {
        "case_type": name,
        "policy_id": live.policy_id,
        "since": began.isoformat(),
        "pass_at_or_below": live.boundary.pass_at_or_below,
        "block_at_or_above": live.boundary.block_at_or_above,
        "guard": results.case_type(name).guard,
        "decided": len(since),
        "automatic": int((since["action"] != Action.ESCALATE.value).sum()),
        "proven_automation": said.get("automation_rate"),
        "evidence_cases": _cohort_so_far(judged),
    }


def _decided_by(
    cases: pd.DataFrame, names: frozenset[str], since: datetime, elsewhere: bool
) -> npt.NDArray[np.bool_]:
    """Which cases were decided under it; another agent's bear its own ids, so by the time of the case."""
    if elsewhere:
        return (cases["opened_at"] >= pd.Timestamp(since)).to_numpy(dtype=np.bool_)
    return cases["policy_id"].isin(list(names)).to_numpy(dtype=np.bool_)


def _cohort_so_far(judged: Judged | None) -> int | None:
    """How many cases the live model's proofs may count by now; None: another model is under test."""
    generation = None if judged is None else judged.generation
    if judged is None or generation is None or not generation.promoted:
        return None
    return judged.rows
