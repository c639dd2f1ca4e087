"""Who changes the secret by which audits are drawn, and when?"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from flows.commands.options import ACTOR
from flows.commands.output import say_entry
from flows.commands.people import asked_by


@click.group("audit-key")
def audit_key() -> None:
    """Change the secret by which audits are drawn; `ratchet doctor` says whether it is in order."""


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
    from flows.verbs.audit_secret import rotate as change
    from flows.verbs.desk import AUDIT_KEY_FILE, AUDIT_KEY_VARIABLE

    desk = live.open_desk()
    person = asked_by(desk, actor)
    entry = change(desk, person.name, reason, datetime.now(UTC), lost=lost)
    told = (
        "Audits are drawn with another secret from now on. Export served folders again; give "
        f"other machines of this database the new {AUDIT_KEY_FILE}."
    )
    if os.environ.get(AUDIT_KEY_VARIABLE) and live.open_desk().secrets.trouble():
        told += (
            f" {AUDIT_KEY_VARIABLE} still holds the old one: unset it, or set it to the new one."
        )
    say_entry(entry, as_json, told)


COMMANDS = (audit_key,)
