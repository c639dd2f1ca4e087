"""A backup restores to the same home, byte by byte; what was damaged, or leads elsewhere, restores nothing."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from flows.adapters.files.backup_file import MANIFEST
from flows.verbs.house.restore import restore
from tests.faults.house import House, copied

pytestmark = pytest.mark.slow

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Path]:
    """A home with decisions, and a backup of it."""
    folder = tmp_path_factory.mktemp("backup")
    house = copied(folder / "home")
    assert house.decide(0)[0].code == 0
    said = house.ask("backup", "--to", str(folder))
    assert said.code == 0, said.err
    (file,) = folder.glob("ratchet-*.tar")
    return house, file


def members(file: Path) -> Members:
    with tarfile.open(file) as tar:
        return [(one, tar.extractfile(one).read()) for one in tar.getmembers()]  # type: ignore[union-attr]


def rewritten(file: Path, to: Path, change: Callable[[Members], Members], sign: bool) -> Path:
    """Another backup; `sign`: with a manifest that fits what was changed."""
    found = change(members(file))
    if sign:
        told = json.loads(next(content for one, content in found if one.name == MANIFEST))
        told["files"] = [
            {"name": one.name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for one, content in found
            if one.name != MANIFEST
        ]
        found = [pair for pair in found if pair[0].name != MANIFEST]
        found.append((tarfile.TarInfo(MANIFEST), json.dumps(told).encode()))
    with tarfile.open(to, "w") as tar:
        for one, content in found:
            one.size = len(content)
            tar.addfile(one, io.BytesIO(content))
    return to


def plain(name: str, **said: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in said.items():
        setattr(info, key, value)
    return info


def test_everything_comes_back(made: tuple[House, Path], tmp_path: Path) -> None:
    """Evidence, models, dossiers and MLflow's files as they were; rows to the last one; no secret."""
    house, file = made
    kept = house.home / "ledger.head"
    back = restore(file, tmp_path / "new", head=kept)
    assert back.waits == ""
    before, after = (
        house.services(),
        House(type(house.live)(tmp_path / "new"), house.wide, house.narrow),
    )
    names = {one.relative_to(house.home) for one in house.home.rglob("*") if one.is_file()}
    there = {one.relative_to(back.home) for one in back.home.rglob("*") if one.is_file()}
    lost = {str(one) for one in names - there if not str(one).endswith(("-wal", "-shm"))}
    assert lost <= {"audit.key", "ledger.seen"}
    assert not (back.home / "audit.key").exists()
    for name in sorted(names & there):
        if name.suffix not in (".db", ".head", ".seen"):
            assert (back.home / name).read_bytes() == (house.home / name).read_bytes(), name
    services = after.services()
    assert services.ledger.history() == before.ledger.history()
    assert services.store.read("decisions").equals(before.store.read("decisions"))
    assert services.store.digest("decisions") == before.store.digest("decisions")
    assert (back.home.stat().st_mode & 0o077, file.stat().st_mode & 0o077) == (0, 0)


def test_the_secret_comes_along_when_it_is_asked_for(
    made: tuple[House, Path], tmp_path: Path
) -> None:
    house, _ = made
    said = house.ask("backup", "--to", str(tmp_path / "b.tar"), "--with-audit-secret")
    assert (said.code, "holds the audit secret" in said.out) == (0, True)
    back = restore(tmp_path / "b.tar", tmp_path / "new")
    assert (back.home / "audit.key").read_bytes() == (house.home / "audit.key").read_bytes()
    assert "accept-restored" in back.waits


def test_nothing_is_written_over_anything(made: tuple[House, Path], tmp_path: Path) -> None:
    """Neither a home, nor a file, nor the home that is to be saved."""
    house, file = made
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    assert house.ask("restore", str(file), "--to", str(tmp_path / "full")).code == 2
    assert house.ask("restore", str(file), "--to", str(tmp_path / "full" / "mine")).code == 2
    assert house.ask("backup", "--to", str(file)).code == 2
    inside = house.ask("backup", "--to", str(house.home / "b.tar"))
    assert (inside.code, "lies in the home" in inside.err) == (2, True)
    nowhere = house.ask("backup", "--to", "/proc/nowhere/b.tar")
    assert nowhere.code == 4


def test_a_changed_part_ends_the_backup_and_not_its_restore(tmp_path: Path) -> None:
    house = copied(tmp_path / "home")
    assert house.decide(0)[0].code == 0
    part = next((house.home / "evidence" / "decisions" / "parts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    said = house.ask("backup", "--to", str(tmp_path / "b.tar"))
    assert (said.code, "no backup could be restored with it" in said.err) == (4, True), said.err
    assert not (tmp_path / "b.tar").exists()


def _flip(found: Members) -> Members:
    return [
        (one, content[:-1] + bytes([content[-1] ^ 1]) if one.name.endswith(".parquet") else content)
        for one, content in found
    ]


def _cut_rows(found: Members) -> Members:
    name = "rows/ledger_entries.jsonl"
    return [(one, content[:40] if one.name == name else content) for one, content in found]


def _without_manifest(found: Members) -> Members:
    return [pair for pair in found if pair[0].name != MANIFEST]


def _with(info: tarfile.TarInfo, content: bytes = b"x") -> Callable[[Members], Members]:
    return lambda found: [*found, (info, content)]


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("change", "sign", "says"),
    [
        (_flip, False, "does not have the bytes"),
        (_flip, True, "bytes that name it"),
        (_cut_rows, False, "does not have the bytes"),
        (_cut_rows, True, "none of this version's tables"),
        (_without_manifest, False, "no manifest"),
        (_with(plain("home/extra")), False, "does not hold the files"),
        (_with(plain("home/../../outside")), True, "outside of a home"),
        (_with(plain("/outside")), True, "outside of a home"),
        (_with(plain("home//outside")), True, "outside of a home"),
        (_with(plain("home/a\\..\\outside")), True, "outside of a home"),
        (_with(plain("other/outside")), True, "outside of a home"),
        (_with(plain("home/link", **LINK), b""), True, "a link"),
        (_with(plain("home/link", **(LINK | {"type": tarfile.LNKTYPE})), b""), True, "a link"),
        (_with(plain("home/pipe", type=tarfile.FIFOTYPE), b""), True, "a link"),
        (_with(plain(MANIFEST)), False, "two members"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_written_restores_nothing(
    made: tuple[House, Path], tmp_path: Path, change, sign: bool, says: str
) -> None:
    """A flipped bit, also under a manifest that was made to fit; names and links that lead elsewhere."""
    file = rewritten(made[1], tmp_path / "other.tar", change, sign)
    with pytest.raises(UserError, match=says):
        restore(file, tmp_path / "inner" / "new")
    assert list(tmp_path.rglob("outside")) == []
    assert not (tmp_path / "inner" / "new" / "live").exists()
    assert list((tmp_path / "inner").rglob("*")) in ([], [tmp_path / "inner" / "new"])


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b" + b"0" * 600])
def test_another_file_is_no_backup(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)
    with pytest.raises(UserError, match="backup"):
        restore(file, tmp_path / "new")


def test_a_backup_that_was_cut_off_restores_nothing(
    made: tuple[House, Path], tmp_path: Path
) -> None:
    whole = made[1].read_bytes()
    for share in (0.3, 0.9):
        file = tmp_path / f"{share}.tar"
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UserError, match="backup"):
            restore(file, tmp_path / "new")
