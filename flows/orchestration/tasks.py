"""Which verbs run as Prefect tasks, under which name, and how often is each tried?

Frames and services pass between tasks by reference, inside this process, and are never stored as
results: a stored result would be pickled, or would put rows where no row belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from flows.orchestration.events import announce
from flows.verbs import live, night
from flows.verbs.ab.validate_ab import validate_ab
from flows.verbs.causes.tickets import to_answer
from flows.verbs.decide.agent_watch import watch_agents
from flows.verbs.decide.decide_source import decide_new_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.approve import find_proposal
from flows.verbs.govern.promote import promote_approved, roll_back
from flows.verbs.house.reconcile import reconcile
from flows.verbs.house.servers import close_dead_runs_here
from flows.verbs.intake.deliveries import admit_deliveries
from flows.verbs.learn.train import retrain
from flows.verbs.walk.file import conclude
from flows.verbs.walk.open_walk import open_backtest, open_demo
from flows.verbs.walk.walk import Walk
from flows.verbs.whatif.whatif import replay_move

P = ParamSpec("P")
T = TypeVar("T")


def _as_task(verb: Callable[..., Any], name: str, retries: int) -> Callable[..., Any]:
    wrapped: Callable[..., Any] = task(
        name=name,
        retries=retries,
        retry_delay_seconds=2,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(verb)
    return wrapped


# Reading may be tried again; what writes is safe to repeat, but a refusal must not be asked twice.
_TASKS: dict[Callable[..., Any], Callable[..., Any]] = {
    verb: _as_task(verb, name, retries)
    for verb, name, retries in (
        (live.open_services, "open the services", 2),
        (live.load_deliveries, "load what is new", 2),
        (night.protect, "guard on what is stored", 1),
        (admit_deliveries, "admit", 0),
        (night.meet_models, "meet the models: theirs are tested, ours score", 0),
        (night.load_evidence, "establish truth", 1),
        (night.watch, "hold what looks unlike its past", 0),
        (night.guard, "guard what is live", 0),
        (watch_agents, "watch the other agents", 0),
        (night.judge_case_types, "certify", 0),
        (night.change, "propose or narrow", 0),
        (night.find_causes, "find causes", 0),
        (night.assemble, "assemble the dossier", 0),
        (live.close_night, "file the dossier and tell people", 0),
        (announce, "announce", 0),
        (decide_new_cases, "decide new cases", 1),
        (load_snapshot, "establish truth", 1),
        (to_answer, "what to answer", 0),
        (retrain, "retrain", 0),
        (replay_move, "replay the move", 0),
        (find_proposal, "find the proposal", 0),
        (promote_approved, "promote", 0),
        (validate_ab, "judge the A/B tests", 0),
        (roll_back, "roll back", 0),
        (close_dead_runs_here, "close dead runs", 1),
        (reconcile, "reconcile", 1),
        (open_backtest, "open the backtest", 0),
        (open_demo, "open the demo", 0),
        (Walk.warm_up, "warm up", 0),
        (Walk.night_and_day, "night and day", 0),
        (Walk.last_night, "last night", 0),
        (conclude, "conclude", 0),
    )
}


def run(verb: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a verb as its task (`flows.verbs.night.Run`).

    What it is given stays as it is: Prefect would walk through a frame in search of futures.
    """
    given = {name: quote(value) for name, value in kwargs.items()}
    answer: T = _TASKS[verb](*map(quote, args), **given)
    return answer
