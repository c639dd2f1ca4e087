"""Who says that labels on hold count, or that they never do?"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR
from flows.commands.output import say_entry


@click.command()
@click.argument("hold")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def release(hold: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Let the labels of HOLD (as `ratchet status` names it) count as evidence again."""
    from flows.verbs import live
    from flows.verbs.intake.holds import release_hold

    services = live.open_services()
    person = asked_by(services, actor)
    entry = release_hold(
        services.ledger, services.case_types, hold, person.name, reason, datetime.now(UTC)
    )
    told = f"{entry.dossier['hold_id']} of {entry.case_type} is released by {person.name}."
    say_entry(entry, as_json, f"{told} Its labels count from the next night on.")


@click.command()
@click.argument("hold")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def discard(hold: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Keep the labels of HOLD out of every proof for good. They may still refute a boundary; a
    second person's same command takes that from them, too."""
    from flows.verbs import live
    from flows.verbs.intake.holds import discard_hold
    from models.hub import EntryKind

    services = live.open_services()
    person = asked_by(services, actor)
    entry = discard_hold(
        services.ledger, services.case_types, hold, person.name, reason, datetime.now(UTC)
    )
    name = f"{entry.dossier['hold_id']} of {entry.case_type}"
    if entry.kind is EntryKind.HOLD_STRUCK:
        first = entry.dossier["discarded_by"]
        told = (
            f"{name}: {first} discarded it, {person.name} agreed. Its labels say nothing any more."
        )
    else:
        told = (
            f"{name} is discarded by {person.name}: its labels prove nothing. They may still refute "
            "what is live, until a second person discards it, too."
        )
    say_entry(entry, as_json, told)


COMMANDS = (release, discard)
