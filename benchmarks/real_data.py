"""The loop over the two shared outcome tables, at a promise of false omission and at one of recall.

Cards and insurance claims are walked as their source files say (audit 5 %), once with their own
false-omission promise and once with recall 99 %. Each row is a whole `ratchet backtest` in a process
of its own, compared with the truth that the loop did not see; "tuned once" is the first model for
ever, with the boundary that kept the same promises on its own later slice.

Usage: python -m benchmarks.real_data [--only NAME ...] [--results FOLDER] [--table]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

SOURCES = Path("configs/sources")
RESULTS = Path("benchmarks/results/real_data")
RUNS: dict[str, tuple[str, dict[str, float] | None]] = {
    "cards, false omission": ("card_transactions", None),
    "cards, recall": ("card_transactions", {"precision": 0.95, "recall": 0.99}),
    "claims, false omission": ("insurance_claims", None),
    "claims, recall": ("insurance_claims", {"precision": 0.95, "recall": 0.99}),
}
_RISKS = {
    "precision": "true_precision",
    "recall": "true_recall",
    "false_omission_rate": "true_false_omission",
}


def run(name: str) -> dict[str, Any]:
    """Walk one source to its end in a process of its own; its figures as plain values."""
    source, targets = RUNS[name]
    document = yaml.safe_load((SOURCES / f"{source}.yaml").read_text(encoding="utf-8"))
    document["targets"] = targets or document["targets"]
    with tempfile.TemporaryDirectory() as folder:
        file, told = Path(folder) / f"{source}.yaml", Path(folder) / "told.json"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        began = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("ratchet"), "backtest", file, "--json", told],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        result = json.loads(told.read_text(encoding="utf-8"))
    return {
        "run": name,
        "targets": document["targets"],
        "audit_rate": document["audit_rate"],
        "seconds": round(time.perf_counter() - began, 1),
        "summary": result["summary"],
    }


def table(results: list[dict[str, Any]]) -> str:
    """One row a run, in Markdown."""
    lines = [
        "| run | promised | automated | of the oracle's | boundaries | in violation | labels | "
        "tuned once automates | and breaks |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        told, tuned = one["summary"], one["summary"]["reference"]["tuned_once"]
        lines.append(
            f"| {one['run']} | {_promise(one['targets'])} | {told['automation_rate']:.1%} | "
            f"{_share(told['share_of_oracle'])} | {told['boundaries_promoted']} | "
            f"{told['boundaries_in_violation']} | {told['labels_used']:,} of {told['cases'] + told['warm_up_cases']:,} | "
            f"{tuned['automation_rate']:.1%} | {_broken(tuned, one['targets'])} |"
        )
    return "\n".join(lines)


def _promise(targets: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in targets.items())


def _broken(figures: dict[str, Any], targets: dict[str, float]) -> str:
    """Promises that a reference's true figures miss."""
    missed = []
    for name, limit in targets.items():
        value = figures.get(_RISKS.get(name, ""))
        if value is None:
            continue
        if value > limit if name == "false_omission_rate" else value < limit:
            missed.append(f"{name.replace('_', ' ')} {value:.4g}")
    return ", ".join(missed) or "nothing"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(RUNS), help="one run of the four")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    asked = parser.parse_args(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    for name in asked.only or RUNS:
        file = asked.results / f"{name.replace(', ', '-').replace(' ', '-')}.json"
        if not asked.table:
            print(f"{name} ...", file=sys.stderr, flush=True)
            file.write_text(json.dumps(run(name), indent=1) + "\n", encoding="utf-8")
    found = [json.loads(file.read_text(encoding="utf-8")) for file in asked.results.glob("*.json")]
    order = list(RUNS)
    print(table(sorted(found, key=lambda one: order.index(one["run"]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
