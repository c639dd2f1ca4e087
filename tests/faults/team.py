"""Two machines of a team: two homes in two folders, one database, one shared folder, one MLflow."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from flows.adapters.files.shared_store import METADATA, SharedStore, remember
from flows.adapters.sql.database import create_tables, open_database
from flows.adapters.sql.table_rows import EVIDENCE_TABLES, LEDGER_TABLES, exported, import_all
from tests.faults.house import House, built
from tests.flows.commands.live_home import LiveHome, Said


@dataclass
class Team:
    """The first machine's house, the second's, and what they share."""

    first: House
    second: House
    share: Path

    def hands_over_the_secret(self) -> Said:
        """The first machine exports its audit secrets, the second one joins with them."""
        file = self.share.parent / "handed-over.json"
        assert self.first.ask("audit-key", "export", "--to", str(file)).code == 0
        said = self.second.ask("join", "--audit-key", str(file), by="ben")
        file.unlink()
        return said


def shares(folder: Path, monkeypatch: pytest.MonkeyPatch, database_url: str | None) -> Path:
    """Settings of a team for both homes; the folder that they share."""
    share = folder / "share"
    share.mkdir(mode=0o700, exist_ok=True)
    for name in [one for one in os.environ if one.startswith(("RATCHET_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    url = database_url or f"sqlite:///{folder / 'shared.db'}"
    monkeypatch.setenv("RATCHET_DATABASE_URL", url)
    monkeypatch.setenv("RATCHET_STORE_URL", share.as_uri())
    tracking = f"sqlite:///{share / 'mlflow' / 'mlflow.db'}"
    monkeypatch.setenv("RATCHET_MLFLOW_TRACKING_URI", tracking)
    return share


def team(folder: Path, monkeypatch: pytest.MonkeyPatch, database_url: str | None) -> Team:
    """The first machine is at work: people, a model, two promoted policies. The second is new."""
    template = _template()
    shutil.copytree(template.share.parent, folder, dirs_exist_ok=True)
    share = shares(folder, monkeypatch, database_url)
    if database_url is not None:
        _bring_rows(template.share, SharedStore.at(share.as_uri()), database_url)
    first = beside(template.first, folder / "first")
    return Team(first, beside(first, folder / "second"), share)


def beside(first: House, home: Path) -> House:
    """Another, empty home of the same people."""
    return House(LiveHome(home, dict(first.live.tokens)), first.wide, first.narrow)


def _bring_rows(of: Path, store: SharedStore, url: str) -> None:
    """The template's rows and mark in another database; to build a team there takes half a minute."""
    rows = exported(f"sqlite:///{of.parent / 'shared.db'}", (*LEDGER_TABLES, *EVIDENCE_TABLES))
    told, engine = store.told(), open_database(url)
    assert told is not None
    create_tables(engine, METADATA)
    import_all(url, rows, lambda connection: remember(connection, told["mark"], store))


@cache
def _template() -> Team:
    """On SQLite, built once a process: what is copied from it finds its own records (ADR 21)."""
    folder = Path(mkdtemp(prefix="team-"))
    with pytest.MonkeyPatch.context() as here:
        share = shares(folder, here, None)
        first = built(folder / "first")
    return Team(first, beside(first, folder / "second"), share)
