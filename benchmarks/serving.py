"""How long does one case wait for its answer, in process and over HTTP, its contributions included?

Usage: python -m benchmarks.serving [--cases N] [--rounds N] [--results FILE]

A model of the simulated exchange's account takeovers is exported and served by
`mlflow models serve`. Single cases are asked one after the other by one client over a connection
that stays open, and of the same pinned policy in process; every answer is compared to the bit.
Exits 1 when one differs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import load_settings
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.mlflow.serving_folder import write_serving_folder
from models.boundary.decision.audit import audit_key, audit_purpose
from models.hub import (
    Approve,
    AuditPlan,
    Entry,
    Policy,
    Promote,
    Propose,
    dossier_digest,
    version_of,
)
from models.hub.policies.pinned import PinnedPolicy
from models.risk import TrainingPlan, train
from models.simulation import Exchange
from models.vocabulary import Boundary

CASE_TYPE, SECRET = "ato", "a secret of the benchmark"
START_SECONDS = 120
LEARNT_DAYS, ASKED_DAYS = 30, 10


def main(cases: int, rounds: int, results: Path) -> int:
    pinned, new = _pinned(rounds)
    sent = records(new[:cases])
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "served"
        started = time.perf_counter()
        ledger = ledger_of(pinned.policy, Path(home) / "ledger", datetime.now(UTC))
        write_serving_folder(folder, pinned, SECRET, ledger.head(), datetime.now(UTC))
        exported = time.perf_counter() - started
        started = time.perf_counter()
        with running_server(folder, SECRET, Path(home), f"sqlite:///{ledger.file}") as port:
            ready = time.perf_counter() - started
            over_http, told = _over_http(port, sent)
    in_process, own, here = _in_process(pinned, sent)
    scored_only = _decisions_only(pinned, sent)
    same = without_stamp(told) == without_stamp(here)
    trees = pinned.model.booster.num_boosted_rounds()
    rows = {
        "decision alone, in process": scored_only,
        "answer, in process": in_process,
        "the same, processor time": own,
        "answer, over HTTP": over_http,
    }
    figures: dict[str, Any] = {
        "simulated": True, "cases": len(sent), "trees": trees,
        "busy_processors": round(os.getloadavg()[0], 1), "processors": os.cpu_count(),
        "features": len(pinned.model.features), "same_bits": same,
        "export_seconds": round(exported, 2), "ready_seconds": round(ready, 2),
        "milliseconds": {name: _percentiles(each) for name, each in rows.items()},
    }  # fmt: skip
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(
        f"{len(sent):,} simulated cases one at a time; {trees} trees, {figures['features']} features; "
        f"exported in {exported:.1f} s, ready to answer after {ready:.1f} s.\n"
    )
    print(f"{'in milliseconds':<28} {'p50':>7} {'p90':>7} {'p99':>7}")
    for name, told_of in figures["milliseconds"].items():
        print(f"{name:<28} " + " ".join(f"{value:>7.1f}" for value in told_of.values()))
    print(
        f"\nMeasured while {figures['busy_processors']} processes waited for "
        f"{figures['processors']} processors."
    )
    print(f"Every answer the same to the bit: {'yes' if same else 'NO'}.")
    return 0 if same else 1


def ledger_of(policy: Policy, folder: Path, at: datetime) -> Ledger:
    """A ledger of its own below `folder`, open to anybody, in which the policy is live."""
    ledger = Ledger(
        f"sqlite:///{folder / 'ledger.db'}", folder / "ledger.head", enrolled_only=False
    )
    make_live(ledger, policy, at)
    return ledger


def make_live(ledger: Ledger, policy: Policy, at: datetime) -> None:
    """Proposed by one, approved by another, promoted."""
    name, evidence = policy.case_type, "e" * 64

    def submitted(command: type, **said: object) -> Entry:
        base = version_of(ledger.history(), name)
        entry = ledger.submit(command(case_type=name, base_version=base, **said), at)
        if not isinstance(entry, Entry):
            raise SystemExit(f"the ledger refused: {entry.reason}")
        return entry

    proposal = submitted(
        Propose, policy=policy, actor="ana", evidence_digest=evidence, evidence_since=at,
        evidence_until=at,
    )  # fmt: skip
    submitted(
        Approve, proposal_policy_id=policy.policy_id, actor="ben", evidence_digest=evidence,
        dossier_digest=dossier_digest(proposal),
    )  # fmt: skip
    submitted(Promote, policy_id=policy.policy_id, actor="ana")


@contextmanager
def running_server(folder: Path, secret: str, logs: Path, ledger: str) -> Iterator[int]:
    """`mlflow models serve` on a free port of this machine, and nothing left of it afterwards.

    Raises:
        RuntimeError: it ended, or did not answer in time; with its log.
    """
    port, log = _free_port(), logs / "server.log"
    tools = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = {"RATCHET_AUDIT_KEY": secret, "RATCHET_LEDGER": ledger}
    environment = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", **said}
    command = [
        str(tools / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with log.open("wb") as told:
        server = subprocess.Popen(
            command, cwd=logs, env=environment, stdout=told, stderr=told, start_new_session=True
        )
    try:
        _wait_for(server, port, log)
        yield port
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def ask(connection: http.client.HTTPConnection, content: bytes) -> tuple[int, Any]:
    """The status and the JSON that the server answers with."""
    connection.request(
        "POST", "/invocations", content, headers={"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended:\n{log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer within {START_SECONDS} s:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _pinned(rounds: int) -> tuple[PinnedPolicy, pd.DataFrame]:
    """A policy fitted on simulated cases, and later ones it never saw."""
    case_type = load_settings(env={}).load_case_types()[CASE_TYPE]
    exchange = Exchange(11, cases_per_day={CASE_TYPE: 800})
    cases = exchange.cases(CASE_TYPE, 0, LEARNT_DAYS)
    bad = cases["bad"].to_numpy(dtype=np.bool_)
    plan = TrainingPlan(rounds=rounds, early_stopping_rounds=rounds, seed=1)
    model = train(cases, bad, np.ones(len(cases)), case_type.features, plan).model
    low, high = np.quantile(model.score(cases)[0], [0.5, 0.95]).tolist()
    policy = Policy(
        CASE_TYPE, CASE_TYPE, "1", model.digest, AuditPlan(0.1), boundary=Boundary(low, high)
    )
    key = audit_key(SECRET, audit_purpose(CASE_TYPE))
    new = exchange.cases(CASE_TYPE, LEARNT_DAYS, ASKED_DAYS)
    known = new.drop(columns=["bad", "true_logit", "matures_at"]).reset_index(drop=True)
    return PinnedPolicy(policy, model, case_type.costs, key), known


def records(cases: pd.DataFrame) -> list[dict[str, Any]]:
    """As a client writes them: missing is null, stamps are text."""
    written = cases.to_json(orient="records", date_format="iso", double_precision=15)
    read: list[dict[str, Any]] = json.loads(written)
    return read


def _over_http(port: int, sent: list[dict[str, Any]]) -> tuple[list[float], list[dict[str, Any]]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    asked = [json.dumps({"dataframe_records": [one]}).encode() for one in sent]
    ask(connection, asked[0])
    seconds, told = [], []
    for content in asked:
        started = time.perf_counter()
        _, answer = ask(connection, content)
        seconds.append(time.perf_counter() - started)
        told.append(answer["predictions"][0])
    connection.close()
    return seconds, told


def _in_process(
    pinned: PinnedPolicy, sent: list[dict[str, Any]]
) -> tuple[list[float], list[float], list[dict[str, Any]]]:
    """Seconds, seconds of the processor (what a busy machine does not stretch), and answers."""
    now = datetime.now(UTC)
    pinned.answers(pd.DataFrame(sent[:1]), now)
    seconds, own, told = [], [], []
    for one in sent:
        started, began = time.perf_counter(), time.process_time()
        answer = pinned.answers(pd.DataFrame([one]), now)
        seconds.append(time.perf_counter() - started)
        own.append(time.process_time() - began)
        told.append(answer[0])
    return seconds, own, told


def _decisions_only(pinned: PinnedPolicy, sent: list[dict[str, Any]]) -> list[float]:
    now = datetime.now(UTC)
    seconds = []
    for one in sent:
        started = time.perf_counter()
        pinned.decisions(pd.DataFrame([one]), now)
        seconds.append(time.perf_counter() - started)
    return seconds


def _percentiles(seconds: list[float]) -> dict[str, float]:
    found = np.quantile(seconds, [0.5, 0.9, 0.99]) * 1e3
    return dict(zip(("p50", "p90", "p99"), np.round(found, 2).tolist(), strict=True))


def without_stamp(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything but when it was answered."""
    return [{name: each[name] for name in each if name != "decided_at"} for each in answers]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=200, help="trees of the model")
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results" / "serving.json"
    )
    options = parser.parse_args()
    sys.exit(main(options.cases, options.rounds, options.results))
