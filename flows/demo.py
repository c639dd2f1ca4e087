"""Show the whole loop on a simulated exchange with known truth."""

from __future__ import annotations

import time
from pathlib import Path

from prefect import flow

from configs.settings import load_settings
from flows.orchestration.artifacts import publish
from flows.orchestration.tasks import run
from flows.verbs.walk.file import Concluded, walk_through
from flows.verbs.walk.open_walk import new_home, open_demo


@flow(name="demo", persist_result=False)
def demo(
    nights: int | None = None, home: str | None = None, profile: str | None = None
) -> Concluded:
    """Simulated nights: cases, decisions, reviews, contracts, certificates, promotions, the truth; what
    happens on them is planted and planned in `demo` of the settings (`flows.verbs.walk.stand_ins`).

    Args:
        nights: how many; empty: `demo.nights` of the settings.
        home: where everything is written; empty: a new folder below RATCHET_HOME/backtests.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    began = time.monotonic()
    settings = load_settings(profile)
    opened = run(
        open_demo,
        settings,
        nights or settings.demo.nights,
        Path(home) if home else new_home("demo"),
    )
    concluded = walk_through(opened, began, "simulated nights", run=run)
    publish("demo", concluded.verdict, concluded.table)
    return concluded
