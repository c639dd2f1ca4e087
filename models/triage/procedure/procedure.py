"""Where does the operating procedure mislead (Type C): errors that neither weights nor threshold explain?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.triage.evidence import TriageEvidence
from models.triage.plan import TriagePlan
from models.triage.procedure.annotation_topics import find_topics
from models.triage.procedure.error_codes import (
    CodeExcess,
    GroupExcess,
    find_code_excess,
    find_group_excess,
)
from models.triage.procedure.error_slices import ErrorSlice, find_error_slices
from models.triage.procedure.slice_conditions import Relation, SliceCondition
from models.triage.weight.feature_bias import Unjudged

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FEWEST_CASES = 100
NO_CLAUSE = "no clause cited"
BOTH = "errors"
_SEARCHES = 8
"""Slices and clauses among all errors; slices, clauses and codes among those of either kind."""
_SAME = 0.5
_MARKED = ("A", "B", "C")
_ORDER = ("slice", "sop_clause", "root_cause", "topic")


@dataclass(frozen=True, slots=True)
class ProcedureGap:
    """A group of cases with more errors than A and B explain.

    Attributes:
        kind: "slice", "sop_clause", "root_cause" or "topic". value: which one, for people.
        pattern: which one, from night to night: of a found slice without its thresholds, which move
            with every case.
        errors_are: "errors" of both kinds, or only "FP" or "FN".
        cases, errors, expected: in the group, its errors and as many as A and B explain.
        ratio, low, high: times as many errors as there should be, with a 95 % interval.
        chosen_by_outcome: whether a case is in the group *because* the agent erred (a root cause, a
            topic): such a group tells where to look, but can be set aside from no fit.
        also: the same errors under other names.
        members: the cases of the group, shape (cases,).
    """

    kind: str
    value: str
    pattern: str
    errors_are: str
    cases: int
    errors: int
    expected: float
    ratio: float
    low: float
    high: float
    p_value: float
    chosen_by_outcome: bool
    members: BoolArray = field(repr=False, compare=False)
    also: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        return self.value if self.kind == "slice" else f"{self.kind} {self.value}"


def procedure_gaps(
    evidence: TriageEvidence, chances: FloatArray, plan: TriagePlan
) -> tuple[tuple[ProcedureGap, ...], tuple[Unjudged, ...]]:
    """Groups of cases whose errors exceed what the probabilities explain (METHODS 4.3).

    First among all errors, as what a procedure misreads it misreads both ways, then among false
    positives and false negatives, each where the score leans that way (there a misread case stands
    out by looking harmless, so a pattern found among all errors says more). q is split over the
    searches: slices of the raw features, SOP clauses (none cited is one, too), root causes, and
    topics of annotations in English and Chinese. Of several names for the same errors the first is
    the gap, and names of another kind stand beside it.

    Args:
        evidence: of one case type. chances: P(bad) after A and B, shape (cases,).
    """
    leans_to_block = evidence.margin >= 0.0
    everything = np.ones(len(leans_to_block), dtype=np.bool_)
    wrong_either_way = leans_to_block != evidence.bad
    either = np.where(leans_to_block, 1.0 - chances, chances)
    found: list[ProcedureGap] = []
    unjudged: list[Unjudged] = []
    for errors_are, side, wrong, expected in (
        (BOTH, everything, wrong_either_way, either),
        ("FP", leans_to_block, ~evidence.bad, 1.0 - chances),
        ("FN", ~leans_to_block, evidence.bad, chances),
    ):
        if side.sum() < FEWEST_CASES:
            continue
        bar = _Bar(plan.q / _SEARCHES, plan.fewest_errors, plan.least_ratio)
        part = _Side(errors_are, side, wrong[side], np.maximum(expected[side], 1e-9), bar)
        told = list(_slices(evidence, part, unjudged))
        told += _clauses(evidence, part)
        told += [] if errors_are == BOTH else _codes(evidence, part)
        found = _without_doubles(found, told, wrong_either_way)
    return tuple(found), tuple(dict.fromkeys(unjudged))


@dataclass(frozen=True, slots=True)
class _Bar:
    q: float
    fewest_errors: int
    least_ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """The cases that a score leans one way, the errors among them, and as many as expected."""

    errors_are: str
    places: BoolArray
    wrong: BoolArray
    expected: FloatArray
    bar: _Bar

    def spread(self, mask: BoolArray) -> BoolArray:
        """A mask of this side's cases as one of all cases."""
        whole = np.zeros(len(self.places), dtype=np.bool_)
        whole[self.places] = mask
        return whole


