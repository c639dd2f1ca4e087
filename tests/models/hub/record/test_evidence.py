"""Which evidence may speak for a model, and what was spent on looking at it?"""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.hub import (
    Entry,
    EntryKind,
    RestartEvidence,
    StartGeneration,
    TakeLook,
    looks_taken,
)
from models.hub.policies.external import external_digest
from models.hub.rules.people import NIGHT
from tests.hub import EVIDENCE, MIDDLE, NOW, THIN, WIDE, Hub, entered, rule

DAY = timedelta(days=1)


def test_looks_count_from_the_last_change_of_model():
    """Each look has its number in turn; a new generation starts at one."""
    hub = Hub()

    def look(index, sample=100.0):
        return hub.ask(
            TakeLook,
            evidence_digest=EVIDENCE,
            look_index=index,
            delta_spent=0.03,
            effective_sample=sample,
        )

    look(1)
    look(2, 130.0)
    assert rule(look(2)) == "look_in_turn"
    assert looks_taken(hub.history, "ato") == 2
    hub.ask(StartGeneration, model_digest="a" * 64)
    assert looks_taken(hub.history, "ato") == 0
    assert isinstance(look(1), Entry)
    assert looks_taken(hub.history, "kyc_audit") == 0


def test_evidence_restarts_only_later_and_afresh_for_another_model():
    """Looks stay spent across a restart; a new model's evidence may begin before an old restart."""
    hub = Hub()
    later, sooner = NOW + timedelta(days=9), NOW + timedelta(days=8)

    def restart(since, **said):
        return hub.ask(RestartEvidence, evidence_since=since, **said)

    hub.ask(
        TakeLook, evidence_digest=EVIDENCE, look_index=1, delta_spent=0.03, effective_sample=10.0
    )
    assert restart(later, dossier={"why": "moved"}).dossier == {
        "why": "moved", "evidence_since": "2026-01-10T00:00:00.000000+00:00",
    }  # fmt: skip
    assert looks_taken(hub.history, "ato") == 1
    assert rule(restart(later)) == rule(restart(sooner)) == "restart_moves_on"
    assert isinstance(restart(sooner, case_type="kyc_audit"), Entry)
    hub.ask(StartGeneration, model_digest="a" * 64)
    assert restart(sooner).kind is EntryKind.EVIDENCE_RESTARTED


def test_the_same_model_is_no_new_generation():
    """Fitted again to the same bytes, its looks would be counted, and paid for, anew."""
    hub = Hub()
    entered(hub.start_generation("a" * 64))
    entered(hub.start_generation("b" * 64))
    assert rule(hub.start_generation("a" * 64)) == "model_is_new"


@pytest.mark.parametrize(
    ("since", "until"),
    [(-1, 0), (None, 0), (0, None), (None, None), (0, 9), (0.02, 0.01)],
    ids=["trained on", "no start", "no end", "neither", "the future", "ends before it begins"],
)
def test_evidence_the_model_has_seen_proves_nothing(since, until):
    """The model learned from cases opened before NOW; days since then, a proposal hours after."""
    hub = Hub()
    hub.start_generation(trained_before=NOW)
    stamps = {
        name: None if days is None else NOW + days * DAY
        for name, days in (("evidence_since", since), ("evidence_until", until))
    }
    assert rule(hub.propose(THIN, **stamps)) == "evidence_is_unseen"
    assert isinstance(hub.propose(THIN, evidence_since=NOW, evidence_until=NOW), Entry)


def test_a_generation_that_does_not_say_what_trained_it_proves_nothing():
    """Nobody can tell, so the answer is no."""
    hub = Hub()
    hub.start_generation(trained_before=None)
    said = hub.propose(THIN, evidence_since=NOW, evidence_until=NOW)
    assert rule(said) == "evidence_is_unseen"


