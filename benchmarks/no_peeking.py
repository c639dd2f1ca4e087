"""Does a backtest depend on any truth it was not shown?

Runs `ratchet backtest` on a source, flips the truth of every case it did not observe in a copy of
the history, runs again, and compares every decision, boundary and model.
Usage: python benchmarks/no_peeking.py SOURCE.yaml
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from configs.sources import load_source
from flows.adapters.tables.sources import read_source

COMPARED = ("step", "case_type", "policy_id", "model_version", "verdict", "promoted",
            "pass_at_or_below", "block_at_or_above", "auto_passed", "auto_blocked", "audited")  # fmt: skip


def main(source: Path) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = _backtest(source, folder / "first")
        history = read_source(load_source(source))
        hidden = ~history["case_id"].isin(first["observed"]["case_id"]) & history["bad"].notna()
        flipped = history.assign(
            bad=history["bad"].where(~hidden, 1 - history["bad"].astype(float))
        )
        second = _backtest(_copy(source, flipped, folder), folder / "second")
    print(
        f"{len(history):,} cases, {hidden.sum():,} of them unobserved ({hidden.mean():.1%}) and flipped"
    )
    same = {
        "every decision (score, action, draw, policy)": first["decisions"].equals(
            second["decisions"]
        ),
        "every verdict, boundary, model and policy id": first["steps"] == second["steps"],
        "the list of observed cases": first["observed"].equals(second["observed"]),
    }
    for what, equal in same.items():
        print(f"{what:46} {'identical' if equal else 'DIFFERENT'}")
    return 0 if all(same.values()) and hidden.any() else 1


def _backtest(source: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    told, shown = folder / "result.json", folder / "observed.parquet"
    ratchet = Path(sys.executable).parent / "ratchet"
    command = [ratchet, "backtest", source, "--json", told, "--observed", shown]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    home = next(line for line in printed.splitlines() if line.startswith("Every decision:"))
    steps = json.loads(told.read_text(encoding="utf-8"))["steps"]
    return {
        "observed": pd.read_parquet(shown),
        "decisions": pd.read_parquet(home.split(":", 1)[1].strip()),
        "steps": [[step[key] for key in COMPARED] for step in steps],
    }


def _copy(source: Path, history: pd.DataFrame, folder: Path) -> Path:
    """The same source file over an altered table that bears our column names already."""
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    history.to_parquet(folder / "flipped.parquet", index=False)
    for key in ("url", "query"):
        document.pop(key, None)
    document["path"] = "flipped.parquet"
    document["columns"] = {name: name for name in document["columns"]}
    path = folder / source.name
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
