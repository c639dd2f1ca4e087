"""Which model is under test for a case type, since when, and what has it been allowed to look at?

Of a case type with `scorer: external` that is the other agent's newest one; our own models score in
shadow beside it, and their turn comes when the case type is made internal (docs/adr/0026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from configs.errors import GateRefused
from flows.verbs.ports import Ledger, ModelRegistry
from models.hub.policies.external import SHADOW, is_external
from models.hub.record.entries import Entry, EntryKind
from models.risk import RiskModel
from models.vocabulary import CaseType

RESERVE = "reserve"
"""In a generation's dossier: from when on cases are set aside from all learning (METHODS 1.2)."""

CARRIES_OVER = "evidence_carries_over"
"""In a generation's dossier: its evidence does not begin again at a promotion."""

COMPARISONS = "comparisons"
"""In the dossier of evidence that started again: comparisons with which this model's drift was
watched so far."""

SEQUENCE = "sequence"
"""In a look's dossier: the certification sequence as it stood after the look."""

_EVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Generation:
    """The newest model of a case type, as the ledger knows it.

    Attributes:
        version, digest: in the registry; of another agent's model its own name, and the digest of
            that (models.hub.policies.external).
        learned_before: it learned from no case opened at or after this instant.
        trained_before: cases opened since may certify it; between the two it was compared with its
            champion, on rows that therefore may not.
        evidence_since: rows opened before this instant chose today's boundary, trained the model,
            or are from before what is certified became worse: the guard judges by later ones.
        cohort_since: cohort cases opened from here on speak for it, whatever was promoted since.
        cohort_from: no case opened before it speaks, the reserve's neither; the sequence before it
            ended, as its law may have moved or its evidence was too old.
        sequence: how many sequences ended before this one after a look; without one they spent
            nothing.
        comparisons: with which drift was watched before this sequence.
        looks: entries about looks during its trial so far, over all sequences.
        looked: what the ledger keeps of this sequence (`CertificationSequence.plain`), or None.
        spent_before: of delta, what looks of the kind that METHODS 1.2 replaced have spent.
        promoted: whether the live policy rests on this model.
        started_at: when the generation was filed; the next retrain counts from it.
        external: the model is another agent's: its scores are delivered, and it has no file.
        reference: of such a model, the scores on which candidate cuts are laid out.
    """

    case_type: str
    version: str
    digest: str
    learned_before: datetime
    trained_before: datetime
    evidence_since: datetime
    cohort_since: datetime
    cohort_from: datetime
    sequence: int
    comparisons: int
    looks: int
    looked: Mapping[str, Any] | None
    spent_before: float
    promoted: bool
    started_at: datetime
    external: bool = False
    reference: tuple[float, ...] = ()

    def load(self, registry: ModelRegistry) -> RiskModel:
        """The model, if its bytes still have the digest in the ledger.

        Raises:
            GateRefused: they do not, or the model is another agent's.
            ServiceUnreachable: MLflow does not answer, and there is no copy here.
        """
        if self.external:
            raise GateRefused(
                f"the model {self.version} of {self.case_type} is another agent's (scorer: "
                "external): its scores are delivered, and there is no file of it to load."
            )
        return registry.load(self.case_type, self.version, self.digest)

    def reference_scores(self, registry: ModelRegistry) -> npt.NDArray[np.float64]:
        """Scores fixed before the evidence, on which candidate cuts are laid out; raises as `load`."""
        known = self.reference if self.external else self.load(registry).reference_scores
        return np.asarray(known, dtype=np.float64)

    def calibration(self, registry: ModelRegistry) -> dict[str, float]:
        """The numbers that turn a raw score into a probability; another agent's score is taken as
        it is. Raises as `load`."""
        if self.external:
            return {}
        platt = self.load(registry).calibration
        return {"slope": platt.slope, "intercept": platt.intercept}


def current_generation(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str
) -> Generation | None:
    """Read the generation off the ledger; None before the first model.

    A night asks many times over; the answer is kept as long as the ledger's head stays the same.
    """
    head = ledger.head()
    kept_head, answers = _KEPT.get(ledger, (None, {}))
    if kept_head != head:
        answers = {}
        _KEPT[ledger] = (head, answers)
    if case_type not in answers:
        answers[case_type] = _read(ledger, case_types, case_type)
    return answers[case_type]


def champion_generation(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str
) -> Generation | None:
    """The generation whose model decides today; a newer one may be under test beside it.

    None: nothing was promoted yet, or the live model was not trained here.
    """
    live = ledger.live_policy(case_type)
    newest = current_generation(ledger, case_types, case_type)
    if live is None or newest is None:
        return None
    if newest.promoted:
        return newest
    entries = ledger.history(case_type)
    started = _last(_starts(entries), digest=live.model_digest)
    return None if started is None else _generation(ledger, case_type, entries, started)


def looked_by(ledger: Ledger, generation: Generation, at: datetime) -> Generation:
    """The same generation as a moment knew it: a question about the past must not know of looks that were
    taken since."""
    entries = ledger.history(generation.case_type, as_of=at)
    started = _last(_starts(entries), digest=generation.digest)
    if started is None:
        return generation
    return _generation(ledger, generation.case_type, entries, started)


def newest_of_ours(ledger: Ledger, case_type: str) -> Generation | None:
    """The newest model that was fitted here, whoever decides the case type; None before the first."""
    entries = ledger.history(case_type)
    started = started_entry(ledger, case_type)
    return None if started is None else _generation(ledger, case_type, entries, started)


def started_entry(ledger: Ledger, case_type: str) -> Entry | None:
    """The ledger's entry of the newest model that was fitted here; None before the first."""
    starts = _starts(ledger.history(case_type))
    return _last([one for one in starts if not _is_external(one)])


