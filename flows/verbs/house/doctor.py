"""Is what the house rests on in order: settings, servers, the home, the ledger, the secret, the models?"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.settings import Settings, load_settings
from flows.adapters.files.private_home import wider_than_private
from flows.verbs import live
from flows.verbs.house import doctor_of_house as house
from flows.verbs.house.aliases import alias_drift
from flows.verbs.house.join import lacking
from flows.verbs.learn.model_files import why_it_does_not_load
from flows.verbs.ports import AuditSecrets, DecisionServices, HouseServices, Ledger, ModelRegistry
from models.hub import previous_policy_id
from models.vocabulary import CaseType

SAFE_FROM: Mapping[str, tuple[int, ...]] = {"mlflow": (3, 16, 1), "prefect": (3, 6, 28)}
"""The servers' first versions without a known hole that lets a stranger in (FAULTS 38)."""

_NAMED = 3
"""So many files are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at: nothing is wrong where `problem` is empty."""

    check: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"check": self.check, "ok": self.ok, "problem": self.problem}


def examine(profile: str | None = None, env: Mapping[str, str] = os.environ) -> list[HealthFinding]:
    """Look at everything, one finding a check, in the order in which one rests on the other.

    Nothing is read of any row, and no server is asked but those that the settings name. What rests on
    something that is broken says so instead of failing.
    """
    settings, wrong = _tried(lambda: load_settings(profile, env))
    registry = None if settings is None else settings.mlflow_tracking_uri
    found = [
        HealthFinding("versions", " ".join(_old_versions())),
        HealthFinding("servers", _open_servers(env, registry)),
        HealthFinding("settings", wrong),
    ]
    if settings is None:
        return [
            *found,
            HealthFinding("everything else", "It was not looked at: the settings come first."),
        ]
    for name, look in (
        ("running servers", lambda: house.unsafe_servers(settings, dict(SAFE_FROM), _numbers)),
        ("open doors", lambda: house.open_doors(settings)),
        ("disk", lambda: house.full_disk(settings.home)),
    ):
        said, wrong = _tried(look)
        found.append(HealthFinding(name, wrong or said or ""))
    _, wrong = _tried(settings.load_case_types)
    found += [
        HealthFinding("case types", wrong),
        HealthFinding("sources", " ".join(_lost_sources(settings))),
    ]
    home = settings.home / "live"
    wide = _wide(settings.home, home)
    found.append(
        HealthFinding("modes", wide)
    )  # looked at before the home is opened, which closes it
    services, wrong = _tried(lambda: live.open_services(profile))
    found.append(HealthFinding("home", wrong))
    if services is None:
        return [
            *found,
            HealthFinding("everything else", "It was not looked at: the home comes first."),
        ]
    return [
        *found,
        *_of_the_services(services),
        *_of_the_days(services, settings, datetime.now(UTC)),
    ]


def _of_the_services(services: DecisionServices) -> Iterator[HealthFinding]:
    verified, wrong = _tried(services.ledger.verify)
    yield HealthFinding("ledger", wrong or " ".join(() if verified is None else verified.problems))
    lost, wrong = _tried(services.secrets.trouble)
    yield HealthFinding("audit secret", wrong or lost or "")
    earlier, wrong = _tried(lambda: _lost_secrets(services.secrets))
    yield HealthFinding("earlier audit secrets", wrong or earlier or "")
    models = services.ledger, services.registry, services.case_types
    for name, look in (("models", _lost_models), ("aliases", _drifted_aliases)):
        sentences, wrong = _tried(lambda look=look: list(look(*models)))  # type: ignore[misc]
        yield HealthFinding(name, wrong or " ".join(sentences or ()))


def _of_the_days(
    services: HouseServices, settings: Settings, now: datetime
) -> Iterator[HealthFinding]:
    """How the house is run; a ledger that cannot be read was told of before."""
    for name, look in (
        ("team", lambda: lacking(services, settings)),
        ("tables", lambda: house.old_tables(services.ledger)),
        ("clock", lambda: house.wrong_clock(services.ledger, now)),
        ("holds", lambda: house.open_holds(services.ledger, services.case_types)),
        (
            "last good night",
            lambda: house.missed_nights(
                services.case_types, services.home, services.shared, settings, now
            ),
        ),
    ):
        said, wrong = _tried(look)
        yield HealthFinding(name, wrong or said or "")


def _tried(look: Callable[[], Any]) -> tuple[Any, str]:
    """What a look brings, or in a sentence why it cannot be had."""
    try:
        return look(), ""
    except (UserError, GateRefused, ServiceUnreachable) as wrong:
        return None, " ".join(str(wrong).split())
    except OSError as wrong:
        return None, f"{wrong.filename or 'a file'} cannot be used: {wrong.strerror}."


def _old_versions() -> Iterator[str]:
    for name, safe in SAFE_FROM.items():
        wanted = ".".join(map(str, safe))
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield f"{name} is not installed; run `make setup`."
            continue
        if _numbers(installed) < safe:
            yield (
                f"{name} {installed} is installed, and its server is safe from {wanted} on; run "
                "`make setup`."
            )


