"""Which slices of cases hold more of the agent's errors than its probabilities explain?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from models.triage.procedure.excess import BoolArray, FloatArray, refuse_impossible
from models.triage.procedure.slice_columns import MOST_LEVELS, SliceColumn, read_column
from models.triage.procedure.slice_conditions import Relation, SliceCondition, all_hold_in, text_of
from models.triage.procedure.slice_search import SearchPlan, propose_slices
from models.triage.procedure.slice_tests import Bar, SliceEvidence, Suspect, judged

TREE_ROWS = 50_000
"""The tree sees at most so many cases; every case of the other half is tested."""
SMALLEST_SHARE = 0.01
"""A found slice holds at least this share of the cases that the tree sees."""


@dataclass(frozen=True, slots=True)
class ErrorSlice:
    """A slice with too many errors.

    Attributes:
        slice: for people: its conditions, joined by "and".
        columns: the columns it uses.
        cases, errors, expected: in all labelled cases: how many, errors seen, errors expected.
        ratio, low, high: how many times as many errors as elsewhere, given what is expected, with a
            95 % interval, and p_value, against `least_ratio` and before false-discovery control: of
            the cases it was tested on (all of them for a configured slice, the half the tree did
            not see for a found one).
        configured: whether it was asked for, or found.
    """

    slice: str
    columns: tuple[str, ...]
    conditions: tuple[SliceCondition, ...]
    cases: int
    errors: int
    expected: float
    ratio: float
    low: float
    high: float
    p_value: float
    configured: bool

    def holds(self, columns: pd.DataFrame) -> BoolArray:
        """Which rows of a table lie in the slice, shape (n,).

        Raises:
            ValueError: the table lacks one of its columns.
        """
        return all_hold_in(self.conditions, columns)


@dataclass(frozen=True, slots=True)
class SliceReport:
    """Slices found, those of smallest p-value first; and what could not be judged, with why.

    `tested` is the number of slices that false-discovery control counted.
    """

    findings: tuple[ErrorSlice, ...]
    not_judged: tuple[tuple[str, str], ...]
    tested: int


def find_error_slices(
    columns: pd.DataFrame,
    wrong: BoolArray,
    expected: FloatArray,
    *,
    configured: Sequence[str] = (),
    q: float = 0.05,
    fewest_errors: int = 20,
    least_ratio: float = 1.5,
    most_depth: int = 2,
    seed: int = 0,
) -> SliceReport:
    """Test each value of each configured column, and slices proposed by a shallow tree (METHODS 4.3).

    The tree is fitted on a random half of the cases and its slices are tested on the other half.
    Every test compares a slice with the cases outside it (`models.triage.procedure.excess`), against the null
    hypothesis that it has at most `least_ratio` times as many errors: no model is exact, and at 1
    a well-trained one has findings every night. False discoveries are controlled over all tests
    together (Benjamini and Hochberg 1995). Of slices that catch the same errors, the simplest that
    explains them is kept. The order of rows changes nothing.

    A large pattern bends the calibration that `expected` comes from, and the bend shows as an excess
    of the opposite error elsewhere: after a finding, refit without its cases and look again.

    Args:
        columns: raw feature columns (numbers, booleans, text; missing allowed), one row a case.
        wrong: whether the agent erred in the way under study (false positive, or false negative).
        expected: the probability of that error under the fitted model: 1 - P(bad) where the agent
            recommended to block and 0 elsewhere for false positives, and so on; shape (n,).
        configured: columns each value of which is a slice.
        q: false discovery rate.
        fewest_errors: a slice with fewer errors among the cases it is tested on is no finding.
        least_ratio: a ratio up to this is tolerated: the null hypothesis of every test.
        most_depth: of the tree, and so the most conditions of a found slice.
        seed: of the split.

    Raises:
        ValueError: `wrong` or `expected` do not fit the table or each other, two columns share a
            name, or an unknown column is configured.
    """
    refuse_impossible(wrong, expected, len(columns))
    if not columns.columns.is_unique:
        twice = sorted(map(str, columns.columns[columns.columns.duplicated()]))
        raise ValueError(f"columns share a name: {', '.join(twice)}; rename or drop one of each")
    unknown = [name for name in configured if name not in columns.columns]
    if unknown:
        raise ValueError(
            f"configured columns {', '.join(map(repr, unknown))} are not among: "
            f"{', '.join(map(str, columns.columns))}"
        )
    possible = expected > 0.0
    read, not_judged = _read(columns, possible)
    evidence = SliceEvidence.of(read, wrong[possible], expected[possible], seed)
    asked, too_many = _configured(read, configured)
    found = _found(evidence, SearchPlan(most_depth, fewest_errors, least_ratio, seed))
    already = {suspect.conditions for suspect in asked}
    suspects = [*asked, *(suspect for suspect in found if suspect.conditions not in already)]
    bar = Bar(q, fewest_errors, least_ratio)
    return SliceReport(
        tuple(
            _finding(suspect, columns, wrong, expected)
            for suspect in judged(suspects, evidence, bar)
        ),
        tuple(sorted({**not_judged, **too_many}.items())),
        len(suspects),
    )


def _read(
    columns: pd.DataFrame, possible: BoolArray
) -> tuple[dict[str, SliceColumn], dict[str, str]]:
    """The columns that can be judged, in the cases where the error is possible; and why not the rest."""
    judgeable: dict[str, SliceColumn] = {}
    why_not: dict[str, str] = {}
    for name in map(str, columns.columns):
        column = read_column(columns[name])
        if column is None:
            why_not[name] = "holds neither numbers, booleans nor text"
            continue
        column = column.take(possible)
        why = column.why_not_judged()
        if why:
            why_not[name] = why
        else:
            judgeable[name] = column
    return judgeable, why_not


def _configured(
    columns: Mapping[str, SliceColumn], names: Sequence[str]
) -> tuple[list[Suspect], dict[str, str]]:
    """Each value of each configured column as a slice, and the columns with too many values."""
    suspects: list[Suspect] = []
    too_many: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name not in columns:
            continue
        codes, levels = columns[name].by_level()
        if len(levels) > MOST_LEVELS:
            too_many[name] = f"{len(levels)} values, more than {MOST_LEVELS}; group them first"
            continue
        conditions = [SliceCondition(name, Relation.IS, level) for level in levels]
        if (codes < 0).any():
            conditions.append(SliceCondition(name, Relation.MISSING))
        suspects += [Suspect((condition,), configured=True) for condition in conditions]
    return suspects, too_many


def _found(evidence: SliceEvidence, plan: SearchPlan) -> list[Suspect]:
    """Slices that a tree proposes on the half for searching."""
    rows = evidence.to_search[:TREE_ROWS]
    fewest = max(plan.fewest_cases, int(SMALLEST_SHARE * len(rows)))
    proposed = propose_slices(
        {name: column.take(rows) for name, column in evidence.columns.items()},
        evidence.wrong[rows],
        evidence.expected[rows],
        replace(plan, fewest_cases=fewest),
    )
    return [Suspect(conditions, configured=False) for conditions in proposed]


def _finding(
    suspect: Suspect, columns: pd.DataFrame, wrong: BoolArray, expected: FloatArray
) -> ErrorSlice:
    assert suspect.excess is not None
    rows = all_hold_in(suspect.conditions, columns)
    return ErrorSlice(
        slice=text_of(suspect.conditions),
        columns=tuple(dict.fromkeys(condition.column for condition in suspect.conditions)),
        conditions=suspect.conditions,
        cases=int(rows.sum()),
        errors=int((rows & wrong).sum()),
        expected=float(expected[rows].sum()),
        ratio=suspect.excess.ratio,
        low=suspect.excess.low,
        high=suspect.excess.high,
        p_value=suspect.excess.p_value,
        configured=suspect.configured,
    )
