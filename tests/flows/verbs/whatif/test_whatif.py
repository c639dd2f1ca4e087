"""What if a boundary moved: the best certified move is a peek, and a given one is replayed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pandas as pd
import pytest

from configs.errors import UserError
from flows.verbs.certify.generation import current_generation
from flows.verbs.certify.inputs import certification_inputs
from flows.verbs.certify.look import sequence_of
from flows.verbs.certify.peek import peek
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.walk.walk import Walk
from flows.verbs.whatif.whatif import replay_move
from tests.builders import START, small_history, small_walk

WARM_UP = 15


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return small_history()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, history: pd.DataFrame) -> Walk:
    """A small simulated loop, fully reviewed until its first boundary is proven, and nobody approves."""
    walk = small_walk(tmp_path_factory.mktemp("home"), history, WARM_UP)
    walk._approve = lambda as_of: set()  # type: ignore[method-assign]
    walk.warm_up()
    for step in range(20):
        walk.night_and_day(step)
        told = best(walk, step)
        if told["moved"] is not None:
            return walk
    raise AssertionError("the test needs a certified boundary within twenty nights")


def morning_after(step: int) -> datetime:
    return START + timedelta(days=WARM_UP + step + 1)


def best(walk: Walk, step: int) -> dict:
    return replay_move(walk.services, "small_case", None, None, morning_after(step), best=True)


def last_morning(walk: Walk) -> datetime:
    return pd.concat(walk.decisions)["opened_at"].max().to_pydatetime().replace(
        hour=0, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)


def test_the_best_move_is_what_tonights_looks_prove(walk: Walk) -> None:
    """Same cohort, same incumbent, the table that the night would use."""
    services, moment = walk.services, last_morning(walk)
    told = replay_move(services, "small_case", None, None, moment, best=True)
    given = certification_inputs(
        services,
        load_snapshot(services, moment),
        current_generation(services.ledger, services.case_types, "small_case"),
    )
    certificate = given.certificate(sequence_of(given)[0])
    assert told["certificate"]["delta"] == certificate.delta
    assert told["certificate"]["verdict"] == certificate.verdict.value == "certified"
    assert told["moved"]["block_at_or_above"] == certificate.boundary.block_at_or_above
    assert told["moved"]["pass_at_or_below"] == certificate.boundary.pass_at_or_below
    shown = {risk: limit["moved"] for risk, limit in told["limits"].items()}
    assert shown["recall"] is not None


def test_a_peek_spends_no_look_and_proposes_nothing(walk: Walk) -> None:
    """The ledger has the same entries before and after, and the report says so."""
    before = walk.services.ledger.history()
    told = replay_move(walk.services, "small_case", None, None, last_morning(walk), best=True)
    assert walk.services.ledger.history() == before
    assert (told["certificate"]["spends_a_look"], told["certificate"]["proposes"]) == (False, False)


def test_without_a_certified_move_the_price_is_told_and_nothing_is_replayed(walk: Walk) -> None:
    """Two nights of evidence: labels by zone, and the days they take at the present pace."""
    told = best(walk, 1)
    assert (told["moved"], told["replay"], told["queue"]) == (None, None, None)
    certificate = told["certificate"]
    assert certificate["verdict"] == "insufficient_evidence"
    assert set(certificate["labels_needed"]) >= {"pass"}
    # Fully reviewed, 120 labels a day.
    days = {one["zone"]: one["days"] for one in certificate["days_needed"]}
    for zone, labels in certificate["labels_needed"].items():
        assert days[zone] == pytest.approx(labels / 120, rel=0.05)


def test_a_given_move_is_replayed_with_its_limits_beside_it(walk: Walk) -> None:
    """The block side that was asked for, its limit, the curve it lies on, and the queue by hour."""
    told = replay_move(walk.services, "small_case", None, 0.9, last_morning(walk))
    after = told["replay"]["after"]
    assert after["auto_blocked"] > 0
    assert told["queue"]["moved"]["reviewed"] == after["cases"] - after["auto_blocked"]
    assert told["limits"]["precision"]["moved"] is not None
    assert told["limits"]["recall"]["moved"] is None
    precision = next(curve for curve in told["curves"] if curve["risk"] == "precision")
    assert precision["automation"]["current"] is None
    assert 0 < precision["automation"]["moved"] < 0.5
    assert [side["side"] for side in told["reliability"]] == ["block"]
    assert told["cheapest"]["loss_usd"] <= after["expected_loss_usd"]["value"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told | {
        "replay": json.loads(json.dumps(told["replay"]))
    }


def test_before_the_first_label_there_is_nothing_to_peek_at(walk: Walk) -> None:
    """As known on the day the model was made: no evidence, a clear refusal."""
    moment = START + timedelta(days=WARM_UP)
    generation = current_generation(walk.services.ledger, walk.services.case_types, "small_case")
    snapshot = load_snapshot(walk.services, moment)
    assert peek(walk.services, snapshot, "small_case", generation) is None
    with pytest.raises(UserError, match="no mature, labelled case"):
        replay_move(walk.services, "small_case", None, None, moment, best=True)


@pytest.mark.parametrize(
    ("case_type", "low", "high", "asked_best", "said"),
    [
        ("nothing", None, None, True, "no case type 'nothing'"),
        ("small_case", 0.1, None, True, "ask for one of them"),
        ("small_case", 0.9, 0.1, False, "must lie below"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    walk: Walk,
    case_type: str,
    low: float | None,
    high: float | None,
    asked_best: bool,
    said: str,
) -> None:
    """An unknown type, the best move and a given one at once, a boundary that crosses itself."""
    with pytest.raises(UserError, match=said):
        replay_move(walk.services, case_type, low, high, last_morning(walk), best=asked_best)
