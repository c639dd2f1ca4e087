"""Are the cases still the ones the evidence was collected on? If not, it starts again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.adapters.case_numbers import CASE_NUMBER
from flows.adapters.ledger import Ledger
from flows.verbs.desk import Desk
from flows.verbs.generation import Generation, current_generation, last_version
from flows.verbs.truth import Book, evidence_for
from models.drift import evidence_to_pool
from models.hub import Refusal, RestartEvidence
from models.hub.entries import Entry
from models.hub.people import NIGHT
from models.vocabulary import Boundary


def watch_drift(desk: Desk, book: Book, case_type: str) -> Entry | None:
    """Compare windows of a case type's evidence; a ledger entry where it must start again.

    Scores, features and the risk in each zone of the boundary in force are compared over whole,
    mature windows of `night.drift_window_days`. While all is quiet the evidence pools.

    Returns:
        The entry, whose dossier has the sentence for the report; None: nothing has moved.
    """
    generation = current_generation(desk, case_type)
    if generation is None:
        return None
    whole = (book.mature_until(desk, case_type) - generation.evidence_since) // desk.drift_window
    asked = (case_type, generation.digest, generation.evidence_since, whole)
    quiet = _QUIET.setdefault(desk.ledger, set())
    if whole < 2 or asked in quiet:
        return None
    rows = _in_windows(desk, book, case_type, generation, whole)
    if rows["window"].nunique() < 2:
        return None
    # What turns with the calendar would end every month's evidence with the month.
    judged = [one for one in desk.case_types[case_type].features if not one.turns_with_calendar]
    features = [one.name for one in judged]
    live = desk.ledger.live_policy(case_type)
    pooled = evidence_to_pool(
        _with_features(desk, book, case_type, generation, rows, features),
        features,
        live.boundary if live is not None else Boundary.everything_reviewed(),
        falls_pool=_certifies_shares(desk, case_type),
    )
    if not pooled.restarts:
        quiet.add(asked)
        return None
    begins = rows["window"].iloc[pooled.first_row].to_pydatetime()
    said = desk.ledger.submit(
        RestartEvidence(
            case_type=case_type,
            actor=NIGHT,
            base_version=last_version(desk, case_type),
            evidence_since=begins,
            dossier={"why": pooled.sentence},
        ),
        book.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The evidence of {case_type} was not restarted: {said.reason}")
    return said


def _certifies_shares(desk: Desk, case_type: str) -> bool:
    """Whether no promise is about which part of the bad cases is missed: then evidence of worse
    times than today's only makes a proof harder, and is kept (ADR 24)."""
    targets = desk.case_types[case_type].targets
    return targets.false_omission_rate is not None and targets.recall is None


# Whole windows stay what they are, so a comparison that found nothing need not be made again.
_QUIET: WeakKeyDictionary[Ledger, set[tuple[object, ...]]] = WeakKeyDictionary()


def _in_windows(
    desk: Desk, book: Book, case_type: str, generation: Generation, whole: int
) -> pd.DataFrame:
    """The evidence in windows counted from its own beginning, so that the first one is whole too
    (half a week is not like a week); the one that still fills is left out. `window` is the instant
    at which each begins."""
    rows = evidence_for(desk, book, case_type, generation)
    first = pd.Timestamp(generation.evidence_since)
    number = (rows["opened_at"] - first) // desk.drift_window
    begins = first + number * desk.drift_window
    return rows.assign(window=begins)[(number < whole).to_numpy(dtype=np.bool_)]


def _with_features(
    desk: Desk,
    book: Book,
    case_type: str,
    generation: Generation,
    rows: pd.DataFrame,
    features: list[str],
) -> pd.DataFrame:
    stored = desk.store.read(
        "decisions",
        columns=features,
        filters={"case_type": [case_type]},
        since=generation.evidence_since,
        stamp="opened_at",
        as_of=book.as_of,
        numbered=True,
    )
    place = pd.Index(stored[CASE_NUMBER]).get_indexer(pd.Index(rows[CASE_NUMBER]))
    found = stored[features].take(place).set_index(rows.index)
    return pd.concat([rows, found], axis="columns")
