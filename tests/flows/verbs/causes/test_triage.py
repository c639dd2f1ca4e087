"""From a planted bias to a challenger that corrects it, and from none to no difference."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.settings import load_settings
from flows.verbs.causes.tickets import open_tickets, to_announce, to_answer
from flows.verbs.causes.triage import Triaged
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.train import retrain
from flows.verbs.night import find_causes
from flows.verbs.record.night_results import NightResults
from flows.verbs.services import Services
from tests.builders import with_mlflow
from tests.planted_bias import CASE_TYPE, FACTOR, FEATURE, with_a_model

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def opened(home: Path, *, biased: bool) -> tuple[Services, datetime]:
    settings = load_settings(env={})
    kinds = {CASE_TYPE: settings.load_case_types()[CASE_TYPE]}
    services = Services.at(with_mlflow(home), settings, kinds, seed=5)
    return services, with_a_model(services, NOW, biased=biased)


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Services, datetime, Triaged]:
    services, now = opened(tmp_path_factory.mktemp("biased"), biased=True)
    (causes,) = find_causes(services, load_snapshot(services, now), NightResults())
    return services, now, causes


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Services, datetime, Triaged]:
    services, now = opened(tmp_path_factory.mktemp("sound"), biased=False)
    (causes,) = find_causes(services, load_snapshot(services, now), NightResults())
    return services, now, causes


def test_a_planted_bias_is_found_and_its_remedy_holds_on_later_cases(
    biased: tuple[Services, datetime, Triaged],
) -> None:
    """Twice the weight: about half of it is too much, less what training smoothed away; put right on
    the earlier half, blamed errors fall on the later half."""
    _, _, causes = biased
    found = {one.subject: one for one in causes.findings}[FEATURE]
    assert found.path.value == "A"
    assert found.low <= 1 / FACTOR - 1 + 0.15
    assert found.high < 0.0
    made = found.counterfactual
    assert made is not None
    assert made.errors_after < made.errors_before
    assert made.low > 0.0
    assert found.fires


def test_the_finding_asks_for_one_retrain_and_becomes_a_ticket(
    biased: tuple[Services, datetime, Triaged],
) -> None:
    """What is announced is what fires; the ticket has the case, the money and the night."""
    services, now, causes = biased
    announced = to_announce(
        services.ledger, services.store, services.case_types, causes.findings, now
    )
    assert FEATURE in {one.subject for one in announced}
    ticket = next(one for one in open_tickets(services, now) if one["subject"] == FEATURE)
    assert ticket["first_seen"] == now.date().isoformat()
    assert ticket["money_usd"] > 0.0
    assert ticket["errors"] > 0


def test_the_same_night_again_finds_the_same(biased: tuple[Services, datetime, Triaged]) -> None:
    """Idempotent: the same patterns, still one night on each ticket."""
    services, now, causes = biased
    (again,) = find_causes(services, load_snapshot(services, now), NightResults())
    assert [one.pattern_id for one in again.findings] == [one.pattern_id for one in causes.findings]
    assert {one["nights"] for one in open_tickets(services, now)} == {1}


def test_the_challenger_that_answers_is_better_and_its_correction_is_visible(
    biased: tuple[Services, datetime, Triaged],
) -> None:
    """On rows that neither model saw: log loss lower with an interval that excludes zero, and the
    blamed feature adds less to the score than before."""
    services, now, causes = biased
    ticket = next(one for one in causes.findings if one.subject == FEATURE)
    due = [one["pattern_id"] for one in to_answer(services, CASE_TYPE, ticket.pattern_id)]
    challenger = retrain(services, load_snapshot(services, now), CASE_TYPE, due, [FEATURE])
    assert challenger.filed, challenger.note
    assert challenger.verdict == "better", challenger.note
    assert challenger.comparison is not None
    assert challenger.comparison["metrics"]["log_loss"]["difference"]["high"] < 0.0
    (correction,) = challenger.corrections
    assert correction["feature"] == FEATURE
    assert correction["slope"] < 0.9
    answered = next(one for one in open_tickets(services, now) if one["subject"] == FEATURE)
    assert answered["status"] == "answered"


def test_a_sound_model_is_not_blamed_and_a_retrain_without_cause_makes_no_difference(
    sound: tuple[Services, datetime, Triaged],
) -> None:
    services, now, causes = sound
    assert causes.diagnosis.cause.value == "none", causes.summary()
    challenger = retrain(services, load_snapshot(services, now), CASE_TYPE)
    assert challenger.verdict == "no_difference", challenger.note
