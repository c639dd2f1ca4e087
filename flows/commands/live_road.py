"""How does a boundary reach another agent, and how do past cases come in?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from flows.commands.options import FILE


@click.command(name="export-policy")
@click.argument("case_type")
@click.option("--to", type=FILE, metavar="FILE", help="Write it here instead of printing it.")
def export_policy(case_type: str, to: Path | None) -> None:
    """Print as JSON what an agent elsewhere must do to decide CASE_TYPE as the ledger says.

    Boundary, audit rule and overrides, until when they hold, whether CASE_TYPE is halted (then there
    is no boundary, and every case is escalated), a running A/B, and a SHA-256 of all of it. It holds
    no secret. Ask again at least as often as it says.
    """
    from flows.verbs import live
    from flows.verbs.export_policy import export_policy as export
    from flows.verbs.export_policy import said_of_export

    told = export(live.open_desk(), case_type, live.night_of(None))
    text = json.dumps(told, indent=1, allow_nan=False) + "\n"
    if to is None:
        click.echo(text, nl=False)
        click.echo(said_of_export(told), err=True)
        return
    from flows.adapters.files import write_atomically

    write_atomically(to, lambda file: file.write(text.encode("utf-8")))
    click.echo(f"{said_of_export(told)} Written to {to}.")


COMMANDS = (export_policy,)
