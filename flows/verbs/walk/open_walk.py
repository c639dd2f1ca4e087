"""Open a walk: a backtest over a source file's history, or the simulated exchange of the demo."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from configs.errors import UserError
from configs.places import ratchet_home
from configs.settings import Demo, PastBias, Settings, StoreSprint, Wave
from configs.sources import load_source
from data_contracts import CONTRACTS, AdmissionContext, admit, reject_report
from flows.adapters.files.private_home import keep_private
from flows.adapters.tables.sources import read_delivery
from flows.verbs.services import Services
from flows.verbs.walk.input_notes import told_of_history
from flows.verbs.walk.stand_ins import Draw, StandIns
from flows.verbs.walk.story import Planted
from flows.verbs.walk.walk import Walk
from models.simulation import Burst, Exchange, RevealedHistory, SimulatedUpstream
from models.simulation.faults import WeightFault
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
        Services.at(home, settings, case_types, seed=source.seed), upstream, source.retrain_days
    )
    staffed = source.staffing is not None or any(name in configured for name in case_types)
    return OpenedWalk(walk, f"Backtest: {source.name}", tuple(facts), False, staffed, told)


def open_demo(settings: Settings, nights: int, home: Path) -> OpenedWalk:
    """The simulated exchange with a fully reviewed past, and what `demo` of the settings plans for it."""
    demo = settings.demo
    settings = settings.model_copy(update={"case_types": demo.case_types})
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
    planned = {event.case_type for event in (demo.past_bias, demo.sprint, demo.wave)}
    if unknown := sorted((set(case_types) | planned) - set(volumes)):
        raise UserError(
            f"the simulated exchange has no case type {', '.join(unknown)}; it has "
            f"{', '.join(volumes)}. Correct `demo` in the settings."
        )
    happens = _happening(demo, nights)
    wave, sprint, bias = happens["wave"], happens["sprint"], happens["past_bias"]
    burst = None
    if wave is not None:
        burst = Burst(first_day=wave.night, **wave.model_dump(exclude={"night"}))
    exchange = Exchange(demo.seed, cases_per_day=volumes, start=DEMO_START, burst=burst)
    if bias is not None:
        _refuse_unknown_feature(case_types[bias.case_type], bias.feature)
    upstream = SimulatedUpstream(
        exchange,
        case_types,
        DEMO_START,
        nights,
        demo.history_days,
        blamed=None if bias is None else WeightFault(**bias.model_dump()),
        blamed_days=0 if bias is None else _days_learned_from(demo, case_types[bias.case_type]),
    )
    people = StandIns(
        upstream.looked_at_later,
        draws=() if sprint is None else (Draw(**sprint.model_dump()),),
        look_back_days=demo.look_back_days,
        retrain_after=demo.retrain_after_fall_days,
    )
    services = Services.at(home, settings, case_types, seed=demo.seed)
    walk = Walk(services, upstream, demo.retrain_days, people, _planted(happens))
    facts = _facts(demo, nights, happens)
    return OpenedWalk(walk, "Demo: the loop on a simulated exchange", facts, True, True)


def _happening(demo: Demo, nights: int) -> dict[str, Any]:
    """What is planned, where its case type takes part and its night comes; else None."""
    planned: dict[str, PastBias | StoreSprint | Wave] = {
        "past_bias": demo.past_bias,
        "sprint": demo.sprint,
        "wave": demo.wave,
    }
    return {
        name: event
        if event.case_type in demo.case_types and getattr(event, "night", 0) < nights
        else None
        for name, event in planned.items()
    }


def _refuse_unknown_feature(kind: CaseType, feature: str) -> None:
    if feature not in kind.feature_names:
        raise UserError(
            f"`demo.past_bias` is about {feature}, and {kind.name} has no such feature; it has "
            f"{', '.join(kind.feature_names)}."
        )


def _days_learned_from(demo: Demo, kind: CaseType) -> int:
    """Whole days of the past that the first model of the biased case type surely learns from: nothing
    that certifies may follow anything but the truth."""
    mature = demo.history_days - kind.maturity_days
    return max(math.floor(mature * (1.0 - demo.hold_back_share)) - 1, 0)


def _facts(demo: Demo, nights: int, happens: Mapping[str, Any]) -> tuple[str, ...]:
    """What is planted and planned, for who reads the page."""
    told = [
        f"{nights} nights on a simulated exchange with known truth (seed {demo.seed}), after "
        f"{demo.history_days} fully reviewed days."
    ]
    told += [f"Planted in {one.case_type}: {one.what}" for one in _planted(happens)]
    if (sprint := happens["sprint"]) is not None:
        told.append(
            f"Planned: on night {sprint.night} two people draw audits of {sprint.case_type} from the "
            f"store, up to {sprint.rate:.0%}."
        )
    return tuple(told)


def _planted(happens: Mapping[str, Any]) -> tuple[Planted, ...]:
    planted = []
    if (bias := happens["past_bias"]) is not None:
        what = (
            f"The labels that the first model learned from gave {bias.feature} {bias.factor:g} times "
            "its weight."
        )
        planted.append(Planted(0, bias.case_type, what, 0))
    if (wave := happens["wave"]) is not None:
        what = (
            f"A fraud wave begins on night {wave.night} and lasts {wave.days} days: bad cases come in "
            "numbers and have learned to look clean."
        )
        planted.append(Planted(wave.night, wave.case_type, what, wave.days))
    return tuple(planted)


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
