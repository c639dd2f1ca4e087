"""Is the challenger better than the champion on the same later cases?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from models.comparison.auc import (
    Ranking,
    auc_influence,
    delong_error,
    ranking,
    seen_placements,
)
from models.comparison.bootstrap import resample
from models.comparison.boundaries import decisions, matched_boundary
from models.comparison.comparison import Comparison, ComparisonVerdict, regression_sentences
from models.comparison.curves import curves
from models.comparison.figures import GUARDS, METRICS, PRIMARY, Compared, Estimate
from models.comparison.intervals import auc_interval, effective_number, student
from models.comparison.judged import Labelled, judge, ratio_columns, scatters
from models.comparison.ratios import Boundaries, RatioPair, ratio_pairs
from models.comparison.rows import FloatArray, ScoredRows
from models.comparison.slices import FEWEST_OF_A_CLASS, compare_slices
from models.vocabulary import Boundary, Costs

NO_SLICES: Mapping[str, npt.NDArray[Any]] = MappingProxyType({})


def compare(
    rows: ScoredRows,
    *,
    champion_boundary: Boundary,
    champion_certified: Boundary | None,
    challenger_certified: Boundary | None,
    costs: Costs,
    slices: Mapping[str, npt.NDArray[Any]] = NO_SLICES,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two models on cases that neither has learned from.

    The verdict is that of one metric declared beforehand, log loss (see `PRIMARY`): `better` or
    `worse` only where the interval of its difference excludes zero, so that models of equal quality
    are called `no_difference` with probability `confidence`. The guards (see `GUARDS`) share
    another `1 - confidence`: where one of them is worse, a better log loss is `mixed`.

    Standard errors: DeLong's (1988) for AUC with equal weights, the paired bootstrap's for all else,
    linearised in slices. Intervals: Student's for differences, exact at effective counts for shares
    (`models.comparison.intervals`).

    A boundary's value means another thing on another model's score, so recall and precision come
    twice: at the live boundary's own scores, and at the same automation, where the challenger's cuts
    pass and block the same shares of these cases as the champion's. The matched cuts are taken as
    given when rows are resampled: they are the policy that is being compared.

    Args:
        rows: later cases with known truth (see `ScoredRows`).
        champion_boundary: the live one, on the champion's score.
        champion_certified, challenger_certified: each model's own certified boundary; None: it has
            none, and its automation there is not estimable.
        costs: US dollars a case.
        slices: column -> label of each row, shape (cases,).
        confidence: of every interval. draws, seed: of the bootstrap.

    Raises:
        ValueError: `confidence` or `draws` is out of range, or a column of labels does not fit.
    """
    _check(confidence, draws)
    live = decisions(rows.champion, rows.automatable, champion_boundary)
    matched = matched_boundary(rows.challenger, rows.weight, rows.automatable, live)
    boundaries = Boundaries(champion_boundary, matched, champion_certified, challenger_certified)
    empty = _empty(rows, boundaries, confidence, draws, seed)
    if empty.why_not:
        return empty
    pairs = ratio_pairs(rows, boundaries, costs)
    labelled = Labelled(rows.bad, rows.weight, 0.5 * (rows.champion + rows.challenger))
    metrics = _metrics(rows, labelled, pairs, confidence, draws, seed)
    by_metric = {pair.metric.name: pair for pair in pairs}
    by_slice = compare_slices(labelled, by_metric, slices, confidence)
    return replace(
        empty,
        verdict=_verdict(metrics),
        metrics=metrics,
        slices=by_slice,
        regressions=regression_sentences(metrics, by_slice, confidence),
        champion_curves=curves(rows.champion, rows.bad, rows.weight, confidence),
        challenger_curves=curves(rows.challenger, rows.bad, rows.weight, confidence),
    )


def _check(confidence: float, draws: int) -> None:
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence must lie in [0.5, 1), got {confidence!r}")
    if draws < 100:
        raise ValueError(f"a bootstrap needs at least 100 draws to know a scatter, got {draws!r}")


