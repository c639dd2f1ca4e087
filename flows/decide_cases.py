"""Every quarter of an hour: decide the new cases of the configured source, each exactly once."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.adapters.tables.reading_notes import Note
from flows.orchestration.artifacts import publish
from flows.orchestration.run_log import tell
from flows.orchestration.run_names import timed
from flows.orchestration.tasks import run
from flows.reports.words.decided import decided_table, decided_verdict
from flows.verbs.decide.authority import refuse_without_authority
from flows.verbs.decide.decide_source import decide_new_cases
from flows.verbs.live import open_services


@flow(name="decide_cases", flow_run_name=timed("decide"), persist_result=False)
def decide_cases(profile: str | None = None) -> dict[str, Any]:
    """Pull new cases, decide them under the live policies, store decisions, count by case type.

    A run again, for the same or an earlier slot, changes nothing: what is decided stays decided. A
    run whose cases all went to people, as the ledger or the audit secret cannot be trusted, fails
    after they were stored.

    Args:
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    services = run(open_services, profile)
    notes: list[Note] = []
    decided: dict[str, Any] = run(decide_new_cases, services, None, profile, notes.append)
    # A look that was tried again tells its notes again.
    verdict = " ".join([decided_verdict(decided), *map(str, dict.fromkeys(notes))])
    tell(verdict)
    publish("decide-cases", verdict, decided_table(decided))
    refuse_without_authority([one.get("overrides", {}) for one in decided.values()])
    return decided
