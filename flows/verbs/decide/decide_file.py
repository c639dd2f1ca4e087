"""Decide a file of cases, a piece at a time, each case exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from configs.errors import UserError
from flows.adapters.tables.case_pieces import PIECE_ROWS, CaseFile, are_repeated
from flows.adapters.tables.decisions_file import decisions_file
from flows.adapters.tables.reading_notes import Notes, Tell, nobody
from flows.verbs.decide.decide_once import DecidedOnce, decide_once, refuse_decided_elsewhere
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import DecisionServices

Progress = Callable[[int, int | None], None]
"""Told after each piece: rows done, and rows in all where that is known."""


@dataclass
class DecidedFile:
    """What became of a file's rows: rows_in = decided + already_decided + refused.

    `actions`, `overrides`, `rejections` count by name; `audited` are automatic decisions drawn for
    review, `to_seniors` cases in the seniors' queue.
    """

    rows_in: int = 0
    decided: int = 0
    already_decided: int = 0
    refused: int = 0
    audited: int = 0
    to_seniors: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    overrides: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)

    def add(self, piece: DecidedOnce) -> None:
        for name, said in piece.counts().items():
            if isinstance(said, dict):
                getattr(self, name).update(said)
            else:
                setattr(self, name, getattr(self, name) + said)

    def counts(self) -> dict[str, Any]:
        """As plain values."""
        return {
            name: dict(said) if isinstance(said, Counter) else said
            for name, said in vars(self).items()
        }


def decide_file(
    services: DecisionServices,
    file: Path,
    case_type: str,
    out: Path | None,
    now: datetime | None = None,
    progress: Progress | None = None,
    *,
    piece_rows: int = PIECE_ROWS,
    tell: Tell = nobody,
) -> DecidedFile:
    """Decide every case of a Parquet or CSV file under what is live, and store the decisions.

    A case that has a stored decision keeps it, and that one is returned, so the same file again
    changes nothing; a run that was killed is finished by running it again. Rows that are no sound
    case are quarantined by the rule they broke.

    Args:
        file: columns `case_id`, `opened_at`, `priority`, `amount_usd` and the type's features.
        out: where to write the stored decisions of its cases (.parquet or .csv), or None.
        now: given where the clock is simulated: when all cases are decided. None: each piece is
            decided under what is live at its own moment, and stamped with it.
        piece_rows: cases in memory at a time.
        tell: is given each note on what was altered while the file was read, at its end.

    Raises:
        UserError: no such case type, another agent decides it, `out` is the file itself, or the file cannot be read; the message says what would work.
        ServiceUnreachable: the store or the file system does not answer.
    """
    refuse_decided_elsewhere(services.case_types, known_case_type(services.case_types, case_type))
    if out is not None and out.resolve() == file.resolve():
        raise UserError(f"{out} holds the cases; name another file for the decisions.")
    opened = CaseFile.at(file, services.case_types[case_type])
    total, repeated_ids, found = opened.rows_in_all(), opened.repeated_ids(), DecidedFile()
    notes = Notes(file.name)
    with decisions_file(out) as writer:
        for piece in opened.pieces(piece_rows, notes):
            repeated = are_repeated(piece["case_id"], repeated_ids)
            source = f"file {file.name}"
            told = decide_once(services, case_type, piece, now, source=source, repeated=repeated)
            writer.write(told.decisions)
            found.add(told)
            if progress is not None:
                progress(found.rows_in, total)
    for note in notes.told():
        tell(note)
    return found
