"""Where do the machines of a team keep the files that must be one for all of them?

At one shared address: a folder that every machine reaches, or any object store that fsspec speaks to.
The rules hold on both (docs/adr/0029). A file appears whole or not at all. Its name is the digest of
its bytes, or is used once; only the ledger's head and the store's mark are replaced, each whole. What
lies there counts when a row of the database names it, which is written after it.

The database knows its store by a random mark, so that a folder that is not mounted, or another team's,
is never taken for an empty store.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.masking import masked, secrets_of
from flows.adapters.files.files import sync_folder, written_beside
from flows.adapters.sql.database import create_tables, open_database, reading, writing

MARK = "ratchet-store.json"
"""Says at the shared address which store it is."""

FOLDERS = ("file", "local", "sftp", "ssh", "smb", "hdfs", "webhdfs")
"""Where a file is made whole by a rename."""

OBJECTS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "tos")
"""Where an upload shows whole, or not at all."""

OURS = ("ledger.head", "evidence", "models", "dossiers", "alerts", "mlflow")
"""What else stands there; the last is MLflow's, and may be there before anything of ours."""

METADATA = MetaData()
_KNOWN = Table(
    "shared_store",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    Column("address", Text, nullable=False),
)
_EVIDENCE = "evidence"
_PROBES = "probes"


