"""Every night: learn from matured reviews and file boundary proposals (never apply one)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows import tasks
from flows.artifacts import publish_night
from flows.verbs.live import night_of
from flows.verbs.night import earliest_evidence, stopped_dossier


@flow(name="nightly_calibration", persist_result=False)
def nightly_calibration(
    as_of: datetime | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Pull, admit, establish the truth, certify every case type, propose, file the dossier,
    and announce what asks for a retrain.

    A failed batch stops the night: nothing is certified on evidence that cannot be trusted.

    Args:
        as_of: the moment the night is for (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment = night_of(as_of)
    desk = tasks.open_desk(profile)
    deliveries = tasks.load(quote(desk), moment, profile)
    batches = tasks.admit(quote(desk), quote(deliveries), moment)
    findings = []
    if any(batch.failed for batch in batches):
        night = stopped_dossier(moment, batches)
    else:
        book = tasks.establish_truth(quote(desk), moment, earliest_evidence(desk, moment))
        guarded = tasks.guard(quote(desk), quote(book))
        judged = tasks.judge_case_types(quote(desk), quote(book))
        changes = [tasks.act_on(quote(desk), quote(one), moment) for one in judged]
        filed = [entry for entry in changes if entry is not None]
        causes = tasks.find_causes(quote(desk), quote(book))
        findings = [finding for one in causes for finding in one.findings]
        told = (quote(guarded), quote(judged), quote(filed), quote(causes))
        night = tasks.assemble(quote(desk), quote(book), batches, *told)
    tasks.file_dossier(quote(desk), night)
    publish_night(night)
    tasks.announce(quote(desk), quote(findings), moment)
    return night
