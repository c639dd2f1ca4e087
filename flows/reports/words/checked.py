"""What a check of the sources found, source by source, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.verbs.onboarding.check_sources import Checked


def checked_lines(found: Sequence[Checked]) -> Iterator[str]:
    """Every source: what would be admitted and rejected, by rule, with the first rows of each."""
    for one in found:
        yield f"{one.table}: source {one.source!r} ({one.file})"
        yield from (f"  {_plain(line)}" for line in _lines(one))
        yield ""
    whole = [one.table for one in found if one.reads_whole]
    if whole:
        yield f"Read whole every time: {', '.join(whole)}."
    yield _verdict(found)


def _lines(one: Checked) -> Iterator[str]:
    if one.wrong:
        first, *more = one.wrong.split("\n")
        yield f"CANNOT BE USED: {first}"
        yield from (f"  {sentence}" for sentence in more)
    elif one.unreachable:
        yield f"DOES NOT ANSWER: {one.unreachable}"
    elif one.failed:
        yield f"{one.rows:,} rows; the delivery would FAIL as a whole:"
        yield from (f"  {sentence}" for sentence in one.failed)
    elif not one.rows:
        yield "no rows."
    else:
        waiting = f" + {one.waiting:,} waiting for their decisions" if one.waiting else ""
        yield f"{one.rows:,} rows = {one.admitted:,} admitted + {one.rejected:,} rejected{waiting}."
        if one.stored_already:
            yield f"{one.stored_already:,} of the admitted are stored already."
        if not one.admitted:
            yield "NOTHING would be admitted."
    for rule in one.rules:
        rows = ", ".join(f"{row:,}" for row in rule.examples)
        some = "row" if rule.rows == 1 else "rows"
        yield f"{rule.rows:,} {some} by {rule.rule} ({some} {rows}{_more(rule.rows, len(rule.examples))}): {rule.why}"
    yield from (f"Would be on hold: {sentence}" for sentence in one.held)
    yield from (f"Note: {note}" for note in one.notes)
    if one.reads_whole:
        yield f"Read whole: {one.reads_whole}"


def _plain(text: str) -> str:
    """A column's name may hold what moves a terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _more(rows: int, named: int) -> str:
    return ", ..." if rows > named else ""


def _verdict(found: Sequence[Checked]) -> str:
    wrong = [one.table for one in found if one.wrong]
    away = [one.table for one in found if one.unreachable]
    failed = [one.table for one in found if one.failed or one.empty]
    said = [
        (wrong, "cannot be used as configured"),
        (away, "did not answer"),
        (failed, "would bring nothing"),
    ]
    told = [f"{', '.join(names)} {what}" for names, what in said if names]
    nothing = "Nothing was stored: this was a check."
    return (
        f"{'; '.join(told)[:1].upper()}{'; '.join(told)[1:]}. {nothing}"
        if told
        else (
            f"All {len(found)} can be read. {nothing}"
            if len(found) > 1
            else f"It can be read. {nothing}"
        )
    )
