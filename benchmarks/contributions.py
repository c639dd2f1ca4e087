"""How much faster than XGBoost are contributions looked up in tables, and are they the same?

Usage: python -m benchmarks.contributions [--rows N] [--compared N] [--rounds N]

Simulated cases with 30 features, 200 trees. XGBoost's `pred_contribs` and `approx_contribs` (which is
approximate, and no SHAP value) and the tables run in turns in one process, each on as many threads;
the best of the rounds counts. Exits 1 when a value differs by more than 1e-5 or a ratio is below 15.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from models.risk.contributions import TOLERANCE, contributions
from models.risk.forest import read_forest
from models.risk.lookup import look_up
from models.risk.lookup_tables import tabulate

LEAST_RATIO = 15.0
FEATURES, TREES = 30, 200
TRAINING_ROWS = 20_000
LEVELS = (4, 6, 8, 12, 30, 3)


def main(rows: int, compared: int, rounds: int) -> int:
    print(f"{FEATURES} features, {TREES} trees; simulated cases: {rows:,} looked up, {compared:,}")
    print(f"by XGBoost and compared value by value; best of {rounds} rounds. In 1,000 rows/s:\n")
    print(
        f"{'depth':>5} {'categories':>10} {'nodes':>6} {'threads':>7} {'pred_contribs':>13} {'approximate':>11} "
        f"{'tables':>7} {'and checks':>10} {'ratio':>6} {'difference':>10} {'approx. off':>11} {'built':>7} {'size':>6}"
    )
    passed = True
    for depth in (4, 6):
        for categories in (False, True):
            cases, booster = _model(depth, categories, max(rows, compared))
            for threads in (1, 2):
                passed &= _line(
                    depth, categories, threads, booster, cases, (rows, compared, rounds)
                )
    return 0 if passed else 1


def _line(
    depth: int,
    categories: bool,
    threads: int,
    booster: xgb.Booster,
    cases: pd.DataFrame,
    sizes: tuple[int, int, int],
) -> bool:
    rows, compared, rounds = sizes
    booster.set_param({"nthread": threads})
    few, many = cases.head(compared), cases.head(rows)
    began = time.perf_counter()
    forest = read_forest(booster)
    tables = tabulate(forest)
    built = time.perf_counter() - began

    def by_xgboost(**how: bool) -> Any:
        data = xgb.DMatrix(few, enable_categorical=True, nthread=threads)
        return booster.predict(data, pred_contribs=True, **how)

    works: dict[str, tuple[int, Callable[[], Any]]] = {
        "exact": (compared, by_xgboost),
        "approximate": (compared, lambda: by_xgboost(approx_contribs=True)),
        "tables": (rows, lambda: look_up(tables, many, threads)),
        "checked": (rows, lambda: contributions(booster, tables, many, threads=threads)),
    }
    speed: dict[str, float] = dict.fromkeys(works, 0.0)
    said: dict[str, Any] = {}
    # In turns, so that a busy moment of the machine falls on all.
    for _ in range(rounds):
        for name, (count, work) in works.items():
            began = time.perf_counter()
            said[name] = work()
            speed[name] = max(speed[name], count / (time.perf_counter() - began))
    ours = np.column_stack([said["tables"][:compared], np.full(compared, tables.bias)])
    difference = float(np.abs(ours - said["exact"]).max())
    off = float(np.abs(said["approximate"] - said["exact"]).max())
    nodes = np.mean([(tree.left >= 0).sum() for tree in forest.trees])
    ratio = speed["tables"] / speed["exact"]
    thousand = {name: value / 1_000 for name, value in speed.items()}
    print(
        f"{depth:5} {'yes' if categories else 'no':>10} {nodes:6.1f} {threads:7} {thousand['exact']:13.2f} "
        f"{thousand['approximate']:11.1f} {thousand['tables']:7.1f} {thousand['checked']:10.1f} {ratio:5.0f}x "
        f"{difference:10.1e} {off:11.2f} {built:5.2f} s {tables.nbytes / 2**20:3.0f} MB",
        flush=True,
    )
    return ratio >= LEAST_RATIO and difference <= TOLERANCE


def _model(depth: int, categories: bool, rows: int) -> tuple[pd.DataFrame, xgb.Booster]:
    """Simulated cases and a booster of exactly TREES trees, trained on earlier ones."""
    generator = np.random.default_rng(7)
    count = TRAINING_ROWS + rows
    numbers = generator.normal(size=(count, FEATURES)).astype(np.float32)
    numbers[generator.random(numbers.shape) < 0.02] = np.nan
    whole = np.nan_to_num(numbers)
    margin = whole[:, :12].sum(axis=1) + whole[:, 0] * whole[:, 8] - 1.0
    cases = pd.DataFrame(numbers, columns=[f"feature_{place}" for place in range(FEATURES)])
    if categories:
        for place, levels in enumerate(LEVELS):
            codes = generator.integers(0, levels, count)
            margin += generator.normal(size=levels)[codes] - whole[:, place]
            kind = pd.CategoricalDtype([f"level {code}" for code in range(levels)])
            cases[f"feature_{place}"] = pd.Categorical.from_codes(codes, dtype=kind)
    bad = generator.random(count) < 1 / (1 + np.exp(-margin))
    told = {
        "objective": "binary:logistic", "max_depth": depth, "eta": 0.1, "min_child_weight": 5,
        "tree_method": "hist", "seed": 7,
    }  # fmt: skip
    data = xgb.QuantileDMatrix(cases[:TRAINING_ROWS], bad[:TRAINING_ROWS], enable_categorical=True)
    booster = xgb.train(told, data, num_boost_round=TREES)
    return cases[TRAINING_ROWS:].reset_index(drop=True), booster


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--compared", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    sys.exit(main(asked.rows, asked.compared, asked.rounds))
