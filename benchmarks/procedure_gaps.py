"""How often do slices, codes and clauses find a planted gap, and how often one that is not there?

Everything is simulated (`models.simulation`). A run is one case type, all cases labelled, false
positives and false negatives each tested once.

- `slices`: the agent is perfect, wrong everywhere by logit -> 1 + 1.5 logit without a correction,
  or an XGBoost model trained on 20,000 earlier cases and refitted by Platt's method on the labelled
  ones. Null, or its decision is flipped for 30 % or 50 % of a random slice (a number's tail, a
  level, or both together) of some 5 % or 10 % of the cases; expected errors then come from a Platt
  refit on these cases. `located`: a finding shares half of the false positives with the slice.
- `codes`: a reviewer pool marks the errors of an agent without a fault, or with a procedure,
  weight or threshold fault; truth is the last of first, second and senior review. Expected errors
  come from a Platt refit on all cases (B), and from one without the cases of slices found under
  the first (B twice).

Usage: python -m benchmarks.procedure_gaps slices|codes [--cases N ...] [--runs N]
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from models.risk.calibration import fit_platt
from models.risk.training import TrainingPlan, train
from models.simulation.case_models import RECIPES
from models.simulation.exchange import Exchange
from models.simulation.faults import Fault, ProcedureFault, ThresholdFault, WeightFault
from models.simulation.reviewers import ReviewerPool
from models.triage.procedure.error_codes import find_code_excess, find_group_excess
from models.triage.procedure.error_slices import SliceReport, find_error_slices
from models.vocabulary import Feature

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Sides = dict[str, tuple[BoolArray, FloatArray]]

TYPES = tuple(RECIPES)
TRAINING = 20_000
AGENTS = ("perfect", "miscalibrated", "xgboost")
FAULTS = ("none", "procedure", "weight", "threshold")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("slices", "codes"))
    parser.add_argument("--cases", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--runs", type=int, default=40)
    asked = parser.parse_args(arguments)
    for cases in asked.cases:
        if asked.what == "slices":
            slices_without_a_gap(cases, asked.runs)
            slices_with_a_gap(cases, asked.runs)
        else:
            codes_and_clauses(cases, asked.runs)


def slices_without_a_gap(cases: int, runs: int) -> None:
    """Print the findings a run where there is nothing to find."""
    for agent in AGENTS:
        began, found = time.perf_counter(), 0
        for run in range(runs):
            rows, margin = _judged_cases(agent, cases, run, 1_000)
            sides = _sides(margin, rows["bad"].to_numpy(), refit=agent == "xgboost")
            found += sum(len(report.findings) for report in reports_on(rows, sides, run).values())
        seconds = (time.perf_counter() - began) / runs
        print(f"null   {cases:7,} {agent:14} {found / runs:.3f} findings a run, {seconds:.1f} s")


def slices_with_a_gap(cases: int, runs: int) -> None:
    """Print how often a planted slice is located, and how many findings there are a run."""
    for agent in ("perfect", "xgboost"):
        for share in (0.05, 0.1):
            for flipped in (0.3, 0.5):
                located = on_false_positives = on_false_negatives = 0
                for run in range(runs):
                    rows, margin = _judged_cases(agent, cases, run, 5_000)
                    rng = np.random.default_rng(run)
                    inside = _random_slice(features_of(rows), share, rng)
                    flip = inside & (rng.random(cases) < flipped)
                    sides = _sides(np.where(flip, -margin, margin), rows["bad"].to_numpy(), True)
                    reports = reports_on(rows, sides, run)
                    wrong = sides["FP"][0]
                    located += any(
                        _overlap(found.holds(rows) & wrong, inside & wrong) >= 0.5
                        for found in reports["FP"].findings
                    )
                    on_false_positives += len(reports["FP"].findings)
                    on_false_negatives += len(reports["FN"].findings)
                print(
                    f"planted {cases:7,} {agent:8} {share:.0%} x {flipped:.0%}: located "
                    f"{located / runs:.2f}, findings a run {on_false_positives / runs:.2f} (FP) "
                    f"{on_false_negatives / runs:.2f} (FN)"
                )


def codes_and_clauses(cases: int, runs: int) -> None:
    """Print how often each code, and the planted or another clause, is found."""
    for fault in FAULTS:
        counts: Counter[str] = Counter()
        for run in range(runs):
            case_type, rng = TYPES[run % len(TYPES)], np.random.default_rng(run)
            planted = _planted(fault, case_type, rng)
            rows, margin, marks = reviewed(case_type, cases, 3_000 + run, planted)
            clause = planted[0].sop_clause if fault == "procedure" else None
            for how, sides in refitted_twice(rows, margin, run).items():
                for side, (wrong, expected) in sides.items():
                    code = marks["root_cause"].where(marks["root_cause"] != "none")
                    for code_found in find_code_excess(code, wrong, expected):
                        counts[f"{how} {side} {code_found.code}"] += 1
                    for group_found in find_group_excess(marks["sop_clause"], wrong, expected):
                        right = clause is not None and group_found.group == clause
                        name = "the planted clause" if right else "another clause"
                        counts[f"{how} {side} {name}"] += 1
        told = ", ".join(f"{what}: {count / runs:.2f}" for what, count in sorted(counts.items()))
        print(f"codes  {cases:7,} {fault:10} {told or 'nothing found'}")


def _judged_cases(agent: str, cases: int, run: int, seed: int) -> tuple[pd.DataFrame, FloatArray]:
    """Labelled cases of one type, and the agent's log-odds."""
    case_type = TYPES[run % len(TYPES)]
    earlier, rows = _cases(case_type, cases, seed + run)
    logit = rows["true_logit"].to_numpy()
    if agent == "perfect":
        return rows, logit
    if agent == "miscalibrated":
        return rows, 1.0 + 1.5 * logit
    features = [
        Feature(f.name, f.kind, f.monotone, f.family, f.levels, may_be_missing=f.missing_share > 0)
        for f in RECIPES[case_type].features
    ]
    weights = np.ones(len(earlier))
    trained = train(earlier, earlier["bad"].to_numpy(), weights, features, TrainingPlan(seed=run))
    score, _ = trained.model.score(rows)
    score = np.clip(score, 1e-9, 1.0 - 1e-9)
    return rows, np.log(score / (1.0 - score))


