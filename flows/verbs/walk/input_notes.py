"""What was lost, altered or guessed on the way into a walk and through it? Each is said once, with a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from data_contracts import Admission, reject_report
from flows.verbs.walk.walk import Walk
from models.risk.encoding import FEATURES_ARE_PRESENT, KNOWN_CATEGORY
from models.risk.giveaways import giveaways
from models.vocabulary import CaseType
from models.vocabulary.names import name_of


def told_of_history(
    admission: Admission,
    listed: Mapping[str, CaseType],
    read: Mapping[str, CaseType],
    start: datetime,
) -> tuple[str, ...]:
    """Of a history that was read: rows left out and why, unknown truths, text taken for categories,
    and columns that say nothing or too much, by the warm-up's rows alone.

    Args:
        listed, read: the case types as the files say, and as the table made them.
        start: the end of the warm-up; nothing later is looked at.
    """
    told = []
    if admission.quarantined:
        told.append(
            f"{admission.quarantined:,} of {admission.rows_in:,} rows of the history were put aside "
            f"and take no part: {reject_report(admission)}"
        )
    unknown = int(admission.rows["bad"].isna().sum())
    if unknown:
        told.append(f"{unknown:,} of {admission.admitted:,} rows do not say whether they were bad.")
    early = admission.rows[admission.rows["opened_at"] < pd.Timestamp(start)]
    for name, kind in read.items():
        rows = early[early["case_type"] == name]
        told += [f"{name}: {sentence}" for sentence in _of_features(rows, listed[name], kind)]
    return tuple(told)


def _of_features(rows: pd.DataFrame, listed: CaseType, read: CaseType) -> list[str]:
    pairs = zip(listed.features, read.features, strict=True)
    guessed = [name_of(now.name) for was, now in pairs if was.kind != now.kind]
    told = []
    if guessed:
        told.append(f"{_features(guessed)} text, so read as categories: {_named(guessed)}.")
    if rows.empty:
        return told
    names = list(read.feature_names)
    constant = [name_of(name) for name in names if _is_constant(rows[name])]
    if constant:
        told.append(
            f"{_features(constant)} one value in all {len(rows):,} warm-up rows, so the first model "
            f"learns nothing from it: {_named(constant)}."
        )
    told += [
        f"the feature {name_of(one.column)!r} alone tells good from bad in {one.agreeing:,} of "
        f"{one.rows:,} warm-up rows. Is it known when a case is opened? If it is the truth under "
        "another name, it would decide: leave it out of `features:`."
        for one in giveaways(rows, names, rows["bad"])
    ]
    return told


def told_of_walk(walk: Walk) -> tuple[str, ...]:
    """Of a finished walk: fits that failed, cases no model could score, rows that were put aside,
    and why nothing was automatic."""
    return (*_fits(walk), *_unscored(walk), *_put_aside(walk), *_why_all_reviewed(walk))


def _fits(walk: Walk) -> list[str]:
    told = []
    for name in walk.services.case_types:
        tried = [(at, one) for at, one in walk.fits if one.case_type == name]
        failed = [(at, one.note) for at, one in tried if one.version is None]
        if not failed:
            continue
        at, why = failed[-1]
        none = "" if len(failed) < len(tried) else "No model was ever fitted. "
        told.append(
            f"{name}: {none}{len(failed)} of {len(tried)} fits failed; the last, on "
            f"{at.date().isoformat()}: {why}"
        )
    return told


def _unscored(walk: Walk) -> list[str]:
    """Cases that were sent to people because the model could not read them."""
    if not walk.services.store.counts("decisions")[0]:
        return []
    stored = walk.services.store.read("decisions", columns=["case_type", "override"])
    words = {
        KNOWN_CATEGORY: "hold a category that the model never saw",
        FEATURES_ARE_PRESENT: "lack a feature, or hold a number without end",
    }
    stored = stored[stored["override"].isin(list(words))]
    counts = Counter(zip(stored["case_type"], stored["override"], strict=True))
    return [
        f"{case_type}: {count:,} cases could not be scored and were reviewed: they {words[rule]} "
        f"({rule})."
        for (case_type, rule), count in counts.most_common()
    ]


def _put_aside(walk: Walk) -> list[str]:
    rules: dict[str, Counter[str]] = {}
    for night in walk.nights:
        for batch in night["batches"]:
            rules.setdefault(batch["table"], Counter()).update(batch["rejections"])
    return [
        f"The nights put aside rows of {table}, by rule: "
        f"{', '.join(f'{rule} ({count:,})' for rule, count in counts.most_common())}."
        for table, counts in rules.items()
        if counts
    ]


def _why_all_reviewed(walk: Walk) -> list[str]:
    told = []
    for name in walk.services.case_types:
        steps = [step for step in walk.steps if step["case_type"] == name and step["cases"]]
        if steps and not any(step["auto_passed"] or step["auto_blocked"] for step in steps):
            why = " ".join(steps[-1]["reasons"]) or "no boundary was proposed"
            told.append(f"{name}: nothing was decided automatically; the last night said: {why}")
    return told


def _is_constant(values: pd.Series) -> bool:
    return len(pd.factorize(values, use_na_sentinel=False)[1]) <= 1


def _features(names: list[str]) -> str:
    return "1 feature holds" if len(names) == 1 else f"{len(names)} features hold"


def _named(names: list[str]) -> str:
    return ", ".join(map(repr, names))