def reserve_begins(ledger: Ledger, case_type: str) -> tuple[datetime, datetime] | None:
    """(from when on the reserve is set aside, until when all of it is held back); None: there was no
    model of ours yet that left one aside. What taught a model before can never join it."""
    for entry in _starts(ledger.history(case_type)):
        if (said := entry.dossier.get(RESERVE)) is not None:
            since, until = (datetime.fromisoformat(said[name]) for name in ("since", "until"))
            return since, until
    return None


def scored_elsewhere(case_types: Mapping[str, CaseType], case_type: str) -> bool:
    """Whether another agent decides and scores this case type."""
    return case_types[case_type].scorer == "external"


def _read(ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str) -> Generation | None:
    entries = ledger.history(case_type)
    wanted = scored_elsewhere(case_types, case_type)
    started = _last([one for one in _starts(entries) if _is_external(one) == wanted])
    return None if started is None else _generation(ledger, case_type, entries, started)


def _generation(
    ledger: Ledger, case_type: str, entries: tuple[Entry, ...], started: Entry
) -> Generation:
    since = [entry for entry in entries if entry.version > started.version]
    starts = _starts(entries)
    # A model in shadow ends nobody's trial, and the looks go on from those of the trial beside it.
    successor = next(
        (e for e in starts if e.version > started.version and not e.dossier.get(SHADOW)), None
    )
    ends = successor.version if successor else since[-1].version + 1 if since else started.version
    counted = started if not started.dossier.get(SHADOW) else _trial_beside(starts, started)
    looks = [
        entry
        for entry in entries
        if entry.kind is EntryKind.LOOK_TAKEN and counted.version < entry.version < ends
    ]
    moved = [
        entry
        for entry in since
        if entry.kind in (EntryKind.PROMOTED, EntryKind.NARROWED)
        and "evidence_until" in entry.dossier
        and ledger.policy(str(entry.policy_id)).model_digest == started.evidence_digest
    ]
    trained_before = datetime.fromisoformat(started.dossier["trained_before"])
    drifted = [entry for entry in since if entry.kind is EntryKind.EVIDENCE_RESTARTED]
    begins = {entry.version: entry.dossier["evidence_until"] for entry in moved}
    begins |= {entry.version: entry.dossier["evidence_since"] for entry in drifted}
    evidence_since = max([trained_before, *map(datetime.fromisoformat, begins.values())])
    # Looks at earlier evidence, or at another model's, keep their share of delta but say nothing
    # about this evidence. A model that decides is looked at while its successor is on trial, too.
    mine = [
        entry
        for entry in since
        if entry.kind is EntryKind.LOOK_TAKEN
        and entry.dossier.get(
            "model_digest", started.evidence_digest if entry.version < ends else None
        )
        == started.evidence_digest
    ]
    # A model that was filed before evidence carried over was promised that its evidence begins again
    # at each promotion; it goes on so.
    ends_of = drifted if started.dossier.get(CARRIES_OVER) else [*drifted, *moved]
    ended = max((entry.version for entry in ends_of), default=0)
    cohort_from = max((datetime.fromisoformat(begins[e.version]) for e in ends_of), default=_EVER)
    sequenced = [e for e in mine if e.version > ended and SEQUENCE in e.dossier]
    live = ledger.live_policy(case_type)
    return Generation(
        case_type=case_type,
        version=started.dossier["model_version"],
        digest=str(started.evidence_digest),
        learned_before=datetime.fromisoformat(
            started.dossier.get("learned_before", started.dossier["trained_before"])
        ),
        trained_before=trained_before,
        evidence_since=evidence_since,
        cohort_since=max(trained_before, cohort_from),
        cohort_from=cohort_from,
        sequence=_ended_after_a_look(ends_of, mine),
        comparisons=int(drifted[-1].dossier.get(COMPARISONS, 0)) if drifted else 0,
        looks=len(looks),
        looked=sequenced[-1].dossier[SEQUENCE] if sequenced else None,
        spent_before=sum(
            float(entry.dossier["delta_spent"]) for entry in mine if SEQUENCE not in entry.dossier
        ),
        promoted=live is not None and live.model_digest == started.evidence_digest,
        started_at=started.at,
        external=_is_external(started),
        reference=tuple(started.dossier.get("reference_scores", ())),
    )


def _ended_after_a_look(ends_of: Sequence[Entry], looks: Sequence[Entry]) -> int:
    looked = [one.version for one in looks if SEQUENCE in one.dossier]
    ends = sorted(one.version for one in ends_of)
    return sum(
        any(begins < version < ends_at for version in looked)
        for begins, ends_at in pairwise([0, *ends])
    )


def _starts(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind is EntryKind.GENERATION_STARTED]


def _is_external(started: Entry) -> bool:
    version = str(started.dossier.get("model_version"))
    return is_external(started.case_type, version, started.evidence_digest)


def _trial_beside(starts: Sequence[Entry], shadow: Entry) -> Entry:
    """The trial that went on when a model in shadow was filed; itself, where there was none."""
    before = [one for one in starts if one.version < shadow.version and not one.dossier.get(SHADOW)]
    return before[-1] if before else shadow


def _last(starts: Sequence[Entry], digest: str | None = None) -> Entry | None:
    return next(
        (entry for entry in reversed(starts) if digest in (None, entry.evidence_digest)), None
    )


_Kept = tuple[tuple[int, str], dict[str, Generation | None]]
_KEPT: WeakKeyDictionary[object, _Kept] = WeakKeyDictionary()


def last_version(ledger: Ledger, case_type: str) -> int:
    """The ledger version a command must name as its base."""
    entries: tuple[Entry, ...] = ledger.history(case_type)
    return entries[-1].version if entries else 0
