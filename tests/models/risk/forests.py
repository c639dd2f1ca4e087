"""Random cases and boosters for tests of contributions: categories, gaps, ties and idle features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xgboost as xgb

LEVELS = {"colour": 3, "city": 40}


def random_cases(rows: int, seed: int) -> pd.DataFrame:
    """Encoded cases: numbers with gaps, a coarse one with ties, a copy, a constant, two categories."""
    generator = np.random.default_rng(seed)
    first = generator.normal(size=rows)
    columns: dict[str, object] = {
        "first": np.where(generator.random(rows) < 0.15, np.nan, first),
        "coarse": generator.integers(0, 4, rows),
        "copy": first,
        "copy_again": first,
        "constant": np.ones(rows),
        "flag": generator.random(rows) < 0.3,
    }
    frame = pd.DataFrame(columns).astype(np.float32)
    for name, count in LEVELS.items():
        codes = generator.integers(0, count, rows)
        codes[generator.random(rows) < 0.1] = -1
        kind = pd.CategoricalDtype([f"{name} {number}" for number in range(count)])
        frame[name] = pd.Categorical.from_codes(codes, dtype=kind)
    return frame


def random_booster(
    cases: pd.DataFrame, seed: int, rounds: int = 12, **parameters: object
) -> xgb.Booster:
    """Trees that use categories as sets and one by one, and send gaps either way."""
    generator = np.random.default_rng([seed, 1])
    signal = cases["copy"] * np.where(cases["flag"] > 0, 1.5, -0.5) + 0.4 * cases["coarse"]
    signal += 2.0 * (cases["first"].isna() & (cases["coarse"] > 1)) - cases["first"].isna()
    signal += cases["city"].cat.codes % 3 - (cases["colour"].cat.codes == 1)
    bad = generator.random(len(cases)) < 1 / (1 + np.exp(-(signal - 1.0)))
    told = {
        "objective": "binary:logistic", "eta": 0.3, "min_child_weight": 1, "nthread": 1,
        "seed": seed, "tree_method": "hist", "colsample_bynode": 0.7, **parameters,
    }  # fmt: skip
    data = xgb.DMatrix(cases, bad, enable_categorical=True)
    return xgb.train(told, data, num_boost_round=rounds)
