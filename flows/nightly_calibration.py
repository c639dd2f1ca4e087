"""Every night: learn from matured reviews and file boundary proposals (never apply one)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow

from flows.orchestration.artifacts import night_lines, publish_night
from flows.orchestration.events import announce
from flows.orchestration.run_log import tell
from flows.orchestration.run_names import dated
from flows.orchestration.tasks import run
from flows.verbs.house.one_night import one_at_a_time
from flows.verbs.live import (
    close_night,
    live_night,
    night_of,
    open_services,
    refuse_unless_done,
)


@flow(name="nightly_calibration", flow_run_name=dated("night"), persist_result=False)
@one_at_a_time
def nightly_calibration(
    as_of: datetime | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Guard what is live, pull, admit, establish the truth, certify every case type, propose, file
    the dossier, and announce what asks for a retrain (the list is `flows.verbs.night.run_night`).

    What fails, or is held, holds back only what rests on it; the run fails once all else is done.

    Args:
        as_of: the moment the night is for (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = None if as_of is None else night_of(as_of)
    services = run(open_services, profile)
    dossier = live_night(services, moment, profile, run=run)
    night = dossier.plain()
    tell(dossier.verdict, night_lines(night), ok=dossier.all_done)
    run(close_night, services, dossier)
    publish_night(night)
    run(announce, services, dossier.findings, dossier.as_of)
    refuse_unless_done(dossier)
    return night
