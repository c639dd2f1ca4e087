"""A promotion waits in a real Prefect server: who lets it go on, and on whose word does it promote?"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.orchestration.approvals import waits_for
from tests.flows.commands.live_home import LiveHome
from tests.integration.prefect_server import ROOT, get, post, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Waiting:
    """A home with a proposal of a policy without a model, and a server that runs may wait in."""

    server: str
    environment: dict[str, str]
    folder: Path
    home: LiveHome
    policy_id: str

    def ratchet(self, *arguments: str, by: str = "ana") -> subprocess.CompletedProcess[str]:
        """A command as a person gives it, who has the server's address."""
        token = {"RATCHET_ACTOR": by, "RATCHET_TOKEN": self.home.tokens[by]}
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            env={**self.environment, **token},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, name: str) -> subprocess.Popen[str]:
        """`promote_boundary` in a process of its own, its log in `name`."""
        code = (
            "from flows.promote_boundary import promote_boundary as flow; "
            f"flow.with_options(flow_run_name={name!r})('ato', {self.policy_id[:12]!r}, 0.1)"
        )
        with (self.folder / name).open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, name: str) -> dict[str, Any]:
        (found,) = post(
            self.server, "/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}}
        ) or [{"state_type": "NONE", "tags": []}]
        return dict(found)

    def paused(self, name: str) -> dict[str, Any]:
        wait_for(lambda: self.run(name)["state_type"] == "PAUSED", 120)
        return self.run(name)

    def ended(self, name: str, process: subprocess.Popen[str]) -> str:
        """The run's last state and, where it failed, why."""
        process.wait(120)
        run = self.run(name)
        return f"{run['state_type']}: {run['state']['message']}"

    def input_of(self, run: dict[str, Any], key: str) -> str:
        """What the paused run put above and into its form."""
        name = run["state"]["state_details"]["run_input_keyset"][key]
        return str(get(self.server, f"/flow_runs/{run['id']}/input/{name}"))

    def kinds(self) -> list[str]:
        told = json.loads(self.ratchet("history", "ato", "--json").stdout)
        return [entry["kind"] for entry in told["entries"]]


@pytest.fixture
def waiting(prefect_server: str, prefect_environment: dict[str, str], tmp_path: Path) -> Waiting:
    home = LiveHome(tmp_path / "home")
    home.people()
    return Waiting(
        server=prefect_server,
        environment={**prefect_environment, "RATCHET_HOME": str(home.home)},
        folder=tmp_path,
        home=home,
        policy_id=home.proposal_without_a_model("ato"),
    )


def test_an_approval_by_a_proven_name_lets_the_waiting_run_go_on(waiting: Waiting) -> None:
    """The dossier stands above the form; the run promotes in the flow's name; a run that starts with
    the approval in the ledger does not pause."""
    process = waiting.start("waits")
    run = waiting.paused("waits")
    assert waits_for(waiting.policy_id) in run["tags"]
    dossier = waiting.input_of(run, "description")
    assert dossier.startswith(f"# ato: policy {waiting.policy_id[:12]}")
    assert "Digest that an approval binds to: " in dossier
    schema = waiting.input_of(run, "schema")
    assert "leave it" in schema
    assert "go on" in schema

    stranger = waiting.ratchet("approve", "--yes", waiting.policy_id[:12], by="ola")
    assert stranger.returncode == 3
    assert waiting.run("waits")["state_type"] == "PAUSED"
    approved = waiting.ratchet("approve", "--yes", waiting.policy_id[:12])
    assert approved.returncode == 0, approved.stderr
    assert approved.stderr == "ratchet: the flow run waits goes on.\n"
    assert waiting.ended("waits", process).startswith("COMPLETED")
    assert waiting.kinds() == ["proposed", "approved", "promoted"]
    (live,) = json.loads(waiting.ratchet("history", "ato", "--json").stdout)["live"]
    assert (live["made_live_by"], live["approved_by"]) == ("promote_boundary", ["ana"])


def test_going_on_in_prefects_own_form_promotes_nothing_unapproved(waiting: Waiting) -> None:
    """The run fails with the ledger's reason. Left as it is, it fails as well; both kept nothing
    but refusals."""
    for name, decision, said in [
        ("goes", "go on", "has no approval that is still in force"),
        ("left", "leave it", "it was left as it is; nothing was promoted"),
    ]:
        process = waiting.start(name)
        run = waiting.paused(name)
        wait_for(partial(_resumed, waiting, run, decision), 30)
        ended = waiting.ended(name, process)
        assert ended.startswith("FAILED")
        assert said in ended
    assert waiting.kinds() == ["proposed"]


def test_an_approval_in_the_ledger_is_not_waited_for(waiting: Waiting) -> None:
    """It stands there since before the run."""
    approved = waiting.ratchet("approve", "--yes", waiting.policy_id[:12])
    assert (approved.returncode, approved.stderr) == (0, "")
    process = waiting.start("at once")
    assert waiting.ended("at once", process).startswith("COMPLETED")
    assert "PAUSED" not in _states(waiting, "at once")
    assert waiting.kinds() == ["proposed", "approved", "promoted"]


def test_an_approval_while_the_run_is_about_to_pause_is_not_missed(waiting: Waiting) -> None:
    """Given as soon as the run is known by its tag, paused or not."""
    process = waiting.start("soon")
    wait_for(lambda: waits_for(waiting.policy_id) in waiting.run("soon")["tags"], 120)
    approved = waiting.ratchet("approve", "--yes", waiting.policy_id[:12])
    assert approved.returncode == 0, approved.stderr
    assert waiting.ended("soon", process).startswith("COMPLETED")
    assert waiting.kinds() == ["proposed", "approved", "promoted"]


def _resumed(waiting: Waiting, run: dict[str, Any], decision: str) -> bool:
    """As Prefect's form does; it is refused until the paused run has stored the form."""
    body = {"run_input": {"decision": decision, "note": ""}}
    said = post(waiting.server, f"/flow_runs/{run['id']}/resume", body)
    return bool(said["status"] == "ACCEPT")


def _states(waiting: Waiting, name: str) -> list[str]:
    run = waiting.run(name)["id"]
    return [one["type"] for one in get(waiting.server, "/flow_run_states/", flow_run_id=run)]