class SharedStore:
    """The files below one shared address, by names like `models/DIGEST.ubj`."""

    def __init__(self, system: AbstractFileSystem, root: str, address: str | None = None) -> None:
        """Use a file system below a folder of it; `address` is what people call it."""
        self._system = system
        self._root = root.rstrip("/") or root
        self._address = address or root
        named = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
        self.folder = Path(self._root) if "file" in named else None
        self._renames = self.folder is None and any(one in FOLDERS for one in named)

    @classmethod
    def at(cls, address: str) -> SharedStore:
        """The store at an address: a folder's absolute path, `file:///FOLDER`, `s3://BUCKET/FOLDER`.

        Raises:
            UserError: it is no such address, or the library that speaks to it is not installed.
        """
        protocol, mark, _ = address.partition("://")
        if not mark:
            if not address.startswith("/"):
                raise UserError(
                    f"store_url is {masked(address)!r}, which every machine would take for another "
                    "place; give the folder's absolute path, or an address like s3://BUCKET/FOLDER."
                )
            protocol = "file"
        if "::" in address or protocol.lower() not in (*FOLDERS, *OBJECTS):
            raise UserError(
                f"store_url names a place of kind {protocol!r}, which cannot keep a team's files; use "
                "a shared folder (its absolute path, or file:///FOLDER), or an object store "
                f"({', '.join(OBJECTS)}) or server ({', '.join(FOLDERS[2:])}) that fsspec speaks to."
            )
        try:
            system, root = fsspec.core.url_to_fs(address)
        except ImportError as missing:
            raise UserError(
                f"store_url begins with {protocol}://, and the library that speaks to it is not "
                f"installed: {_first_line(missing)} Install it on every machine of the team, or share "
                "a folder."
            ) from None
        except Exception as wrong:
            raise UserError(
                f"store_url {masked(address)} cannot be understood ({type(wrong).__name__})."
            ) from None
        if not root.strip("/"):
            raise UserError("store_url names no folder; give one of the team's own below it.")
        return cls(system, root, address)

    def __str__(self) -> str:
        return masked(self._address)

    def put(self, name: str, content: bytes) -> None:
        """Keep a file, whole; one of that name is replaced.

        Raises:
            ServiceUnreachable: the store does not answer, is full, or may not be written.
        """
        with self._answers(f"{name} could not be written to"):
            if self.folder is not None:
                self._into_folder(name, lambda file: file.write(content))
            elif self._renames:
                self._renamed(name, lambda half: self._system.pipe_file(half, content))
            else:
                self._system.pipe_file(self._path(name), content)

    def put_new(self, name: str, content: bytes) -> None:
        """Keep a file unless one of that name is there; in a folder also where two try at once
        (raises as `put`)."""
        if self.folder is None:
            if self.get(name) is None:
                self.put(name, content)
            return
        with self._answers(f"{name} could not be written to"), suppress(FileExistsError):
            self._into_folder(name, lambda file: file.write(content), new=True)

    def put_file(self, name: str, file: Path) -> None:
        """Keep a copy of a file, whole, without reading it into memory (raises as `put`)."""
        with self._answers(f"{name} could not be written to"):
            if self.folder is not None:
                with file.open("rb") as source:
                    self._into_folder(name, lambda to: _copied(source, to))
            elif self._renames:
                self._renamed(name, lambda half: self._system.put_file(str(file), half))
            else:
                self._system.put_file(str(file), self._path(name))

    def get(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none.

        Raises:
            ServiceUnreachable: the store does not answer, or the file may not be read.
        """
        with self._answers(f"{name} could not be read from"):
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def get_file(self, name: str, to: Path) -> bool:
        """Copy a file to a place on this machine; False where there is none (raises as `get`)."""
        with self._answers(f"{name} could not be read from"):
            try:
                with self._system.open(self._path(name), "rb") as source, to.open("wb") as target:
                    _copied(source, target)
            except FileNotFoundError:
                to.unlink(missing_ok=True)
                return False
        return True

    def names(self, folder: str = "") -> list[str]:
        """The last parts of the names in a folder of the store, in order; empty where there is none
        (raises as `get`)."""
        with self._answers(f"{folder or 'the folder'} could not be listed at"):
            self._system.invalidate_cache()  # another machine may have written since
            try:
                found = self._system.ls(self._path(folder) if folder else self._root, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        last = {one.rstrip("/").rsplit("/", 1)[-1] for one in found}
        return sorted(one for one in last if one and not one.endswith(".part"))

    def all_names(self, folder: str) -> list[str]:
        """The whole names of the files anywhere below a folder of the store, in order; links are left
        out, since they may lead anywhere (raises as `get`)."""
        with self._answers(f"{folder} could not be listed at"):
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._path(folder))
            except (FileNotFoundError, NotADirectoryError):
                return []
        names = sorted(one[len(self._root) :].lstrip("/") for one in found)
        return [
            one
            for one in names
            if not one.endswith(".part")
            and not (self.folder is not None and (self.folder / one).is_symlink())
        ]

    def remove(self, name: str) -> None:
        """Take a file away, if it is there (raises as `put`)."""
        with self._answers(f"{name} could not be removed from"):
            try:
                self._system.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def try_out(self) -> None:
        """Write a file, read it and take it away again.

        Raises:
            ServiceUnreachable: one of the three does not work; the message says which.
        """
        name, said = f"{_PROBES}/{secrets.token_hex(8)}", secrets.token_bytes(32)
        self.put(name, said)
        found = self.get(name)
        self.remove(name)
        if found != said:
            raise ServiceUnreachable(
                f"What was written to the shared store {self} was not read back. Do all machines see "
                "one folder, at once?"
            )

    def wide(self) -> bool:
        """Whether it is a folder that everybody on its machines may read or enter."""
        if self.folder is None or not self.folder.exists():
            return False
        return bool(self.folder.stat().st_mode & 0o007)

    def knows(self, engine: Engine) -> None:
        """Nothing, where this is the store that the database knows; a new team's two meet here.

        Raises:
            GateRefused: it is another store, an empty folder, or one that another database knows.
            ServiceUnreachable: one of the two does not answer.
        """
        create_tables(engine, METADATA)
        mark = known_mark(engine) or self._begun(engine)
        here = self._mark()
        if here == mark:
            return
        if here is None:
            raise GateRefused(
                f"The shared store {self} is empty, and this database's files lie at another one (mark "
                f"{mark[:8]}). Is the folder mounted, and is store_url the same on every machine?"
            )
        raise GateRefused(
            f"The shared store {self} has the mark {here[:8]}, and this database's files lie at the "
            f"one with mark {mark[:8]}: it is another team's. Correct store_url or database_url."
        )

    def part(self, table: str, folder: str, name: str) -> str:
        """The name of a part of the evidence."""
        return f"{_EVIDENCE}/{table}/{folder}/{name}.parquet"

    def _mark(self) -> str | None:
        told = self.told()
        if told is None:
            return None
        if told.get("restoring") is not None:
            raise GateRefused(
                f"A restore into the shared store {self} was begun (by {told.get('made_by')}) and has not "
                "ended, so nothing works on it yet. Give the same `ratchet restore` again, which goes on; "
                f"or begin anew with an empty database and a store without {MARK} and "
                f"{', '.join(OURS[:-1])}."
            )
        return str(told["mark"])

    def told(self) -> dict[str, Any] | None:
        """What the mark's file says; None where there is none.

        Raises:
            GateRefused: it says no mark.
            ServiceUnreachable: the store does not answer.
        """
        content = self.get(MARK)
        if content is None:
            return None
        try:
            told = json.loads(content)
            return {**told, "mark": str(told["mark"])}
        except (ValueError, KeyError, TypeError):
            raise GateRefused(
                f"{MARK} at the shared store {self} is damaged. Restore it from a copy."
            ) from None

    def tell(self, mark: str, restoring: str | None = None) -> None:
        """Write the mark's file; `restoring` names the backup that is being put here (raises as
        `put`)."""
        told = {"mark": mark, "made_by": f"{getpass.getuser()}@{socket.gethostname()}"}
        if restoring is not None:
            told["restoring"] = restoring
        self.put(MARK, json.dumps(told).encode("utf-8"))

    def _begun(self, engine: Engine) -> str:
        """The mark of a database that knew no store. Of two first starts the second waits for the
        first one's commit, which comes after its mark is at the store."""
        try:
            with writing(engine) as connection:
                mark = self._mark() or secrets.token_hex(16)
                remember(connection, mark, self)
                if self._mark() is None:
                    self.tell(mark)
        except IntegrityError:
            return str(known_mark(engine))
        return mark

    def _path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"{name!r} leads out of the shared store")
        return f"{self._root}/{name}"

    def _into_folder(self, name: str, write: Callable[[Any], object], *, new: bool = False) -> None:
        """As readable for the group as the store itself, and never for others."""
        assert self.folder is not None
        path = Path(self._path(name))
        shared = self._shared_bits()
        made = [one for one in path.parents if not one.exists()]
        temporary = written_beside(path.parent, write, 0o600 | (shared & 0o060))
        try:
            for one in made:
                one.chmod(0o700 | shared)
            if new:
                os.link(temporary, path)  # unlike a rename, never over an existing file
            else:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    def _shared_bits(self) -> int:
        """What the group may do, and that new files stay the group's."""
        assert self.folder is not None
        if not self.folder.exists():
            return 0
        found = self.folder.stat().st_mode
        return found & 0o070 | (found & stat.S_ISGID)

    def _renamed(self, name: str, write: Callable[[str], object]) -> None:
        path = self._path(name)
        half = f"{path}.{secrets.token_hex(4)}.part"
        self._system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        write(half)
        self._system.mv(half, path)

    @contextmanager
    def _answers(self, what: str) -> Iterator[None]:
        """Each library has errors of its own; whatever one says, the store did not do it."""
        try:
            yield
        except ValueError:
            raise  # a name of ours
        except Exception as problem:
            said = getattr(problem, "strerror", None) or type(problem).__name__
            known = secrets_of(self._address)
            raise ServiceUnreachable(
                f"{what} the shared store {self}: {masked(str(said), known)}. Is it "
                "mounted or up, has it room, and may this user write there?"
            ) from None


