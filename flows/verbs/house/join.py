"""Has this machine everything that a team's machines share, and what is missing?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from configs.errors import GateRefused, ServiceUnreachable, UserError
from configs.settings import Settings, load_settings
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.files.shared_store import SharedFile, SharedStore, team_store
from flows.adapters.ledger.audit_secrets import WAYS, AuditSecrets
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.ledger.ledger_head import read_head, write_head, write_seen
from flows.adapters.ledger.tokens import Tokens
from flows.adapters.sql.database import hidden, open_database, reading
from flows.adapters.sql.database_clock import now_at
from flows.adapters.sql.night_lease import NightLease
from flows.verbs import live
from flows.verbs.govern.people import NAME, listed, who_asks
from flows.verbs.learn.model_files import why_it_does_not_load
from flows.verbs.ports import HouseServices
from flows.verbs.record import dossier_files
from flows.verbs.services import Services
from models.hub import Policy, previous_policy_id

LARGEST_SKEW = timedelta(seconds=60)
"""Between this machine's clock and the database's; `decide` refuses from five minutes on."""

_NAMED = 3
"""So many missing things are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing that was looked at: nothing is missing where `problem` is empty.

    Attributes:
        note: what there is to know about it, where nothing is wrong.
    """

    check: str
    problem: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"check": self.check, "ok": self.ok, "problem": self.problem, "note": self.note}


@dataclass(frozen=True, slots=True)
class Joined:
    """What was looked at, in order, and what this machine put at the shared store."""

    looked: tuple[Looked, ...]
    published: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.looked)


def join(
    audit_secrets: tuple[str, ...] = (),
    *,
    publish: bool = False,
    profile: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> Joined:
    """Look at everything that must be one for the machines of a team, in the order in which one rests
    on the other; what cannot be looked at says so.

    Where nothing is wrong, this machine writes down how far it has seen the ledger; where the ledger
    knows no audit secret yet, it gets to know this home's.

    Args:
        audit_secrets: what another machine handed over; kept here first.
        publish: put what only this home has (head, evidence, models, dossiers) at the shared store.

    Raises:
        UserError: the settings are wrong.
        GateRefused: an audit secret that was handed over was never in force here.
    """
    settings = load_settings(profile, env)
    looked = [Looked("settings", *_settings(settings))]
    if settings.database_url is None:
        return Joined(
            (*looked, Looked("everything else", "It was not looked at: the database first."))
        )
    database = Looked("database", *_tried(lambda: _database(settings.database_url)))
    looked.append(database)
    if not database.ok:
        return Joined(
            (*looked, Looked("everything else", "It was not looked at: the database first."))
        )
    looked.append(Looked("clock", *_tried(lambda: _clock(settings.database_url))))
    if settings.store_url is not None:
        store = Looked("shared store", *_tried(lambda: _store(settings)))
        looked.append(store)
        if store.ok and publish:
            problem, note = _tried(lambda: _publish_head(settings))
            looked.append(Looked("head put there", problem, note))
    opened: list[Services] = []

    def open_home() -> str:
        opened.append(live.open_services(profile))
        return ""

    problem, _ = _tried(open_home)
    if not opened:
        return Joined(
            (
                *looked,
                Looked("home", problem),
                Looked("everything else", "It was not looked at: the home first."),
            )
        )
    services, published = opened[0], {}
    if audit_secrets:
        services.secrets.take_over(audit_secrets)
    if publish:
        published = _publish(services)
    looked += _of_the_services(services, env)
    joined = Joined(tuple(looked), published)
    if joined.ok and services.shared is not None:
        write_seen(_head_file(services.home, services.shared), *services.ledger.head())
    return joined


def _settings(settings: Settings) -> tuple[str, str]:
    lacking = []
    if settings.database_url is None:
        lacking.append(
            "database_url (RATCHET_DATABASE_URL): the PostgreSQL that keeps the team's ledger, "
            "postgresql+psycopg://USER@HOST/NAME."
        )
    if settings.store_url is None:
        lacking.append(
            "store_url (RATCHET_STORE_URL): the folder or object store that keeps the team's evidence, "
            "models, head, alerts and dossiers."
        )
    if settings.mlflow_tracking_uri is None:
        lacking.append(
            "mlflow_tracking_uri (RATCHET_MLFLOW_TRACKING_URI): the MLflow server in which models are "
            "registered and runs compared."
        )
    return (
        "Not set: " + " Not set: ".join(lacking) if lacking else ""
    ), f"profile {settings.profile}"


def _database(url: str | None) -> str:
    """Reached; opening the ledger brings its tables up to date, or says that this code is too old."""
    from flows.adapters.sql.migrate import NEWEST, bring_up_to_date

    engine = open_database(str(url))
    try:
        bring_up_to_date(engine)
    finally:
        engine.dispose()
    only_here = engine.dialect.name == "sqlite"
    here = "; a file that machines of one disk share" if only_here else ""
    return f"{hidden(engine.url)}, its tables at step {NEWEST}{here}"


def _clock(url: str | None) -> str:
    engine = open_database(str(url))
    try:
        with reading(engine) as connection:
            before = datetime.now(UTC)
            there = now_at(connection)
            after = datetime.now(UTC)
    finally:
        engine.dispose()
    apart = max(before - there, there - after, timedelta(0))
    if apart > LARGEST_SKEW:
        raise GateRefused(
            f"This machine's clock and the database's are {apart.total_seconds():,.0f} s apart, and "
            f"{LARGEST_SKEW.total_seconds():g} s are the most; let both follow a time server (NTP)."
        )
    return f"{apart.total_seconds():.1f} s from the database's"


def _store(settings: Settings) -> str:
    store = team_store(settings.database_url, settings.store_url)
    assert store is not None
    store.try_out()
    if store.wide():
        raise GateRefused(
            f"Everybody on its machines may enter the shared folder {store}; `chmod o= {store.folder}` "
            "keeps others out (a group of the team's own keeps its people in)."
        )
    return str(store)


def _publish_head(settings: Settings) -> str:
    """The head of this home, where the store has none, so that the ledger can be read there."""
    store = team_store(settings.database_url, settings.store_url)
    assert store is not None
    own = settings.home / "live" / "ledger.head"
    shared, head = SharedFile(store, own.name, own), read_head(own)
    if shared.exists() or head is None or head.seq == 0:
        return "there was nothing to put there"
    # A home of another ledger would stop everybody.
    verified = Ledger(str(settings.database_url), own).verify()
    if not verified.ok:
        raise GateRefused(
            f"The head of this home does not belong to this ledger, and was not put there. "
            f"{' '.join(verified.problems)}"
        )
    write_head(shared, head)
    return f"the head of this home, at entry {head.seq}"


def _publish(services: HouseServices) -> dict[str, int]:
    parts, lacking = services.store.publish()
    told = {"evidence parts": parts, "models": services.registry.copies.publish()}
    told["dossiers"] = dossier_files.publish(services.home, services.shared)
    return told | ({"still lacking, on another machine": lacking} if lacking else {})


def lacking(services: HouseServices, settings: Settings) -> str:
    """What this machine of a team lacks, in sentences; "" = nothing, or the home is alone."""
    if services.shared is None:
        return ""
    looks = (lambda: _store(settings), lambda: _evidence(services.store), lambda: _mlflow(services))
    missing = " ".join(filter(None, (_tried(look)[0] for look in looks)))
    return f"{missing} `ratchet join` looks at all of it." if missing else ""


def _of_the_services(services: HouseServices, env: Mapping[str, str]) -> Iterator[Looked]:
    yield Looked("head", *_tried(lambda: _head(services.ledger, services.shared)))
    yield Looked("audit secret", *_tried(lambda: _audit_secret(services.secrets)))
    if services.shared is not None:
        yield Looked("evidence", *_tried(lambda: _evidence(services.store)))
    yield Looked("models", *_tried(lambda: _models(services)))
    yield Looked("MLflow", *_tried(lambda: _mlflow(services)))
    yield Looked("who asks", *_tried(lambda: _who_asks(services.ledger, services.tokens, env)))
    yield Looked("night", *_tried(lambda: _night(services.ledger)))


def _head(ledger: Ledger, shared: SharedStore | None) -> str:
    verified = ledger.verify()
    if not verified.ok:
        lost = any("missing or unreadable" in one for one in verified.problems)
        helps = (
            " Run `ratchet join --publish` on the machine that began this ledger: it puts its head there."
            if lost and shared is not None
            else ""
        )
        raise GateRefused(" ".join(verified.problems) + helps)
    return " ".join([f"{ledger.head()[0]:,} entries", *verified.notes])


def _audit_secret(secrets: AuditSecrets) -> str:
    if not secrets.epochs():
        secrets.record(datetime.now(UTC))
        if secrets.epochs() and not secrets.trouble():
            return "this home's is in force from now on; hand it over by `ratchet audit-key export`"
    epochs = secrets.epochs()
    if trouble := secrets.trouble():
        said = trouble.removesuffix(WAYS).strip()
        if epochs and secrets.is_lost(epochs[-1]):
            said = (
                "This machine does not hold the team's audit secret (the ledger knows it by the check "
                f"{epochs[-1].check[:8]}), so its cases go to people."
            )
        raise GateRefused(
            f"{said} To hand it over: `ratchet audit-key export --to FILE` on a machine that has it, "
            "carry the file by scp or a secret manager (never by chat or mail), here `ratchet join "
            "--audit-key FILE`, and delete it on both."
        )
    lost = [one for one in epochs[:-1] if secrets.is_lost(one)]
    if lost:
        raise GateRefused(
            f"{len(lost)} earlier audit secret{'s are' if len(lost) > 1 else ' is'} not kept here, so old "
            "draws cannot be made again. `ratchet audit-key export` on a machine that has them hands "
            "over all of them; `ratchet join --audit-key FILE` keeps them here."
        )
    return (
        f"check {epochs[-1].check[:8]}, as the ledger has it" if epochs else "none is in force yet"
    )


def _evidence(store: EvidenceStore) -> str:
    lost = store.not_shared()
    if lost:
        counted = [f"{len(names):,} of {table} ({kind})" for (table, kind), names in lost.items()]
        raise GateRefused(
            f"Parts of the evidence are not at the shared store: {', '.join(sorted(counted))}. Each lies "
            "in the home of the machine that wrote it; run `ratchet join --publish` there."
        )
    removed = store.eraser.remove_what_no_longer_counts()
    gone = f"; {removed:,} copies of what was erased were removed" if removed else ""
    return f"every part that counts is at the shared store{gone}"


def _models(services: HouseServices) -> str:
    history, wrong, seen = services.ledger.history(), [], 0
    for case_type in services.case_types:
        before = previous_policy_id(history, case_type)
        roles = {
            "live model": services.ledger.live_policy(case_type),
            "rollback target": None if before is None else services.ledger.policy(before),
        }
        for role, policy in roles.items():
            if policy is None or policy.model_digest is None:
                continue
            seen += 1
            if why := why_it_does_not_load(services.registry, policy):
                wrong.append(f"The {role} of {case_type}: {why}")
            elif services.shared is not None and not services.registry.copies.is_shared(
                policy.model_digest
            ):
                wrong.append(_not_at_the_store(services.shared, role, case_type, policy))
    if wrong:
        more = f" And {len(wrong) - _NAMED} more." if len(wrong) > _NAMED else ""
        raise GateRefused(" ".join(wrong[:_NAMED]) + more)
    return f"{seen:,} load, each by its digest" if seen else "no policy with a model is live yet"


def _not_at_the_store(shared: SharedStore | None, role: str, case_type: str, policy: Policy) -> str:
    return (
        f"The {role} of {case_type} ({str(policy.model_digest)[:12]}) loads here and is not at the shared "
        f"store {shared}: other machines do not find it. Run `ratchet join --publish` here."
    )


def _mlflow(services: HouseServices) -> str:
    """The registered files, which approvals ask for; deciding needs none of them."""
    far = []
    by_server = services.registry.tracking_uri.startswith("http")
    if services.shared is not None and services.shared.folder is None and not by_server:
        raise GateRefused(
            "mlflow_tracking_uri names a database, so the files of its runs would lie on whichever "
            "machine wrote them; name an MLflow server that keeps them (--serve-artifacts)."
        )
    for case_type in services.case_types:
        policy = services.ledger.live_policy(case_type)
        if policy is None or policy.model_digest is None or policy.model_version is None:
            continue
        try:
            services.registry.check_files(case_type, policy.model_version, policy.model_digest)
        except GateRefused as refused:
            far.append(str(refused))
    if far:
        more = f" And {len(far) - 1} more." if len(far) > 1 else ""
        raise GateRefused(
            f"Deciding goes on from copies, and nothing can be approved here: {far[0]}{more}"
        )
    return ""


def _who_asks(ledger: Ledger, tokens: Tokens, env: Mapping[str, str]) -> str:
    if not listed(ledger):
        raise GateRefused(
            "Nobody is enrolled yet, so nobody may approve; the first person enrols themselves: "
            "`ratchet people add NAME --role approver`."
        )
    if not env.get(NAME):
        return f"nobody; set {NAME} and RATCHET_TOKEN where people approve or promote"
    person = who_asks(ledger, tokens, env=env)
    return f"{person.name}, {', '.join(sorted(person.roles))}"


def _night(ledger: Ledger) -> str:
    held = NightLease(ledger.engine).held()
    if held is None or not held.counts:
        return "nobody runs it now"
    return f"run by {held.holder} since {held.since:%Y-%m-%d %H:%M:%S} UTC"


def _head_file(home: Path, shared: SharedStore) -> SharedFile:
    own = home / "ledger.head"
    return SharedFile(shared, own.name, own)


def _tried(look: Callable[[], str]) -> tuple[str, str]:
    """What is wrong, or "", and what there is to know."""
    try:
        return "", look()
    except (UserError, GateRefused, ServiceUnreachable) as wrong:
        return " ".join(str(wrong).split()), ""
    except OSError as wrong:
        return f"{wrong.filename or 'a file'} cannot be used: {wrong.strerror}.", ""
