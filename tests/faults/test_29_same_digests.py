"""Same data and seed twice: same digests; otherwise the run says which input changed (FAULTS 29).

Injected: the same past in two homes; then one label, the seed of the fits, a training setting, a
feature and the share held back, each changed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.verbs.certify.generation import current_generation
from flows.verbs.certify.inputs import evidence_digest
from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.truth import evidence_for, load_snapshot
from flows.verbs.learn.lineage import changed_inputs
from flows.verbs.services import Services
from tests.builders import small_case_type, small_history
from tests.faults.corrected_past import NAME, NOW, corrected, delivered, fitted, opened

pytestmark = pytest.mark.slow  # a fit each

Run = dict[str, Any]


def run(
    home: Path, change: Callable[[Services], Services] = lambda services: services
) -> tuple[Run, Run]:
    """A first model on the past, and everything about it that has a digest; and its lineage."""
    services, _ = opened(home)
    services = change(services)
    told, lineage = fitted(services)
    generation = current_generation(services.ledger, services.case_types, NAME)
    snapshot = load_snapshot(services, NOW)
    frame = evidence_for(services, snapshot, NAME, generation)
    later = small_history(days=2, per_day=50, seed=9).drop(columns="bad")
    scores = services.registry.load(NAME, told.version, told.digest).score(later)[0]
    digests = {
        "model": told.digest,
        "evidence": evidence_digest(frame, generation.digest),
        "scores": scores.tobytes(),
        "decided": decide_cases(services, NAME, later, NOW)["propensity"].tolist(),
        **{name: services.store.digest(name, NOW) for name in ("decisions", "reviews", "outcomes")},
    }
    return digests, lineage


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    return run(tmp_path_factory.mktemp("first"))


def test_the_same_again_has_the_same_digests(first: tuple[Run, Run], tmp_path: Path) -> None:
    """Model, scores to the bit, evidence, store; nothing is said to have changed."""
    digests, lineage = run(tmp_path)
    assert digests == first[0]
    assert changed_inputs(first[1], lineage) == ()


def one_label(services: Services) -> Services:
    said = services.store.read("reviews").drop(columns="received_at").iloc[[50]]
    batch = delivered(services, "reviews", corrected(said), NOW)
    assert batch.admitted == 1, batch
    return services


def plan(**changed: object) -> Callable[[Services], Services]:
    return lambda services: replace(services, training=services.training.model_copy(update=changed))


def fewer_features(services: Services) -> Services:
    kind = small_case_type()
    return replace(services, case_types={NAME: replace(kind, features=kind.features[:1])})


CHANGES: dict[str, tuple[Callable[[Services], Services], set[str]]] = {
    "one label": (one_label, {"data.reviews", "rows.learned"}),
    "the seed": (lambda services: replace(services, seed=8), {"plan.seed"}),
    "a setting": (plan(max_depth=2), {"plan.max_depth"}),
    "a feature": (fewer_features, {"features"}),
    "the share held back": (plan(hold_back_share=0.2), {"held_back", "rows.learned"}),
}


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_what_the_run_names(
    first: tuple[Run, Run], tmp_path: Path, change: Callable[[Services], Services], named: set[str]
) -> None:
    """And nothing else; the model is another one."""
    digests, lineage = run(tmp_path, change)
    assert set(changed_inputs(first[1], lineage)) == named
    assert digests["model"] != first[0]["model"]


def test_another_night_of_the_same_data_is_named_as_that(
    first: tuple[Run, Run], tmp_path: Path
) -> None:
    """A week later more of the past is mature."""
    services, _ = opened(tmp_path)
    _, lineage = fitted(services, NOW + timedelta(days=7))
    assert "as_of" in changed_inputs(first[1], lineage)
    assert "rows.learned" in changed_inputs(first[1], lineage)
