"""A team is saved from either machine and restored to another database and store; one machine's backup
makes a team, and a team's a home that is alone. Rows go from SQLite to PostgreSQL and back."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

from flows.adapters.files.backup_file import MANIFEST
from flows.adapters.files.shared_store import MARK
from flows.verbs import live
from flows.verbs.record import dossier_files
from flows.verbs.services import Services
from tests.faults.house import NAME, House, copied, everything_escalates
from tests.faults.team import Team, beside, shares, team
from tests.faults.test_50_audit_secret import all_agree, drawn
from tests.flows.adapters.killing import killed_at
from tests.flows.commands.live_home import LiveHome, Said
from tests.integration.postgres import _administer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SQLITE, POSTGRES = "sqlite", "postgresql"
TABLES = ("decisions", "reviews")

Empty = Callable[[str], str]


@dataclass(frozen=True)
class Saved:
    """A team, the backups of its two machines (both with the secret), its head, and what it held."""

    team: Team
    files: tuple[Path, Path]
    head: Path
    services: Services

    @classmethod
    def of(cls, two: Team, folder: Path) -> Saved:
        machines = enumerate((two.first, two.second))
        files = [backup_of(one, folder / f"{n}.tar", "--with-audit-secret") for n, one in machines]
        return cls(two, (files[0], files[1]), two.share / "ledger.head", two.first.services())


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """Makes the address of an empty database of a kind."""
    numbers, made = count(), []

    def make(kind: str) -> str:
        if kind == SQLITE:
            return f"sqlite:///{tmp_path / f'empty-{next(numbers)}.db'}"
        server = request.getfixturevalue("postgres_server")
        name = f"team_{next(numbers)}"
        _administer(server, f"CREATE DATABASE {name}")
        made.append((server, name))
        return f"postgresql+psycopg://postgres@/{name}?host={server}"

    yield make
    for server, name in made:
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def team_at_work(folder: Path, monkeypatch, url: str | None) -> Team:
    """Both machines have decided, quarantined rows, told people and filed a dossier."""
    two = team(folder, monkeypatch, url)
    drawn(two.first, 0)
    assert two.hands_over_the_secret().code == 0
    drawn(two.second, 1000)
    for number, one in enumerate((two.first, two.second)):
        works(one.services(), number)
    return two


def works(services: Services, number: int) -> None:
    now = datetime.now(UTC)
    rows = pd.DataFrame({"case_id": [f"case-{number:06d}"], "review_id": [f"r-{number}"]})
    broken = pd.DataFrame({"case_id": [f"broken-{number}"], "rule": ["verdict_is_known"]})
    services.store.append("reviews", rows, broken, key=["review_id"], source="r", received_at=None)
    services.alerts.send("tried", NAME, f"From machine {number}.", now)
    live.file_dossier(services, {"as_of": now.isoformat(), "results": {}, "by": number})


def backup_of(house: House, to: Path, *more: str) -> Path:
    said = house.ask("backup", "--to", str(to), *more)
    assert said.code == 0, said.err
    return to


def digests(file: Path) -> dict[str, str]:
    with tarfile.open(file) as tar:
        told = json.loads(tar.extractfile(MANIFEST).read())  # type: ignore[union-attr]
    return {one["name"]: one["sha256"] for one in told["files"]}


def of_all_machines(names: dict[str, str]) -> dict[str, str]:
    """What a backup holds of the team, whichever machine made it."""
    roots = ("rows/", "shared/", "home/evidence/", "home/models/")
    return {name: digest for name, digest in names.items() if name.startswith(roots)}


class Place:
    """A new database, store and home; what was said there."""

    def __init__(self, folder: Path, monkeypatch, url: str | None, *, with_store: bool) -> None:
        folder.mkdir()
        self.folder, self.url = folder, url
        self.share = shares(folder, monkeypatch, url)
        if url is None:
            monkeypatch.delenv("RATCHET_DATABASE_URL")
        if not with_store:
            monkeypatch.delenv("RATCHET_STORE_URL")
            monkeypatch.delenv("RATCHET_MLFLOW_TRACKING_URI")

    def restore(self, house: House, file: Path, *more: str, home: str = "home") -> Said:
        return house.ask("restore", str(file), "--to", str(self.folder / home), *more)

    def house(self, house: House, home: str = "home") -> House:
        return House(LiveHome(self.folder / home, house.live.tokens), house.wide, house.narrow)


def same(one: Services, other: Services) -> None:
    """Ledger and evidence to the last row, as they are read."""
    assert one.ledger.history() == other.ledger.history()
    for table in TABLES:
        assert one.store.digest(table) == other.store.digest(table)
        assert one.store.read(table).equals(other.store.read(table))
        assert one.store.counts(table) == other.store.counts(table)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A team on SQLite that has both machines' backups."""
    folder = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as here:
        return Saved.of(team_at_work(folder, here, None), folder)