def _numbers(installed: str) -> tuple[int, ...]:
    """3.16.1rc0 -> (3, 16, 0): what comes before a release is not the release."""
    parts = installed.split(".")[:3]
    found = [int(re.match(r"\d*", part).group() or 0) for part in parts]  # type: ignore[union-attr]
    early = re.search(r"(a|b|rc|\.dev)\d*", installed) is not None
    if early and found:
        found[-1] -= 1
    return tuple(found)


def _open_servers(env: Mapping[str, str], registry: str | None) -> str:
    """Addresses that others on the network reach, or that are spoken to in the clear, without a proof
    of who asks."""
    prefect_auth = env.get("PREFECT_SERVER_API_AUTH_STRING")
    asks_prefect = env.get("PREFECT_API_AUTH_STRING") or env.get("PREFECT_API_KEY")
    asks_mlflow = env.get("MLFLOW_TRACKING_TOKEN") or env.get("MLFLOW_TRACKING_PASSWORD")
    found = [
        _bound("PREFECT_SERVER_API_HOST", env, prefect_auth, "PREFECT_SERVER_API_AUTH_STRING"),
        _bound("MLFLOW_HOST", env, env.get("MLFLOW_AUTH_CONFIG_PATH"), "MLFLOW_AUTH_CONFIG_PATH"),
        _asked(
            "PREFECT_API_URL",
            env.get("PREFECT_API_URL"),
            asks_prefect,
            "PREFECT_API_AUTH_STRING",
        ),
        _asked("mlflow_tracking_uri", registry, asks_mlflow, "MLFLOW_TRACKING_TOKEN"),
    ]
    return " ".join(one for one in found if one)


def _bound(variable: str, env: Mapping[str, str], proof: str | None, asks_for: str) -> str:
    host = env.get(variable, "127.0.0.1")
    if _is_here(host) or proof:
        return ""
    return (
        f"{variable} lets others on the network reach a server that asks nobody who they are; bind it "
        f"to 127.0.0.1, or set {asks_for}."
    )


def _asked(variable: str, address: str | None, proof: str | None, gives: str) -> str:
    try:
        parts = urlsplit(address or "")
        host, signed_in = parts.hostname or "", parts.password is not None
    except ValueError:
        return f"{variable} is no address."
    if not parts.scheme.startswith("http") or _is_here(host) or proof or signed_in:
        return ""
    return (
        f"{variable} names a server on another machine that asks nobody who they are; put it behind "
        f"a sign-in and set {gives}."
    )


def _is_here(host: str) -> bool:
    """Whether only this machine reaches a host: loopback, and neither a network nor all interfaces."""
    bare = host.strip().strip("[]").lower().rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _lost_sources(settings: Settings) -> Iterator[str]:
    """Of the configured source files those that cannot be read, or whose local file is missing."""
    named = {
        table: getattr(settings.sources, table) for table in type(settings.sources).model_fields
    }
    for table, file in named.items():
        if not file:
            continue
        source, wrong = _tried(lambda file=file, table=table: live.source_of(table, file))  # type: ignore[misc]
        if wrong:
            yield wrong
        elif source.path is not None and not _is_there(str(source.path)):
            yield f"The source {source.name!r} of {table} names a file that is not there."


def _is_there(path: str) -> bool:
    """Only local places are looked at; what a pattern means is the reader's to say."""
    local = path.removeprefix("file://")
    if "://" in local or any(sign in local for sign in "*?["):
        return True
    return Path(os.path.expandvars(local)).exists()


def _wide(root: Path, home: Path) -> str:
    """Folders and files of the home that others on this machine may use."""
    if not home.exists():
        return ""
    found = [*([root] if root.stat().st_mode & 0o077 else []), *wider_than_private(home)]
    if not found:
        return ""
    shown = ", ".join(str(path) for path in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return (
        f"Others on this machine may use {shown}{more}; `chmod -R go= {root}` keeps them out. (A home "
        "that others may enter is closed whenever it is opened.)"
    )


def _lost_secrets(secrets: AuditSecrets) -> str:
    """Earlier secrets that are not here: the draws of their time cannot be made again."""
    lost = [one for one in secrets.epochs()[:-1] if secrets.is_lost(one)]
    if not lost:
        return ""
    until = ", ".join(f"{secrets.epochs()[one.number].since:%Y-%m-%d}" for one in lost)
    return (
        f"The audit secrets in force until {until} are not kept here, so the draws of that time cannot "
        "be made again. Copy audit.key.* from the home that has them."
    )


def _lost_models(
    ledger: Ledger, registry: ModelRegistry, case_types: Mapping[str, CaseType]
) -> Iterator[str]:
    """Models that decide, or that a rollback would return to, and do not load."""
    history = ledger.history()
    for case_type in case_types:
        policy, before = ledger.live_policy(case_type), previous_policy_id(history, case_type)
        policies = [policy, None if before is None else ledger.policy(before)]
        for role, one in zip(("live model", "rollback target"), policies, strict=True):
            why = "" if one is None else why_it_does_not_load(registry, one)
            if why:
                yield f"The {role} of {case_type} does not load. {why}"


def _drifted_aliases(
    ledger: Ledger, registry: ModelRegistry, case_types: Mapping[str, CaseType]
) -> Iterator[str]:
    for case_type in case_types:
        drifted: Sequence[Any] = alias_drift(ledger, registry, case_type)
        if drifted:
            yield (
                " ".join(one.sentence() for one in drifted)
                + " `ratchet reconcile` points them back."
            )
