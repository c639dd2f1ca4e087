"""Which deployments does an `up` make, and which of their schedules stay off?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configs.errors import UserError
from configs.places import PROJECT
from configs.settings import Settings

_NIGHT = "flows/nightly_calibration.py:nightly_calibration"
_NEEDS = {"flows/decide_cases.py:decide_cases": ("cases", "sources.cases is not configured")}
"""The source without which a scheduled flow has nothing to do, and what is said then. The night runs
without any source, as it guards what is live."""


def deployments(settings: Settings, project: Path = PROJECT) -> tuple[dict[str, Any], list[str]]:
    """The document of prefect.yaml with the schedules that are of no use switched off, and which.

    Returns:
        The document, and a sentence for each schedule that is off.

    Raises:
        UserError: this is no clone, so there are no flow files that a worker could be given.
    """
    file = project / "prefect.yaml"
    if not file.is_file():
        raise UserError(
            f"The deployments stand in prefect.yaml, and {project} has none: Ratchet was installed as a "
            "package. `ratchet up` takes a clone; every other command runs from anywhere."
        )
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    off = []
    for one in document["deployments"]:
        needs = _NEEDS.get(one["entrypoint"])
        if needs is None or getattr(settings.sources, needs[0]):
            continue
        one["schedules"] = [{**each, "active": False} for each in one.get("schedules", [])]
        off.append(f"{one['entrypoint'].split(':')[1]} is off: {needs[1]}")
    return document, off


def night_runs(document: Mapping[str, Any]) -> str:
    """When a document's night runs, as a sentence: at an hour of each day, by another cron, or never."""
    schedules = [
        schedule
        for one in document["deployments"]
        if one["entrypoint"] == _NIGHT
        for schedule in one.get("schedules", [])
        if schedule.get("active", True)
    ]
    if not schedules:
        return "No schedule runs the night: `ratchet night` does."
    told = []
    for schedule in schedules:
        minute, hour, *days = str(schedule["cron"]).split()
        daily = days == ["*", "*", "*"] and minute.isdigit() and hour.isdigit()
        when = f"{int(hour):02d}:{int(minute):02d}" if daily else f'cron "{schedule["cron"]}"'
        told.append(f"{when} {schedule.get('timezone', 'UTC')}")
    return f"The night runs at {' and '.join(told)}."