@pytest.fixture(scope="module")
def saved_on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Path
) -> Iterator[Saved]:
    """The same on PostgreSQL."""
    folder = tmp_path_factory.mktemp("saved")
    _administer(postgres_server, "CREATE DATABASE saved_team")
    url = f"postgresql+psycopg://postgres@/saved_team?host={postgres_server}"
    with pytest.MonkeyPatch.context() as here:
        made = Saved.of(team_at_work(folder, here, url), folder)
    yield made
    _administer(postgres_server, "DROP DATABASE saved_team WITH (FORCE)")


@pytest.fixture
def saved_on(request: pytest.FixtureRequest) -> Callable[[str], Saved]:
    """The one on a kind of database."""
    named = {SQLITE: "saved", POSTGRES: "saved_on_postgres"}
    return lambda kind: request.getfixturevalue(named[kind])


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Path]:
    """A home that is alone, and its backup."""
    folder = tmp_path_factory.mktemp("lone")
    with pytest.MonkeyPatch.context() as here:
        shares(folder, here, None)
        for name in ("DATABASE_URL", "STORE_URL", "MLFLOW_TRACKING_URI"):
            here.delenv(f"RATCHET_{name}")
        house = copied(folder / "one")
        drawn(house, 0)
        works(house.services(), 1)
        return house, backup_of(house, folder / "b.tar", "--with-audit-secret")


@pytest.mark.parametrize("kind", [SQLITE, POSTGRES])
def test_either_machine_saves_the_team_and_both_work_on_what_was_restored(
    tmp_path: Path, monkeypatch, empty: Empty, saved_on, kind: str
) -> None:
    """The same rows and files from both, and never the head or the mark; under the kept head the
    restored team decides at once, and its second machine joins."""
    saved = saved_on(kind)
    names = [digests(file) for file in saved.files]
    held = of_all_machines(names[0])
    assert held == of_all_machines(names[1])
    for kept in ("/parts/", "/quarantine/", "home/models/", "shared/dossiers/", "shared/alerts/"):
        assert any(kept in name for name in held), kept
    for name in {*names[0], *names[1]}:
        assert not name.endswith((".head", ".seen", MARK)), name
    place = Place(tmp_path / "new", monkeypatch, empty(kind), with_store=True)
    said = place.restore(saved.team.first, saved.files[1], "--head", str(saved.head))
    assert (said.code, "ratchet join" in said.out) == (0, True), said.err
    assert "accept-restored" not in said.err
    marks = [json.loads((share / MARK).read_bytes()) for share in (place.share, saved.team.share)]
    assert marks[0]["mark"] != marks[1]["mark"]
    assert set(marks[0]) == {"mark", "made_by"}
    first, second = (place.house(saved.team.first, home) for home in ("home", "another"))
    assert Team(first, second, place.share).hands_over_the_secret().code == 0
    assert first.ask("join", by="ana").code == 0
    assert first.services().store.not_shared() == {}
    same(second.services(), saved.services)
    assert second.services().alerts.recent(50) == saved.services.alerts.recent(50)
    assert dossier_files.last_dossier(
        second.services().home, second.services().shared
    ) == dossier_files.last_dossier(saved.services.home, saved.services.shared)
    all_agree(second, drawn(first, 2000))
    assert first.ask("ledger", "verify").code == second.ask("ledger", "verify").code == 0
    # A machine that still names the old store is told so.
    monkeypatch.setenv("RATCHET_STORE_URL", saved.team.share.as_uri())
    said = saved.team.second.ask("status")
    assert (said.code, "another team's" in said.err) == (3, True), said.err


@pytest.mark.parametrize(("kind", "other"), [(SQLITE, POSTGRES), (POSTGRES, SQLITE)])
def test_a_team_without_its_head_waits_for_two_approvers_on_the_other_database(
    tmp_path: Path, monkeypatch, empty: Empty, saved_on, kind: str, other: str
) -> None:
    saved = saved_on(kind)
    place = Place(tmp_path / "new", monkeypatch, empty(other), with_store=True)
    said = place.restore(saved.team.first, saved.files[0])
    assert (said.code, "accept-restored" in said.err) == (0, True), said.err
    back = place.house(saved.team.first)
    said, decisions = back.decide(2000)
    assert said.code == 3
    everything_escalates(decisions, "ledger_broken")
    codes = [
        back.ask("ledger", "accept-restored", "--reason", "the disk burned", by=one).code
        for one in ("ana", "ben")
    ]
    assert codes == [3, 0]
    drawn(back, 3000)
    refused = back.ask("people", "add", "eve", "--role", "approver", by="ola")
    assert refused.code == 3
    works(back.services(), 9)  # numbered by the new database, after what was brought
    assert (
        back.services().store.counts("reviews")[2] == saved.services.store.counts("reviews")[2] + 1
    )
    assert back.ask("ledger", "verify").code == 0
    assert back.services().ledger.history()[:-2] == saved.services.ledger.history()


