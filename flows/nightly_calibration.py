"""Every night: learn from matured reviews and file boundary proposals (never apply one)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.utilities.annotations import quote

from flows.orchestration import tasks
from flows.orchestration.artifacts import night_lines, publish_night
from flows.orchestration.run_log import tell
from flows.orchestration.run_names import dated
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.house.one_night import one_at_a_time
from flows.verbs.intake.deliveries import read_as_of
from flows.verbs.live import night_of, refuse_unless_done
from flows.verbs.night import say_tripped
from flows.verbs.record.night_results import NightResults, all_done


@flow(name="nightly_calibration", flow_run_name=dated("night"), persist_result=False)
@one_at_a_time
def nightly_calibration(
    as_of: datetime | None = None, profile: str | None = None
) -> dict[str, Any]:
    """Guard what is live, pull, admit, establish the truth, certify every case type, propose, file
    the dossier, and announce what asks for a retrain.

    What fails, or is held, holds back only what rests on it; the run fails once all else is done.

    Args:
        as_of: the moment the night is for (with a time zone); empty: now.
        profile: the settings' profile; empty: RATCHET_PROFILE or `local`.
    """
    moment, live = night_of(as_of), as_of is None
    services, results = tasks.open_services(profile), NightResults()
    protected = tasks.protect(quote(services), moment)
    deliveries = tasks.load(quote(services), moment, profile, walked=not live)
    batches = tasks.admit(
        quote(services), quote(deliveries), moment, quote(results), at_commit=live
    )
    moment = read_as_of(batches, moment)
    shadows, moment = tasks.meet_models(quote(services), moment, quote(results), at_commit=live)
    book = tasks.establish_truth(
        quote(services),
        moment,
        earliest_evidence(services.ledger, services.case_types, services.hold_plan, moment),
    )
    held = tasks.watch(quote(services), quote(book), quote(deliveries), quote(results))
    guarded = tasks.guard(quote(services), quote(book), quote(results)).after(protected)
    say_tripped(guarded, results)
    agents = tasks.watch_agents(quote(services), moment, quote(results))
    judged = tasks.judge_case_types(quote(services), quote(book), quote(results))
    changes = tasks.change(quote(services), quote(judged), moment, quote(results))
    causes = tasks.find_causes(quote(services), quote(book), quote(results))
    told = (quote(guarded), quote(judged), quote([*held, *changes]), quote(causes), quote(results))
    met = (quote(shadows), quote(agents))
    night: dict[str, Any] = tasks.assemble(
        quote(services), quote(book), quote(batches), *told, *met
    )
    tell(night["verdict"], night_lines(night), ok=all_done(night["results"]))
    tasks.close_night(quote(services), night)
    publish_night(night)
    findings = [finding for one in causes for finding in one.findings]
    tasks.announce(quote(services), quote(findings), moment)
    refuse_unless_done(night)
    return night
