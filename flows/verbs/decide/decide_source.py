"""Decide what is new at the configured source of cases, each case exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused, UserError
from configs.settings import load_settings
from configs.sources import SourceSettings
from data_contracts.admission import BROKEN_RULES
from data_contracts.digests import row_digests
from data_contracts.row_rules import known_case_type
from flows.adapters.tables.case_pieces import PIECE_ROWS
from flows.adapters.tables.decisions_file import Writer, decisions_file
from flows.adapters.tables.reading_notes import Tell, nobody
from flows.adapters.tables.sources import asks_since, read_delivery
from flows.verbs.decide.decide_once import (
    REPEATED,
    clock,
    decide_once,
    quarantine_cases,
    standing_decisions,
)
from flows.verbs.live import configured_source
from flows.verbs.ports import DecisionServices
from models.vocabulary import Action

BoolArray = npt.NDArray[np.bool_]

UNKNOWN = known_case_type().name
"""The contract's rule that a row of an unconfigured case type breaks."""
NO_WATERMARK = "watermark_is_present"
"""The rule that a row without a value of the source's watermark breaks."""
PUT_ASIDE, STRANGERS = "cases_put_aside", "unknown_case_type"
"""The kinds of alert about cases that were not decided."""
WHOLE_LOOK = timedelta(hours=24)
"""So often a query that leaves out what is old is asked for everything."""
LONGEST_WAIT = timedelta(days=7)
"""So far behind the newest case the watermark waits for cases of a type nobody has configured."""
_BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass
class _Run:
    """One look at the source: its settings, how far it had been read, and what became of its rows.

    `unmoved` are the watermarks of rows that were not decided for good, which the source's must not
    pass; `put_aside` counts what was quarantined for the first time, by rule.
    """

    services: DecisionServices
    source: SourceSettings
    seen: datetime | None
    overlap: timedelta
    now: datetime | None
    tell: Tell
    writer: Writer
    told: dict[str, Any] = field(default_factory=dict)
    put_aside: Counter[str] = field(default_factory=Counter)
    failed: dict[str, Exception] = field(default_factory=dict)
    strangers: pd.DataFrame = field(default_factory=pd.DataFrame)


def decide_new_cases(
    services: DecisionServices,
    now: datetime | None,
    profile: str | None = None,
    tell: Tell = nobody,
    *,
    out: Path | None = None,
) -> dict[str, Any]:
    """Pull new cases, decide them under what is live, store the decisions, move the watermark.

    A case is found however late it comes: a source of files is looked at whole each time, a query
    with `:since` from `night.overlap_hours` behind its watermark and once in `WHOLE_LOOK` from the
    beginning. One that was decided keeps its decision; of rows that are equal throughout one is
    decided. What is no sound case is quarantined by the rule's name and people are told, once:
    different rows of one id, a case without a date or without a watermark, one from the future, one
    of a case type that is configured nowhere. All of them are looked at again as long as the source
    has them. The watermark moves last, past nothing that waits: a run that was killed is finished by
    the next one.

    Args:
        now: None: the clock tells; given where it is simulated.
        tell: is given each note on what was lost, altered or guessed while the source was read.
        out: where to write the stored decision of every case that was read, decided now or before
            (.parquet or .csv), or None.

    Returns:
        By case type what became of its rows (`rows_in` = `decided` + `already_decided` + `refused` +
        `copies`; `late` of the decided came behind the overlap; the rest as
        `DecidedOnce.counts()`, of what was decided now; `example` the id of one of these, or None), and under `UNKNOWN` what no case type
        claims; empty where the source has no rows.

    Raises:
        UserError: no source of cases is configured, it cannot be read, not one of its rows is of
            a configured case type (then the source is mapped wrongly, and nothing is stored), or
            the cases of a type cannot be read (those of the others are decided); or `out` holds the
            cases, or is neither .parquet nor .csv.
    """
    source = configured_source("cases", profile)
    if out is not None and source.path is not None and out.resolve() == Path(source.path).resolve():
        raise UserError(f"{out} holds the cases; name another file for the decisions.")
    overlap = timedelta(hours=load_settings(profile).night.overlap_hours)
    with decisions_file(out) as writer:
        run = _Run(
            services, source, services.store.watermark(source.name), overlap, now, tell, writer
        )
        return _decide_all(run)


def _decide_all(run: _Run) -> dict[str, Any]:
    rows, whole = _rows(run)
    if len(rows):
        known = _of_known_type(run, rows)
        run.strangers = rows[~known]
        for name, mine in rows[known].groupby(
            rows.loc[known, "case_type"].astype("str"), sort=True
        ):
            run.told[str(name)] = _decide_type(run, str(name), mine.reset_index(drop=True))
        _put_strangers_aside(run)
    _tell(run)
    _move_on(run, rows, whole)
    if run.failed:
        raise next(iter(run.failed.values()))
    return run.told


