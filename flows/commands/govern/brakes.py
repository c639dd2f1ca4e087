"""Who stops a case type, and who lets it run again?"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR
from flows.commands.output import say_entry


@click.command()
@click.argument("case_type")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def halt(case_type: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Send every case of CASE_TYPE to review at once; one person is enough."""
    from flows.verbs import live
    from flows.verbs.govern.brakes import halt as stop

    services = live.open_services()
    person = asked_by(services, actor)
    entry = stop(
        services.ledger, services.case_types, case_type, person.name, reason, datetime.now(UTC)
    )
    told = (
        f"{case_type} is halted by {person.name}: every case is reviewed from now on. Two people end "
        f"it with `ratchet resume {case_type}`."
    )
    say_entry(entry, as_json, told)


@click.command()
@click.argument("case_type")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def resume(case_type: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Ask for the halt of CASE_TYPE to end; a second person's same command ends it."""
    from flows.verbs import live
    from flows.verbs.govern.brakes import resume as run_again
    from models.hub import EntryKind

    services = live.open_services()
    person = asked_by(services, actor)
    entry = run_again(
        services.ledger, services.case_types, case_type, person.name, reason, datetime.now(UTC)
    )
    if entry.kind is EntryKind.RESUMED:
        asked = entry.dossier["requested_by"]
        told = f"{case_type} runs again: {asked} asked, {person.name} agreed."
    else:
        told = f"{person.name} asked; {case_type} stays halted until a second person agrees."
    say_entry(entry, as_json, told)


COMMANDS = (halt, resume)