def _cases(case_type: str, cases: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    a_day = max(1_000, cases // 20)
    exchange = Exchange(seed, cases_per_day={case_type: a_day}, burst=None)
    first, then = (math.ceil(1.15 * size / a_day) for size in (TRAINING, cases))
    earlier = exchange.cases(case_type, 0, first)[:TRAINING]
    return earlier, exchange.cases(case_type, first, then)[:cases].reset_index(drop=True)


def features_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[list(RECIPES[str(rows["case_type"].iloc[0])].feature_names)]


def _sides(
    margin: FloatArray, bad: BoolArray, refit: bool, left_out: BoolArray | None = None
) -> Sides:
    """False positives and false negatives, and the probability of each."""
    blocks, probability = margin >= 0.0, expit(margin)
    if refit:
        used = np.ones(len(bad), dtype=np.bool_) if left_out is None else ~left_out
        platt = fit_platt(margin[used], bad[used], np.ones(int(used.sum())))
        probability = platt.probability(margin)
    return {
        "FP": (blocks & ~bad, np.where(blocks, 1.0 - probability, 0.0)),
        "FN": (~blocks & bad, np.where(blocks, 0.0, probability)),
    }


def reports_on(rows: pd.DataFrame, sides: Sides, seed: int) -> dict[str, SliceReport]:
    columns = features_of(rows)
    configured = [name for name in columns if not pd.api.types.is_float_dtype(columns[name])]
    find = partial(find_error_slices, configured=configured, seed=seed)
    return {side: find(columns, wrong, expected) for side, (wrong, expected) in sides.items()}


def refitted_twice(rows: pd.DataFrame, margin: FloatArray, seed: int) -> dict[str, Sides]:
    """Both sides after one Platt refit, and after another without the cases of slices found."""
    once = _sides(margin, rows["truth"].to_numpy(), refit=True)
    apart = np.zeros(len(rows), dtype=np.bool_)
    for report in reports_on(rows, once, seed).values():
        for found in report.findings:
            apart |= found.holds(rows)
    if apart.mean() > 0.5:
        apart[:] = False  # what is left would be the exception, not the rule
    return {"B": once, "B twice": _sides(margin, rows["truth"].to_numpy(), True, apart)}


def _random_slice(columns: pd.DataFrame, share: float, rng: np.random.Generator) -> BoolArray:
    """A number's tail, a level, or a level with a number's tail, of about that share."""
    numbers = [name for name in columns if pd.api.types.is_float_dtype(columns[name])]
    others = [name for name in columns if name not in numbers]
    while True:
        how, number = rng.integers(3), columns[rng.choice(numbers)]
        other = columns[rng.choice(others)]
        level = (other == rng.choice(other.dropna().unique())).to_numpy(dtype=np.bool_)
        if how == 0 and rng.random() < 0.5:
            inside = number < number.quantile(share)
        elif how == 0:
            inside = number > number.quantile(1.0 - share)
        elif how == 1:
            inside = pd.Series(level)
        elif 1.5 * share < level.mean() < 0.7:
            inside = level & (number > number[level].quantile(1.0 - share / level.mean()))
        else:
            continue
        if 0.7 * share <= inside.mean() <= 1.4 * share:
            return inside.to_numpy(dtype=np.bool_)


def _planted(fault: str, case_type: str, rng: np.random.Generator) -> tuple[Fault, ...]:
    recipe = RECIPES[case_type]
    if fault == "weight":
        telling = [feature for feature in recipe.features if not feature.is_noise]
        return (WeightFault(case_type, telling[rng.integers(3)].name, 1.8),)
    if fault == "threshold":
        return (ThresholdFault(case_type, 0.8, 1.4),)
    if fault == "none":
        return ()
    levels: list[tuple[str, str | bool]] = []
    for feature in recipe.features:
        shares: list[tuple[str | bool, float]] = list(
            zip(feature.levels, feature.shares, strict=True)
        )
        if feature.kind == "boolean":
            shares = [(True, feature.rate), (False, 1.0 - feature.rate)]
        levels += [(feature.name, level) for level, share in shares if 0.04 < share < 0.25]
    column, value = levels[rng.integers(len(levels))]
    clause = recipe.sop_clauses[rng.integers(len(recipe.sop_clauses))]
    return (ProcedureFault(case_type, clause, column, value, 0.3),)


def reviewed(
    case_type: str, cases: int, seed: int, faults: tuple[Fault, ...]
) -> tuple[pd.DataFrame, FloatArray, pd.DataFrame]:
    """Settled cases with their `truth`, the agent's log-odds, and the first reviewers' marks."""
    a_day = max(1_000, cases // 20)
    exchange = Exchange(seed, cases_per_day={case_type: a_day}, burst=None, faults=faults)
    rows = exchange.cases(case_type, 0, math.ceil(1.15 * cases / a_day))[:cases]
    says = exchange.agent(rows)
    pool = ReviewerPool(seed + 7, [case_type], faults=faults, exchange_seed=seed)
    stamps = {"queued_at": rows["opened_at"], "resolved_at": rows["opened_at"]}
    advice = {"recommendation": says["recommendation"], "score": says["score"]}
    first = pool.review(rows, kind="escalation", **stamps, **advice)
    later = pool.second_review(rows, first, **advice)
    last = pd.concat([first, later]).groupby("case_id", sort=False)["verdict"].last()
    verdict = last.reindex(rows["case_id"]).to_numpy()
    settled = verdict != "escalate"
    judged = rows.assign(truth=verdict == "block")[settled].reset_index(drop=True)
    marks = first[settled].reset_index(drop=True)
    return judged, says["margin"].to_numpy()[settled], marks


def _overlap(one: BoolArray, other: BoolArray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


if __name__ == "__main__":
    main()
