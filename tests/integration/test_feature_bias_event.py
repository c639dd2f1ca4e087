"""A planted bias ends, through a real event, in a challenger that is better."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.prefect_server import ROOT, finished, post, runs_of, wait_for, working
from tests.planted_bias import CASE_TYPE, FEATURE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_finding_that_fires_starts_one_retrain_that_answers_its_ticket(
    prefect_server: str,
    prefect_deployments: list[dict[str, Any]],
    prefect_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """Triage finds what was planted in the trained model (simulated) and the counterfactual supports
    it; the event's payload becomes the run's parameters, and the run's challenger is better on later
    rows. Announced again, nothing is sent; a second run for the same ticket, as a doubled event
    would start it, fits nothing."""
    environment = {**prefect_environment, "RATCHET_HOME": str(tmp_path / "ratchet")}
    retrain = next(one for one in prefect_deployments if "retrain.py" in one["entrypoint"])
    before = {run["id"] for run in runs_of(prefect_server, retrain["id"])}

    told = _output(environment, "-m", "tests.integration.announcing")
    assert told["pattern_id"] in told["sent"][0]
    assert told["sent"][1] == []

    with working(environment, tmp_path) as log:
        wait_for(lambda: len(finished(prefect_server, retrain["id"])) > len(before), 240)
        asked = {
            "case_type": CASE_TYPE,
            "pattern_id": told["pattern_id"],
            "feature": FEATURE,
        }
        # The key: a request that is sent again must not become a third run.
        again = {"parameters": asked, "idempotency_key": f"again-{told['pattern_id']}"}
        post(prefect_server, f"/deployments/{retrain['id']}/create_flow_run", again)
        wait_for(lambda: len(finished(prefect_server, retrain["id"])) > len(before) + 1, 240)
    runs = [one for one in runs_of(prefect_server, retrain["id"]) if one["id"] not in before]
    runs.sort(key=lambda run: run["created"])
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 2, log.read_text()[-3000:]
    assert runs[0]["created_by"]["type"] == "AUTOMATION"
    assert {name: runs[0]["parameters"][name] for name in asked} == asked

    tickets = _output(environment, "-m", "flows.cli", "tickets", "--json")
    (ticket,) = [one for one in tickets if one["pattern_id"] == told["pattern_id"]]
    assert (ticket["status"], ticket["answered_by"]) == ("answered", "2")
    assert ticket["fired_at"] is not None
    assert "by a challenger already; nothing was fitted" in _notes(prefect_server, runs[1])
    assert "The challenger is better" in _notes(prefect_server, runs[0])


def _output(environment: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def _notes(server: str, run: dict[str, Any]) -> str:
    """The markdown that a run left for people."""
    wanted = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    return "\n".join(str(one["data"]) for one in post(server, "/artifacts/filter", wanted))
