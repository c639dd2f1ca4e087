"""How does a team's store come back out of a backup, so that nobody works on half of it?

The store's mark says first that a restore has begun, and of which backup: every other command refuses
the store until it has ended, and the same restore goes on where it was killed. The mark is a new one
(docs/adr/0030): a machine that still names the lost team's store, or its database, is told so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from configs.errors import UserError
from flows.adapters.files.shared_store import (
    MARK,
    METADATA,
    OURS,
    SharedFile,
    SharedStore,
    known_mark,
    remember,
)
from flows.adapters.sql.database import create_tables, open_database
from flows.adapters.sql.table_rows import import_all


class RestoredStore:
    """A store into which one backup is put."""

    def __init__(self, store: SharedStore, database_url: str, backup: str) -> None:
        """Look at both; nothing is written.

        Args:
            backup: the digest of the backup's manifest.

        Raises:
            UserError: the store or the database is another team's, or not empty.
            GateRefused: the store's mark is damaged.
            ServiceUnreachable: one of the two does not answer.
        """
        self.store, self._database_url, self._backup = store, database_url, backup
        engine = open_database(database_url)
        try:
            known = known_mark(engine)
        finally:
            engine.dispose()
        told = store.told()
        begun = None if told is None else told.get("restoring")
        self.begun = begun == backup
        """Whether an earlier attempt began to put this backup here."""
        self.mark = secrets.token_hex(16) if told is None else told["mark"]
        self.known = known is not None and known == self.mark
        """Whether the database knows the store already, and so has the rows that came with the mark."""
        self.ended = self.known and begun is None
        """Whether the two are in use, or may be."""
        if begun is not None and not self.begun:
            raise UserError(
                f"Another backup was being restored into the shared store {store}, and that has not "
                f"ended. Give that backup again; or take {MARK} and {', '.join(OURS[:-1])} away there, "
                "and name an empty database."
            )
        if known is not None and known != self.mark:
            raise UserError(
                f"The database knows another store (mark {known[:8]}) already, so it is not empty. Name "
                "an empty one (RATCHET_DATABASE_URL)."
            )
        if not self.begun and not self.ended and (told is not None or self._held()):
            held = [*([MARK] if told is not None else []), *self._held()]
            raise UserError(
                f"The shared store {store} is not empty ({', '.join(held)}), and nothing is restored "
                "over it. Name an empty folder or bucket (RATCHET_STORE_URL)."
            )

    def claim(self) -> None:
        """Say that the restore has begun (ServiceUnreachable: the store does not take it)."""
        self.store.tell(self.mark, self._backup)

    def import_rows(self, rows: Mapping[str, bytes]) -> None:
        """The rows, and that the database knows this store, in one transaction (raises as
        `table_rows.import_all`)."""
        engine = open_database(self._database_url)
        try:
            create_tables(engine, METADATA)
        finally:
            engine.dispose()
        import_all(
            self._database_url, rows, lambda connection: remember(connection, self.mark, self.store)
        )

    def settle(self) -> None:
        """The restore has ended: the store may be used (raises as `claim`)."""
        self.store.tell(self.mark)

    def head(self, beside: Path) -> SharedFile:
        """The ledger's head at the store."""
        return SharedFile(self.store, beside.name, beside)

    def _held(self) -> list[str]:
        return [one for one in OURS[:-1] if self.store.all_names(one)]
