"""What does a person read when a command is done?"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from configs.masking import masked
from flows.reports.words.live_boundaries import FEWEST_FOR_A_SHARE

if TYPE_CHECKING:
    from models.hub import Entry

_AS_SHARE: Callable[[float], str] = "{:.2%}".format
_SHARES = {
    "automation_rate", "true_precision", "true_recall", "true_false_omission", "automation",
    "Ratchet", "review everything", "tuned once", "oracle",
}  # fmt: skip


def table(rows: Sequence[dict[str, Any]]) -> None:
    """A plain aligned table; undefined values are a dash."""
    if not rows:
        return
    names = list(rows[0])
    texts = [[_text(name, row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[place]) for line in [names, *texts]) for place in range(len(names))]
    for line in [names, ["-" * width for width in widths], *texts]:
        click.echo(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )


def one_line(value: object) -> str:
    """As text in which nothing moves a terminal's cursor or begins a line that looks like a row, as a
    reason or note may."""
    return "".join(sign if sign.isprintable() else " " for sign in str(value))


def say(text: str) -> None:
    """One line to the person, beside what a machine may read on the standard output."""
    if os.environ.get("RATCHET_LOG") == "json":
        import logging

        logging.getLogger("ratchet").info("%s", text)
        return
    click.echo(f"ratchet: {masked(text)}", err=True)


def say_note(note: object) -> None:
    """What was lost, altered or guessed while a table was read."""
    say(str(note))


def say_entry(entry: Entry, as_json: bool, sentence: str) -> None:
    """What a command added to the ledger."""
    if not as_json:
        click.echo(f"{sentence} (ledger entry {entry.seq})")
        return
    names = ("seq", "case_type", "version", "policy_id", "actor")
    plain = {name: getattr(entry, name) for name in names}
    click.echo(json.dumps({**plain, "kind": entry.kind, "at": entry.at.isoformat()}, indent=1))


def conclude(concluded: Any, as_json: bool, simulated: bool) -> None:
    """The end of a demo or backtest: the verdict, its tables, and which pages to open."""
    if as_json:
        click.echo(json.dumps(concluded.summary, indent=1, default=str))
        return
    if concluded.story:
        click.echo("\nWhat happened (simulated):")
        click.echo("\n".join(one_line(line) for line in concluded.story))
    click.echo()
    click.echo(("Simulated. " if simulated else "") + concluded.verdict)
    if concluded.told:
        click.echo("\nLost, altered or guessed:")
        click.echo("\n".join(_text("told", sentence) for sentence in concluded.told))
    click.echo()
    table(concluded.table)
    if concluded.review_desk:
        click.echo("\nReviews within the SLA, by case type:")
        table(concluded.review_desk)
    home = concluded.filed.decisions.parent
    click.echo(f"\nOpen the page:      {concluded.filed.report}")
    click.echo(f"Figures as JSON:    {concluded.filed.json}")
    click.echo(f"Truth it was shown: {concluded.filed.observed}")
    click.echo(f"Every decision:     {concluded.filed.decisions}")
    # From its own folder: an address with the whole path would end at a `?`.
    click.echo(
        f"Experiments:        (P=$PWD; cd {shlex.quote(str(home / 'mlflow'))} && "
        '"$P"/.venv/bin/mlflow ui --backend-store-uri sqlite:///mlflow.db)'
        if "?" in str(home)
        else "Experiments:        .venv/bin/mlflow ui --backend-store-uri "
        + shlex.quote(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    )


def refuse_outputs(inputs: Sequence[Path], outputs: Mapping[str, Path | None]) -> None:
    """Nothing, if each file can be written, and none over another one or over what is read.

    Asked before the work is done: what takes an hour shall not be lost for a folder's name.

    Args:
        inputs: the files that are read. outputs: what was asked for, by option.

    Raises:
        click.UsageError: two names are one file, or a file cannot be written.
    """
    taken = {path.resolve(): f"{path.name} is read" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        place = path.resolve()
        if place in taken:
            raise click.UsageError(f"{option}: {taken[place]}; name another file.")
        taken[place] = f"{path.name} is written by {option}"
        folder = next(one for one in place.parents if one.exists())
        if place.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            why = "is a folder" if place.is_dir() else f"cannot be written below {folder}"
            raise click.UsageError(f"{option}: {path} {why}; name another file.")


def certificate_row(one: dict[str, Any]) -> dict[str, Any]:
    """A certificate, as `plain()` tells it, as a line of a table. Automation is named where a boundary
    holds by it: what the labels suggest before anything is proven decides nothing. Of fewer than
    30 cases it is named with their number, and of none it is not."""
    cuts = (one["pass_at_or_below"], one["block_at_or_above"])
    rate, rows = one["automation_rate"], one.get("rows")
    automation = None if cuts == (None, None) or rows == 0 else rate
    if automation is not None and rows is not None and rows < FEWEST_FOR_A_SHARE:
        automation = f"{rate:.0%} of {rows} cases"
    return {
        "case_type": one["case_type"],
        "verdict": one["verdict"],
        "pass <=": one["pass_at_or_below"],
        "block >=": one["block_at_or_above"],
        "automation": automation,
        "why": " ".join(one["reasons"]),
    }


def _text(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _AS_SHARE(value) if name in _SHARES else f"{value:.5g}"
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(value)
