"""Late rows, clocks off by hours: each row lands in exactly one window; rows from the future are
quarantined (FAULTS 21).

Injected: rows that come a night late, clocks of three zones, one that runs five hours ahead, and stamps
on the very edge of a day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from flows.verbs.evidence.truth import load_snapshot
from tests.faults.upstream import Upstream

DAY = timedelta(days=1)


def windows(upstream: Upstream, column: str = "opened_at") -> list[pd.DataFrame]:
    """The stored decisions, a UTC day a window, from a week before the first to a week after."""
    store = upstream.services().store
    stamps = store.read("decisions")[column]
    first = stamps.min().floor("D").to_pydatetime() - 7 * DAY
    days = (stamps.max().to_pydatetime() - first).days + 14
    return [
        store.read("decisions", since=first + n * DAY, until=first + (n + 1) * DAY, stamp=column)
        for n in range(days)
    ]


def each_row_is_in_one_window(upstream: Upstream) -> None:
    for column in ("opened_at", "decided_at"):
        told = [case_id for rows in windows(upstream, column) for case_id in rows["case_id"]]
        assert sorted(told) == sorted(upstream.stored("decisions")["case_id"])
        assert len(set(told)) == len(told)


def test_a_row_that_comes_a_night_late_is_in_the_window_of_its_own_day(
    upstream_on_either: Upstream,
) -> None:
    """A fifth of yesterday's rows come with today's; none is read past, none counted twice."""
    upstream = upstream_on_either
    rows, newest = upstream.read("decisions"), upstream.read("decisions")["decided_at"].max()
    late = rows.index[rows["decided_at"] > newest - pd.Timedelta(hours=20)][::5]
    assert len(late) > 20
    others = {table: upstream.read(table) for table in ("reviews", "outcomes")}
    for table, whole in others.items():
        upstream.write(table, whole[~whole["case_id"].isin(rows.loc[late, "case_id"])])
    upstream.write("decisions", rows.drop(late))
    assert upstream.night().code == 0
    assert len(upstream.stored("decisions")) == len(rows) - len(late)
    each_row_is_in_one_window(upstream)
    for table, whole in {**others, "decisions": rows}.items():
        upstream.write(table, whole)
    upstream.night()
    upstream.night()
    assert len(upstream.stored("decisions")) == len(rows)
    assert len(upstream.stored("reviews")) == len(others["reviews"])
    each_row_is_in_one_window(upstream)


def test_what_was_late_is_seen_by_no_earlier_look(upstream: Upstream) -> None:
    """A look as of the first night finds what it found then, whenever its rows were opened."""
    rows = upstream.read("decisions")
    upstream.write("decisions", rows.iloc[::2])
    upstream.admit("decisions")
    between = datetime.now(UTC)
    then = set(load_snapshot(upstream.services(), between).decisions["case_id"])
    upstream.write("decisions", rows)
    upstream.admit("decisions")
    assert set(load_snapshot(upstream.services(), between).decisions["case_id"]) == then
    assert len(load_snapshot(upstream.services(), datetime.now(UTC)).decisions) == len(rows)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles", "UTC"])
def test_a_clock_of_another_zone_moves_no_row_to_another_window(
    upstream: Upstream, zone: str
) -> None:
    """Written with its offset, each stamp is the same instant, also a microsecond before midnight."""
    rows = upstream.read("decisions")
    midnight = rows["opened_at"].max().floor("D")
    for place, edge in enumerate((-1, 0, 1)):
        rows.loc[place, ["opened_at", "decided_at"]] = midnight + pd.Timedelta(edge, "us")
    local = rows.assign(
        **{name: rows[name].dt.tz_convert(zone) for name in ("opened_at", "decided_at")}
    )
    file = upstream.folder / "decisions.csv"
    local.to_csv(file, index=False)
    said = upstream.ask("admit", str(file), "--contract", "decisions")
    assert said.code == 0, said.err
    each_row_is_in_one_window(upstream)
    stored = upstream.stored("decisions").set_index("case_id")["opened_at"]
    assert (stored.loc[rows["case_id"]].to_numpy() == rows["opened_at"].to_numpy()).all()
    of_day = {n: set(part["case_id"]) for n, part in enumerate(windows(upstream))}
    day_of = {one: n for n, ids in of_day.items() for one in ids}
    before, at, after = (day_of[one] for one in rows["case_id"][:3])
    assert (at - before, after - at) == (1, 0)


def test_rows_of_a_clock_that_runs_ahead_are_put_aside_by_name(
    upstream_on_either: Upstream,
) -> None:
    """Five hours ahead; a clock that runs behind is taken at its word, as nobody can tell."""
    upstream = upstream_on_either
    rows, ahead = upstream.read("decisions"), pd.Timedelta(hours=5)
    recent = rows.index[rows["decided_at"] > pd.Timestamp.now(tz="UTC") - pd.Timedelta(hours=4)]
    if len(recent) == 0:  # just after midnight
        recent = rows.index[-5:]
        rows.loc[recent, ["opened_at", "decided_at"]] = pd.Timestamp.now(tz="UTC").as_unit("us")
    rows.loc[recent, "opened_at"] += ahead
    rows.loc[recent, "decided_at"] += ahead
    upstream.write("decisions", rows)
    upstream.night()
    aside = upstream.rejected("decisions")
    assert set(aside["case_id"]) == set(rows.loc[recent, "case_id"])
    assert aside["broken_rules"].str.contains("no_stamp_from_the_future").all()
    assert len(upstream.stored("decisions")) == len(rows) - len(recent)
    each_row_is_in_one_window(upstream)
