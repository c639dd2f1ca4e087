"""Whose data is taken out, and who says so?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR, FILE
from flows.commands.output import say


@click.command()
@click.argument("case_ids", nargs=-1, metavar="CASE_ID...")
@click.option("--file", "listed", type=FILE, help="A text file with one case id a line.")
@click.option(
    "--reason", required=True, help="Why, in a sentence without the person's data; kept for ever."
)
@click.option("--yes", is_flag=True, help="Do not ask again: it cannot be undone.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def erase(
    case_ids: tuple[str, ...],
    listed: Path | None,
    reason: str,
    yes: bool,
    actor: str | None,
    as_json: bool,
) -> None:
    """Take a person's data out of the evidence, the quarantine, shadow scores and dossiers.

    Scores, labels and probabilities stay under invented ids, so that proofs still stand; features,
    amounts and texts are emptied. A ledger entry says how many rows, by digests of the ids. Backups,
    sources and what was exported are not changed: see docs/backup.md. The exit code is 3 where an
    id still stands somewhere in the home or at the team's store.
    """
    from configs.errors import UserError
    from configs.settings import load_settings
    from flows.verbs import live
    from flows.verbs.house.erase import erase as take_out

    named = list(case_ids)
    if listed is not None:
        try:
            named += listed.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as wrong:
            raise UserError(f"{listed} cannot be read as text: {type(wrong).__name__}.") from None
    services = live.open_services()
    person = asked_by(services, actor)
    if not yes:
        click.confirm(
            f"Erase what is kept of {len(set(named)):,} cases? It cannot be undone.",
            abort=True,
            err=True,
        )
    told = take_out(
        services, named, person.name, reason, datetime.now(UTC), load_settings().database_url
    )
    if as_json:
        plain = {**told.done.plain(), "texts": told.texts, "left": told.left}
        plain |= {"copies": told.copies, "elsewhere": told.elsewhere}
        click.echo(json.dumps({**plain, "entries": [one.seq for one in told.entries]}, indent=1))
        if told.left:
            raise SystemExit(EXIT_GATE)
        return
    for what, counts in (("rows of", told.done.rows), ("quarantined", told.done.quarantined)):
        for table, count in counts.items():
            click.echo(f"{count:,} {what} {table}")
    click.echo(f"{told.texts:,} dossiers or files of alerts were written anew.")
    if told.copies:
        click.echo(f"{told.copies:,} files of old parts were removed.")
    for entry in told.entries:
        click.echo(f"What was done stands in the ledger (entry {entry.seq}).")
    click.echo(
        "Not changed: backups made before, the sources (what they deliver of these cases is no longer "
        "stored), and files that somebody exported."
    )
    click.echo(told.elsewhere, nl=bool(told.elsewhere))
    for place in told.left:
        say(f"An id still stands in {place}.")
    if told.left:
        raise SystemExit(EXIT_GATE)


COMMANDS = (erase,)
