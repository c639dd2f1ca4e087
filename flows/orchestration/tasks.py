"""Which verbs run as Prefect tasks, and how often is each tried?

Frames and services pass between tasks by reference, inside this process, and are never stored as
results: a stored result would be pickled, or would put rows where no row belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from flows.orchestration import events
from flows.verbs import live, night
from flows.verbs.ab import validate_ab as ab
from flows.verbs.causes import tickets
from flows.verbs.decide import agent_watch, decide_source
from flows.verbs.evidence import truth
from flows.verbs.govern import approve, promote
from flows.verbs.house import reconcile, servers
from flows.verbs.intake import deliveries
from flows.verbs.learn import train
from flows.verbs.walk import file, open_walk, walk
from flows.verbs.whatif import whatif

P = ParamSpec("P")
T = TypeVar("T")


def _as_task(verb: Callable[P, T], name: str, retries: int = 0) -> Callable[P, T]:
    """A verb as a Prefect task. What it is given stays as it is: Prefect would walk through a frame, or
    through services, in search of futures."""
    wrapped = task(
        name=name,
        retries=retries,
        retry_delay_seconds=2,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(verb)

    @wraps(verb)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        given = {key: quote(value) for key, value in kwargs.items()}
        answer: T = wrapped(*map(quote, args), **given)  # type: ignore[arg-type]
        return answer

    return called


# Reading may be tried again; what writes is safe to repeat, but a refusal must not be asked twice.
_OF_A_NIGHT: dict[Callable[..., Any], Callable[..., Any]] = {
    verb: _as_task(verb, name, retries)
    for verb, name, retries in (
        (live.load_deliveries, "load what is new", 2),
        (night.protect, "guard on what is stored", 1),
        (deliveries.admit_deliveries, "admit", 0),
        (night.meet_models, "meet the models: theirs are tested, ours score", 0),
        (night.load_evidence, "establish truth", 1),
        (night.watch, "hold what looks unlike its past", 0),
        (night.guard, "guard what is live", 0),
        (agent_watch.watch_agents, "watch the other agents", 0),
        (night.judge_case_types, "certify", 0),
        (night.change, "propose or narrow", 0),
        (night.find_causes, "find causes", 0),
        (night.assemble, "assemble the dossier", 0),
    )
}


def run(verb: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a verb of the night as its task (`flows.verbs.night.Run`)."""
    answer: T = _OF_A_NIGHT[verb](*args, **kwargs)
    return answer


open_services = _as_task(live.open_services, "open the services", retries=2)
establish_truth = _as_task(truth.load_book, "establish truth", retries=1)
decide_new_cases = _as_task(decide_source.decide_new_cases, "decide new cases", retries=1)
close_night = _as_task(live.close_night, "file the dossier and tell people")
to_answer = _as_task(tickets.to_answer, "what to answer")
announce = _as_task(events.announce, "announce")
retrain = _as_task(train.retrain, "retrain")
replay_move = _as_task(whatif.replay_move, "replay the move")
find_proposal = _as_task(approve.find_proposal, "find the proposal")
promote_approved = _as_task(promote.promote_approved, "promote")
validate_ab = _as_task(ab.validate_ab, "judge the A/B tests")
roll_back = _as_task(promote.roll_back, "roll back")
close_dead_runs = _as_task(servers.close_dead_runs_here, "close dead runs", retries=1)
reconcile_with_ledger = _as_task(reconcile.reconcile, "reconcile", retries=1)

open_backtest = _as_task(open_walk.open_backtest, "open the backtest")
open_demo = _as_task(open_walk.open_demo, "open the demo")
warm_up = _as_task(walk.Walk.warm_up, "warm up")
night_and_day = _as_task(walk.Walk.night_and_day, "night and day")
last_night = _as_task(walk.Walk.last_night, "last night")
conclude = _as_task(file.conclude, "conclude")
