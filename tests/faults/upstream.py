"""A live home, the three tables it pulls from, and what somebody may do to them before a night."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from configs.settings import load_settings
from flows.verbs.services import Services
from models.hub import EntryKind
from tests.flows.commands.live_home import LiveHome, Said
from tests.live_sources import write_live_sources

TABLES = ("decisions", "reviews", "outcomes")


@dataclass(frozen=True)
class Upstream:
    """Some 700 simulated cases of three days, each reviewed once, and a home that pulls them."""

    folder: Path
    home: LiveHome
    variables: Mapping[str, str] = field(repr=False)

    @classmethod
    def made(cls, folder: Path) -> Upstream:
        variables = write_live_sources(folder / "sources", days=3, scale=0.05)
        return cls(folder / "sources", LiveHome(folder / "home"), variables)

    def copied(self, folder: Path, database_url: str | None = None) -> Upstream:
        """One of a test's own, whose ledger and index lie in the database, if one is named."""
        sources = folder / "sources"
        shutil.copytree(self.folder, sources)
        variables = {
            name: str(sources / Path(file).name) for name, file in self.variables.items()
        } | ({"RATCHET_DATABASE_URL": database_url} if database_url else {})
        return Upstream(sources, LiveHome(folder / "home"), variables)

    def file(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def read(self, table: str) -> pd.DataFrame:
        return pd.read_parquet(self.file(table))

    def write(self, table: str, rows: pd.DataFrame) -> None:
        rows.to_parquet(self.file(table), index=False)

    def ask(self, *arguments: str) -> Said:
        """A command in this process, with these sources and this database."""
        before = dict(os.environ)
        os.environ |= self.variables
        try:
            return self.home.ask(*arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def night(self, as_of: datetime | None = None) -> Said:
        return self.ask("night", *(() if as_of is None else ("--as-of", as_of.isoformat())))

    def admit(self, table: str, *more: str) -> Said:
        """The table's file, by hand."""
        return self.ask("admit", str(self.file(table)), "--contract", table, *more)

    def services(self) -> Services:
        settings = load_settings(env=dict(self.variables))
        return Services.at(self.home.home / "live", settings, settings.load_case_types())

    def stored(self, table: str) -> pd.DataFrame:
        """What the home holds by now; without columns where there is nothing."""
        store = self.services().store
        return store.read(table) if store.counts(table)[0] else pd.DataFrame()

    def rejected(self, table: str) -> pd.DataFrame:
        return self.services().store.rejects(table)

    def learned(self) -> list[str]:
        """What the ledger says of models and policies, in order; empty while nothing was learned."""
        services = self.services()
        told = {EntryKind.GENERATION_STARTED, EntryKind.PROPOSED, EntryKind.PROMOTED}
        return [entry.kind.value for entry in services.ledger.history() if entry.kind in told]
