"""Two homes in two folders with one PostgreSQL: nights, retrain, approve, promote, decide and restore
from both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from flows.adapters.sql.database import open_database
from flows.adapters.sql.night_lease import NightLease
from flows.verbs.certify.generation import current_generation, last_version
from models.hub import AuditPlan, Entry, Policy, Propose
from models.hub.rules.people import NIGHT
from models.vocabulary import Boundary
from tests.faults.house import cases
from tests.faults.team import shares
from tests.flows.commands.live_home import LiveHome
from tests.integration.postgres import _administer
from tests.live_sources import write_live_sources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
NAME = "ato"


def files_proposal(home: LiveHome, boundary: Boundary) -> str:
    """As a night proposes that has enough evidence; its id."""
    services = home.services()
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    policy = Policy(
        case_type=NAME,
        model_name=NAME,
        model_version=generation.version,
        model_digest=generation.digest,
        audit=AuditPlan(0.1),
        calibration={"slope": 1.0, "intercept": 0.0},
        boundary=boundary,
    )
    now = datetime.now(UTC)
    said = services.ledger.submit(
        Propose(
            case_type=NAME,
            policy=policy,
            actor=NIGHT,
            base_version=last_version(services.ledger, NAME),
            evidence_digest="e" * 64,
            evidence_since=now - timedelta(hours=1),
            evidence_until=now - timedelta(hours=1),
            dossier={"reasons": ["Both sides widen."]},
        ),
        now,
    )
    assert isinstance(said, Entry), said
    return policy.policy_id


def decides(home: LiveHome, start: int) -> pd.DataFrame:
    file, out = home.home / f"cases-{start}.parquet", home.home / f"to-{start}.parquet"
    cases(home.services(), start, 200).to_parquet(file, index=False)
    said = home.ask("decide", str(file), "--case-type", NAME, "--to", str(out))
    assert said.code == 0, said.err
    return pd.read_parquet(out)


def goes_on_from_its_backup(
    home: LiveHome, head: Path, folder: Path, url: str, sources: dict[str, str], monkeypatch
) -> None:
    """A new database, store and home out of what one machine saved: two machines approve, promote,
    decide and run a night there, and nothing is stored twice."""
    folder.mkdir()
    said = home.ask("backup", "--to", str(folder / "b.tar"), "--with-audit-secret")
    assert said.code == 0, said.err
    before = home.services()
    shares(folder, monkeypatch, url)
    for name, file in sources.items():
        monkeypatch.setenv(name, file)
    said = home.ask(
        "restore", str(folder / "b.tar"), "--to", str(folder / "a"), "--head", str(head)
    )
    assert (said.code, "accept-restored" in said.err) == (0, False), said.err
    a, b = LiveHome(folder / "a", home.tokens), LiveHome(folder / "b", home.tokens)
    assert a.ask("audit-key", "export", "--to", str(folder / "secret.json")).code == 0
    assert b.ask("join", "--audit-key", str(folder / "secret.json"), by="ben").code == 0
    assert b.services().ledger.history() == before.ledger.history()
    for table in ("decisions", "reviews", "outcomes"):
        assert b.services().store.digest(table) == before.store.digest(table)
    told = json.loads(b.ask("night", "--json").out)
    assert told["rows_new"] == 0
    proposal = files_proposal(a, Boundary(0.25, 0.75))
    for one, command, by in ((b, "approve", "ben"), (a, "promote", "ana")):
        said = one.ask(command, proposal, *(["--yes"] if command == "approve" else []), by=by)
        assert said.code == 0, said.err
    decided = pd.concat([decides(a, 10_000), decides(b, 11_000)])
    assert set(decided["policy_id"]) == {proposal}
    for one in (a, b):
        assert one.ask("join", by="ana").code == 0
        assert one.ask("ledger", "verify").code == 0


@pytest.fixture
def empty_urls(postgres_server: Path) -> Iterator[list[str]]:
    """Two more empty databases of the server."""
    names = ["restored_from_a", "restored_from_b"]
    for name in names:
        _administer(postgres_server, f"CREATE DATABASE {name}")
    yield [f"postgresql+psycopg://postgres@/{name}?host={postgres_server}" for name in names]
    for name in names:
        _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def test_two_machines_take_turns(
    tmp_path: Path, postgres_url: str, empty_urls: list[str], monkeypatch
) -> None:
    """What one of them does the other goes on from, and both homes say the same at the end; then each
    machine's backup becomes a team of its own."""
    share = shares(tmp_path, monkeypatch, postgres_url)
    sources = write_live_sources(tmp_path / "sources", days=25, scale=0.1)
    for name, file in sources.items():
        monkeypatch.setenv(name, file)
    a = LiveHome(tmp_path / "a")
    a.people()
    b = LiveHome(tmp_path / "b", a.tokens)
    assert a.ask("join", by="ana").code == 0
    file = tmp_path / "handed-over.json"
    assert a.ask("audit-key", "export", "--to", str(file)).code == 0
    said = b.ask("join", "--audit-key", str(file), by="ben")
    assert said.code == 0, said.out

    nights = [one.ask("night", "--json") for one in (a, b, a)]
    told = [json.loads(one.out) for one in nights]
    assert [one["rows_new"] > 0 for one in told] == [True, False, False]
    said = b.ask("retrain", NAME)
    assert said.code == 0, said.out + said.err
    first = files_proposal(a, Boundary(0.2, 0.8))
    for home, command, by in ((b, "approve", "ben"), (a, "promote", "ana")):
        said = home.ask(command, first, *(["--yes"] if command == "approve" else []), by=by)
        assert said.code == 0, said.err
    decided = pd.concat([decides(b, 0), decides(a, 1000)])
    assert set(decided["policy_id"]) == {first}
    assert (decided["action"] != "escalate").any()
    second = files_proposal(b, Boundary(0.3, 0.7))
    for home, command, by in ((a, "approve", "ana"), (b, "promote", "ben")):
        said = home.ask(command, second, *(["--yes"] if command == "approve" else []), by=by)
        assert said.code == 0, said.err
    decided = pd.concat([decides(a, 2000), decides(b, 3000)])
    assert set(decided["policy_id"]) == {second}
    assert a.ask("night").code == b.ask("night").code

    for home in (a, b):
        assert home.ask("join", by="ana").code == 0
        assert home.ask("ledger", "verify").code == 0
    desks = [home.services() for home in (a, b)]
    for table in ("decisions", "reviews", "outcomes"):
        assert len({services.store.digest(table) for services in desks}) == 1
        assert len(desks[0].store.read(table)) == len(desks[1].store.read(table)) > 0
    assert desks[0].ledger.history() == desks[1].ledger.history()
    assert desks[0].alerts.recent(50) == desks[1].alerts.recent(50)

    for home, folder, url in zip((a, b), ("from-a", "from-b"), empty_urls, strict=True):
        shares(tmp_path, monkeypatch, postgres_url)
        head = share / "ledger.head"
        goes_on_from_its_backup(home, head, tmp_path / folder, url, sources, monkeypatch)


@pytest.fixture
def engine(postgres_url: str) -> Engine:
    return open_database(postgres_url)


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
def test_an_ended_night_gives_its_lease_back(
    tmp_path: Path, postgres_url: str, engine: Engine, ended_by: signal.Signals
) -> None:
    """And while it ran, a second one hears of it, whose clock is the server's."""
    code = (
        "import signal, time\nfrom flows.verbs.house.one_night import one_night\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may have it ignored
        "with one_night():\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    environment = {"PATH": os.environ["PATH"], "RATCHET_DATABASE_URL": postgres_url}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        held = NightLease(engine).held()
        assert held is not None
        assert held.counts
        process.send_signal(ended_by)
        assert process.wait(60) != 0
    assert NightLease(engine).held() is None
