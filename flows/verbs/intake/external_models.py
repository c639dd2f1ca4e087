"""Which models of other agents have decided cases here, and is each under test as a generation?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.certify.generation import CARRIES_OVER, last_version, scored_elsewhere
from flows.verbs.govern.submit import answered, looking_again
from flows.verbs.ports import EvidenceStore, Ledger
from flows.verbs.record.night_results import NightResults
from models.boundary.decision.decide import automatable
from models.hub import Entry, EntryKind, Refusal, StartGeneration
from models.hub.policies.external import external_digest
from models.hub.rules.people import NIGHT
from models.vocabulary import CaseType

REFERENCE_RANKS = 256
_COLUMNS = ["model_version", "opened_at", "score", "priority"]


def start_external_generations(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    as_of: datetime,
    results: NightResults,
) -> list[Entry]:
    """Put every model of another agent under test that is seen for the first time in the stored
    decisions of a case type with `scorer: external`; its ledger entries, oldest model first.

    A new name is a new model: what was proven of the one before says nothing about it.
    """
    entries: list[Entry] = []
    for name in case_types:
        if scored_elsewhere(case_types, name):
            look = partial(_start_new, ledger, store, name, as_of)
            entries += results.attempt(name, "the agent's models", look) or []
    return entries


def seen_models(ledger: Ledger, case_type: str) -> frozenset[str]:
    """The digests of all models that were ever under test for a case type."""
    return frozenset(
        str(entry.evidence_digest)
        for entry in ledger.history(case_type)
        if entry.kind is EntryKind.GENERATION_STARTED
    )


def _start_new(
    ledger: Ledger, store: EvidenceStore, case_type: str, as_of: datetime
) -> list[Entry]:
    if not store.counts("decisions")[0]:
        return []
    rows = store.read(
        "decisions",
        columns=_COLUMNS,
        filters={"case_type": [case_type]},
        as_of=as_of,
        categories=["model_version"],
    )
    rows = rows[rows["score"].notna().to_numpy(dtype=np.bool_)]
    known = seen_models(ledger, case_type)
    first = rows.groupby("model_version", observed=True)["opened_at"].min().sort_values()
    new = [str(one) for one in first.index if external_digest(case_type, str(one)) not in known]
    return [
        looking_again(
            partial(
                _start,
                ledger,
                case_type,
                version,
                rows[(rows["model_version"] == version).to_numpy(dtype=np.bool_)],
                as_of,
            )
        )
        for version in new
    ]


def _start(
    ledger: Ledger, case_type: str, version: str, rows: pd.DataFrame, as_of: datetime
) -> Entry:
    """Its scores were given before anybody knew the truth, so all it ever scored may certify it."""
    begins = rows["opened_at"].min().to_pydatetime()
    free = rows["score"].to_numpy(dtype=np.float64)[automatable(rows)]
    ranks = np.linspace(0.0, 1.0, REFERENCE_RANKS)
    said = answered(
        ledger,
        StartGeneration(
            case_type=case_type,
            model_digest=external_digest(case_type, version),
            actor=NIGHT,
            base_version=last_version(ledger, case_type),
            dossier={
                "model_version": version,
                "scorer": "external",
                "learned_before": begins.isoformat(),
                "trained_before": begins.isoformat(),
                "rows": len(rows),
                CARRIES_OVER: True,
                # Of the scores alone: no label has a say in where candidate cuts lie.
                "reference_scores": np.quantile(free, ranks).tolist() if len(free) else [],
            },
        ),
        as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The model {version} of {case_type} is not under test: {said.reason}")
    return said
