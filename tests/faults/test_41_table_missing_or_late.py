"""A table that others refer to fails or is late: nothing that refers to it is quarantined for that, and no watermark moves past it.

Injected: a night on which the decisions cannot be read, or lack a column, or end half a day before the
reviews; then the same tables again, whole.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.services import Services
from tests.faults.nights import night, quiet_nights, stored
from tests.flows.verbs.hub_desk import DAY, NOW, hub_desk
from tests.outside_agent import chargebacks, decided, reviewed


@pytest.fixture
def steady(tmp_path: Path) -> Services:
    services = hub_desk(tmp_path)
    quiet_nights(services, NOW - 6 * DAY, 6)
    return services


@pytest.mark.parametrize("how", ["source down", "column missing", "empty"])
def test_what_refers_to_decisions_that_failed_waits(steady: Services, how: str) -> None:
    """Nothing is quarantined, no watermark moves, and the next night admits all of it."""
    cases = decided(NOW - DAY, name="d")
    late = chargebacks(cases[:10], NOW)
    broken: pd.DataFrame | str = "the database does not answer."
    if how == "column missing":
        broken = cases.drop(columns="propensity")
    elif how == "empty":
        broken = cases[:0]
    marks = {name: steady.store.watermark(f"desk {name}") for name in ("reviews", "outcomes")}
    told = night(steady, NOW + DAY, decisions=broken, reviews=reviewed(cases), outcomes=late)
    assert told["rows_quarantined"] == 0
    assert told["rows_waiting"] == 110
    assert told["results"]["tables"]["decisions"]["state"] == "failed"
    assert told["results"]["tables"]["reviews"]["state"] == "held"
    assert marks == {name: steady.store.watermark(f"desk {name}") for name in marks}

    again = night(steady, NOW + 2 * DAY, decisions=cases, reviews=reviewed(cases), outcomes=late)
    assert again["verdict"] == "Everything was done; nothing is held."
    assert again["rows_new"] == 210
    assert stored(steady, "reviews") == 700


def test_reviews_queued_after_the_newest_decision_wait_for_it(steady: Services) -> None:
    """The decisions' export ends at noon, the reviews' does not: the rest comes with the next night."""
    cases = decided(NOW - DAY, name="d")
    told = night(steady, NOW, decisions=cases[:60], reviews=reviewed(cases))
    assert (told["rows_quarantined"], told["rows_waiting"]) == (0, 40)
    assert steady.store.watermark("desk reviews") < reviewed(cases)["resolved_at"].min()
    again = night(steady, NOW + DAY, decisions=cases, reviews=reviewed(cases))
    assert (again["rows_waiting"], stored(steady, "reviews")) == (0, 700)


def test_rows_of_a_case_that_nobody_decided_are_quarantined_and_tried_again(
    steady: Services,
) -> None:
    """A case that is older than the newest decision: named, counted, and admitted once it is decided."""
    cases, strangers = decided(NOW - DAY, name="d"), decided(NOW - 3 * DAY, 20, name="x")
    reviews = pd.concat([reviewed(cases), reviewed(strangers)], ignore_index=True)
    told = night(steady, NOW, decisions=cases, reviews=reviews)
    (batch,) = [one for one in told["batches"] if one["table"] == "reviews"]
    assert batch["rejections"] == {"decision_is_known": 20}
    assert (batch["admitted"], told["rows_waiting"]) == (100, 0)

    later = night(steady, NOW + DAY, decisions=strangers)
    (again,) = [one for one in later["batches"] if one["source"] == "quarantined reviews"]
    assert (again["admitted"], again["quarantined"]) == (20, 0)
    assert stored(steady, "reviews") == 720
    quiet = night(steady, NOW + 2 * DAY)
    assert quiet["batches"] == []
