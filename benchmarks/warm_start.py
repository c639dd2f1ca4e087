"""A fresh fit or a warm start: which is better, and does the later slice choose the better one?

Simulated. The present model learned from 60 days. Then either nothing changes, or attackers come
half disguised and more often, and stay. After so many further days a retrain fits both candidates;
each is judged on the 21 days that follow, whose truth nobody has used.

Usage: python -m benchmarks.warm_start [--worlds N] [--days N ...] [--jobs N] [--table]
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.selection import judged
from configs.settings import load_settings
from models.risk import RiskModel, TrainingPlan, choose, train
from models.simulation import Burst, Exchange

RESULTS = Path("benchmarks/results/warm_start.jsonl")
PAST_DAYS, LATER_DAYS = 60, 21
FIRST_SEED = 7_300
CASE_TYPES = ("ato", "withdrawal_anomaly")


def one_world(world: tuple[int, str, int, bool]) -> list[dict[str, object]]:
    """Present, fresh, warm and chosen in one world, as plain figures."""
    number, case_type, days, changes = world
    lasting = Burst(case_type, first_day=0, days=days + LATER_DAYS, disguise=0.5)
    exchange = Exchange(FIRST_SEED + number, burst=lasting if changes else None)
    features = load_settings(env={}).load_case_types()[case_type].features
    plan = TrainingPlan(seed=number)
    past = exchange.cases(case_type, -PAST_DAYS, PAST_DAYS)
    present = train(past, past["bad"].to_numpy(), np.ones(len(past)), features, plan).model
    known = pd.concat([past, exchange.cases(case_type, 0, days)], ignore_index=True)
    choice = choose(
        known, known["bad"].to_numpy(), np.ones(len(known)), features, plan, parent=present,
        new_from=len(past),
    )  # fmt: skip
    later = exchange.cases(case_type, days, LATER_DAYS)
    models: dict[str, RiskModel] = {"present": present, "chosen": choice.trained.model}
    models |= {one.name: one.trained.model for one in choice.candidates if one.trained is not None}
    head = {"world": number, "case_type": case_type, "days": days, "changes": changes}
    return [
        {**head, "model": name, "warm": choice.chosen.name == "warm start"}
        | judged(model.score(later)[0], later["bad"].to_numpy())
        for name, model in models.items()
    ]


def table(rows: pd.DataFrame) -> str:
    """Means over worlds; the warm start's difference is within the same world."""
    lines = [
        "| case type | world | days since | present | fresh fit | warm start | warm less fresh | "
        "chosen | warm start chosen |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (case_type, changes, days), group in rows.groupby(["case_type", "changes", "days"]):
        loss = group.pivot_table(index="world", columns="model", values="log_loss")
        less = loss["warm start"] - loss["fresh fit"]
        cells = [f"{loss[name].mean():.4f}" for name in ("present", "fresh fit", "warm start")]
        error = less.std(ddof=1) / np.sqrt(len(less)) if len(less) > 1 else np.nan
        cells += [f"{less.mean():+.5f} ± {error:.5f}", f"{loss['chosen'].mean():.4f}"]
        cells += [f"{group.groupby('world')['warm'].first().mean():.2f}"]
        world = "changed" if changes else "unchanged"
        lines.append(f"| {case_type} | {world} | {days} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=4, help="seeds a row of the table")
    parser.add_argument("--days", type=int, nargs="+", default=[14, 42])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    asked = parser.parse_args(arguments)
    if not asked.table:
        worlds = list(product(range(asked.worlds), CASE_TYPES, asked.days, (False, True)))
        with ProcessPoolExecutor(asked.jobs) as running:
            found = [row for rows in running.map(one_world, worlds) for row in rows]
        asked.results.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in found)
        asked.results.write_text(text, encoding="utf-8")
    print("Simulated. Log loss on the following days.\n")
    print(table(pd.read_json(asked.results, lines=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
