"""Should a retrain weigh cases by 1/propensity? Measured under selective labels, with the truth known.

Simulated. An older model, fitted on a fully reviewed past, passes about 70 % of the cases by itself;
one in ten of those is audited, everything else is reviewed. Models are then fitted on the labelled
cases alone, with different uses of the designed weights, and judged on the *whole* later population:
log loss, AUC, calibration in the large (mean score less base rate) and Cox's slope (1 is right).

Usage: python -m benchmarks.selection [--worlds N] [--days N ...] [--case-type NAME ...] [--jobs N]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from configs.settings import load_settings
from models.risk import TrainingPlan, train
from models.simulation import Exchange
from models.simulation.keyed_draws import KeyedDraws

RESULTS = Path("benchmarks/results/selection.jsonl")
PASSED, AUDITED = 0.7, 0.1
PAST_DAYS, LATER_DAYS = 30, 30
FIRST_SEED = 4_100
CASE_TYPES = ("ato", "kyc_audit", "withdrawal_anomaly")
VARIANTS = {
    "weighted": (np.inf, True),
    "weights at most 3": (3.0, True),
    "trees unweighted": (1.0, True),
    "nothing weighted": (1.0, False),
}
"""The largest weight of a row the trees learn from, and whether the later slice (which stops and
calibrates) keeps its designed weights."""


def one_world(world: tuple[int, str, int]) -> list[dict[str, object]]:
    """Every variant in one world (number, case type, days of labels), as plain figures."""
    number, case_type, days = world
    exchange = Exchange(FIRST_SEED + number, burst=None)
    features = load_settings(env={}).load_case_types()[case_type].features
    plan = TrainingPlan(seed=number)
    past = exchange.cases(case_type, -PAST_DAYS, PAST_DAYS)
    older = train(past, past["bad"].to_numpy(), np.ones(len(past)), features, plan).model
    cases = exchange.cases(case_type, 0, days)
    scores = older.score(cases)[0]
    passed = scores <= np.quantile(scores[~np.isnan(scores)], PASSED)
    audited = KeyedDraws(FIRST_SEED + number, cases["case_id"]).uniform("audit") < AUDITED
    labelled = ~passed | audited
    cases, weights = cases[labelled], np.where(passed, 1 / AUDITED, 1.0)[labelled]
    later = exchange.cases(case_type, days, LATER_DAYS)
    told = []
    for name, (largest, keeps) in VARIANTS.items():
        used = weights if keeps else np.ones(len(weights))
        fitted = train(
            cases, cases["bad"].to_numpy(), used, features, replace(plan, largest_weight=largest)
        )
        figures = judged(fitted.model.score(later)[0], later["bad"].to_numpy())
        head = {"world": number, "case_type": case_type, "days": days, "variant": name}
        told.append({**head, "labelled": len(cases), **figures})
    return told


def judged(scores: np.ndarray, bad: np.ndarray) -> dict[str, float]:
    """What the scores are worth on cases whose truth is all known; those without one are left out."""
    bad = bad[~np.isnan(scores)]
    scores = np.clip(scores[~np.isnan(scores)], 1e-7, 1 - 1e-7)
    cox = LogisticRegression(C=1e6).fit(logit(scores).reshape(-1, 1), bad)
    return {
        "log_loss": float(log_loss(bad, scores)),
        "auc": float(roc_auc_score(bad, scores)),
        "in_the_large": float(scores.mean() - bad.mean()),
        "slope": float(cox.coef_[0, 0]),
        "base_rate": float(bad.mean()),
    }


def table(rows: pd.DataFrame) -> str:
    """Means over worlds, and each variant's difference from the weighted fit in the same world."""
    lines = [
        "| case type | days | labelled | variant | log loss | less the weighted fit's | AUC | "
        "less the weighted fit's | mean score / base rate | slope |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (case_type, days), group in rows.groupby(["case_type", "days"]):
        by_variant = {name: mine.set_index("world") for name, mine in group.groupby("variant")}
        lines += [
            f"| {case_type} | {days} | {mine['labelled'].mean():,.0f} | {name} | "
            f"{mine['log_loss'].mean():.5f} | {_paired(by_variant, name, 'log_loss')} | "
            f"{mine['auc'].mean():.4f} | {_paired(by_variant, name, 'auc')} | "
            f"{1 + (mine['in_the_large'] / mine['base_rate']).mean():.3f} | "
            f"{mine['slope'].mean():.3f} |"
            for name in VARIANTS
            if (mine := by_variant.get(name)) is not None
        ]
    return "\n".join(lines)


def _paired(by_variant: Mapping[str, pd.DataFrame], name: str, figure: str) -> str:
    if name == "weighted":
        return "-"
    less = by_variant[name][figure] - by_variant["weighted"][figure]
    error = less.std(ddof=1) / np.sqrt(len(less)) if len(less) > 1 else np.nan
    return f"{less.mean():+.5f} ± {error:.5f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=8, help="seeds a case type and length")
    parser.add_argument("--days", type=int, nargs="+", default=[30, 90])
    parser.add_argument("--case-type", nargs="+", default=list(CASE_TYPES), choices=CASE_TYPES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    asked = parser.parse_args(arguments)
    if not asked.table:
        worlds = list(product(range(asked.worlds), asked.case_type, asked.days))
        with ProcessPoolExecutor(asked.jobs) as running:
            found = [row for rows in running.map(one_world, worlds) for row in rows]
        asked.results.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in found)
        asked.results.write_text(text, encoding="utf-8")
    print("Simulated.\n")
    print(table(pd.read_json(asked.results, lines=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
