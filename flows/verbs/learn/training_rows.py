"""Gather: which rows may a retrain learn from, and which are kept to compare the result with today's model?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused
from flows.adapters.evidence.evidence_erasure import without_erased
from flows.verbs.certify.generation import (
    Generation,
    champion_generation,
    newest_of_ours,
    reserve_begins,
    scored_elsewhere,
)
from flows.verbs.evidence.cohort_rows import learning_propensity, membership, reserve
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import (
    EvidenceServices,
    EvidenceStore,
    Ledger,
    ModelRegistry,
    TrainingServices,
)
from models.risk import RiskModel
from models.vocabulary import CaseType

FEWEST_COMPARED = 200
FEWEST_OF_EITHER_CLASS = 10
_EVIDENCE = ["case_id", "opened_at", "propensity", "automatable", "bad"]


@dataclass(frozen=True)
class PresentModel:
    """Today's model: the champion, or before one the newest generation."""

    version: str
    digest: str
    learned_before: datetime
    trained_before: datetime
    model: RiskModel = field(repr=False)


@dataclass(frozen=True)
class TrainingRows:
    """Mature, drawn and labelled cases of one case type with their features, cut for a retrain.

    learning teaches, stops, calibrates and chooses; compared (opened later) does none of these.
    new_from: the first learning row that the present model did not learn from. held_back: the share
    of a first model's past that it was not shown. not_compared: why `compared` is empty, or "".
    reserve: from when on (`since`) cases are set aside from all learning, and until when all of them
    (`until`); reserve_begun: the same as it was for these rows, None before the first model's.
    set_aside: the cases that are (METHODS 1.2).
    """

    case_type: str
    learning: pd.DataFrame = field(repr=False)
    compared: pd.DataFrame = field(repr=False)
    new_from: int
    present: PresentModel | None
    held_back: float = 0.0
    not_compared: str = ""
    known: str = ""
    reserve: Mapping[str, str] = field(default_factory=dict)
    reserve_begun: tuple[datetime, datetime] | None = None
    set_aside: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def learned_before(self) -> datetime:
        """The new model learns from no case opened at or after this instant."""
        return _after_last(self.learning)

    @property
    def trained_before(self) -> datetime:
        """No case opened before this instant may certify the new model: rows it learned from, and
        rows that spoke for it in the comparison (METHODS 1)."""
        return _after_last(self.compared if len(self.compared) else self.learning)

    def digests(self) -> dict[str, str]:
        """SHA-256 of the rows learned from, and of those compared on."""
        return {"learned": rows_digest(self.learning), "compared": rows_digest(self.compared)}


def training_rows(
    services: TrainingServices, snapshot: EvidenceSnapshot, case_type: str
) -> TrainingRows:
    """All that is known as of the book, cut at the present model (if there is one that can score)."""
    present, why_none = present_model(
        services.ledger, services.registry, services.case_types, case_type
    )
    # A fully reviewed past can both teach a first model and, its later part, certify it.
    first = newest_of_ours(services.ledger, case_type) is None
    # Beside another agent's model ours certifies nothing yet, so nothing need be held back for it.
    first = first and not scored_elsewhere(services.case_types, case_type)
    held_back = services.training.hold_back_share if first else 0.0
    begun = reserve_begins(services.ledger, case_type)
    known, aside = known_rows(services, snapshot, case_type, present, begun)
    if present is not None and (gone := set(present.model.feature_names) - set(known)):
        why_none = f"no decision holds the present model's {', '.join(sorted(gone))} any more"
        present = None
    rows = cut_rows(case_type, known, present, held_back, services.training.compare_share)
    since, until = begun or (
        rows.trained_before,
        snapshot.as_of if held_back else rows.trained_before,
    )
    rows = replace(
        rows,
        known=rows_digest(known),
        reserve={"since": since.isoformat(), "until": until.isoformat()},
        reserve_begun=begun,
        set_aside=aside,
    )
    return rows if present else replace(rows, not_compared=why_none)


def cut_rows(
    case_type: str,
    rows: pd.DataFrame,
    present: PresentModel | None,
    held_back: float,
    compare_share: float,
) -> TrainingRows:
    """Cut off the newest `held_back` share for a first certificate; of what is left, keep the newest
    `compare_share` of the rows that the present model neither learned from nor was compared on.

    Cases opened at one moment stay together.
    """
    rows = rows.iloc[: int(len(rows) * (1.0 - held_back))]
    if present is None:
        return TrainingRows(case_type, rows, rows.iloc[:0], len(rows), None, held_back)
    opened = rows["opened_at"]
    new_from = int(opened.searchsorted(pd.Timestamp(present.learned_before)))
    unseen = int(opened.searchsorted(pd.Timestamp(present.trained_before)))
    first = len(rows) - int((len(rows) - unseen) * compare_share)
    if first < len(rows):
        first = int(opened.searchsorted(opened.iloc[first]))
    why_not = why_not_compared(rows["bad"].to_numpy(dtype=np.bool_)[first:])
    if why_not:
        first = len(rows)
    return TrainingRows(
        case_type,
        rows.iloc[:first],
        rows.iloc[first:],
        min(new_from, first),
        present,
        held_back,
        why_not,
    )


