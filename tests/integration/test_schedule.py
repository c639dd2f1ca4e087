"""prefect.yaml really deploys, and its cron really creates nights that run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.prefect_server import (
    ROOT,
    finished,
    post,
    run_prefect,
    runs_of,
    wait_for,
    working,
)
from tests.live_sources import write_live_sources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_deploy_all_creates_every_deployment_once(
    prefect_deployments: list[dict[str, Any]],
) -> None:
    """As many deployments as prefect.yaml lists, each in the work pool."""
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    entrypoints = sorted(one["entrypoint"] for one in listed)
    assert sorted(one["entrypoint"] for one in prefect_deployments) == entrypoints
    assert {one["work_pool_name"] for one in prefect_deployments} == {"ratchet"}


def test_the_nightly_cron_creates_runs_at_two_in_utc(
    prefect_server: str, prefect_deployments: list[dict[str, Any]]
) -> None:
    """SQLAlchemy 2.1 silently creates none; deploying twice must not double them."""
    nightly = next(one for one in prefect_deployments if one["name"] == "nightly")
    wait_for(lambda: len(runs_of(prefect_server, nightly["id"])) > 0, 120)
    slots = [run["expected_start_time"] for run in runs_of(prefect_server, nightly["id"])]
    assert len(slots) == len(set(slots))
    assert {slot[11:16] for slot in slots} == {"02:00"}


def test_a_cron_run_completes_and_its_dossier_counts_the_rows_it_admitted(
    prefect_server: str,
    prefect_deployments: list[dict[str, Any]],
    prefect_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """The same deployment on a cron of every minute: created, picked up, run, filed."""
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    often = next(one for one in document["deployments"] if one["name"] == "nightly")
    often["name"] = "every-minute"  # the night at two stays as it is for the other tests
    often["schedules"][0]["cron"] = "* * * * *"
    document["deployments"] = [often]
    file = tmp_path / "often.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    environment = {
        **prefect_environment,
        **write_live_sources(tmp_path / "upstream"),
        "RATCHET_HOME": str(tmp_path / "ratchet"),
    }
    run_prefect(environment, "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    named = {"deployments": {"name": {"any_": ["every-minute"]}}}
    (deployed,) = post(prefect_server, "/deployments/filter", named)
    try:
        with working(environment, tmp_path) as log:
            wait_for(lambda: len(finished(prefect_server, deployed["id"])) > 0, 300)
    finally:
        post(prefect_server, f"/deployments/{deployed['id']}/pause_deployment", {})
    run = finished(prefect_server, deployed["id"])[0]
    assert run["state_type"] == "COMPLETED", log.read_text(encoding="utf-8")[-3000:]
    assert run["auto_scheduled"]
    dossiers = sorted((tmp_path / "ratchet" / "live" / "dossiers").glob("*.json"))
    dossier = json.loads(dossiers[0].read_text(encoding="utf-8"))
    assert dossier["rows_admitted"] > 0
    assert {batch["table"] for batch in dossier["batches"]} == {"decisions", "reviews", "outcomes"}
    assert dossier["verdict"] == "Everything was done; nothing is held."
    assert dossier["tickets"] == []