def test_one_machines_backup_makes_a_team(
    tmp_path: Path, monkeypatch, empty: Empty, lone: tuple[House, Path]
) -> None:
    """The road from a home that was alone, on SQLite, to a team on PostgreSQL: evidence, models,
    dossiers, alerts and MLflow's records lie where both machines find them."""
    one, file = lone
    assert not any(name.startswith("shared/") for name in digests(file))
    before = one.services()
    place = Place(tmp_path / "new", monkeypatch, empty(POSTGRES), with_store=True)
    said = place.restore(one, file, "--head", str(one.home / "ledger.head"))
    assert (said.code, "MLflow's database lies at" in said.out) == (0, True), said.err
    there = Team(place.house(one), place.house(one, "another"), place.share)
    assert there.hands_over_the_secret().code == 0
    assert there.first.ask("join", by="ana").code == 0
    services = there.second.services()
    same(services, before)
    assert dossier_files.last_dossier(services.home, services.shared) == dossier_files.last_dossier(
        before.home, before.shared
    )
    assert [one.get("sentence") for one in services.alerts.recent(50)] == [
        one.get("sentence") for one in before.alerts.recent(50)
    ]
    drawn(there.second, 1000)
    policy = services.ledger.live_policy(NAME)
    services.registry.check_files(NAME, str(policy.model_version), str(policy.model_digest))


@pytest.mark.parametrize(("kind", "url"), [(SQLITE, POSTGRES), (POSTGRES, None)])
def test_a_teams_backup_makes_a_home_that_is_alone(
    tmp_path: Path, monkeypatch, empty: Empty, saved_on, kind: str, url: str | None
) -> None:
    """Its rows in a database that is set, or in a file of the home."""
    saved = saved_on(kind)
    place = Place(
        tmp_path / "new", monkeypatch, None if url is None else empty(url), with_store=False
    )
    said = place.restore(saved.team.first, saved.files[1], "--head", str(saved.head))
    assert (said.code, "no store is named" in said.out) == (0, True), said.err
    services = place.house(saved.team.first).services()
    assert services.shared is None
    same(services, saved.services)
    assert dossier_files.last_dossier(services.home, services.shared) == dossier_files.last_dossier(
        saved.services.home, saved.services.shared
    )
    assert services.alerts.recent(50) == saved.services.alerts.recent(50)
    drawn(place.house(saved.team.first), 2000)
    policy = services.ledger.live_policy(NAME)
    services.registry.check_files(NAME, str(policy.model_version), str(policy.model_digest))


def test_what_is_missing_or_not_empty_is_named(
    tmp_path: Path, monkeypatch, saved: Saved, empty: Empty
) -> None:
    """And nothing is written there, nor in the home."""
    two, file, head = saved.team, saved.files[0], saved.head

    def refused(says: str, code: int = 2) -> None:
        said = place.restore(two.first, file, "--head", str(head))
        assert (said.code, says in said.err) == (code, True), said.err
        assert not (place.folder / "home" / "live").exists()

    place = Place(tmp_path / "a", monkeypatch, empty(SQLITE), with_store=True)
    here = {"url": str(place.url), "share": place.share.as_uri()}
    monkeypatch.delenv("RATCHET_DATABASE_URL")
    refused("store_url is set and database_url is not")
    monkeypatch.setenv("RATCHET_DATABASE_URL", here["url"])
    (place.share / "models").mkdir()
    (place.share / "models" / "other.ubj").write_bytes(b"")
    refused("is not empty (models)")
    shutil.rmtree(place.share / "models")
    (place.share / MARK).write_text('{"mark": "0123"}')
    refused(f"is not empty ({MARK})")
    (place.share / MARK).write_text("no mark")
    refused("damaged", 3)
    (place.share / MARK).unlink()
    assert list(place.share.iterdir()) == []
    # A database that holds a team, with and without that team's store.
    monkeypatch.setenv("RATCHET_DATABASE_URL", f"sqlite:///{two.share.parent / 'shared.db'}")
    refused("knows another store")
    monkeypatch.setenv("RATCHET_STORE_URL", two.share.as_uri())
    refused("belongs to the shared store")
    monkeypatch.delenv("RATCHET_STORE_URL")
    refused("RATCHET_STORE_URL", 3)
    assert list(place.share.iterdir()) == []
    # A database with rows, and no store of its own.
    monkeypatch.setenv("RATCHET_STORE_URL", here["share"])
    alone = copied(tmp_path / "alone")
    shutil.copy2(alone.home / "ledger.db", tmp_path / "rows.db")
    monkeypatch.setenv("RATCHET_DATABASE_URL", f"sqlite:///{tmp_path / 'rows.db'}")
    refused("already holds rows of ledger_entries")
    assert list(place.share.iterdir()) == []


