"""A retrain asked for twice on the same rows: no second challenger, and the compared one stays under test.

Injected: `retrain` twice in a row; then once more after new labels came in, and with other settings; and
once after a first one that was killed (SIGKILL) where it stores its scores, or before the ledger is told.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from flows.verbs.certify.generation import current_generation
from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.admit import admit_batch
from flows.verbs.learn.train import retrain
from flows.verbs.services import Services
from models.hub import EntryKind
from models.simulation import RevealedHistory
from tests.builders import small_case_type, small_history, small_settings, with_mlflow
from tests.flows.adapters.killing import killed_at

NAME = "small_case"


def taught(home: Path) -> tuple[Services, RevealedHistory]:
    """A desk with a fully reviewed past of a simulated history, and no model yet."""
    kinds = {NAME: small_case_type()}
    services = Services.at(with_mlflow(home), small_settings(), kinds, seed=3)
    upstream = RevealedHistory(small_history(days=24), kinds, 20, step_days=1)
    (past,) = upstream.warm_up()
    known(services, upstream, decide_cases(services, NAME, past, upstream.start), 0)
    return services, upstream


def known(services: Services, upstream: RevealedHistory, decided, step: int) -> None:
    at = upstream.start + step * upstream.step
    upstream.note(decided)
    admit_batch(services, "decisions", decided, at, source="walk decisions")
    outcomes = upstream.deliveries(at)["outcomes"]
    admit_batch(services, "outcomes", outcomes, at, source="walk outcomes")


def generations(services: Services) -> int:
    kinds = [entry.kind for entry in services.ledger.history(NAME)]
    return kinds.count(EntryKind.GENERATION_STARTED)


def test_the_same_retrain_again_makes_no_second_challenger(tmp_path: Path) -> None:
    """Also a day later, while nothing came in; what was held back from the first is not learned."""
    services, upstream = taught(tmp_path / "home")
    first = retrain(services, load_snapshot(services, upstream.start), NAME)
    under_test = current_generation(services.ledger, services.case_types, NAME)
    for _ in range(2):
        again = retrain(services, load_snapshot(services, upstream.start), NAME)
        assert (again.filed, again.version) == (False, None)
        assert again.note.startswith("Nothing came in since the retrain of ")
        assert f"version {first.version} stays under test" in again.note
    assert current_generation(services.ledger, services.case_types, NAME) == under_test
    assert generations(services) == 1


@pytest.mark.parametrize("point", ["evidence.before_commit", "evidence.committed"])
def test_a_killed_retrain_is_asked_again_and_has_every_score(tmp_path: Path, point: str) -> None:
    """Without them the cases that were decided before would be missing from its proof for ever: the
    ledger, once told, refuses the same retrain."""
    services, upstream = taught(tmp_path / "home")
    ask = partial(retrain, services, load_snapshot(services, upstream.start), NAME)
    assert killed_at(point, ask) == signal.SIGKILL
    assert generations(services) == 0
    again = ask()
    assert (again.filed, again.version) == (
        True,
        "1",
    )  # the one that was registered before the kill
    assert generations(services) == 1
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    later = services.store.read("decisions", since=generation.trained_before, stamp="opened_at")
    scores = services.store.read("shadow_scores")
    assert len(later) > 100
    assert sorted(scores["case_id"]) == sorted(later["case_id"])
    assert set(scores["model_version"]) == {generation.digest}


def test_new_rows_or_another_way_of_fitting_are_another_retrain(tmp_path: Path) -> None:
    """Four days later there is something to learn; and so there is with fewer rounds."""
    services, upstream = taught(tmp_path / "home")
    retrain(services, load_snapshot(services, upstream.start), NAME)
    fewer = replace(services, training=services.training.model_copy(update={"rounds": 20}))
    other = retrain(fewer, load_snapshot(fewer, upstream.start), NAME)
    assert other.version is not None
    for step in range(upstream.steps):
        (cases,) = upstream.arrivals(step)
        at = upstream.start + step * upstream.step
        known(services, upstream, decide_cases(services, NAME, cases, at), step + 1)
    later = upstream.start + upstream.steps * upstream.step + timedelta(days=1)
    new = retrain(services, load_snapshot(services, later), NAME)
    assert new.version is not None
