"""The files that a team shares: whole or not at all, in a folder and in an object store."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from configs.errors import GateRefused, ServiceUnreachable, UserError
from flows.adapters.files.restored_store import RestoredStore
from flows.adapters.files.shared_store import MARK, SharedFile, SharedStore, known_mark, team_store
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.ledger.ledger_head import (
    Head,
    RefusalTally,
    read_head,
    write_first_head,
    write_head,
)
from flows.adapters.mlflow.model_copies import ModelCopies
from flows.adapters.sql.database import open_database
from tests.flows.adapters.ledger_scenarios import make_live


class Objects(MemoryFileSystem):
    """An object store: a file is there whole once its upload has ended, and nothing is renamed."""

    protocol = "objects"
    cachable = False
    store: dict = {}  # noqa: RUF012  (fsspec's own way: one store a class)


@pytest.fixture(params=["folder", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SharedStore:
    if request.param == "folder":
        (tmp_path / "share").mkdir(mode=0o700)
        return SharedStore.at(str(tmp_path / "share"))
    Objects.store.clear()
    Objects.pseudo_dirs[:] = [""]
    return SharedStore(Objects(), "/team", "objects://team")


def test_a_file_is_kept_listed_replaced_and_removed(store: SharedStore, tmp_path: Path) -> None:
    assert (store.get("a/b.json"), store.names("a"), store.names()) == (None, [], [])
    store.put("a/b.json", b"one")
    store.put("a/b.json", b"two")
    store.put_new("a/b.json", b"three")
    store.put_new("a/c.json", b"four")
    assert (store.get("a/b.json"), store.get("a/c.json")) == (b"two", b"four")
    assert (store.names("a"), store.names()) == (["b.json", "c.json"], ["a"])
    assert store.get_file("a/b.json", tmp_path / "here")
    store.put_file("a/d.json", tmp_path / "here")
    assert store.get("a/d.json") == b"two"
    assert not store.get_file("a/none.json", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    store.remove("a/b.json")
    store.remove("a/b.json")
    assert store.names("a") == ["c.json", "d.json"]
    store.try_out()
    assert store.names("probes") == []


def test_no_name_leads_out(store: SharedStore) -> None:
    for name in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(ValueError, match="leads out"):
            store.put(name, b"")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("memory://team", "cannot keep a team's files"),
        ("https://host/team", "cannot keep a team's files"),
        ("simplecache::s3://bucket/team", "cannot keep a team's files"),
        ("share", "absolute path"),
        ("file:///", "names no folder"),
        ("oss://bucket/team", "not installed"),
    ],
)
def test_an_address_that_cannot_be_shared_is_refused(address: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        SharedStore.at(address)


def test_a_store_without_a_database_is_refused() -> None:
    assert team_store(None, None) is None
    with pytest.raises(UserError, match="RATCHET_DATABASE_URL"):
        team_store(None, "/share")


def test_others_never_read_and_the_group_as_the_folder_says(tmp_path: Path) -> None:
    share = tmp_path / "share"
    for mode, file, folder in (
        (0o2770, 0o660, 0o2770),
        (0o755, 0o640, 0o750),
        (0o700, 0o600, 0o700),
    ):
        share.mkdir()
        share.chmod(mode)
        store = SharedStore.at(str(share))
        store.put("alerts/one.json", b"x")
        assert stat.S_IMODE((share / "alerts" / "one.json").stat().st_mode) == file
        assert stat.S_IMODE((share / "alerts").stat().st_mode) == folder
        assert store.wide() == (mode == 0o755)
        share.rename(tmp_path / f"done-{mode:o}")


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")
    with pytest.raises(ServiceUnreachable, match=r"shared store .*share"):
        SharedStore.at(str(tmp_path / "share")).put("a/b", b"")


def test_the_database_knows_its_store(store: SharedStore, tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'team.db'}")
    assert known_mark(engine) is None
    store.knows(engine)
    store.knows(engine)
    mark = known_mark(engine)
    assert mark is not None
    assert mark in (store.get(MARK) or b"").decode()
    store.remove(MARK)
    with pytest.raises(GateRefused, match="Is the folder mounted"):
        store.knows(engine)
    store.put(MARK, b'{"mark": "another"}')
    with pytest.raises(GateRefused, match="another team's"):
        store.knows(engine)
    store.put(MARK, b"{")
    with pytest.raises(GateRefused, match="damaged"):
        store.knows(engine)


def test_the_head_is_one_for_all_and_the_witness_each_machines_own(
    store: SharedStore, tmp_path: Path
) -> None:
    """An older head put back at the store shows on the machine that has seen more."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    files = [SharedFile(store, "ledger.head", tmp_path / one / "ledger.head") for one in "ab"]
    for one in files:
        one.beside.parent.mkdir()
    first, second = (Ledger(url, one, enrolled_only=False) for one in files)
    early = store.get("ledger.head")
    make_live(first, 0.1)
    assert second.history() == first.history()
    assert read_head(files[1]) == read_head(files[0])
    assert (read_head(files[0]) or Head(0, "", RefusalTally())).seq == len(first.history())
    write_first_head(files[1])  # a start that came late puts nothing back
    assert first.verify().ok
    store.put("ledger.head", early or b"")
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger_entries WHERE seq > 1")
    with pytest.raises(GateRefused, match="This home has seen entry"):
        Ledger(url, files[0], enrolled_only=False).history()


