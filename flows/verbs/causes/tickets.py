"""Which patterns of errors are open: since when, how large, what do they cost, and who answers them?

A night files its findings; a ticket is what all nights together say of one pattern.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from configs.errors import UserError
from data_contracts.digests import row_digests
from flows.verbs.causes.answers import Answer, announced, answers, generation_number
from flows.verbs.ports import EvidenceServices, EvidenceStore, Ledger
from models.hub.policies.canonical import canonical_json, in_utc
from models.vocabulary import CaseType
from models.vocabulary.finding import Finding
from models.vocabulary.finding_words import plain_size, remedy_of

FINDINGS = "findings"
NIGHTS = "triage_nights"
_KEY = ("pattern_id", "night_at")
_TOLD = [
    "pattern_id", "case_type", "path", "subject", "slice", "effect", "low", "high", "unit",
    "p_value", "cases", "errors", "money_usd", "marks", "sentence", "fires", "counterfactual",
]  # fmt: skip
_NESTED = ("marks", "counterfactual")


def file_findings(store: EvidenceStore, findings: Sequence[Finding], as_of: datetime) -> None:
    """Keep all findings of one night, of all case types: a row a pattern and night.

    The same night filed again with the same findings changes nothing; with other figures the later
    arrival counts, and a pattern that is no longer among them counts as not found that night.

    Raises:
        ValueError: one pattern is there twice.
    """
    night = _night(as_of)
    told = _rows(findings)
    if told["pattern_id"].duplicated().any():
        raise ValueError("a night has one finding a pattern; merge those of one pattern first")
    changed = _changed(told, _of_night(store, night)).assign(night_at=night)
    if len(changed):
        _append(store, FINDINGS, changed, (*_KEY, "revision"), as_of)
    _append(store, NIGHTS, pd.DataFrame({"night_at": [night]}), ("night_at",), as_of)


def tickets(services: EvidenceServices, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """One ticket a pattern as known by `as_of` (None: all that is known), most money first.

    `status` is `quiet` (the last `night.quiet_nights` nights that were triaged did not find it),
    `answered` (a challenger was fitted for it, and it was not found again after that challenger's
    trial ended) or `open`. `size` is the effect in plain words, `remedy` whether a correction held on
    later cases. Figures are those of the last night that found it; `fired_at` is when
    its event was sent last, `nights` on how many nights it was found.
    """
    rows = _found(services.store, as_of)
    if rows.empty:
        return []
    seen = rows.groupby("pattern_id")["night_at"].agg(["min", "size"])
    latest = rows.sort_values("night_at").drop_duplicates("pattern_id", keep="last")
    latest = latest.sort_values(["money_usd", "pattern_id"], ascending=[False, True])
    nights = services.store.read(NIGHTS, columns=["night_at"], as_of=as_of)["night_at"]
    since = [int((nights > last).sum()) for last in latest["night_at"]]
    fired = announced(services.store, as_of).groupby("pattern_id")["received_at"].max()
    answered = answers(services.ledger, services.case_types, as_of)
    return [
        _ticket(
            row,
            seen.loc[row["pattern_id"]],
            quiet=missed >= services.quiet_nights,
            fired_at=fired.get(row["pattern_id"]),
            answer=answered.get(row["pattern_id"]),
        )
        for row, missed in zip(latest.to_dict("records"), since, strict=True)
    ]


def last_triage(store: EvidenceStore, as_of: datetime) -> datetime | None:
    """The last night that was triaged before or at a moment; None: none was."""
    if not store.counts(NIGHTS)[0]:
        return None
    nights = store.read(NIGHTS, columns=["night_at"], as_of=as_of)["night_at"]
    return None if nights.empty else nights.max().to_pydatetime()


def open_tickets(services: EvidenceServices, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """The tickets that are not quiet: open ones, and those that a challenger answers."""
    return [one for one in tickets(services, as_of) if one["status"] != "quiet"]


def to_announce(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    findings: Sequence[Finding],
    as_of: datetime,
) -> list[Finding]:
    """Which of a night's findings ask for a retrain that nobody has been told of.

    Once per pattern and generation, and not while a challenger that answers it is on trial: the
    live model errs on until that one is promoted, and a retrain a night would start its evidence
    again every time, so that none was ever certified.
    """
    known = announced(store)
    told = set(zip(known["pattern_id"], known["generation"], strict=True))
    answered = answers(ledger, case_types)
    night = _night(as_of)
    return [
        one
        for one in findings
        if one.fires
        and (one.pattern_id, generation_number(ledger, one.case_type)) not in told
        and not (one.pattern_id in answered and answered[one.pattern_id].stands(night))
    ]


def known_tickets(
    services: EvidenceServices, case_type: str, pattern_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The tickets of a case type by pattern id, where it has one for each of these patterns.

    Raises:
        UserError: it has none for some of them.
    """
    mine = {one["pattern_id"]: one for one in tickets(services) if one["case_type"] == case_type}
    for pattern_id in pattern_ids:
        if pattern_id not in mine:
            raise UserError(
                f"{case_type} has no ticket {pattern_id!r}; `ratchet tickets --json` lists them with "
                "their pattern_id. Leave the pattern out to retrain without one."
            )
    return mine


