"""Stamps: a decision is never stamped before its policy was promoted, `received_at` is the commit's
time, and an as-of read gives the same rows for ever.

Injected: a promotion and a halt between two pieces of a file and inside one, a ledger written by a
clock that is ahead, a clock set back, and writers and readers at once, in two processes.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import GateRefused
from flows.adapters.evidence import evidence_index
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.verbs.decide import decide_once as once
from flows.verbs.decide.decide_file import decide_file
from flows.verbs.govern.brakes import halt
from flows.verbs.services import Services
from models.hub import AuditPlan
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised, advised_desk
from tests.flows.verbs.live_desk import live_desk, new_cases, promoted

NONE = pd.DataFrame({"broken_rules": pd.Series(dtype="str")})


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    (tmp_path / "home" / "live").mkdir(parents=True)
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def services(advised: Advised, tmp_path: Path, database: str | None) -> Services:
    return live_desk(advised, tmp_path / "home", database)


def stored(services: Services, cases: pd.DataFrame) -> pd.DataFrame:
    rows = services.store.read("decisions", filters={"case_id": cases["case_id"].tolist()})
    return rows.set_index("case_id").loc[cases["case_id"]].reset_index()


def test_each_piece_of_a_file_is_decided_under_what_is_live_at_its_moment(
    services: Services, advised: Advised, tmp_path: Path
) -> None:
    """A promotion and then a halt while a file is decided: three pieces, three answers, each stamped
    after the entry that it obeys, and received no earlier than it was decided."""
    first = promoted(services, advised, datetime.now(UTC))
    cases = new_cases(advised, datetime.now(UTC), 90)
    file = tmp_path / "cases.parquet"
    cases.to_parquet(file)
    entries: list[datetime] = []

    def between(done: int, _: int | None) -> None:
        if done == 30:
            promoted(services, advised, datetime.now(UTC), audit=AuditPlan(0.5))
        if done == 60:
            halt(
                services.ledger,
                services.case_types,
                CASE_TYPE,
                "olga",
                "a wave of takeovers",
                datetime.now(UTC),
            )
        entries.append(services.ledger.history(CASE_TYPE)[-1].at)

    decide_file(services, file, CASE_TYPE, None, None, between, piece_rows=30)
    rows = stored(services, cases)
    pieces = [rows.iloc[start : start + 30] for start in (0, 30, 60)]
    assert set(pieces[0]["policy_id"]) == {first.policy_id}
    assert set(pieces[1]["policy_id"]) == {services.ledger.live_policy(CASE_TYPE).policy_id}
    assert set(pieces[2]["override"]) == {"halted"}
    stamps = [piece["decided_at"].iloc[0] for piece in pieces]
    assert [piece["decided_at"].nunique() for piece in pieces] == [1, 1, 1]
    assert stamps[0] < entries[0] <= stamps[1] < entries[1] <= stamps[2]
    assert (rows["received_at"] >= rows["decided_at"]).all()
    assert rows["received_at"].nunique() == 3


def test_a_halt_that_comes_while_a_piece_is_decided_is_obeyed(
    services: Services, advised: Advised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is looked at again before anything is stored."""
    promoted(services, advised, datetime.now(UTC))
    cases = new_cases(advised, datetime.now(UTC), 30)
    plain, calls = once.decide_cases, []

    def slow(*given: object, **said: object) -> pd.DataFrame:
        decided = plain(*given, **said)  # type: ignore[arg-type]
        if not calls:
            halt(
                services.ledger,
                services.case_types,
                CASE_TYPE,
                "olga",
                "a wave of takeovers",
                datetime.now(UTC),
            )
        calls.append(1)
        return decided

    monkeypatch.setattr(once, "decide_cases", slow)
    told = once.decide_once(services, CASE_TYPE, cases, None, source="file")
    assert (told.decided, set(told.decisions["override"])) == (30, {"halted"})
    halted_at = services.ledger.history(CASE_TYPE)[-1].at
    assert (stored(services, cases)["decided_at"] >= pd.Timestamp(halted_at)).all()


def test_a_clock_that_is_behind_stamps_no_decision_before_its_promotion(
    services: Services, advised: Advised
) -> None:
    """Two minutes behind: at the promotion. An hour behind: nothing is decided, and people hear why."""
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    promoted(services, advised, ahead)
    cases = new_cases(advised, datetime.now(UTC), 30)
    told = once.decide_once(services, CASE_TYPE, cases.head(10), None, source="file")
    assert told.decided == 10
    assert set(stored(services, cases.head(10))["decided_at"]) == {pd.Timestamp(ahead)}
    promoted(services, advised, datetime.now(UTC) + timedelta(hours=1), audit=AuditPlan(0.5))
    with pytest.raises(GateRefused, match="the clocks of two machines disagree"):
        once.decide_once(services, CASE_TYPE, cases.tail(20), None, source="file")


def batch(number: int) -> pd.DataFrame:
    return pd.DataFrame({"case_id": [f"c{number}"]})


def append(store: EvidenceStore, number: int, received_at: datetime | None = None) -> datetime:
    receipt = store.append(
        "decisions", batch(number), NONE, key=["case_id"], source="s", received_at=received_at
    )
    return receipt.received_at


def test_received_at_is_the_moment_of_the_commit_and_only_ever_later(
    tmp_path: Path, database: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow batch is stamped when it is committed, and a clock set back stamps after the last."""
    store = EvidenceStore(tmp_path, database)
    began = datetime.now(UTC)
    first = append(store, 1)
    assert began - timedelta(seconds=1) <= first <= datetime.now(UTC) + timedelta(seconds=1)
    simulated = append(store, 2, datetime.now(UTC) + timedelta(hours=1))
    assert append(store, 3) == simulated + timedelta(microseconds=1)
    if database is None:

        class Back(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return began - timedelta(days=1)

        monkeypatch.setattr(evidence_index, "datetime", Back)
        assert append(store, 4) == simulated + timedelta(microseconds=2)


def write_batches(root: Path, url: str | None, first: int, seconds: float) -> None:
    store, number = EvidenceStore(root, url), first
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        append(store, number)
        number += 2


def test_a_read_as_of_this_moment_is_the_same_for_ever(
    tmp_path: Path, database: str | None
) -> None:
    """Two processes write as fast as they can, this one reads as of now; each read is made again."""
    context = multiprocessing.get_context("spawn")
    store = EvidenceStore(tmp_path, database)
    writers = [
        context.Process(target=write_batches, args=(tmp_path, database, first, 5.0))
        for first in (0, 1)
    ]
    for writer in writers:
        writer.start()
    seen: list[tuple[datetime, str]] = []
    while any(writer.is_alive() for writer in writers):
        moment = datetime.now(UTC)
        seen.append((moment, store.digest("decisions", moment)))
        time.sleep(0.002)
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert len({digest for _, digest in seen}) > 5, "the writers wrote next to nothing"
    changed = [moment for moment, digest in seen if store.digest("decisions", moment) != digest]
    assert changed == []


def test_a_simulated_clock_gives_the_same_stamps_each_time(tmp_path: Path) -> None:
    """A walk's rows are stamped with its own moments, wherever and whenever it runs."""
    moments = [datetime(2026, 3, day, tzinfo=UTC) for day in (2, 3, 3, 5)]
    found: list[list[datetime]] = []
    make: Callable[[str], EvidenceStore] = lambda name: EvidenceStore(tmp_path / name)  # noqa: E731
    for name in ("one", "two"):
        store = make(name)
        found.append([append(store, number, at) for number, at in enumerate(moments)])
    assert found == [moments, moments]