def _rows(run: _Run) -> tuple[pd.DataFrame, bool]:
    """What the source has, undated rows too, and whether that is all it has."""
    since = run.seen
    if since is None or run.source.watermark is None:
        # What was read before may be empty now; what never was is mapped wrongly.
        first = since is None and run.source.watermark is not None
        return _read(run, None if first else _BEGINNING), True
    looked = run.services.store.watermark(_whole_look(run.source))
    due = looked is None or clock(run.now) - looked >= WHOLE_LOOK
    if due or not asks_since(run.source):
        return _read(run, _BEGINNING), True
    return _read(run, since - run.overlap), False


def _read(run: _Run, since: datetime | None) -> pd.DataFrame:
    reading = read_delivery(run.source, since)
    for note in reading.notes:
        run.tell(note)
    return reading.rows


def _whole_look(source: SourceSettings) -> str:
    """Under which name it is kept when a source was looked at whole."""
    return f"{source.name}, looked at whole"


def _of_known_type(run: _Run, rows: pd.DataFrame) -> pd.Series:
    name = run.source.name
    if "case_type" not in rows:
        raise UserError(
            f"Source {name!r}: no column says the case type; map `case_type` under `columns:`, "
            "or name the one it holds as `case_type:`."
        )
    if "case_id" not in rows:
        raise UserError(f"Source {name!r}: no column is `case_id`; map it under `columns:`.")
    known = rows["case_type"].isin(list(run.services.case_types))
    if not known.any():
        raise UserError(f"{_strangers(run.source, rows)} No other case came. Nothing was decided.")
    return known