def test_a_head_that_cannot_be_written_says_that_the_entry_stands(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")
    file = SharedFile(SharedStore.at(str(tmp_path / "share")), "ledger.head", tmp_path / "head")
    with pytest.raises(ServiceUnreachable, match="already recorded stands"):
        write_head(file, Head(0, "0" * 64, RefusalTally()))


def test_a_model_of_one_machine_is_found_by_the_other(store: SharedStore, tmp_path: Path) -> None:
    """By its digest; a damaged one at the store is none; and a copy stays when the store is gone."""
    content = b"a model's bytes"
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    first, second = (ModelCopies(tmp_path / one, store) for one in "ab")
    assert second.read(digest) is None
    first.keep(digest, content)
    assert second.is_shared(digest)
    assert second.read(digest) == content
    store.put(f"models/{digest}.ubj", b"another model's")
    assert second.read(digest) == content
    assert ModelCopies(tmp_path / "c", store).read(digest) is None
    assert not second.is_shared(digest)
    assert second.publish() == 1
    assert ModelCopies(tmp_path / "c", store).read(digest) == content
    assert ModelCopies(tmp_path / "d", store).read("../" + "0" * 61) is None


def test_all_files_below_a_folder_are_listed_and_links_are_not(store: SharedStore) -> None:
    for name in ("a/x/1.json", "a/2.json", "b/3.json", "a/x/4.json.abcd.part"):
        store.put(name, b"")
    if store.folder is not None:
        (store.folder / "a" / "link.json").symlink_to("/etc/passwd")
    assert store.all_names("a") == ["a/2.json", "a/x/1.json"]
    assert store.all_names("none") == []
    assert store.all_names("b/3.json") == ["b/3.json"]


def test_a_restore_is_announced_gone_on_with_and_ended_at_either_kind_of_store(
    store: SharedStore, tmp_path: Path
) -> None:
    """Until it has ended nobody works there; afterwards store and database know each other."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = RestoredStore(store, url, "a" * 64)
    assert (first.begun, first.known, first.ended) == (False, False, False)
    first.claim()
    with pytest.raises(GateRefused, match="has not ended"):
        store.knows(open_database(url))
    assert known_mark(open_database(url)) is None
    with pytest.raises(UserError, match="Another backup"):
        RestoredStore(store, url, "b" * 64)
    again = RestoredStore(store, url, "a" * 64)
    assert (again.begun, again.mark) == (True, first.mark)
    again.import_rows({})
    assert RestoredStore(store, url, "a" * 64).known
    again.settle()
    store.knows(open_database(url))
    assert RestoredStore(store, url, "a" * 64).ended
    with pytest.raises(UserError, match="is not empty"):
        RestoredStore(store, f"sqlite:///{tmp_path / 'other.db'}", "a" * 64)