def why_not_compared(bad: npt.NDArray[np.bool_]) -> str:
    """Why these rows are too few to compare two models on, or ""."""
    if len(bad) >= FEWEST_COMPARED and min(bad.sum(), (~bad).sum()) >= FEWEST_OF_EITHER_CLASS:
        return ""
    return (
        f"the present model leaves {len(bad):,} labelled cases to compare on, {int(bad.sum()):,} of "
        f"them bad; it takes {FEWEST_COMPARED}, and {FEWEST_OF_EITHER_CLASS} of either class"
    )


def present_model(
    ledger: Ledger, registry: ModelRegistry, case_types: Mapping[str, CaseType], case_type: str
) -> tuple[PresentModel | None, str]:
    """The champion's model, else the newest one's; or why there is none to go by."""
    champion = champion_generation(ledger, case_types, case_type)
    ours = champion if champion is not None and not champion.external else None
    generation = ours or newest_of_ours(ledger, case_type)
    if generation is None:
        whose = "; today's is another agent's" if scored_elsewhere(case_types, case_type) else ""
        return None, f"this is the first model{whose}"
    try:
        return _present(generation, generation.load(registry)), ""
    except GateRefused as unreadable:
        return None, f"the present model cannot be used: {unreadable}"


def rows_digest(rows: pd.DataFrame) -> str:
    """SHA-256 of exactly these rows in order: case ids, truth and designed propensities."""
    digest = hashlib.sha256()
    for name in ("case_id", "bad", "propensity"):
        hashed = pd.util.hash_array(np.asarray(rows[name]), categorize=False)
        digest.update(name.encode() + hashed.tobytes())
    return digest.hexdigest()


def _present(generation: Generation, model: RiskModel) -> PresentModel:
    return PresentModel(
        generation.version,
        generation.digest,
        generation.learned_before,
        generation.trained_before,
        model,
    )


def known_rows(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    present: PresentModel | None,
    begun: tuple[datetime, datetime] | None,
) -> tuple[pd.DataFrame, frozenset[str]]:
    """(mature, drawn and labelled cases in order of time, with the configured features, what the
    present model reads, and the segments; the cases that are set aside from all learning).

    What is set aside is in no row: no model learns from it, stops, calibrates, chooses or compares
    on it, so that it can certify each of them (METHODS 1.2). `propensity` is that of being observed
    and not set aside.

    Args:
        begun: from when on, see `reserve_begins`; None: nothing is set aside.
    """
    mature = snapshot.mature(services, case_type)
    aside = np.zeros(len(mature), dtype=np.bool_)
    if begun is not None and len(mature):
        drawn = membership(services.ledger, services.draws, case_type, mature)
        aside = reserve(services.ledger, services.draws, case_type, mature, drawn, begun)
        mature = mature.assign(propensity=learning_propensity(mature, drawn, begun))
    labelled = mature["bad"].notna().to_numpy(dtype=np.bool_)
    known = mature[labelled & ~aside][_EVIDENCE]
    return with_features(
        services.store, services.case_types, snapshot, case_type, known, present
    ), frozenset(mature["case_id"][aside])


def with_features(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    cases: pd.DataFrame,
    present: PresentModel | None,
    since: datetime | None = None,
) -> pd.DataFrame:
    """These cases, opened since, with every stored column that a model or a segment asks for."""
    kind = case_types[case_type]
    asked = {*kind.segments, *(present.model.feature_names if present else ())}
    # A segment, or what an older configuration had, may be in no decision; a feature must be.
    asked &= store.columns("decisions", snapshot.as_of)
    columns = list(dict.fromkeys([*kind.feature_names, *sorted(asked)]))
    stored = store.read(
        "decisions",
        columns=["case_id", *columns],
        filters={"case_type": [case_type]},
        since=since,
        stamp="opened_at",
        as_of=snapshot.as_of,
    )
    stored = without_erased(stored)
    new = [name for name in columns if name not in cases]
    return cases.merge(stored[["case_id", *new]], on="case_id", validate="one_to_one")


def _after_last(rows: pd.DataFrame) -> datetime:
    last: datetime = rows["opened_at"].max().to_pydatetime()
    return last + timedelta(microseconds=1)
