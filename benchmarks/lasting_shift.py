"""When the level of bad cases changes for good, does a night stop, and when does the loop learn again?

Usage: python -m benchmarks.lasting_shift [--only claims|shift] [--table] [--check]

Two histories are walked night by night. `claims`: the insurance claims of 1994 and 1995 (public, real)
as their source file says. `shift`: a *simulated* history whose share of bad cases falls from 78 % to
5 % after a month and stays there. Of each night is kept what was done, held and failed, whether a
boundary was live when it began, and what the guard said of it; `shift` also counts the labels of the
new level that may count for a proof.

Raw results: results/lasting_shift/claims.jsonl and shift.jsonl, a line a night. `--table` prints the
table from them; `--check` walks the first weeks of the simulated history again and compares.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

RESULTS = Path(__file__).parent / "results" / "lasting_shift"
CLAIMS = Path("configs/sources/insurance_claims.yaml")
START, DAYS, CASES_A_DAY = datetime(2024, 1, 1, tzinfo=UTC), 90, 200
FALLS_ON, BEFORE, AFTER = 30, 0.78, 0.05
WARM_UP_DAYS, CHECKED_DAYS = 12, 45
SHIFT: dict[str, Any] = {
    "name": "lasting_shift",
    "kind": "history",
    "description": "Simulated: the share of bad cases falls from 78 % to 5 % after a month and stays.",
    "path": "history.parquet",
    "columns": {"case_id": "id", "opened_at": "opened", "bad": "bad", "amount_usd": "amount"},
    "case_type": "simulated_shift",
    "features": ["first", "second", "third"],
    "label_delay_days": 3,
    "warm_up_days": WARM_UP_DAYS,
    "step_days": 1,
    "retrain_days": 14,
    "audit_rate": 0.1,
    "targets": {"precision": 0.9, "false_omission_rate": 0.02},
    "seed": 7,
}


def history(days: int) -> pd.DataFrame:
    """The simulated history: two of its three features tell bad cases apart, before the fall and after."""
    rng = np.random.default_rng([5, 12])
    size = CASES_A_DAY * DAYS
    seconds = np.sort(rng.random(size)) * DAYS * 86_400
    opened = pd.Timestamp(START) + pd.to_timedelta(
        np.round(seconds * 1e6).astype("int64"), unit="us"
    )
    bad = rng.random(size) < np.where(seconds < FALLS_ON * 86_400, BEFORE, AFTER)
    signal = rng.normal(size=(size, 3)) + bad[:, None] * np.array([2.2, 1.2, 0.0])
    rows = pd.DataFrame(
        {
            "id": [f"case-{one:05d}" for one in range(size)],
            "opened": opened,
            "bad": bad,
            "amount": 50.0,
        }
    ).assign(**{name: signal[:, at] for at, name in enumerate(SHIFT["features"])})
    return rows[seconds < days * 86_400]


def walk(
    source: Path, home: Path, counted_since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Walk a history and say of each night what it did; `counted_since`: the labels of cases opened
    since then that may count for a proof are counted, too."""
    from configs.settings import load_settings
    from flows.verbs.certify.generation import current_generation
    from flows.verbs.evidence.truth import evidence_for, load_snapshot
    from flows.verbs.walk.open_walk import open_backtest

    kept = {name: value for name, value in os.environ.items() if not name.startswith("RATCHET_")}
    opened = open_backtest(load_settings(env=kept), source, home)
    walked, (case_type,) = opened.walk, opened.walk.services.case_types
    services = walked.services
    walked.warm_up()
    for step in range(walked.upstream.steps + 1):
        live = services.ledger.live_policy(case_type)
        entries = len(services.ledger.history(case_type))
        if step < walked.upstream.steps:
            walked.night_and_day(step)
        else:
            walked.last_night()
        night = walked.nights[-1]
        as_of = datetime.fromisoformat(night["as_of"])
        line = {
            "night": step + 1,
            "as_of": night["as_of"],
            "live": live is not None and not live.boundary.automates_nothing,
            "results": night.get("results", {}),
            "verdict": [one["verdict"] for one in night["certificates"]],
            "rows": [one["rows"] for one in night["certificates"]],
            "ledger": [
                {"kind": one.kind.value, **{k: one.dossier[k] for k in _TOLD if k in one.dossier}}
                for one in services.ledger.history(case_type)[entries:]
                if one.kind.value.startswith("hold_") or one.kind.value in _MOVES
            ],
        }
        generation = current_generation(services.ledger, services.case_types, case_type)
        if counted_since is not None and generation is not None:
            frame = evidence_for(services, load_snapshot(services, as_of), case_type, generation)
            new = (frame["opened_at"] >= pd.Timestamp(counted_since)) & frame["bad"].notna()
            line["new_labels_that_count"] = int(new.sum())
            line["learned_before"] = generation.learned_before.isoformat()
        yield line


_TOLD = ("table", "rule", "reason", "since", "until", "hold_id")
_MOVES = ("promoted", "narrowed", "rolled_back", "guardrail_tripped", "generation_started",
          "evidence_restarted")  # fmt: skip


def shift(days: int = DAYS) -> Iterator[dict[str, Any]]:
    """The simulated history, from its start to the end of a day."""
    with tempfile.TemporaryDirectory() as folder:
        history(days).to_parquet(Path(folder) / "history.parquet", index=False)
        source = Path(folder) / "lasting_shift.yaml"
        source.write_text(yaml.safe_dump(SHIFT, sort_keys=False), encoding="utf-8")
        since = START + timedelta(days=FALLS_ON)
        for line in walk(source, Path(folder) / "home", since):
            yield {"simulated": True, **line}