def _decide_type(run: _Run, case_type: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What became of all rows of one case type, in numbers."""
    copies = _copies(rows)
    found = rows[~copies].reset_index(drop=True)
    known = run.services.store.holds("decisions", found[["case_id"]], decided_here=True)
    new = found[~known].reset_index(drop=True)
    counts: Counter[str] = Counter(
        rows_in=len(rows),
        decided=0,
        already_decided=int(known.sum()),
        refused=0,
        copies=int(copies.sum()),
        late=0,
        audited=0,
        to_seniors=0,
    )
    by_name = {name: Counter[str]() for name in ("rejections", "actions", "overrides")}
    example: str | None = None
    try:
        for piece, repeated in _pieces(run, case_type, new, counts, by_name["rejections"]):
            told = decide_once(
                run.services, case_type, piece, run.now, source=run.source.name, repeated=repeated
            )
            run.put_aside.update(told.put_aside)
            example = _example(told.decisions) if example is None else example
            counts["late"] += _late(run, piece, told.decisions["case_id"])
            for name, said in told.counts().items():
                if name in by_name:
                    by_name[name].update(said)
                elif name != "rows_in":
                    counts[name] += said
    except (UserError, GateRefused) as refused:
        # It holds up no other case type, and the watermark stays before these rows.
        run.failed[case_type] = refused
    _hand_back(run, found)
    named = {name: dict(said) for name, said in by_name.items()}
    return {**counts, **named, "example": example}


def _hand_back(run: _Run, cases: pd.DataFrame) -> None:
    """The stored decisions of these cases, into the file that was asked for; what was put aside has
    none."""
    if run.writer.is_nowhere:
        return
    for start in range(0, len(cases), PIECE_ROWS):
        piece = cases.iloc[start : start + PIECE_ROWS]
        piece = piece[(piece["case_id"].notna() & ~piece["case_id"].duplicated()).to_numpy()]
        stored = run.services.store.holds("decisions", piece[["case_id"]], decided_here=True)
        run.writer.write(
            standing_decisions(run.services.store, piece[stored].reset_index(drop=True), None)
        )


def _example(decisions: pd.DataFrame) -> str | None:
    """One case to look at: an automatic one where there is any, as it is what a policy changed."""
    if decisions.empty:
        return None
    automatic = decisions[(decisions["action"] != Action.ESCALATE.value).to_numpy(dtype=np.bool_)]
    return str((automatic if len(automatic) else decisions)["case_id"].iloc[0])


def _copies(rows: pd.DataFrame) -> BoolArray:
    """Rows that say throughout what an earlier row says."""
    copies = np.zeros(len(rows), dtype=np.bool_)
    twice = (rows["case_id"].duplicated(keep=False) & rows["case_id"].notna()).to_numpy()
    if twice.any():
        copies[twice] = pd.Index(row_digests(rows[twice])).duplicated()
    return copies


def _pieces(
    run: _Run,
    case_type: str,
    new: pd.DataFrame,
    counts: Counter[str],
    rejections: Counter[str],
) -> Iterator[tuple[pd.DataFrame, BoolArray]]:
    """What is to be decided, a piece at a time, and which ids stand on several different rows; a row
    without a watermark is put aside first."""
    mark = run.source.watermark
    if mark is not None and mark != "opened_at":
        unmarked = new[mark].isna().to_numpy(dtype=np.bool_)
        if unmarked.any():
            aside = new[unmarked].assign(**{BROKEN_RULES: NO_WATERMARK})
            run.put_aside.update(
                quarantine_cases(run.services.store, aside, run.source.name, run.now)
            )
            counts["refused"] += len(aside)
            rejections[NO_WATERMARK] += len(aside)
            new = new[~unmarked].reset_index(drop=True)
    ids = new["case_id"]
    repeated = (ids.duplicated(keep=False) & ids.notna()).to_numpy(dtype=np.bool_)
    for start in range(0, len(new), PIECE_ROWS):
        end = start + PIECE_ROWS
        yield new.iloc[start:end].reset_index(drop=True), repeated[start:end]


def _late(run: _Run, piece: pd.DataFrame, decided: pd.Series) -> int:
    if run.source.watermark is None or run.seen is None:
        return 0
    behind = piece[run.source.watermark] <= pd.Timestamp(run.seen - run.overlap)
    return int((behind & piece["case_id"].isin(decided)).sum())


def _put_strangers_aside(run: _Run) -> None:
    rows = run.strangers.assign(**{BROKEN_RULES: UNKNOWN}).reset_index(drop=True)
    if rows.empty:
        return
    new = quarantine_cases(run.services.store, rows, run.source.name, run.now)
    if new:
        run.services.alerts.send(
            STRANGERS,
            None,
            f"{_strangers(run.source, rows)} {new[UNKNOWN]:,} of them came since the last look. They "
            "are in quarantine, undecided, and looked at again each time.",
            clock(run.now),
            cases=new[UNKNOWN],
        )
    run.told[UNKNOWN] = {
        "rows_in": len(rows),
        "refused": len(rows),
        "rejections": {UNKNOWN: len(rows)},
    }


def _strangers(source: SourceSettings, rows: pd.DataFrame) -> str:
    names = sorted(set(rows["case_type"].fillna("(empty)").astype("str")))
    return (
        f"Source {source.name!r}: {len(rows):,} cases are of no configured type "
        f"({', '.join(names[:5])}). Add configs/case_types/NAME.yaml, or map the name."
    )


def _tell(run: _Run) -> None:
    """People hear of what was put aside for the first time, and of what could not be decided."""
    if run.put_aside:
        by_rule = ", ".join(f"{count:,} by {rule}" for rule, count in run.put_aside.most_common())
        run.services.alerts.send(
            PUT_ASIDE,
            None,
            f"Source {run.source.name!r}: new cases were not decided and are in quarantine: {by_rule}"
            f"{_advice(run.put_aside)}. Correct them at the source; it is looked at again each time.",
            clock(run.now),
            **dict(run.put_aside),
        )
    for case_type, why in run.failed.items():
        sentence = f"Source {run.source.name!r}: cases were not decided. {why}"
        run.services.alerts.send(PUT_ASIDE, case_type, sentence, clock(run.now))


def _advice(put_aside: Counter[str]) -> str:
    return " (the rows of one id differ)" if put_aside[REPEATED] else ""


def _move_on(run: _Run, rows: pd.DataFrame, whole: bool) -> None:
    """The watermark goes to the newest row that was decided or put aside for good, and no further:
    not past cases of a type that failed, nor to a row from the future."""
    if run.source.watermark is None or rows.empty:
        return
    now = clock(run.now)
    marks = rows[run.source.watermark]
    settled = marks[marks <= pd.Timestamp(now)]
    newest = settled.max()
    if pd.isna(newest) or run.failed:
        return
    if len(run.strangers):
        # Read again each time: their case type may be configured later.
        first = run.strangers[run.source.watermark].min()
        if not pd.isna(first) and first <= newest:
            before = first - pd.Timedelta(microseconds=1)
            newest = max(before, newest - LONGEST_WAIT)
    _keep_watermark(run, run.source.name, newest.to_pydatetime())
    if whole and asks_since(run.source):
        _keep_watermark(run, _whole_look(run.source), now)


def _keep_watermark(run: _Run, source: str, mark: datetime) -> None:
    nothing = pd.DataFrame({"case_id": pd.Series(dtype="str")})
    run.services.store.append(
        "cases",
        nothing,
        nothing,
        key=("case_id",),
        source=source,
        received_at=run.now,
        watermark=mark,
    )
