"""Who may move a boundary, what waits for whom, and is the record whole?"""

from __future__ import annotations

import json

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.output import table


@click.command()
@click.option("--json", "as_json", is_flag=True)
def proposals(as_json: bool) -> None:
    """List the boundaries that wait for a second person."""
    from flows.verbs import live
    from flows.verbs.propose import waiting

    desk = live.open_desk()
    rows = [
        {
            "case_type": entry.case_type,
            "policy_id": str(entry.policy_id)[:12],
            "proposer": entry.actor,
            "since": entry.at.isoformat(),
            "pass_at_or_below": entry.dossier.get("pass_at_or_below"),
            "block_at_or_above": entry.dossier.get("block_at_or_above"),
        }
        for name in desk.case_types
        for entry in waiting(desk, name)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif rows:
        table(rows)
    else:
        click.echo("Nothing waits for approval.")


@click.group()
def ledger() -> None:
    """Ask the ledger about itself."""


@ledger.command()
@click.option("--json", "as_json", is_flag=True)
def verify(as_json: bool) -> None:
    """Recompute the hash chain and compare its head; exit 3 when anything was changed."""
    from flows.verbs import live

    told = live.open_desk().ledger.verify()
    if as_json:
        click.echo(json.dumps({"ok": told.ok, "problems": told.problems, "notes": told.notes}))
    else:
        click.echo("The ledger is whole." if told.ok else "The ledger was changed:")
        click.echo("\n".join([*told.problems, *told.notes]), nl=bool(told.problems or told.notes))
    if not told.ok:
        raise SystemExit(EXIT_GATE)


COMMANDS = (proposals, ledger)
