"""Who changes the secret by which audits are drawn, and when?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR, FILE
from flows.commands.output import say_entry


@click.group("audit-key")
def audit_key() -> None:
    """Change the secret by which audits are drawn, or hand it to another machine; `ratchet doctor`
    says whether it is in order."""


@audit_key.command()
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@click.option(
    "--lost", is_flag=True, help="The secret in force is gone: its draws are never made again."
)
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def rotate(reason: str, lost: bool, actor: str | None, as_json: bool) -> None:
    """Draw audits with another secret from now on, and keep the old one for the old draws.

    The new one is what RATCHET_AUDIT_KEY says, where that is not the one in force (16 characters at
    least); else a random one is made. Both stay in the home, readable by its owner only.
    """
    import os

    from flows.verbs import live
    from flows.verbs.govern.audit_secret import rotate as change
    from flows.verbs.services import AUDIT_KEY_FILE, AUDIT_KEY_VARIABLE

    services = live.open_services()
    person = asked_by(services, actor)
    entry = change(
        services.ledger, services.secrets, person.name, reason, datetime.now(UTC), lost=lost
    )
    told = (
        "Audits are drawn with another secret from now on. Export served folders again; give "
        f"other machines of this database the new {AUDIT_KEY_FILE} (`ratchet audit-key export`)."
    )
    if os.environ.get(AUDIT_KEY_VARIABLE) and live.open_services().secrets.trouble():
        told += (
            f" {AUDIT_KEY_VARIABLE} still holds the old one: unset it, or set it to the new one."
        )
    say_entry(entry, as_json, told)


@audit_key.command("export")
@click.option("--to", type=FILE, required=True, help="A new file; only you may read it.")
def export_(to: Path) -> None:
    """Write the audit secrets of this home to a file that another machine of the team imports.

    Carry it by a channel that keeps it from others (scp, a secret manager), never by chat or mail, and
    delete it on both sides: who knows it knows which cases will be audited.
    """
    from flows.adapters.ledger.audit_key_file import write_handed_over
    from flows.verbs import live

    secrets = live.open_services().secrets
    secrets.record(datetime.now(UTC))  # what is handed over is in force from now on, if nothing was
    handed = secrets.handed_over()
    write_handed_over(to, handed)
    click.echo(
        f"{len(handed):,} audit secret{'s' * (len(handed) != 1)} written to {to}, readable by you "
        "alone. Carry it there by scp or a secret manager, never by chat or mail; there run `ratchet "
        "audit-key import FILE`, and delete it on both machines."
    )


@audit_key.command("import")
@click.argument("file", type=FILE)
def import_(file: Path) -> None:
    """Keep the audit secrets that another machine of the team exported to FILE.

    Each is held against the check that the ledger keeps of it; one that was never in force is refused,
    and then nothing is changed.
    """
    from flows.adapters.ledger.audit_key_file import read_handed_over
    from flows.verbs import live

    kept = live.open_services().secrets.take_over(read_handed_over(file))
    click.echo(
        f"{kept:,} audit secret{'s' * (kept != 1)} kept in this home. Delete {file} now, here and "
        "where it came from."
    )


COMMANDS = (audit_key,)
