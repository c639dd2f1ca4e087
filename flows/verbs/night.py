"""The night: guard what is live, admit what came in, establish the truth, certify, propose, and file
the dossier. What fails holds back only what rests on it, and is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import pandas as pd

from flows.verbs.ab.trials import next_steps
from flows.verbs.causes.tickets import file_findings, last_triage, open_tickets
from flows.verbs.causes.triage import Triaged, triage_case_type
from flows.verbs.certify.audit_silence import hear_audits
from flows.verbs.certify.certify import Judged, certify_case_type, certify_champion
from flows.verbs.certify.drift_watch import watch_drift
from flows.verbs.certify.earliest_evidence import earliest_evidence
from flows.verbs.certify.expiry import expire_policy, warn_before_expiry
from flows.verbs.certify.guardrail import guard_live_policy, why_not_guarded
from flows.verbs.decide.agent_watch import Watched, watch_agents
from flows.verbs.decide.shadow import InShadow, read_after, score_delivered
from flows.verbs.evidence.review_desk import review_desk
from flows.verbs.evidence.review_marks import review_marks
from flows.verbs.evidence.second_reviews import second_reviews
from flows.verbs.evidence.truth import EvidenceSnapshot, load_snapshot
from flows.verbs.govern.propose import act_on, waiting
from flows.verbs.intake.admit import AdmittedBatch
from flows.verbs.intake.deliveries import Delivery, admit_deliveries, read_as_of
from flows.verbs.intake.external_models import start_external_generations
from flows.verbs.intake.population_watch import (
    holds_that_wait,
    levels_of,
    watch_populations,
)
from flows.verbs.ports import EvidenceServices, NightServices, ScoringServices
from flows.verbs.record.live_boundaries import live_boundaries
from flows.verbs.record.night_dossier import NightDossier, Row
from flows.verbs.record.night_results import NightResults
from models.hub.record.entries import Entry

P = ParamSpec("P")
T = TypeVar("T")
N = TypeVar("N", bound=NightServices)


@dataclass(frozen=True)
class Guarded:
    """What the guard found and did: the alarms, the ledger entries that answered, and those by which
    evidence started again."""

    alarms: tuple[Judged, ...] = ()
    entries: tuple[Entry, ...] = ()
    restarts: tuple[Entry, ...] = ()

    def after(self, earlier: Guarded | None) -> Guarded:
        """Together with what was found and done earlier in the night."""
        if earlier is None:
            return self
        return Guarded(
            (*earlier.alarms, *self.alarms),
            (*earlier.entries, *self.entries),
            (*earlier.restarts, *self.restarts),
        )


class Run(Protocol):
    """Calls a verb: as it is, or as a task of Prefect."""

    def __call__(self, verb: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


def plainly(verb: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a verb as it is."""
    return verb(*args, **kwargs)


def meet_models(
    services: ScoringServices, as_of: datetime, results: NightResults, *, at_commit: bool = False
) -> tuple[list[InShadow], datetime]:
    """Put another agent's models under test that are seen for the first time, and let ours score
    every delivered decision; what they said, and the moment from which it can be read."""
    start_external_generations(services.ledger, services.store, services.case_types, as_of, results)
    shadows = score_delivered(services, as_of, results, at_commit=at_commit)
    return shadows, read_after(shadows, as_of)


def protect(services: NightServices, as_of: datetime) -> Guarded:
    """Guard what is live on what is stored, before anything is asked of a source: a source that is
    down, hangs or delivers rubbish protects no boundary from being refuted (FAULTS 39)."""
    services = services.on_snapshot()
    return guard(services, load_evidence(services, as_of), NightResults())