def _slices(
    evidence: TriageEvidence, part: _Side, unjudged: list[Unjudged]
) -> Iterator[ProcedureGap]:
    if not evidence.raw.shape[1]:
        return
    raw = evidence.raw[part.places].reset_index(drop=True)
    configured = [name for name in evidence.segments if name in raw]
    report = find_error_slices(
        raw,
        part.wrong,
        part.expected,
        configured=configured,
        q=part.bar.q,
        fewest_errors=part.bar.fewest_errors,
        least_ratio=part.bar.least_ratio,
    )
    unjudged += [Unjudged(name, "slices", why) for name, why in report.not_judged]
    for one in report.findings:
        # Members on both sides of even odds: what a procedure misreads, it misreads both ways.
        yield _gap("slice", one.slice, _pattern(one), one, part, one.holds(evidence.raw), False)


def _clauses(evidence: TriageEvidence, part: _Side) -> list[ProcedureGap]:
    if "sop_clause" not in evidence.notes or evidence.notes["sop_clause"].isna().all():
        return []
    clause = evidence.notes["sop_clause"].astype("object")
    found = find_group_excess(
        clause[part.places].reset_index(drop=True),
        part.wrong,
        part.expected,
        q=part.bar.q,
        fewest_errors=part.bar.fewest_errors,
        least_ratio=part.bar.least_ratio,
    )
    gaps = []
    for one in found:
        name = NO_CLAUSE if one.group is None else one.group
        members = (clause.isna() if one.group is None else clause == one.group).to_numpy(bool)
        gaps.append(_gap("sop_clause", name, name, one, part, members, False))
    return gaps


def _codes(evidence: TriageEvidence, part: _Side) -> list[ProcedureGap]:
    """Root causes and topics of the errors that reviewers themselves call errors."""
    notes = evidence.notes
    if "feedback_path" not in notes:
        return []
    here = notes[part.places].reset_index(drop=True)
    called_wrong = here["feedback_path"].isin(_MARKED).to_numpy(dtype=np.bool_) & part.wrong
    gaps = []
    for kind, codes in _written(here, called_wrong):
        found = find_code_excess(
            codes,
            part.wrong,
            part.expected,
            q=part.bar.q,
            fewest_errors=part.bar.fewest_errors,
            least_ratio=part.bar.least_ratio,
        )
        for one in found:
            members = part.spread((codes == one.code).to_numpy(dtype=np.bool_) & part.wrong)
            gaps.append(_gap(kind, one.code, one.code, one, part, members, True))
    return gaps


def _written(notes: pd.DataFrame, called_wrong: BoolArray) -> Iterator[tuple[str, pd.Series]]:
    if "root_cause" in notes:
        yield "root_cause", notes["root_cause"].astype("object").where(called_wrong)
    if {"annotation", "language"} <= set(notes.columns) and called_wrong.any():
        wrong = notes[called_wrong]
        topics = find_topics(wrong["annotation"].astype("str"), wrong["language"].astype("str"))
        if topics.names:
            named = np.array([*topics.names, None], dtype=object)[topics.of]
            codes = pd.Series(None, index=notes.index, dtype="object")
            codes[called_wrong] = named
            yield "topic", codes


def _gap(
    kind: str,
    value: str,
    pattern: str,
    found: ErrorSlice | GroupExcess | CodeExcess,
    part: _Side,
    members: BoolArray,
    chosen_by_outcome: bool,
) -> ProcedureGap:
    mine = members[part.places]
    expected = (
        found.expected_there if isinstance(found, CodeExcess) else float(part.expected[mine].sum())
    )
    return ProcedureGap(
        kind=kind,
        value=value,
        pattern=pattern,
        errors_are=part.errors_are,
        cases=int(members.sum()),
        errors=int((mine & part.wrong).sum()),
        expected=expected,
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        chosen_by_outcome=chosen_by_outcome,
        members=members,
    )


def _without_doubles(
    known: list[ProcedureGap], told: list[ProcedureGap], errors: BoolArray
) -> list[ProcedureGap]:
    """Known gaps and those that say something new: a gap that shares most of its errors with a
    known one is the same, and is named beside it where it is of another kind."""
    kept = list(known)
    for gap in sorted(told, key=lambda one: (_ORDER.index(one.kind), one.p_value)):
        mine = gap.members & errors
        same = next(
            (
                place
                for place, other in enumerate(kept)
                if (mine & other.members).sum()
                >= _SAME * min(mine.sum(), (other.members & errors).sum())
            ),
            None,
        )
        if same is None:
            kept.append(gap)
        elif kept[same].kind != gap.kind and gap.told not in kept[same].also:
            kept[same] = replace(kept[same], also=(*kept[same].also, gap.told))
    return kept


def _pattern(found: ErrorSlice) -> str:
    return " and ".join(dict.fromkeys(_direction(one) for one in found.conditions))


def _direction(condition: SliceCondition) -> str:
    if condition.relation is Relation.AT_MOST:
        return f"{condition.column} low"
    if condition.relation is Relation.ABOVE:
        return f"{condition.column} high"
    return condition.text
