"""Do errors pile up under one root cause, clause or topic beyond what the model expects?

Two cases are kept apart. A *code* (a root cause, an annotation's topic) is written because the agent
erred: all its cases are errors, and that alone says nothing. A *group* (the clause cited on every
case) has its members whether or not the agent erred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from models.drift.multiple_testing import discoveries
from models.triage.procedure.excess import (
    CONFIDENCE,
    BoolArray,
    FloatArray,
    excess_in,
    refuse_impossible,
    strata_of,
    tally,
)

SURE_AT_MOST = (0.02, 0.05, 0.1, 0.2)
"""Nested sets of cases by expected probability of error, fixed before any data are seen."""
CARELESS = 0.25
"""Errors of one cause marked as another, for each one marked rightly: one mark in five is careless."""


@dataclass(frozen=True, slots=True)
class CodeExcess:
    """A code that more errors carry than the model expects errors of all kinds.

    Attributes:
        code: as it was written.
        errors: errors that carry it.
        at_most: the excess is largest among cases whose expected probability of error is at most
            this; errors_there: errors that carry the code there; expected_there: errors of all
            kinds that the model expects there.
        ratio, low, high: errors_there by expected_there, with an exact 95 % interval for a Poisson
            count (Garwood 1936).
        p_value: against `least_ratio`, corrected for the number of nested sets.
    """

    code: str
    errors: int
    at_most: float
    errors_there: int
    expected_there: float
    ratio: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class GroupExcess:
    """A group with more errors than its share of the expected ones.

    `group` is None for the cases that belong to none. `cases`, `errors` and `expected` are sums over
    its cases; ratio, its 95 % interval and p_value compare it with all other cases
    (`models.triage.procedure.excess`), the latter against `least_ratio`.
    """

    group: str | None
    cases: int
    errors: int
    expected: float
    ratio: float
    low: float
    high: float
    p_value: float


def find_code_excess(
    code: pd.Series,
    wrong: BoolArray,
    expected: FloatArray,
    *,
    q: float = 0.05,
    fewest_errors: int = 20,
    least_ratio: float = 1.5,
    bins: Sequence[float] = SURE_AT_MOST,
) -> list[CodeExcess]:
    """Codes that more errors carry than errors of *all* kinds are expected, the surest first.

    Among cases that the model is sure of, the number of errors of all kinds is at most Poisson with
    the expected mean (Hoeffding 1956), however people mark them; so is, all the more, the number
    that carries one code. The smallest tail probability over the nested sets is corrected by
    Bonferroni. Any code that passes implies that all errors together would, so with a model that is
    right within `least_ratio` the chance of any finding is at most `q`, whatever the number of codes.
    Once a code is found, its careless share (one mark in five) is allowed to every other code.

    The price: a code is found only when its errors are sure ones. An ordinary error that people
    explain with the procedure is never one.

    Args:
        code: what was written about each case, null for nothing; shape (n,), any index.
        wrong: whether the agent erred, shape (n,); codes of other cases are not looked at.
        expected: probability of that error under the fitted model, shape (n,).
        q: the chance of a false finding.
        fewest_errors: a code with fewer errors in a set is no finding there.
        least_ratio: so many times as many errors of all kinds as expected are tolerated.
        bins: the nested sets: each holds the cases with at most that expected probability.

    Raises:
        ValueError: the arrays do not fit each other, or no bins, or bins outside (0, 1].
    """
    refuse_impossible(wrong, expected, len(code))
    limits = np.array(sorted(bins), dtype=np.float64)
    if len(limits) == 0 or not ((limits > 0.0) & (limits <= 1.0)).all():
        raise ValueError(f"bins must lie in (0, 1] and there must be one, got {tuple(bins)!r}")
    numbers, names = pd.factorize(code.to_numpy(dtype=object)[wrong], sort=False)
    place = np.searchsorted(limits, expected, side="left")
    counts = _nested_counts(numbers, len(names), place[wrong], len(limits))
    means = np.cumsum(np.bincount(place, weights=expected, minlength=len(limits) + 1)[:-1])
    found: list[CodeExcess] = []
    left = np.ones(len(names), dtype=np.bool_)
    tolerated = least_ratio * means
    while left.any():
        tails = np.asarray(stats.poisson.sf(counts - 1.0, tolerated), dtype=np.float64)
        tails[(counts < fewest_errors) | ~left[:, None]] = 1.0
        best, at = np.unravel_index(int(tails.argmin()), tails.shape)
        p_value = min(1.0, float(tails[best, at]) * len(limits))
        if p_value > q:
            break
        left[best] = False
        tolerated = tolerated + CARELESS * counts[best]
        found.append(
            _code_excess(
                str(names[best]),
                int((numbers == best).sum()),
                float(limits[at]),
                int(counts[best, at]),
                float(means[at]),
                p_value,
            )
        )
    return found


def find_group_excess(
    group: pd.Series,
    wrong: BoolArray,
    expected: FloatArray,
    *,
    q: float = 0.05,
    fewest_errors: int = 20,
    least_ratio: float = 1.5,
) -> list[GroupExcess]:
    """Groups, no group among them, that hold more errors than their share, the surest first.

    Only for groups whose members do not depend on whether the agent erred. Each is tested against
    all other cases (`models.triage.procedure.excess.excess_in`), with false-discovery control over groups
    (Benjamini and Hochberg 1995).

    Args:
        group: each case's group, null for none; shape (n,), any index.
        wrong, expected: as in `find_code_excess`.
        q: false discovery rate.
        fewest_errors: a group with fewer errors is no finding.
        least_ratio: a ratio up to this is tolerated: the null hypothesis of every test.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    refuse_impossible(wrong, expected, len(group))
    numbers, names = pd.factorize(group.to_numpy(dtype=object), use_na_sentinel=True)
    numbers = np.where(numbers < 0, len(names), numbers).astype(np.int64)
    sums = tally(numbers, len(names) + 1, strata_of(expected), wrong, expected)
    tested = [excess_in(sums.of(i), sums.whole, least_ratio) for i in range(len(names) + 1)]
    enough = sums.errors.sum(axis=1) >= fewest_errors
    p_values = np.array(
        [
            excess.p_value if excess is not None and is_enough else 1.0
            for excess, is_enough in zip(tested, enough, strict=True)
        ]
    )
    in_use = sums.cases.sum(axis=1) > 0
    rejected = np.zeros(len(p_values), dtype=np.bool_)
    rejected[in_use] = discoveries(p_values[in_use], q)
    found = [
        GroupExcess(
            group=None if i == len(names) else str(names[i]),
            cases=int(sums.cases[i].sum()),
            errors=int(sums.errors[i].sum()),
            expected=float(sums.expected[i].sum()),
            ratio=excess.ratio,
            low=excess.low,
            high=excess.high,
            p_value=excess.p_value,
        )
        for i, excess in enumerate(tested)
        if rejected[i] and excess is not None
    ]
    return sorted(found, key=lambda one: (one.p_value, one.group or ""))


def _nested_counts(
    numbers: np.ndarray[tuple[int], np.dtype[np.intp]],
    codes: int,
    place: np.ndarray[tuple[int], np.dtype[np.intp]],
    limits: int,
) -> FloatArray:
    """Errors by code in each nested set, shape (codes, limits)."""
    inside = (numbers >= 0) & (place < limits)
    cells = numbers[inside] * limits + place[inside]
    counts = np.bincount(cells, minlength=codes * limits).reshape(codes, limits)
    return np.cumsum(counts, axis=1).astype(np.float64)


def _code_excess(
    code: str, errors: int, at_most: float, there: int, expected: float, p_value: float
) -> CodeExcess:
    tail = (1.0 - CONFIDENCE) / 2.0
    return CodeExcess(
        code=code,
        errors=errors,
        at_most=at_most,
        errors_there=there,
        expected_there=expected,
        ratio=there / expected,
        low=float(stats.gamma.ppf(tail, there)) / expected,
        high=float(stats.gamma.isf(tail, there + 1)) / expected,
        p_value=p_value,
    )
