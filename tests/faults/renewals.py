"""A live boundary with a certificate that ends, a newer model beside it, and nights that judge both."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from flows.verbs.certify.generation import CARRIES_OVER
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.night import change, guard, judge_case_types
from flows.verbs.record.night_results import NightResults
from flows.verbs.services import Services
from models.hub import Entry, EntryKind
from models.vocabulary import Targets
from tests.flows.verbs.certified_desk import Certified, certified_desk
from tests.flows.verbs.hub_desk import DAY, NAME, decided_cases, digest_of, store, with_model

CERTIFICATE_DAYS = 30.0
CHALLENGER = "3"


def beside_a_challenger(home: Path, database: str | None = None) -> Certified:
    """The live boundary rests on model 2; model 3, which scores alike, is under test since then.

    Half of the blocks are audited, so that whichever are drawn must prove a cut below today's: there every
    case is bad as well.
    """
    certified = certified_desk(
        home,
        bad_from=0.65,
        database=database,
        certificate_days=CERTIFICATE_DAYS,
        audit_rate=0.5,
        targets=Targets(precision=0.95, recall=0.95, delta=0.1),
    )
    with_model(certified.services, CHALLENGER, certified.now, **{CARRIES_OVER: True})
    return certified


def cases_since(certified: Certified, count: int = 2_000) -> pd.DataFrame:
    """Cases decided by the live policy, verified where drawn, and scored by the challenger in shadow."""
    opened = certified.now + DAY
    cases = decided_cases(
        certified.services, certified.live, opened, count, bad_passed=0.0, seed=2, keyed=True
    )
    shadow = cases[["case_id", "case_type", "score"]].assign(
        model_version=digest_of(CHALLENGER), scored_at=cases["decided_at"]
    )
    store(certified.services, "shadow_scores", shadow, ["case_id", "model_version"], opened)
    return cases


def night(services: Services, at: datetime) -> tuple[list[Entry], NightResults]:
    """What a night files, without sources and causes: guarded, judged, proposed."""
    results = NightResults()
    snapshot = load_snapshot(services, at)
    guarded = guard(services, snapshot, results)
    judged = judge_case_types(services, snapshot, results)
    return [*guarded.entries, *change(services, judged, at, results)], results


def looks(services: Services) -> list[Entry]:
    return [entry for entry in services.ledger.history(NAME) if entry.kind is EntryKind.LOOK_TAKEN]


def spent(services: Services) -> float:
    """Of delta, by all looks so far."""
    return sum(float(entry.dossier["delta_spent"]) for entry in looks(services))


def failed(results: NightResults) -> list[str]:
    """What a night could not do; cases by hand have no features, so drift is not watched."""
    return [one for one in results.case_types[NAME].failed if "the watch for drift" not in one]
