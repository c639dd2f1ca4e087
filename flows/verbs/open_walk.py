"""Open a walk: a backtest over a source file's history, or the simulated exchange of the demo."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from configs.errors import UserError
from configs.places import ratchet_home
from configs.settings import Settings
from configs.sources import load_source
from data_contracts import CONTRACTS, AdmissionContext, admit, reject_report
from flows.adapters.private_home import keep_private
from flows.adapters.sources import read_delivery
from flows.verbs.desk import Desk
from flows.verbs.told import told_of_history
from flows.verbs.walk import Walk
from models.simulation import Burst, Exchange, RevealedHistory, SimulatedUpstream
from models.vocabulary import CaseType, Staffing

DEMO_START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class OpenedWalk:
    """A walk ready to go, what its report must say about where the cases come from, and what was
    lost, altered or guessed while they were read (`told`)."""

    walk: Walk
    title: str
    facts: tuple[str, ...]
    simulated: bool
    staffed: bool
    told: tuple[str, ...] = ()


def new_home(name: str, now: datetime | None = None) -> Path:
    """A folder of its own below RATCHET_HOME; two walks never share one."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S%f")[:-3]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "walk"
    return ratchet_home() / "backtests" / f"{plain}-{stamp}"


def open_backtest(settings: Settings, source_file: Path, home: Path) -> OpenedWalk:
    """Read, admit and line up a history; nothing is written if it cannot be walked.

    Raises:
        UserError: the source file, its table or its columns cannot be used.
    """
    source = load_source(source_file)
    if source.kind != "history":
        raise UserError(
            f"{source_file}: a backtest walks a source of kind `history`; this one holds {source.kind}."
        )
    configured = settings.load_case_types()
    reading = read_delivery(source)
    table = reading.rows
    listed = source.resolved_case_types(configured)
    try:
        case_types = _with_text_as_categories(listed, table)
    except ValueError as unfit:
        raise UserError(
            f"{source.name}: {unfit}; it holds text. Correct the source file."
        ) from None
    context = AdmissionContext(now=datetime.now(UTC), case_types=case_types)
    admission = admit(table, CONTRACTS["history"], context)
    if admission.failed or not admission.admitted:
        raise UserError(
            f"{source.name}: " + (" ".join(admission.failed) or reject_report(admission))
        )
    try:
        upstream = RevealedHistory(
            admission.rows, case_types, source.warm_up_days, source.step_days
        )
    except ValueError as too_short:
        raise UserError(f"{source.name}: {too_short}") from None
    facts = [source.description] if source.description else []
    told = (
        *map(str, reading.notes),
        *told_of_history(admission, listed, case_types, upstream.start),
    )
    if admission.quarantined:
        _keep_rejects(admission.rejected, home)
    # A walk looks for causes as often as it retrains: every look costs seconds.
    seldom = settings.triage.model_copy(update={"every_days": source.retrain_days})
    settings = settings.model_copy(update={"triage": seldom})
    walk = Walk(
        Desk.at(home, settings, case_types, seed=source.seed), upstream, source.retrain_days
    )
    staffed = source.staffing is not None or any(name in configured for name in case_types)
    return OpenedWalk(walk, f"Backtest: {source.name}", tuple(facts), False, staffed, told)


def open_demo(settings: Settings, nights: int, home: Path) -> OpenedWalk:
    """The simulated exchange with a fully reviewed past and an attack half-way through."""
    demo = settings.demo
    case_types = {
        name: replace(kind, staffing=_scaled(kind.staffing, demo.scale))
        for name, kind in settings.load_case_types().items()
    }
    held_back = settings.training.model_copy(update={"hold_back_share": demo.hold_back_share})
    seldom = settings.triage.model_copy(update={"every_days": demo.triage_days})
    settings = settings.model_copy(update={"training": held_back, "triage": seldom})
    volumes = {
        name: max(round(count * demo.scale), 1)
        for name, count in Exchange(demo.seed).cases_per_day.items()
    }
    unknown = sorted(set(case_types) - set(volumes))
    if unknown:
        raise UserError(
            f"the simulated exchange has no case type {', '.join(unknown)}; leave it out."
        )
    exchange = Exchange(
        demo.seed, cases_per_day=volumes, start=DEMO_START, burst=Burst(first_day=nights // 2)
    )
    upstream = SimulatedUpstream(exchange, case_types, DEMO_START, nights, demo.history_days)
    walk = Walk(Desk.at(home, settings, case_types, seed=demo.seed), upstream, demo.retrain_days)
    facts = (
        f"{nights} nights on a simulated exchange with known truth (seed {demo.seed}), after "
        f"{demo.history_days} fully reviewed days. An attack on withdrawal_anomaly begins on night "
        f"{nights // 2}: bad cases learn to look clean for three days.",
    )
    return OpenedWalk(walk, "Demo: the loop on a simulated exchange", facts, True, True)


def _scaled(staffing: Staffing, scale: float) -> Staffing:
    """As many people for as many cases, and at least one on every shift."""
    shifts = (
        replace(shift, reviewers=max(round(shift.reviewers * scale), 1))
        for shift in staffing.shifts
    )
    return replace(staffing, shifts=tuple(shifts))


def _with_text_as_categories(
    case_types: dict[str, CaseType], table: pd.DataFrame
) -> dict[str, CaseType]:
    """Text columns are categorical by themselves (DESIGN 4)."""
    text = {name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])}
    return {
        name: replace(
            kind,
            features=tuple(
                replace(feature, kind="categorical")
                if feature.name in text and feature.kind == "numeric"
                else feature
                for feature in kind.features
            ),
        )
        for name, kind in case_types.items()
    }


def _keep_rejects(rejected: pd.DataFrame, home: Path) -> None:
    keep_private(home)
    rejected.astype("str").to_parquet(home / "rejected_history.parquet", index=False)