def to_answer(services: EvidenceServices, case_type: str, pattern_id: str) -> list[dict[str, Any]]:
    """The tickets that a retrain started for one pattern answers; none if that one is answered.

    All open Type A tickets of the case type that fire are answered by one challenger: one for each
    would supersede the other, and they would take turns for ever.

    Raises:
        UserError: the case type has no such ticket.
    """
    mine = known_tickets(services, case_type, [pattern_id])
    if mine[pattern_id]["answered_by"] is not None:
        return []
    return [
        one
        for name, one in mine.items()
        if name == pattern_id or (one["fires"] and one["status"] == "open")
    ]


def due_patterns(
    case_types: Mapping[str, CaseType],
    case_type: str,
    due: Sequence[Mapping[str, Any]],
    answers: Sequence[str],
    features: Sequence[str | None],
) -> tuple[list[str], list[str]]:
    """What a retrain answers and which features it shows before and after: those asked for, and
    those of the tickets due."""
    known = set(case_types[case_type].feature_names) if case_type in case_types else set()
    blamed = [one["subject"] for one in due if one["subject"] in known]
    patterns = dict.fromkeys([*answers, *(str(one["pattern_id"]) for one in due)])
    shown = dict.fromkeys([*(one for one in features if one), *blamed])
    return list(patterns), list(shown)


def _night(as_of: datetime) -> pd.Timestamp:
    """The night's date, as midnight in UTC."""
    return pd.Timestamp(in_utc(as_of)).normalize().as_unit("us")


def _rows(findings: Sequence[Finding]) -> pd.DataFrame:
    plain = [one.plain() for one in findings]
    texts = [{name: canonical_json(one[name]) for name in _NESTED} for one in plain]
    rows = [{**one, **text} for one, text in zip(plain, texts, strict=True)]
    return pd.DataFrame(rows, columns=_TOLD)


def _of_night(store: EvidenceStore, night: pd.Timestamp) -> pd.DataFrame:
    """What counts of one night so far, whenever it was filed, with what was withdrawn."""
    rows = _latest(store, None)
    return rows[(rows["night_at"] == night).to_numpy(dtype=bool)]


def _found(store: EvidenceStore, as_of: datetime | None) -> pd.DataFrame:
    rows = _latest(store, as_of)
    return rows[rows["found"].to_numpy(dtype=bool)]


def _latest(store: EvidenceStore, as_of: datetime | None) -> pd.DataFrame:
    columns = [*_TOLD, "night_at", "revision", "found"]
    return store.latest_revisions(FINDINGS, _KEY, "revision", as_of, columns)


def _changed(told: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """The rows to add so that `told` is what counts of a night of which `stored` counted."""
    revisions = dict(zip(stored["pattern_id"], stored["revision"], strict=True))
    content = dict(zip(stored["pattern_id"], row_digests(stored, [*_TOLD, "found"]), strict=True))
    new = told.assign(
        found=True, revision=[int(revisions.get(name, 0)) + 1 for name in told["pattern_id"]]
    )
    same = [
        content.get(name) == digest
        for name, digest in zip(new["pattern_id"], row_digests(new, [*_TOLD, "found"]), strict=True)
    ]
    gone = stored[
        stored["found"].to_numpy(dtype=bool) & ~stored["pattern_id"].isin(new["pattern_id"])
    ]
    withdrawn = gone.assign(found=False, revision=gone["revision"] + 1)
    parts = [part for part in (new[[not one for one in same]], withdrawn) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else new.iloc[:0]


def _append(
    store: EvidenceStore, table: str, rows: pd.DataFrame, key: Sequence[str], as_of: datetime
) -> None:
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    store.append(table, rows, nothing, key=key, source="triage", received_at=as_of)


def _ticket(
    row: Mapping[Hashable, Any],
    seen: pd.Series,
    *,
    quiet: bool,
    fired_at: pd.Timestamp | None,
    answer: Answer | None,
) -> dict[str, Any]:
    stands = answer is not None and answer.stands(row["night_at"])
    made = json.loads(row["counterfactual"])
    return {
        **{name: row[name] for name in _TOLD},
        **{name: json.loads(row[name]) for name in _NESTED},
        "size": plain_size(row["effect"], row["unit"]),
        "remedy": remedy_of(str(row["path"]), made),
        "status": "quiet" if quiet else "answered" if stands else "open",
        "first_seen": seen["min"].date().isoformat(),
        "last_seen": row["night_at"].date().isoformat(),
        "nights": int(seen["size"]),
        "fired_at": None if fired_at is None else fired_at.isoformat(),
        "answered_by": answer.version if answer is not None and stands else None,
        "answered_at": answer.at.isoformat() if answer is not None and stands else None,
    }
