"""How is a home saved, and how is it made again?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.output import say


@click.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FILE_OR_DIR",
              help="A file that is not there yet, or a folder.")  # fmt: skip
@click.option("--with-audit-secret", is_flag=True,
              help="Take the secret of the audits along: whoever reads the file can foresee them.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def backup(to: Path, with_audit_secret: bool, as_json: bool) -> None:
    """Write the whole live home, and what a team's store has, into one file, each byte with its digest;
    a night may run meanwhile.

    The file holds personal data: keep it where only you can read it. Copy the ledger's head
    (`live/ledger.head` of the home, a team's `ledger.head` at its store) to another disk every night,
    too: with it a restored ledger is known to be whole.
    """
    from configs.settings import load_settings
    from flows.reports.progress import counted
    from flows.verbs import live
    from flows.verbs.house.backup import back_up

    settings, services = load_settings(), live.open_services()
    with counted("Files saved") as progress:
        made = back_up(
            services,
            to,
            datetime.now(UTC),
            database_url=settings.database_url,
            with_audit_secret=with_audit_secret,
            registry_elsewhere=not services.registry.is_own,
            progress=progress,
        )
    if as_json:
        told = {"file": str(made.path), "files": made.files, "bytes": made.size, "seq": made.seq}
        click.echo(json.dumps({**told, "notes": made.notes}, indent=1))
        return
    click.echo(
        f"{made.path}: {made.files:,} files, {made.size / 1e6:,.1f} MB, up to ledger entry {made.seq}."
    )
    if with_audit_secret:
        click.echo(
            "It holds the audit secret: whoever reads it can foresee which cases are audited."
        )
    click.echo("\n".join(made.notes), nl=bool(made.notes))


@click.command()
@click.argument(
    "source", metavar="FROM", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="HOME",
              help="A folder that is empty or not there: the new RATCHET_HOME.")  # fmt: skip
@click.option("--head", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
              help="The ledger.head of the lost home, where a copy is left.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def restore(source: Path, to: Path, head: Path | None, as_json: bool) -> None:
    """Make a new home out of a backup; the rows go to the configured database, and what a team shares
    to the configured store, both of which must be empty. Killed anywhere, the same command goes on.

    Unless --head shows that nothing came after the backup, every case goes to people until two
    approvers accept the ledger (`ratchet ledger accept-restored`).
    """
    from configs.settings import load_settings
    from flows.reports.progress import counted
    from flows.verbs.house.restore import restore as make

    settings = load_settings()
    with counted("Files restored") as progress:
        made = make(
            source,
            to,
            database_url=settings.database_url,
            store_url=settings.store_url,
            head=head,
            progress=progress,
        )
    if as_json:
        told = {"home": str(made.home), "made_at": made.made_at, "seq": made.seq}
        click.echo(json.dumps({**told, "waits": made.waits, "notes": made.notes}, indent=1))
        return
    click.echo(
        f"{made.home}: the backup of {made.made_at}, up to ledger entry {made.seq}. Use it with "
        f"RATCHET_HOME={to}."
    )
    if settings.store_url is not None:
        click.echo(
            "Every other machine takes an empty RATCHET_HOME, and `ratchet join --audit-key FILE`."
        )
    click.echo("\n".join(made.notes), nl=bool(made.notes))
    if made.waits:
        say(
            f"Every case goes to people until two approvers have run `ratchet ledger accept-restored "
            f"--reason R`: {made.waits}"
        )


COMMANDS = (backup, restore)
