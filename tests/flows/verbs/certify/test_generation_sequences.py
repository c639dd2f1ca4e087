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
from flows.verbs.desk import Desk
from models.hub import Entry, RestartEvidence, TakeLook
from models.hub.rules.people import NIGHT
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, digest_of, hub_desk, with_model


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return hub_desk(tmp_path)


def look(desk: Desk, at: datetime) -> None:
    said = desk.ledger.submit(
        TakeLook(
            case_type=NAME,
            actor=NIGHT,
            base_version=last_version(desk, NAME),
            evidence_digest=digest_of(str(at)),
            look_index=generation(desk).looks + 1,
            delta_spent=0.01,
            effective_sample=100.0,
            dossier={SEQUENCE: {"looks": []}},
        ),
        at,
    )
    assert isinstance(said, Entry)


def restart(desk: Desk, at: datetime, comparisons: int) -> None:
    said = desk.ledger.submit(
        RestartEvidence(
            case_type=NAME,
            actor=NIGHT,
            base_version=last_version(desk, NAME),
            evidence_since=at - DAY,
            dossier={"why": "moved", COMPARISONS: comparisons},
        ),
        at,
    )
    assert isinstance(said, Entry)


def generation(desk: Desk) -> Generation:
    found = current_generation(desk, NAME)
    assert found is not None
    return found


def test_a_sequence_that_ended_before_its_first_look_is_not_counted(desk: Desk) -> None:
    """It spent nothing, so the next one has the share of the first."""
    assert (generation(desk).sequence, generation(desk).comparisons) == (0, 0)
    restart(desk, NOW, 3)
    assert (generation(desk).sequence, generation(desk).comparisons) == (0, 3)
    look(desk, NOW + DAY)
    assert generation(desk).looked == {"looks": []}
    restart(desk, NOW + 2 * DAY, 8)
    assert (generation(desk).sequence, generation(desk).comparisons) == (1, 8)
    assert generation(desk).looked is None
    restart(desk, NOW + 4 * DAY, 9)
    look(desk, NOW + 5 * DAY)
    look(desk, NOW + 6 * DAY)
    assert generation(desk).sequence == 1
    restart(desk, NOW + 7 * DAY, 12)
    assert (generation(desk).sequence, generation(desk).comparisons) == (2, 12)


def test_another_model_begins_with_its_own_alpha(desk: Desk) -> None:
    look(desk, NOW)
    restart(desk, NOW + DAY, 8)
    with_model(desk, "2", NOW + 2 * DAY)
    assert (generation(desk).sequence, generation(desk).comparisons) == (0, 0)