def test_the_rows_that_chose_a_boundary_do_not_certify_the_next():
    """THIN went live on evidence until NOW + 1 h; only later cases speak for MIDDLE."""
    hub, until = Hub(), NOW + timedelta(hours=1)
    hub.start_generation(trained_before=NOW)
    hub.make_live(THIN, evidence_since=NOW, evidence_until=until)
    later = until + timedelta(hours=1)
    assert rule(hub.propose(MIDDLE, evidence_since=NOW, evidence_until=later)) == (
        "evidence_is_unseen"
    )
    assert isinstance(hub.propose(MIDDLE, evidence_since=until, evidence_until=later), Entry)


def test_the_rows_that_narrowed_a_boundary_do_not_certify_the_next():
    """A narrowing chose by its evidence, too."""
    hub, until = Hub(), NOW + timedelta(hours=1)
    hub.start_generation(trained_before=NOW)
    hub.make_live(WIDE, evidence_since=NOW, evidence_until=NOW)
    entered(hub.narrow(WIDE, MIDDLE, dossier={"evidence_until": until.isoformat()}))
    assert rule(hub.propose(THIN, evidence_since=NOW, evidence_until=until)) == "evidence_is_unseen"
    assert isinstance(hub.propose(THIN, evidence_since=until, evidence_until=until), Entry)


def test_cases_from_before_a_drift_do_not_certify():
    """What was restarted stays restarted, whoever proposes."""
    hub, since = Hub(), NOW + timedelta(minutes=30)
    hub.start_generation(trained_before=NOW)
    hub.ask(RestartEvidence, evidence_since=since)
    assert rule(hub.propose(THIN, evidence_since=NOW, evidence_until=since)) == "evidence_is_unseen"
    assert isinstance(hub.propose(THIN, evidence_since=since, evidence_until=since), Entry)


def test_another_models_training_does_not_spend_this_ones_evidence():
    """What model b learned from is fresh for model a."""
    hub = Hub()
    hub.start_generation("a" * 64, trained_before=NOW)
    hub.start_generation("b" * 64, trained_before=NOW + DAY)
    said = {"evidence_since": NOW, "evidence_until": NOW}
    assert isinstance(hub.propose(THIN, **said), Entry)
    other = replace(THIN, model_digest="b" * 64)
    assert rule(hub.propose(other, **said)) == "evidence_is_unseen"


@pytest.mark.parametrize(
    ("delta", "sample"), [(-0.1, 1.0), (1.0, 1.0), (0.1, -1.0), (0.1, float("nan"))]
)
def test_a_look_spends_a_share_on_a_sample(delta, sample):
    """What is not a share of delta, or not a number of cases, is refused where it is made."""
    with pytest.raises(ValueError, match=r"delta|effective_sample"):
        TakeLook(
            case_type="ato", actor="ana", base_version=0, evidence_digest=EVIDENCE,
            look_index=1, delta_spent=delta, effective_sample=sample,
        )  # fmt: skip


def test_the_night_starts_generations_of_other_agents_models_only():
    """It fits nothing: a digest that is not that of a delivered name is not its to file."""
    hub = Hub()
    told = {"model_version": "v7"}
    said = hub.ask(StartGeneration, actor=NIGHT, model_digest="a" * 64, dossier=told)
    assert rule(said) == "role_permits"
    digest = external_digest("ato", "v7")
    said = hub.ask(StartGeneration, actor=NIGHT, model_digest=digest, dossier=told)
    assert isinstance(said, Entry)


def test_a_model_in_shadow_leaves_the_looks_of_the_trial_counted():
    """Else each challenger would let the other model's evidence be looked at for free again."""
    hub = Hub()
    hub.ask(
        TakeLook, evidence_digest=EVIDENCE, look_index=1, delta_spent=0.03, effective_sample=10.0
    )
    hub.ask(StartGeneration, model_digest="a" * 64, dossier={"shadow": True})
    assert looks_taken(hub.history, "ato") == 1
