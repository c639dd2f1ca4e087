"""Nights of the past, walked one by one over files that hold all rows, see what was there by then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.errors import UserError
from flows.adapters.tables.reading_notes import Note
from flows.verbs import live
from flows.verbs.intake.admit_file import admit_file
from flows.verbs.intake.there_by_then import there_by_then
from flows.verbs.services import Services
from models.risk import RiskModel
from tests.builders import small_case_type, small_settings
from tests.flows.commands.live_home import invented_model
from tests.flows.verbs.hub_desk import DAY, NAME, NOW, Registry, with_model
from tests.outside_agent import chargebacks, decided, reviewed

pytestmark = pytest.mark.slow

MARKS = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
NIGHTS = [NOW + number * DAY for number in range(5)]
TABLES = ("decisions", "reviews", "outcomes")


def at(*hours: float) -> pd.Series:
    return pd.Series(pd.to_datetime([NOW + timedelta(hours=h) for h in hours], utc=True))


def test_a_row_is_there_once_all_that_it_tells_has_happened() -> None:
    """Opened before and resolved after is not there; a stamp after today's clock is the contract's."""
    rows = pd.DataFrame(
        {
            "review_id": ["before", "on it", "half", "after", "future", "unreadable"],
            "queued_at": [NOW - DAY] * 6,
            "resolved_at": [NOW - DAY, NOW, NOW + DAY, NOW + DAY, NOW + 900 * DAY, "soon"],
        }
    )
    known = there_by_then("reviews", rows, None, NOW, NOW + 30 * DAY)
    assert list(known.rows["review_id"]) == ["before", "on it", "future", "unreadable"]
    assert known.later == 2
    (note,) = known.told("desk", NOW)
    assert str(note) == (
        "Source 'desk': rows with stamps after 2026-05-04 02:00 UTC were not there yet and are left "
        "out: 2."
    )


def test_a_source_that_says_when_it_was_exported_is_believed() -> None:
    """What happened before and was exported later was not there."""
    rows = pd.DataFrame({"observed_at": at(-9, -9), "exported_at": at(-1, 1)})
    told = there_by_then("outcomes", rows, "exported_at", NOW, NOW + DAY)
    assert (len(told.rows), told.later) == (1, 1)
    assert there_by_then("outcomes", rows, None, NOW, NOW + DAY).later == 0


class _OneModel(Registry):
    """Its every version is one small model."""

    def load(self, case_type: str, version: str, digest: str, *, again: bool = False) -> RiskModel:
        self.check_files(case_type, version, digest)
        return invented_model(small_case_type(), 1)


class Walked:
    """A home whose three files can be written anew before each night."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, marked: bool) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        folder.mkdir()
        monkeypatch.setenv(
            "RATCHET_AUDIT_KEY", "one secret for both homes"
        )  # it draws second reviews
        for table in TABLES:
            lines = [f"name: {table}", f"kind: {table}", f"path: {table}.parquet"]
            lines += [f"watermark: {MARKS[table]}"] * marked
            (folder / f"{table}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        services = Services.at(folder / "home", small_settings(), {NAME: small_case_type()})
        self.services = replace(services, registry=_OneModel())
        with_model(self.services, "agent-1", NOW - 9 * DAY)  # whose scores the decisions bear

    def write(self, tables: dict[str, pd.DataFrame], until: datetime | None = None) -> None:
        for table, rows in tables.items():
            if until is not None:
                rows = rows[rows[MARKS[table]] <= pd.Timestamp(until)]
            rows.to_parquet(self.folder / f"{table}.parquet", index=False)

    def night(self, as_of: datetime) -> dict[str, Any]:
        for table in TABLES:
            name = f"RATCHET_SOURCES__{table.upper()}"
            self.monkeypatch.setenv(name, str(self.folder / f"{table}.yaml"))
        return live.live_night(self.services, as_of).plain()

    def decisions(self) -> list[dict[str, Any]]:
        """The ledger of the case type, but for its place in the chain."""
        entries = [entry.fields() for entry in self.services.ledger.history(NAME)]
        return [{**one, "seq": 0, "dossier": dict(one["dossier"])} for one in entries]

    def digests(self, as_of: datetime) -> dict[str, str]:
        return {table: self.services.store.digest(table, as_of) for table in TABLES}


def feed() -> dict[str, pd.DataFrame]:
    """Seven days of cases that end with the last night; reviews half an hour and six hours after the
    decision, and chargebacks three days later."""
    days = [decided(NIGHTS[0] - 2 * DAY + number * DAY, 60) for number in range(-1, 6)]
    reviews = [
        reviewed(day, after=timedelta(hours=6 if n % 2 else 0.5)) for n, day in enumerate(days)
    ]
    late = [chargebacks(day.iloc[::9], day["opened_at"].iloc[0] + 3 * DAY) for day in days]
    return {
        "decisions": pd.concat(days, ignore_index=True),
        "reviews": pd.concat(reviews, ignore_index=True),
        "outcomes": pd.concat(late, ignore_index=True),
    }


@pytest.mark.slow
@pytest.mark.parametrize("marked", [True, False])
def test_five_nights_over_all_rows_equal_five_over_growing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    """The same rows at the same stamps, certificates on the same evidence, the same ledger; nothing is
    quarantined, and each night adds only its day."""
    tables = feed()
    whole = Walked(tmp_path / "whole", monkeypatch, marked)
    grows = Walked(tmp_path / "grows", monkeypatch, marked)
    whole.write(tables)
    for as_of in NIGHTS:
        grows.write(tables, as_of)
        one, other = whole.night(as_of), grows.night(as_of)
        assert any("were not there yet" in n for b in one["batches"] for n in b["notes"]) == (
            max(rows[MARKS[t]].max() for t, rows in tables.items()) > pd.Timestamp(as_of)
        )
        for batch in (*one["batches"], *other["batches"]):
            batch["notes"] = []
        assert json.dumps(one, default=str) == json.dumps(other, default=str)
        assert (one["as_of"], one["rows_quarantined"]) == (as_of.isoformat(), 0)
        assert one["certificates"][0]["case_type"] == NAME
        added = sum(
            int(((rows[MARKS[t]] > as_of - DAY) & (rows[MARKS[t]] <= as_of)).sum())
            for t, rows in tables.items()
        )
        first = sum(int((rows[MARKS[t]] <= as_of).sum()) for t, rows in tables.items())
        assert one["rows_new"] == (first if as_of == NIGHTS[0] else added) > 0
    for as_of in NIGHTS:
        assert whole.digests(as_of) == grows.digests(as_of)
    assert whole.decisions() == grows.decisions()
    (judged,) = one["certificates"]
    assert judged["labelled"] > 100
    assert judged["evidence_digest"]
    stamps = whole.services.store.read("decisions", columns=["received_at"])["received_at"]
    assert sorted(set(stamps)) == [pd.Timestamp(one) for one in NIGHTS]


def test_a_night_behind_a_later_one_adds_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored cannot get an earlier neighbour; the same night again is none."""
    home = Walked(tmp_path / "home", monkeypatch, True)
    home.write(feed())
    home.night(NIGHTS[3])
    before = home.digests(NIGHTS[4])
    late = home.night(NIGHTS[1])
    assert late["verdict"].startswith("Failed: ")
    assert "Walk nights of the past in order" in " ".join(
        late["results"]["tables"]["reviews"]["why"]
    )
    assert late["as_of"] == NIGHTS[1].isoformat()
    again = home.night(NIGHTS[3])
    assert (again["rows_new"], home.digests(NIGHTS[4])) == (0, before)


def test_a_file_is_admitted_as_of_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Day by day by hand: each adds its own, stamped with its moment; none behind a later one."""
    home = Walked(tmp_path / "home", monkeypatch, False)
    monkeypatch.setattr("flows.verbs.intake.admit_file.open_services", lambda: home.services)
    rows = feed()["decisions"]
    home.write({"decisions": rows})
    file, notes = home.folder / "decisions.parquet", list[Note]()
    for as_of in NIGHTS[:2]:
        told = admit_file(file, "decisions", None, False, notes.append, as_of)
        by_then = int((rows["decided_at"] <= pd.Timestamp(as_of)).sum())
        assert (told.rows_in, told.quarantined, told.received_at) == (by_then, 0, as_of)
    assert len(notes) == 2
    with pytest.raises(UserError, match="are stored already"):
        admit_file(file, "decisions", None, False, notes.append, NIGHTS[0])
    empty = Walked(tmp_path / "empty", monkeypatch, False)
    monkeypatch.setattr("flows.verbs.intake.admit_file.open_services", lambda: empty.services)
    with pytest.raises(UserError, match=r"no row of decisions\.parquet was there by 2025"):
        admit_file(file, "decisions", None, False, notes.append, NOW - 400 * DAY)
