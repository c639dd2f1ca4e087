"""Every day an A/B test runs: is the boundary on trial proven, has it failed, or does the test go on?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow

from configs.errors import GateRefused
from flows.orchestration.artifacts import publish
from flows.orchestration.run_log import tell
from flows.orchestration.run_names import timed
from flows.orchestration.tasks import run
from flows.reports.words.ab_proofs import ab_rows, ab_sentences
from flows.verbs.ab.validate_ab import NOT_JUDGED
from flows.verbs.ab.validate_ab import validate_ab as judge_tests
from flows.verbs.live import night_of, open_services


@flow(name="validate_ab", flow_run_name=timed("A/B tests"), persist_result=False)
def validate_ab(as_of: datetime | None = None, profile: str | None = None) -> list[dict[str, Any]]:
    """Judge every running A/B test; promote what is proven, stop what is not, and leave the rest.

    The run fails, once all are looked at, where one could not be judged.

    Args:
        as_of: the moment the look is for (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    services = run(open_services, profile)
    told: list[dict[str, Any]] = run(judge_tests, services, night_of(as_of))
    for one in told:
        verdict = " ".join(ab_sentences([one]))
        tell(verdict, ok=one["verdict"] != NOT_JUDGED)
        publish(f"ab-{one['case_type']}", verdict, ab_rows(one))
    if not told:
        tell("No A/B test runs.")
    unjudged = [one for one in told if one["verdict"] == NOT_JUDGED]
    if unjudged:  # the others are judged; the run turns red, so that somebody looks
        raise GateRefused(" ".join(reason for one in unjudged for reason in one["reasons"]))
    return told
