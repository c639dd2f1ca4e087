"""What else moved, and ends no evidence? (METHODS 1.2, "Drift")

Good cases, features, the base rate, the volume, and what is certified where it became better: each
change is told once, with the day since when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.certify.drift_windows import WholeWindows
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceServices, EvidenceStore
from models.drift import (
    Moved,
    Sample,
    all_changes,
    bad_share,
    certified_laws,
    consecutive,
    volume,
    windows_to_pool,
)
from models.vocabulary import CaseType

CHANGES = "population_changes"
"""The table of what was told: one row a change."""

VOLUME_FACTOR = 1.5
"""Cases a day have changed when the 95 % interval of their ratio lies beyond this factor."""

_KEY = ("case_type", "what", "since")


@dataclass(frozen=True, slots=True)
class Change:
    """what: moved, by a name that stays; since: the day of the first window that is unlike those
    before it; sentence: for people."""

    what: str
    since: datetime
    sentence: str


def told_tonight(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str, windows: WholeWindows
) -> list[str]:
    """A sentence for each change that this night is the first to tell; the same night run again tells
    the same ones."""
    known = _told_before(services.store, snapshot, case_type)
    asked = (case_type, windows.begins, windows.number)
    quiet = _QUIET.setdefault(services.ledger.written, set())
    if asked not in quiet:
        found = changes_in(
            services.store, services.case_types, services.drift_window, snapshot, case_type, windows
        )
        new = _without_known(found, known, services.drift_window)
        if new:
            _keep(services.store, snapshot, case_type, new)
            known = _told_before(services.store, snapshot, case_type)
        quiet.add(asked)
    tonight = known[(known["night"] == _night(snapshot)).to_numpy(dtype=np.bool_)]
    return [f"{case_type}: {sentence}" for sentence in tonight["sentence"]]


def changes_in(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    drift_window: timedelta,
    snapshot: EvidenceSnapshot,
    case_type: str,
    windows: WholeWindows,
) -> list[Change]:
    """All that moved between the windows of a sequence and is no restart, told before or not."""
    if windows.number < 2:
        return []
    cases, hoped = windows.cases, windows.hoped
    laws = certified_laws(
        cases,
        case_types[case_type].targets.named(),
        hoped.pass_at_or_below,
        hoped.block_at_or_above,
    )
    # One that became worse is a restart, and is told as one.
    better = [one for one in all_changes(laws, cases.sizes) if not one.rose]
    moved = [*better, *all_changes([bad_share(cases)], cases.sizes)]
    moved += _volume(drift_window, snapshot, case_type, windows)
    return [
        *_as_changes(moved, windows),
        *_good_cases(store, case_types, snapshot, case_type, windows),
    ]


def _as_changes(moved: Iterable[Moved], windows: WholeWindows) -> list[Change]:
    return [
        Change(
            f"{one.law} {'rose' if one.rose else 'fell'}",
            since := windows.start_of(one.window),
            f"since {since:%Y-%m-%d}: {one.sentence}",
        )
        for one in moved
    ]


def _volume(
    drift_window: timedelta, snapshot: EvidenceSnapshot, case_type: str, windows: WholeWindows
) -> list[Moved]:
    number = windows.numbers_of(snapshot.known(case_type)["opened_at"])
    inside = number[(number >= 0) & (number < windows.number)]
    counts = np.bincount(inside, minlength=windows.number)
    days = drift_window.total_seconds() / 86_400.0
    return all_changes([volume(counts, days)], counts, factor=VOLUME_FACTOR)


def _good_cases(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    snapshot: EvidenceSnapshot,
    case_type: str,
    windows: WholeWindows,
) -> list[Change]:
    """Scores and features of the cohort's good cases, as far as they say nothing of the calendar."""
    rows = windows.rows
    good = (rows["in_cohort"] & (rows["bad"] == 0.0)).to_numpy(dtype=np.bool_)
    rows = rows[good].reset_index(drop=True)
    if rows.empty:
        return []
    judged = [one for one in case_types[case_type].features if not one.turns_with_calendar]
    sample = Sample(
        scores=rows["score"].to_numpy(dtype=np.float64),
        features=_features(store, snapshot, case_type, rows, [one.name for one in judged]),
        bad=np.full(len(rows), np.nan),
        propensity=np.ones(len(rows)),
    )
    number = rows["window"].to_numpy(dtype=np.int64)
    filled = np.unique(number)
    return [
        Change(
            f"{one.kind} {one.what}",
            since := windows.start_of(int(filled[restart.window])),
            f"among good cases, since {since:%Y-%m-%d}: {one.sentence}",
        )
        for restart in windows_to_pool(consecutive(sample, number)).restarts
        for one in restart.verdict.findings
    ]


def _features(
    store: EvidenceStore,
    snapshot: EvidenceSnapshot,
    case_type: str,
    rows: pd.DataFrame,
    names: list[str],
) -> pd.DataFrame:
    stored = store.read(
        "decisions",
        columns=names,
        filters={"case_type": [case_type]},
        since=rows["opened_at"].min().to_pydatetime(),
        stamp="opened_at",
        as_of=snapshot.as_of,
        numbered=True,
    )
    place = pd.Index(stored[CASE_NUMBER]).get_indexer(pd.Index(rows[CASE_NUMBER]))
    return stored[names].take(place).reset_index(drop=True)


def _without_known(
    found: Iterable[Change], known: pd.DataFrame, drift_window: timedelta
) -> list[Change]:
    """A label that is corrected, or another model's sequence, may find one change a window away."""
    told: dict[str, list[datetime]] = {}
    for what, since in zip(known["what"], known["since"], strict=True):
        told.setdefault(str(what), []).append(datetime.fromisoformat(since))
    new = []
    for one in found:
        before = told.setdefault(one.what, [])
        if all(abs(one.since - since) > drift_window for since in before):
            new.append(one)
            before.append(one.since)
    return new


def _told_before(store: EvidenceStore, snapshot: EvidenceSnapshot, case_type: str) -> pd.DataFrame:
    columns = [*_KEY, "night", "sentence"]
    if not store.counts(CHANGES)[0]:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    rows = store.read(
        CHANGES, columns=columns, filters={"case_type": [case_type]}, as_of=snapshot.as_of
    )
    return rows.sort_values("since", kind="stable", ignore_index=True)


def _keep(
    store: EvidenceStore, snapshot: EvidenceSnapshot, case_type: str, new: list[Change]
) -> None:
    rows = pd.DataFrame(
        {
            "case_type": case_type,
            "what": [one.what for one in new],
            "since": [one.since.isoformat() for one in new],
            "night": _night(snapshot),
            "sentence": [one.sentence for one in new],
        }
    )
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    store.append(CHANGES, rows, nothing, key=_KEY, source="drift", received_at=snapshot.as_of)


def _night(snapshot: EvidenceSnapshot) -> str:
    return snapshot.as_of.date().isoformat()


# Whole windows stay what they are, so what they say need not be worked out again.
_QUIET: WeakKeyDictionary[object, set[tuple[object, ...]]] = WeakKeyDictionary()