def guard(services: NightServices, snapshot: EvidenceSnapshot, results: NightResults) -> Guarded:
    """What protects the live policies, before anything is widened, one case type at a time: evidence
    starts again where what is certified became worse, an expired certificate narrows, a refuted
    boundary is rolled back, and so is one whose audits bring no labels."""
    alarms: list[Judged] = []
    entries: list[Entry] = []
    restarts: list[Entry] = []
    for name in services.case_types:
        restarts += _drifted(services, snapshot, name, results)
        expired = partial(expire_policy, services.ledger, services.alerts, name, snapshot.as_of)
        entries += results.attempt(name, "the expiry", expired) or []
        ahead = partial(warn_before_expiry, services.ledger, services.alerts, name, snapshot.as_of)
        results.attempt(name, "the warning before the expiry", ahead)
        tripped = results.attempt(
            name, "the guard", partial(guard_live_policy, services, snapshot, name)
        )
        alarms += [one.alarm for one in tripped or ()]
        entries += [entry for one in tripped or () for entry in one.entries]
        entries += _unheard(services, snapshot, name, results)
        _say_guarded(services, snapshot, name, results, tripped is None, bool(tripped))
    return Guarded(tuple(alarms), tuple(entries), tuple(restarts))


def say_tripped(guarded: Guarded, results: NightResults) -> None:
    """What tripped earlier in the night, on what was stored, tripped tonight."""
    for alarm in guarded.alarms:
        results.case_type(alarm.case_type).guard = "tripped"


def watch(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    deliveries: Sequence[Delivery],
    results: NightResults,
) -> list[Entry]:
    """Put on hold what does not look like its past, end the holds that have lasted, and say which
    wait."""
    source = next((one.source for one in deliveries if one.table == "decisions"), None)
    levels = levels_of(services, snapshot, source)
    entries: list[Entry] = []
    for name in services.case_types:
        look = partial(
            watch_populations,
            services.ledger,
            services.hold_plan,
            services.reviewer_share_cap,
            snapshot,
            name,
            levels,
        )
        entries += results.attempt(name, "the watch on its labels", look) or []
        for hold in holds_that_wait(services.ledger, name):
            said = (
                f"{name}: {hold.table} received since {hold.since:%Y-%m-%d %H:%M} are on hold "
                f"({hold.hold_id}, {hold.rule}): {hold.reason}"
            )
            results.case_type(name).held.append(said)
            results.table(hold.table).held.append(said)
    return entries


def judge_case_types(
    services: EvidenceServices, snapshot: EvidenceSnapshot, results: NightResults
) -> list[Judged]:
    """One certificate for every case type, and after it one for its live boundary, where the first is
    about something else and the live certificate ends some day (FAULTS 63)."""
    found: list[Judged | None] = []
    for name in services.case_types:
        newest = partial(certify_case_type, services, snapshot, name)
        found.append(results.attempt(name, "the certificate", newest))
        live = partial(certify_champion, services, snapshot, name)
        found.append(results.attempt(name, "the certificate of the live boundary", live))
    return [one for one in found if one is not None]


def change(
    services: NightServices, judged: Sequence[Judged], as_of: datetime, results: NightResults
) -> list[Entry]:
    """File what each certificate allows: a proposal, or a narrowing."""
    found = [
        results.attempt(one.case_type, "the proposal", partial(act_on, services, one, as_of))
        for one in judged
    ]
    return [one for one in found if one is not None]


def find_causes(
    services: NightServices, snapshot: EvidenceSnapshot, results: NightResults
) -> list[Triaged]:
    """Why each case type's model erred, filed as findings; nothing while triage is not due."""
    last = last_triage(services.store, snapshot.as_of)
    days = None if last is None else snapshot.as_of.date() - last.date()
    # The same night again is triaged again: rows may have come since.
    if days is not None and timedelta(0) < days < services.triage_every:
        return []
    found = [
        results.attempt(name, "triage", partial(triage_case_type, services, snapshot, name))
        for name in services.case_types
    ]
    causes = [one for one in found if one is not None]
    file_findings(
        services.store, [finding for one in causes for finding in one.findings], snapshot.as_of
    )
    return causes


