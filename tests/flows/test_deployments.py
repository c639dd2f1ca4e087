"""Does prefect.yaml name flows that exist, with parameters that they have?"""

from __future__ import annotations

import importlib
import inspect
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

from flows.nightly_calibration import nightly_calibration

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS: list[dict[str, Any]] = DOCUMENT["deployments"]
FLOWS = [path for path in (ROOT / "flows").glob("*.py") if "@flow" in path.read_text("utf-8")]
NEVER_DEPLOYED = {"demo"}
"""A demo is a command's own run, in a home of its own."""


def flow_of(deployment: dict[str, Any]) -> Any:
    file, function = deployment["entrypoint"].split(":")
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    return getattr(module, function)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["entrypoint"])
def test_an_entrypoint_is_a_flow_and_its_parameters_are_the_flows(
    deployment: dict[str, Any],
) -> None:
    """Set in the deployment or by a trigger; and each stands in the flow's own docstring, which is
    what Prefect's form shows."""
    found = flow_of(deployment)
    assert isinstance(found, Flow)
    assert Path(deployment["entrypoint"].split(":")[0]).stem == found.name
    parameters = inspect.signature(found.fn).parameters
    triggers = deployment.get("triggers", [])
    given = [deployment.get("parameters", {}), *(one.get("parameters", {}) for one in triggers)]
    for names in given:
        assert set(names) <= set(parameters)
    for trigger in triggers:
        required = {name for name, one in parameters.items() if one.default is one.empty}
        assert required <= set(trigger["parameters"])
    if deployment.get("schedules") and not deployment.get("parameters"):
        assert all(one.default is not one.empty for one in parameters.values())
    described = inspect.getdoc(found.fn) or ""
    assert all(f"    {name}:" in described for name in parameters)


def test_every_flow_is_deployed_once() -> None:
    """A flow that nobody can start from Prefect is a flow that was forgotten."""
    deployed = [one["entrypoint"].split(":")[0] for one in DEPLOYMENTS]
    assert len(deployed) == len(set(deployed))
    here = {f"flows/{path.name}" for path in FLOWS if path.stem not in NEVER_DEPLOYED}
    assert here == set(deployed)


def test_what_starts_by_itself_never_overlaps_itself() -> None:
    """By a schedule in UTC with a slug (so that deploying again changes it), or by an event."""
    started = {one["entrypoint"].split(":")[1]: one for one in DEPLOYMENTS
               if one.get("schedules") or one.get("triggers")}  # fmt: skip
    assert set(started) == {
        "nightly_calibration", "decide_cases", "validate_ab", "reconcile", "retrain",
    }  # fmt: skip
    for deployment in started.values():
        assert deployment["concurrency_limit"] == 1
        for schedule in deployment.get("schedules", []):
            assert (schedule["timezone"], schedule["active"]) == ("UTC", True)
            assert schedule["slug"]


def test_prefect_can_read_what_a_night_is_given() -> None:
    """Annotations are looked up where the flow was defined, also behind a decorator."""
    given = nightly_calibration.validate_parameters({"as_of": "2026-01-01T02:00:00Z"})
    assert given == {"as_of": datetime(2026, 1, 1, 2, tzinfo=UTC), "profile": None}
    assert nightly_calibration.validate_parameters({}) == {"as_of": None, "profile": None}
