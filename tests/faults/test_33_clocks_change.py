"""Nights when the clocks change: one a date, none doubled and none skipped (FAULTS 33).

Injected: the schedule of prefect.yaml is asked for its slots over the changes of 2026 in a time zone
that has them, and a night is walked at each of them, on a machine of that zone.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.server.schemas.schedules import CronSchedule

from tests.faults.upstream import Upstream

ROOT = Path(__file__).resolve().parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]


@pytest.fixture
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


def slots(schedule: CronSchedule, around: datetime) -> list[datetime]:
    """The slots of five days, from two days before a change."""
    start, end = around - timedelta(days=2), around + timedelta(days=3)
    found = asyncio.run(schedule.get_dates(n=20, start=start, end=end))
    return [datetime.fromtimestamp(each.timestamp(), UTC) for each in found]


def scheduled(entrypoint: str) -> CronSchedule:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (one,) = [each for each in document["deployments"] if each["entrypoint"].endswith(entrypoint)]
    (schedule,) = one["schedules"]
    return CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])


@pytest.mark.parametrize("around", CHANGES)
@pytest.mark.parametrize("flow", [":nightly_calibration", ":validate_ab"])
def test_a_date_has_one_slot(flow: str, around: datetime) -> None:
    """A day apart on the clock that never jumps, so that each night covers as much as any other."""
    found = slots(scheduled(flow), around)
    assert len(found) == 5
    assert {later - earlier for earlier, later in itertools.pairwise(found)} == {timedelta(days=1)}
    assert len({each.astimezone(UTC).date() for each in found}) == 5
    assert len({each.astimezone(BERLIN).date() for each in found}) == 5


def test_the_same_schedule_in_local_time_would_not_be_even() -> None:
    """What the test above would see: a night of 23 hours in March, one of 25 in October."""
    there = CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin")
    apart = set()
    for around in CHANGES:
        found = slots(there, around)
        apart |= {later - earlier for earlier, later in itertools.pairwise(found)}
    assert apart != {timedelta(days=1)}


@pytest.mark.usefixtures("_in_berlin")
@pytest.mark.parametrize("around", CHANGES)
def test_each_night_files_the_dossier_of_its_own_date(upstream: Upstream, around: datetime) -> None:
    """Walked at every slot, and again an hour later in local time, by a stamp with that zone's offset."""
    moments = slots(scheduled(":nightly_calibration"), around)
    for moment in moments:
        for at in (moment, (moment + timedelta(hours=1)).astimezone(BERLIN)):
            said = upstream.night(at)
            assert said.code == 0, said.err
    # The second run of a night has the time in its name, behind the same date.
    filed = [path.stem for path in (upstream.home.home / "live" / "dossiers").glob("*.json")]
    nights = [f"{moment.astimezone(UTC):%Y-%m-%d}" for moment in moments]
    assert sorted(one for one in filed if "T" not in one) == nights
    assert sorted(one.partition("T")[0] for one in filed if "T" in one) == nights