POINTS = ("claimed", "shared", "imported", "head", "settled")


@pytest.mark.parametrize(
    ("point", "kind"), [*((point, SQLITE) for point in POINTS), ("imported", POSTGRES)]
)
def test_killed_anywhere_the_same_restore_goes_on_and_nobody_works_on_a_half(
    tmp_path: Path, monkeypatch, saved: Saved, lone, empty: Empty, point: str, kind: str
) -> None:
    two = saved.team
    place = Place(tmp_path / "new", monkeypatch, empty(kind), with_store=True)

    def again() -> Said:
        return place.restore(two.first, saved.files[0], "--head", str(saved.head))

    assert killed_at(f"restore.{point}", again) == 9
    other = place.house(two.first, "another")
    if point != "settled":
        said = other.ask("join")
        assert (said.code, "has not ended" in said.out) == (3, True), said.out
        said = place.restore(two.first, lone[1])
        assert (said.code, "Another backup was being restored" in said.err) == (2, True), said.err
    said = again()
    assert said.code == 0, said.err
    back = place.house(two.first)
    assert sorted(one.name for one in back.live.home.iterdir()) == ["live"]
    assert (back.home / "audit.key").exists()
    same(other.services(), saved.services)
    assert other.services().store.not_shared() == {}
    assert other.ask("ledger", "verify").code == 0


def test_a_restore_that_went_on_elsewhere_is_not_repeated_over_a_team_at_work(
    tmp_path: Path, monkeypatch, saved: Saved, empty: Empty
) -> None:
    """Killed after the store was given free, and the team worked on: the home is made by `join`."""
    two, file, head = saved.team, saved.files[0], saved.head
    place = Place(tmp_path / "new", monkeypatch, empty(SQLITE), with_store=True)
    again = lambda: place.restore(two.first, file, "--head", str(head))  # noqa: E731
    assert killed_at("restore.settled", again) == 9
    other = place.house(two.first, "another")
    assert other.ask("halt", NAME, "--reason", "At work.", by="ola").code == 0
    said = again()
    assert (said.code, "already holds rows" in said.err) == (2, True), said.err
    assert other.ask("ledger", "verify").code == 0


def test_a_kill_before_the_home_is_there_leaves_a_home_alone_restorable(
    tmp_path: Path, monkeypatch, saved: Saved, empty: Empty
) -> None:
    """Without a store, on a PostgreSQL that has the rows already: they are compared, not brought twice."""
    two, file, head = saved.team, saved.files[0], saved.head
    place = Place(tmp_path / "new", monkeypatch, empty(POSTGRES), with_store=False)
    again = lambda: place.restore(two.first, file, "--head", str(head))  # noqa: E731
    assert killed_at("restore.imported", again) == 9
    other = place.restore(two.first, file, home="other")
    assert (other.code, "already holds rows" in other.err) == (2, True)
    said = again()
    assert said.code == 0, said.err
    drawn(place.house(two.first), 5000)


def test_a_part_that_only_the_store_has_is_saved_and_a_changed_one_is_not(
    tmp_path: Path, monkeypatch
) -> None:
    """The second machine has copies of nothing; then a byte of a part is flipped at the store."""
    (tmp_path / "old").mkdir()
    two = team(tmp_path / "old", monkeypatch, None)
    drawn(two.first, 0)
    assert two.hands_over_the_secret().code == 0
    second = beside(two.first, tmp_path / "fresh")
    names = digests(backup_of(second, tmp_path / "b.tar"))
    assert of_all_machines(names) == of_all_machines(
        digests(backup_of(two.first, tmp_path / "a.tar"))
    )
    shutil.rmtree(second.home / "evidence")
    (part,) = (two.share / "evidence" / "decisions" / "parts").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    said = second.ask("backup", "--to", str(tmp_path / "c.tar"))
    assert (said.code, "was changed or cut" in said.err) == (4, True), said.err
    assert not (tmp_path / "c.tar").exists()
