"""Which sequence of a model is this, and how many comparisons has its watch for drift made?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from flows.verbs.certify.generation import (
    COMPARISONS,
    SEQUENCE,
    Generation,
    current_generation,
    last_version,
)
from flows.verbs.services import Services
from models.hub import Entry, RestartEvidence, TakeLook
from models.hub.rules.people import NIGHT
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, digest_of, hub_desk, with_model


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return hub_desk(tmp_path)


def look(services: Services, at: datetime) -> None:
    said = services.ledger.submit(
        TakeLook(
            case_type=NAME,
            actor=NIGHT,
            base_version=last_version(services.ledger, NAME),
            evidence_digest=digest_of(str(at)),
            look_index=generation(services).looks + 1,
            delta_spent=0.01,
            effective_sample=100.0,
            dossier={SEQUENCE: {"looks": []}},
        ),
        at,
    )
    assert isinstance(said, Entry)


def restart(services: Services, at: datetime, comparisons: int) -> None:
    said = services.ledger.submit(
        RestartEvidence(
            case_type=NAME,
            actor=NIGHT,
            base_version=last_version(services.ledger, NAME),
            evidence_since=at - DAY,
            dossier={"why": "moved", COMPARISONS: comparisons},
        ),
        at,
    )
    assert isinstance(said, Entry)


def generation(services: Services) -> Generation:
    found = current_generation(services.ledger, services.case_types, NAME)
    assert found is not None
    return found


def test_a_sequence_that_ended_before_its_first_look_is_not_counted(services: Services) -> None:
    """It spent nothing, so the next one has the share of the first."""
    assert (generation(services).sequence, generation(services).comparisons) == (0, 0)
    restart(services, NOW, 3)
    assert (generation(services).sequence, generation(services).comparisons) == (0, 3)
    look(services, NOW + DAY)
    assert generation(services).looked == {"looks": []}
    restart(services, NOW + 2 * DAY, 8)
    assert (generation(services).sequence, generation(services).comparisons) == (1, 8)
    assert generation(services).looked is None
    restart(services, NOW + 4 * DAY, 9)
    look(services, NOW + 5 * DAY)
    look(services, NOW + 6 * DAY)
    assert generation(services).sequence == 1
    restart(services, NOW + 7 * DAY, 12)
    assert (generation(services).sequence, generation(services).comparisons) == (2, 12)


def test_another_model_begins_with_its_own_alpha(services: Services) -> None:
    look(services, NOW)
    restart(services, NOW + DAY, 8)
    with_model(services, "2", NOW + 2 * DAY)
    assert (generation(services).sequence, generation(services).comparisons) == (0, 0)