def run_night(
    services: N,
    deliveries: Sequence[Delivery],
    as_of: datetime,
    *,
    before_judging: Callable[[N], bool] | None = None,
    protected: Guarded | None = None,
    at_commit: bool = False,
    run: Run = plainly,
) -> NightDossier:
    """One whole night: the one list of its verbs, run as they are or as Prefect tasks.

    Everything is judged on the ledger as it stands when the night begins, and what is asked for names
    the versions of that moment: an entry that comes in between makes it stale, and is never overlooked.

    Args:
        protected: what the guard did before anything was read (`protect`).
        at_commit: as in `admit_batch`; the night is then as of the moment after it.
        before_judging: called once everything is admitted and what must wait is on hold (a walk
            retrains there); true: something was retrained.
        run: what calls each verb.
    """
    services, results = services.on_snapshot(), NightResults()
    batches = run(admit_deliveries, services, deliveries, as_of, results, at_commit=at_commit)
    as_of = read_as_of(batches, as_of)
    shadows, as_of = run(meet_models, services, as_of, results, at_commit=at_commit)
    snapshot = run(load_evidence, services, as_of)
    holds = run(watch, services, snapshot, deliveries, results)
    if before_judging is not None and before_judging(services):
        snapshot = run(load_evidence, services, as_of)
    guarded = run(guard, services, snapshot, results).after(protected)
    say_tripped(guarded, results)
    agents = run(watch_agents, services, as_of, results)
    judged = run(judge_case_types, services, snapshot, results)
    changes = run(change, services, judged, as_of, results)
    causes = run(find_causes, services, snapshot, results)
    return run(
        assemble, services, snapshot, results, batches=batches, guarded=guarded, judged=judged,
        entries=[*guarded.entries, *holds, *changes], causes=causes, shadows=shadows, agents=agents,
    )  # fmt: skip


def load_evidence(services: EvidenceServices, as_of: datetime) -> EvidenceSnapshot:
    """What had been received by a moment, from the first case on that may speak for a model under test."""
    since = earliest_evidence(services.ledger, services.case_types, services.hold_plan, as_of)
    return load_snapshot(services, as_of, since)


def assemble(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    results: NightResults,
    *,
    batches: Sequence[AdmittedBatch],
    guarded: Guarded,
    judged: Sequence[Judged],
    entries: Sequence[Entry],
    causes: Sequence[Triaged],
    shadows: Sequence[InShadow],
    agents: Sequence[Watched],
) -> NightDossier:
    """The night's result, with what is live and what waits by now."""
    ledger, case_types = services.ledger, services.case_types
    live = live_boundaries(ledger, case_types, snapshot, judged, results)
    return NightDossier(
        as_of=snapshot.as_of,
        results=results,
        holds=[hold for name in case_types for hold in holds_that_wait(ledger, name)],
        live=live,
        batches=batches,
        alarms=guarded.alarms,
        judged=judged,
        entries=entries,
        restarts=guarded.restarts,
        second_reviews=_rows(second_reviews(services, snapshot)),
        waiting=[entry for name in case_types for entry in waiting(ledger, name)],
        next_steps=next_steps(ledger, case_types),
        marks=review_marks(case_types, snapshot),
        causes=causes,
        tickets=open_tickets(services, snapshot.as_of),
        agents=agents,
        shadows=shadows,
        reviews=review_desk(case_types, snapshot),
    )


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _drifted(
    services: EvidenceServices, snapshot: EvidenceSnapshot, name: str, results: NightResults
) -> list[Entry]:
    drift = results.attempt(
        name, "the watch for drift", partial(watch_drift, services, snapshot, name)
    )
    if drift is None:
        return []
    results.case_type(name).told.extend(drift.told)
    return [] if drift.entry is None else [drift.entry]


def _unheard(
    services: EvidenceServices, snapshot: EvidenceSnapshot, name: str, results: NightResults
) -> list[Entry]:
    silence = results.attempt(
        name, "the watch on its audits", lambda: hear_audits(services, snapshot, name)
    )
    if silence is None:
        return []
    results.case_type(name).failed.append(silence.sentence)
    return [] if silence.entry is None else [silence.entry]


def _say_guarded(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    name: str,
    results: NightResults,
    broke: bool,
    tripped: bool,
) -> None:
    told = results.case_type(name)
    if broke:
        told.guard = "not judged"
        return
    why = results.attempt(name, "the guard", lambda: why_not_guarded(services, snapshot, name))
    if why is None or tripped:
        told.guard = "tripped" if tripped else "holds"
        return
    told.guard = why.word
    if why.failed:
        told.failed.append(f"{name}: {why.sentence}")