def claims() -> Iterator[dict[str, Any]]:
    """The claims as their source file says."""
    with tempfile.TemporaryDirectory() as folder:
        yield from walk(CLAIMS, Path(folder) / "home")


def table(name: str, nights: list[dict[str, Any]]) -> str:
    """One history's nights in figures, and for the simulated one when the loop learned again."""
    lines = [
        "| asked | found |",
        "|---|---|",
        *(f"| {one} | {two} |" for one, two in _asked(nights)),
    ]
    if name == "shift":
        lines += [f"| {one} | {two} |" for one, two in _learning_again(nights)]
    return "\n".join(lines)


def _asked(nights: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    states = [_states(one) for one in nights]
    live = [one for one in nights if one["live"]]
    words = [_guard(one) for one in live]
    done = sum(each == {"done"} for each in states)
    held = sum("held" in each for each in states)
    failed = sum("failed" in each for each in states)
    silent = [
        one["night"] for one, each in zip(nights, states, strict=True) if each - {"done"} and not _why(one)
    ]  # fmt: skip
    yield (
        "nights, and of them all done, with something held, with something failed",
        (f"{len(nights)}: {done}, {held}, {failed}"),
    )
    yield "nights that held or failed at something and do not say so", str(len(silent))
    counted = ", ".join(f"{word}: {words.count(word)}" for word in dict.fromkeys(words))
    yield (
        "nights that began with a live boundary, and the guard's word",
        f"{len(live)}: {counted or '-'}",
    )
    yield "of them not judged", str(sum(word in ("-", "not judged") for word in words))
    holds = [
        (each, one) for one in nights for each in one["ledger"] if each["kind"].startswith("hold_")
    ]
    for each, one in holds:
        told = f"night {one['night']} ({one['as_of'][:10]}): {each.get('reason', '')}"
        yield each["kind"].replace("_", " "), told
    moves = [
        f"{each['kind'].replace('_', ' ')} {one['as_of'][:10]}"
        for one in nights
        for each in one["ledger"]
        if not each["kind"].startswith("hold_")
    ]
    yield "models and boundaries", "; ".join(moves) or "-"


def _learning_again(nights: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """From the first night that saw a label of the new level: the hold, its end, and new labels."""
    fall = (START + timedelta(days=FALLS_ON)).isoformat()
    seen = (START + timedelta(days=FALLS_ON + SHIFT["label_delay_days"])).isoformat()
    first = next((one for one in nights if one["as_of"] > seen), None)
    placed = next((one for one in nights if _has(one, "hold_placed") and one["as_of"] > fall), None)
    ended = next(
        (
            one
            for one in nights
            if placed is not None
            and one["night"] > placed["night"]
            and (_has(one, "hold_released") or _has(one, "hold_bounded"))
        ),
        None,
    )
    counts = next((one for one in nights if one.get("new_labels_that_count", 0) > 0), None)
    learned = next((one for one in nights if one.get("learned_before", "") > fall), None)
    proposed = next(
        (one for one in nights if _has(one, "promoted") and counts and one["night"] >= counts["night"]), None
    )  # fmt: skip
    for what, one in (
        ("the first night that sees labels of the new level", first),
        ("the night the hold is placed", placed),
        ("the night it ends by itself", ended),
        ("the first night whose certificate rests on labels of the new level", counts),
        ("the first night whose model learned from the new level", learned),
        ("the first boundary promoted on labels of the new level", proposed),
    ):
        if one is None:
            yield what, "none"
            continue
        after = (
            ""
            if first is None
            else f", {one['night'] - first['night']} nights after the first such label"
        )
        yield what, f"night {one['night']} ({one['as_of'][:10]}){after}"


def _has(one: dict[str, Any], kind: str) -> bool:
    return any(each["kind"] == kind for each in one["ledger"])


def _guard(one: dict[str, Any]) -> str:
    said = [each.get("guard") for each in one["results"].get("case_types", {}).values()]
    return str(said[0] if said and said[0] else "-")


def _states(one: dict[str, Any]) -> set[str]:
    return {each["state"] for group in one["results"].values() for each in group.values()}


def _why(one: dict[str, Any]) -> list[str]:
    return [
        why for group in one["results"].values() for each in group.values() for why in each["why"]
    ]


HISTORIES = {"claims": claims, "shift": shift}


def check() -> int:
    """Walk the first weeks of the simulated history again; every night must be as committed."""
    again = json.loads(json.dumps(list(shift(CHECKED_DAYS))))[:-1]
    committed = _read(RESULTS / "shift.jsonl")[: len(again)]
    differ = [one["night"] for one, other in zip(again, committed, strict=True) if one != other]
    told = f"DIFFERENT: {differ}" if differ else "identical"
    print(f"lasting shift: {len(again)} nights walked again, {told}.")
    return 1 if differ else 0


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(HISTORIES), help="one of the two")
    parser.add_argument(
        "--table", action="store_true", help="print the tables from the raw results"
    )
    parser.add_argument(
        "--check", action="store_true", help="walk the first weeks again and compare"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    logging.getLogger("ratchet").setLevel(logging.ERROR)
    if asked.check:
        return check()
    asked.results.mkdir(parents=True, exist_ok=True)
    for name in [asked.only] if asked.only else HISTORIES:
        file = asked.results / f"{name}.jsonl"
        if not asked.table:
            with file.open("w", encoding="utf-8") as out:
                for line in HISTORIES[name]():
                    out.write(json.dumps(line) + "\n")
                    out.flush()
        print(f"{name}{' (simulated)' if name == 'shift' else ''}:\n\n{table(name, _read(file))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
