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
from flows.verbs.certify.given import evidence_digest
from flows.verbs.decide.decide import decide_cases
from flows.verbs.desk import Desk
from flows.verbs.evidence.truth import evidence_for, load_book
from flows.verbs.learn.lineage import changed_inputs
from tests.builders import small_case_type, small_history
from tests.faults.corrected_past import NAME, NOW, corrected, delivered, fitted, opened

pytestmark = pytest.mark.slow  # a fit each

Run = dict[str, Any]


def run(home: Path, change: Callable[[Desk], Desk] = lambda desk: desk) -> tuple[Run, Run]:
    """A first model on the past, and everything about it that has a digest; and its lineage."""
    desk, _ = opened(home)
    desk = change(desk)
    told, lineage = fitted(desk)
    generation = current_generation(desk, NAME)
    book = load_book(desk, NOW)
    frame = evidence_for(desk, book, NAME, generation)
    later = small_history(days=2, per_day=50, seed=9).drop(columns="bad")
    scores = desk.registry.load(NAME, told.version, told.digest).score(later)[0]
    digests = {
        "model": told.digest,
        "evidence": evidence_digest(frame, generation.digest),
        "scores": scores.tobytes(),
        "decided": decide_cases(desk, NAME, later, NOW)["propensity"].tolist(),
        **{name: desk.store.digest(name, NOW) for name in ("decisions", "reviews", "outcomes")},
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


def one_label(desk: Desk) -> Desk:
    said = desk.store.read("reviews").drop(columns="received_at").iloc[[50]]
    batch = delivered(desk, "reviews", corrected(said), NOW)
    assert batch.admitted == 1, batch
    return desk


def plan(**changed: object) -> Callable[[Desk], Desk]:
    return lambda desk: replace(desk, training=desk.training.model_copy(update=changed))


def fewer_features(desk: Desk) -> Desk:
    kind = small_case_type()
    return replace(desk, case_types={NAME: replace(kind, features=kind.features[:1])})


CHANGES: dict[str, tuple[Callable[[Desk], Desk], set[str]]] = {
    "one label": (one_label, {"data.reviews", "rows.learned"}),
    "the seed": (lambda desk: replace(desk, seed=8), {"plan.seed"}),
    "a setting": (plan(max_depth=2), {"plan.max_depth"}),
    "a feature": (fewer_features, {"features"}),
    "the share held back": (plan(hold_back_share=0.2), {"held_back", "rows.learned"}),
}


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_what_the_run_names(
    first: tuple[Run, Run], tmp_path: Path, change: Callable[[Desk], Desk], named: set[str]
) -> None:
    """And nothing else; the model is another one."""
    digests, lineage = run(tmp_path, change)
    assert set(changed_inputs(first[1], lineage)) == named
    assert digests["model"] != first[0]["model"]


def test_another_night_of_the_same_data_is_named_as_that(
    first: tuple[Run, Run], tmp_path: Path
) -> None:
    """A week later more of the past is mature."""
    desk, _ = opened(tmp_path)
    _, lineage = fitted(desk, NOW + timedelta(days=7))
    assert "as_of" in changed_inputs(first[1], lineage)
    assert "rows.learned" in changed_inputs(first[1], lineage)
