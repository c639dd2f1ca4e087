"""Is the house in order by day: disk, clock, tables, servers, holds, and the last good night?

The checks of `ratchet doctor` that look at how the house is run; those in `doctor` look at what it
rests on. Each says what helps.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import psutil

from configs.settings import Settings
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.servers.processes import started_by
from flows.adapters.servers.up_file import Up, running_up
from flows.adapters.sql.database import reading
from flows.adapters.sql.migrate import NEWEST, step_of
from flows.verbs.ports import SharedStore
from flows.verbs.record.dossier_files import filed_dossiers, last_dossier
from flows.verbs.record.night_results import State
from models.hub import holds_of
from models.vocabulary import CaseType

LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.02
CLOCKS_APART = timedelta(seconds=60)
NIGHT_EVERY = timedelta(hours=36)
"""A house whose last good night is older has missed one."""

_DOSSIERS_READ = 90
_ANSWER_SECONDS = 3.0


def full_disk(home: Path) -> str:
    """Too little room for a night to be stored, or ""."""
    there = next(one for one in (home, *home.parents) if one.exists())
    usage = shutil.disk_usage(there)
    least = min(LEAST_FREE_BYTES, int(LEAST_FREE_SHARE * usage.total))
    if usage.free >= least:
        return ""
    return (
        f"{usage.free / 1e9:.1f} GB are free on the disk of {home}, and a night may need "
        f"{least / 1e9:.1f}. Free some, or move the home (it may be moved whole); `backtests/` below it "
        "may be deleted."
    )


def wrong_clock(ledger: Ledger, now: datetime) -> str:
    """A clock that differs from the database's, or that was set back behind the ledger, or ""."""
    history = ledger.history()
    ahead = max((one.at for one in history), default=now) - now
    if ahead > CLOCKS_APART:
        return (
            f"The ledger's newest entry is {_minutes(ahead)} ahead of this machine's clock: one of the "
            "two is wrong. Set the clock by NTP (`timedatectl`); nights are refused meanwhile."
        )
    theirs = ledger.database_clock()
    apart = abs(theirs - now) if theirs is not None else timedelta()
    if apart > CLOCKS_APART:
        return (
            f"This machine's clock and that of the database are {_minutes(apart)} apart. Set both by "
            "NTP (`timedatectl`): stamps say which policy was live when."
        )
    return ""


def old_tables(ledger: Ledger) -> str:
    """Tables of the ledger that are not at this version's step, or ""."""
    with reading(ledger.engine) as connection:
        step = step_of(connection)
    if step == NEWEST:
        return ""
    return (
        f"The ledger's tables are at step {step}, this version's are at {NEWEST}; update Ratchet."
    )


def open_doors(settings: Settings) -> str:
    """Servers of this home's `up` that others on the network reach, or ""."""
    found = []
    for process in started_by(settings.home):
        try:
            for one in process.net_connections(kind="inet"):
                if one.status == psutil.CONN_LISTEN and not _is_loopback(one.laddr.ip):
                    found.append(f"{one.laddr.ip}:{one.laddr.port} (process {process.pid})")
        except (psutil.Error, OSError):
            continue  # it has just ended
    if not found:
        return ""
    return (
        f"{', '.join(sorted(set(found)))} can be reached from other machines, and asks nobody who they "
        "are. `ratchet down`, and let `ratchet up` start the servers: it binds them to 127.0.0.1."
    )


def unsafe_servers(
    settings: Settings, safe: dict[str, tuple[int, ...]], numbers: Callable[[str], tuple[int, ...]]
) -> str:
    """Servers that run and are below their first safe version, or that do not answer, or ""."""
    running = running_up(settings.home)
    asked = [] if running is None else _of_up(running)
    tracking = settings.mlflow_tracking_uri
    if tracking and tracking.startswith("http"):
        asked.append(("mlflow", f"{tracking.rstrip('/')}/version"))
    return " ".join(filter(None, (_unsafe(name, url, safe[name], numbers) for name, url in asked)))


def open_holds(ledger: Ledger, case_types: Mapping[str, CaseType]) -> str:
    """Labels that wait for somebody's word, with the command for each, or ""."""
    told = []
    for case_type in case_types:
        for hold in holds_of(ledger.history(case_type), case_type):
            if hold.waits:
                told.append(
                    f"{case_type}: {hold.table} are on hold since {hold.placed_at:%Y-%m-%d} "
                    f"({hold.rule}); look at them, then `ratchet release {hold.hold_id} --reason R`, or "
                    "`discard`."
                )
    return " ".join(told)


def missed_nights(
    case_types: Mapping[str, CaseType],
    home: Path,
    shared: SharedStore | None,
    settings: Settings,
    now: datetime,
) -> str:
    """Case types whose last good night is more than a night and a half old, or ""."""
    sources = settings.sources
    if not any((sources.decisions, sources.reviews, sources.outcomes)):
        return ""  # nothing is pulled here
    good = last_good_nights(case_types, home, shared)
    told = []
    for case_type in case_types:
        last = good.get(case_type)
        if last is not None and now - last <= NIGHT_EVERY:
            continue
        since = "never" if last is None else f"last on {last:%Y-%m-%d %H:%M} UTC"
        told.append(f"{case_type} ({since})")
    if not told:
        return ""
    why = last_dossier(home, shared)
    said = f" The last night said: {why['verdict']}" if why else ""
    return (
        f"No good night for {', '.join(told)}.{said} Run `ratchet night` to see why; `ratchet up` runs "
        "it every night."
    )


def last_good_nights(
    case_types: Mapping[str, CaseType], home: Path, shared: SharedStore | None
) -> dict[str, datetime]:
    """When each case type was last judged without anything failed or held, by the filed dossiers."""
    found: dict[str, datetime] = {}
    for dossier in filed_dossiers(home, shared, _DOSSIERS_READ):
        at = datetime.fromisoformat(dossier["as_of"])
        for case_type, told in dossier["results"]["case_types"].items():
            if told["state"] == State.DONE.value:
                found.setdefault(case_type, at)
        if set(case_types) <= set(found):
            break
    return found


def _of_up(running: Up) -> list[tuple[str, str]]:
    return [
        ("prefect", f"{running.prefect_url}/api/admin/version"),
        ("mlflow", f"{running.mlflow_url}/version"),
    ]


def _unsafe(
    name: str, url: str, safe: tuple[int, ...], numbers: Callable[[str], tuple[int, ...]]
) -> str:
    where = url.split("/api/")[0].removesuffix("/version")
    try:
        answer = httpx.get(url, timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return f"{name} at {where} does not answer; is it up? `ratchet up` starts it again."
    found = answer.text.strip().strip('"')
    if found[:1].isdigit() and numbers(found) >= safe:
        return ""
    return (
        f"{name} at {where} is {found[:20]!r}, and safe from {'.'.join(map(str, safe))} on; update it, "
        "and keep it on this machine until then."
    )


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "::ffff:127.0.0.1")


def _minutes(apart: timedelta) -> str:
    minutes = apart.total_seconds() / 60
    return f"{minutes:,.0f} minutes" if minutes < 120 else f"{minutes / 60:,.0f} hours"
