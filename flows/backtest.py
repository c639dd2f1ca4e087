"""Walk a history night by night: what would the loop have decided, proven and got wrong?"""

from __future__ import annotations

import time
from pathlib import Path

from prefect import flow

from configs.settings import load_settings
from flows.orchestration.artifacts import publish
from flows.orchestration.tasks import run
from flows.verbs.walk.file import Concluded, walk_through
from flows.verbs.walk.open_walk import new_home, open_backtest


@flow(name="backtest", persist_result=False, validate_parameters=False)
def backtest(
    source: str,
    home: str | None = None,
    profile: str | None = None,
    json_file: str | None = None,
    report: str | None = None,
    observed: str | None = None,
) -> Concluded:
    """Run the whole loop over a source file of kind `history`; nothing live is touched.

    Args:
        source: the source file, for example configs/sources/card_transactions.yaml.
        home: where everything is written; empty: a new folder below RATCHET_HOME/backtests.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
        json_file: where to write the figures too; everything stands in the backtest's own home.
        report: where to write the page too.
        observed: where to write the truth that the loop was shown too.
    """
    began = time.monotonic()
    settings = load_settings(profile)
    opened = run(
        open_backtest, settings, Path(source), Path(home) if home else new_home(Path(source).stem)
    )
    written = {"json_file": json_file, "report": report, "observed": observed}
    paths = {name: Path(path) if path else None for name, path in written.items()}
    concluded = walk_through(opened, began, "nights", run=run, **paths)
    publish("backtest", concluded.verdict, concluded.table)
    return concluded
