"""How many cases are decided in a second: given scores, with the model, and stored exactly once?

Usage: python -m benchmarks.decide [--sizes 1000000 10000000] [--stored 1000000] [--results FILE]

Simulated cases of the type `ato` (13 features), a model of at most 300 trees, a live boundary, one
audit in ten. Three works, each in a process of its own for its peak of memory: the pure decision
(`models.boundary.decision.decide`) given scores; score and decide; the whole of `ratchet decide`: a Parquet
file read in pieces, both contracts, contributions, the store and the decisions written to a file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import load_settings
from flows.verbs.decide.decide_file import decide_file
from flows.verbs.services import Services
from models.boundary.decision.audit import audit_key
from models.boundary.decision.decide import DecisionRule, decide
from models.hub import AuditPlan, Policy
from models.risk import RiskModel, TrainingPlan, train
from models.simulation import Exchange
from models.simulation.exchange import HIDDEN_COLUMNS
from models.vocabulary import Boundary, CaseType

CASE_TYPE = "ato"
START = datetime(2026, 1, 5, tzinfo=UTC)
TRAINING_DAYS = 30
DRAWN = 200_000
Times = tuple[float, float]
"""Seconds on the clock and of the processor, all threads; on a busy machine only these compare."""
Work = Callable[[int], Times]
RESULTS = Path("benchmarks/results/decide/decide.jsonl")


def main(sizes: list[int], stored: list[int], results: Path) -> int:
    works: list[tuple[str, Work, list[int]]] = [
        ("decide, given scores", given_scores, sizes),
        ("score and decide", with_model, sizes),
        ("ratchet decide, stored", whole, stored),
    ]
    print(
        f"{'simulated cases':<24} {'rows':>11} {'seconds':>8} {'CPU s':>7} {'cases/CPU s':>11} {'peak MiB':>9}"
    )
    lines = []
    for name, work, asked in works:
        for rows in asked:
            (seconds, cpu), mebibytes = _in_its_own_process(work, rows)
            told = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}
            lines.append({"work": name, "rows": rows, **told, "peak_mib": mebibytes})
            print(
                f"{name:<24} {rows:>11,} {seconds:>8.1f} {cpu:>7.1f} {rows / cpu:>11,.0f} {mebibytes:>9,}",
                flush=True,
            )
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return 0


def given_scores(rows: int) -> Times:
    """Seconds of the pure decision."""
    kind, cases = _kind(), _cases(rows)
    scores = np.random.default_rng(1).beta(0.3, 4.0, rows)
    reason, rule = np.full(rows, "", dtype="U24"), _rule(kind)
    began = _clocks()
    decide(cases, scores, reason, rule)
    return _since(began)


def with_model(rows: int) -> Times:
    """Seconds of the model's scores and the decision."""
    kind, cases, model = _kind(), _cases(rows), _model()
    began = _clocks()
    scores, reason = model.score(cases)
    decide(cases, scores, reason, _rule(kind))
    return _since(began)


def whole(rows: int) -> Times:
    """Seconds from a file of cases to stored decisions and a file of them."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        services = _live_desk(home)
        file = home / "cases.parquet"
        _cases(rows).to_parquet(file, row_group_size=DRAWN)
        began = _clocks()
        told = decide_file(
            services, file, CASE_TYPE, home / "out.parquet", START + timedelta(days=999)
        )
        times = _since(began)
        assert (told.decided, told.refused) == (rows, 0)
        automatic = 1 - told.actions["escalate"] / rows
        print(f"  {automatic:.1%} automatic, {told.audited:,} audited", file=sys.stderr)
    return times


def _in_its_own_process(work: Work, rows: int) -> tuple[Times, int]:
    context = multiprocessing.get_context("spawn")
    answers: Any = context.Queue()
    process = context.Process(target=_measured, args=(work, rows, answers))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"the work on {rows:,} rows failed; its traceback stands above")
    told: tuple[Times, int] = answers.get()
    return told


def _measured(work: Work, rows: int, answers: Any) -> None:
    times = work(rows)
    answers.put((times, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def _clocks() -> Times:
    return time.perf_counter(), time.process_time()


def _since(began: Times) -> Times:
    now = _clocks()
    return now[0] - began[0], now[1] - began[1]


def _kind() -> CaseType:
    return load_settings(env={}).load_case_types()[CASE_TYPE]


def _rule(kind: CaseType) -> DecisionRule:
    return DecisionRule(
        boundary=_boundary(), audit_rate=0.1, key=audit_key("simulated", CASE_TYPE),
        costs=kind.costs, senior_patterns=kind.senior_patterns,
    )  # fmt: skip


def _boundary() -> Boundary:
    return Boundary(0.02, 0.9)


def _cases(rows: int) -> pd.DataFrame:
    """Drawn once and repeated under new ids: drawing is not what is measured."""
    exchange = Exchange(11, cases_per_day={CASE_TYPE: DRAWN // 10}, start=START, burst=None)
    drawn = exchange.cases(CASE_TYPE, TRAINING_DAYS, 11).drop(columns=list(HIDDEN_COLUMNS))
    drawn = drawn.head(min(rows, DRAWN))
    whole = pd.concat([drawn] * -(-rows // len(drawn)), ignore_index=True).head(rows)
    return whole.assign(case_id=[f"ato-{number:010d}" for number in range(rows)])


def _model() -> RiskModel:
    exchange = Exchange(11, start=START, burst=None)
    past = exchange.cases(CASE_TYPE, 0, TRAINING_DAYS)
    weights = np.ones(len(past))
    return train(past, past["bad"].to_numpy(), weights, _kind().features, TrainingPlan()).model


def _live_desk(home: Path) -> Services:
    """A home in which the model is registered and a boundary is live."""
    from flows.verbs.govern.promote import approve_and_promote
    from models.hub import Propose

    settings = load_settings(env={})
    services = Services.at(home / "live", settings, {CASE_TYPE: _kind()}, seed=1)
    model = _model()
    with services.registry.run("benchmark", "decide", "simulated"):
        registered = services.registry.add_version(CASE_TYPE, model)
    policy = Policy(
        case_type=CASE_TYPE, model_name=CASE_TYPE, model_version=registered.version,
        model_digest=registered.digest, audit=AuditPlan(0.1), boundary=_boundary(),
    )  # fmt: skip
    proposal = Propose(
        case_type=CASE_TYPE, policy=policy, actor="nightly_calibration", base_version=0,
        evidence_digest="0" * 64,
    )  # fmt: skip
    services.ledger.submit(proposal, START)
    approve_and_promote(services, CASE_TYPE, policy.policy_id, "simulated", START)
    return services


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--stored", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    sys.exit(main(given.sizes, given.stored, given.results))