@dataclass(frozen=True, slots=True)
class SharedFile:
    """One file of the store that is replaced as a whole, and what this machine keeps beside it.

    Attributes:
        beside: the file that would be in its place in a home of one machine.
    """

    store: SharedStore
    name: str
    beside: Path

    def __str__(self) -> str:
        return f"{self.name} at the shared store {self.store}"

    def exists(self) -> bool:
        return self.store.get(self.name) is not None


def team_store(database_url: str | None, store_url: str | None) -> SharedStore | None:
    """The store at which the machines of one database share their files; None: each home has its own.

    Raises:
        UserError: a store is set without a shared database, or cannot be understood.
        GateRefused: the database's files lie at a store, and none or another one is set here.
        ServiceUnreachable: the database or the store does not answer.
    """
    if database_url is None:
        if store_url is None:
            return None
        raise UserError(
            "store_url is set and database_url is not: files are shared by the machines of one "
            "database. Set RATCHET_DATABASE_URL, too, or leave both empty."
        )
    store = None if store_url is None else SharedStore.at(store_url)
    engine = open_database(database_url)
    try:
        if store is not None:
            store.knows(engine)
        elif (address := _known_address(engine)) is not None:
            raise GateRefused(
                "The files of this database lie at a shared store, and store_url is not set here: "
                "evidence, models, head and alerts of this machine would be found by nobody else. Set "
                f"RATCHET_STORE_URL (it was {address} where it was first used), and run `ratchet join`."
            )
    finally:
        engine.dispose()
    return store


def known_mark(engine: Engine) -> str | None:
    """The mark of the store that a database knows; None where it knows none."""
    return _known(engine, "mark")


def remember(connection: Connection, mark: str, store: SharedStore) -> None:
    """Let a database that knows no store know this one (IntegrityError: it knows one)."""
    connection.execute(insert(_KNOWN).values(name="store", mark=mark, address=str(store)))


def _known_address(engine: Engine) -> str | None:
    return _known(engine, "address")


def _known(engine: Engine, column: str) -> str | None:
    with reading(engine) as connection:
        if not inspect(connection).has_table(_KNOWN.name):
            return None
        return connection.execute(select(_KNOWN.c[column])).scalar_one_or_none()


def _copied(source: Any, to: Any) -> None:
    while block := source.read(1 << 20):
        to.write(block)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{lines[0].rstrip('.')}." if lines else f"{type(error).__name__}."