def _empty(
    rows: ScoredRows, boundaries: Boundaries, confidence: float, draws: int, seed: int
) -> Comparison:
    """What is known before anything is compared, and why nothing can be, if so."""
    cases, bad = len(rows), int(rows.bad.sum())
    enough = min(bad, cases - bad) >= FEWEST_OF_A_CLASS
    why = (
        f"{cases:,} later labelled cases, {bad:,} of them bad; at least {FEWEST_OF_A_CLASS} bad and "
        f"{FEWEST_OF_A_CLASS} good ones are needed"
    )
    return Comparison(
        verdict="not_estimable",
        metrics=(),
        slices=(),
        regressions=(),
        live=boundaries.live,
        matched=boundaries.matched,
        champion_certified=boundaries.champion_certified,
        challenger_certified=boundaries.challenger_certified,
        cases=cases,
        bad=bad,
        effective_cases=effective_number(rows.weight),
        champion_curves=None,
        challenger_curves=None,
        confidence=confidence,
        draws=draws,
        seed=seed,
        why_not="" if enough else why,
    )


def _metrics(
    rows: ScoredRows,
    labelled: Labelled,
    pairs: tuple[RatioPair, ...],
    confidence: float,
    draws: int,
    seed: int,
) -> tuple[Compared, ...]:
    """Every metric, in the catalogue's order."""
    rankings = [ranking(score, rows.bad, rows.weight) for score in (rows.champion, rows.challenger)]
    columns = ratio_columns(pairs, labelled)
    resampled = () if rows.equally_weighted else tuple(rankings)
    sums, aucs = resample(columns, resampled, rows.weight, draws, seed)
    scatter = scatters(pairs, sums)
    found = {
        name: judge(pair, labelled, confidence, _judged_at(name, confidence), scatter[name])
        for pair in pairs
        for name in (pair.metric.name,)
    }
    found["auc"] = _auc(labelled, rankings, aucs, confidence)
    return tuple(found[name] for name in METRICS)


def _auc(
    rows: Labelled, rankings: list[Ranking], resampled: FloatArray, confidence: float
) -> Compared:
    """By DeLong where all weights are equal (no resample was made), else by the bootstrap."""
    first, second = rankings
    if resampled.shape[1]:
        drawn = (resampled[:, 0], resampled[:, 1], resampled[:, 1] - resampled[:, 0])
        errors = [float(values[np.isfinite(values)].std(ddof=1)) for values in drawn]
    else:
        placements = [seen_placements(one, rows.bad) for one in rankings]
        contrasts = (*placements, placements[1] - placements[0])
        errors = [delong_error(contrast, rows.bad) for contrast in contrasts]
    moved = [auc_influence(one, rows.bad, rows.weight, rows.chance) for one in rankings]
    estimates = [
        Estimate(one.auc, *auc_interval(one.auc, error, confidence))
        for one, error in zip(rankings, errors[:2], strict=True)
    ]
    told = student(second.auc - first.auc, errors[2], moved[1] - moved[0], confidence, largest=1.0)
    separated = any(one.low is None for one in estimates)
    why = "AUC: a model separates every case, so the interval of its AUC is not estimable"
    return Compared(
        METRICS["auc"],
        estimates[0],
        estimates[1],
        told,
        why if separated else "",
        _judged_at("auc", confidence),
    )


def _judged_at(name: str, confidence: float) -> float:
    """The guards share one error rate (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / len(GUARDS) if name in GUARDS else confidence


def _verdict(metrics: tuple[Compared, ...]) -> ComparisonVerdict:
    changes = {one.metric.name: one.change for one in metrics}
    if changes[PRIMARY] == "unclear":
        return "no_difference"
    if changes[PRIMARY] == "worse":
        return "worse"
    return "mixed" if any(changes[name] == "worse" for name in GUARDS) else "better"
