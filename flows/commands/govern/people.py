"""Who may act here, and who asks?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flows.commands.options import ACTOR
from flows.commands.output import table
from flows.reports.words.stamps import to_the_second

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.verbs.ports import HouseServices
    from models.hub import Entry, Person

_ROLES = ["proposer", "approver", "operator", "auditor"]


def asked_by(
    services: HouseServices, actor: str | None, history: Sequence[Entry] | None = None
) -> Person:
    """The identified person who gives a command; `actor` is what `--as` said.

    `history` says who is enrolled where the ledger does not fit its head. At a terminal a token that is not in the environment is asked for, unseen.
    """
    import sys

    from flows.verbs.govern.people import who_asks

    return who_asks(
        services.ledger,
        services.tokens,
        actor,
        _hidden if sys.stdin.isatty() else None,
        history=history,
    )


@click.group()
def people() -> None:
    """Say who may propose, approve, operate and audit here.

    The first person enrols themselves, as an approver; approvers enrol everybody else.
    """


@people.command()
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(_ROLES), multiple=True, required=True,
              help="What they may do; several are possible.")  # fmt: skip
@click.option("--password", is_flag=True, help="Let them type a password in place of a token.")
@ACTOR
@click.option("--token-only", is_flag=True,
              help="Print the token alone, for a shell's variable; the sentences go to the error output.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def add(
    name: str,
    roles: tuple[str, ...],
    password: bool,
    actor: str | None,
    token_only: bool,
    as_json: bool,
) -> None:
    """Enrol NAME and print their token, once; only its hash is kept."""
    from datetime import UTC, datetime

    from flows.verbs import live
    from flows.verbs.govern.people import NAME, TOKEN, enrol, listed
    from models.hub import Role

    if token_only and (password or as_json):
        other = "--password" if password else "--json"
        raise click.UsageError(f"--token-only and {other} were asked for; give one of them.")
    services = live.open_services()
    by = asked_by(services, actor) if listed(services.ledger) else None
    typed = _new_password(name) if password else None
    token = enrol(
        services.ledger,
        services.tokens,
        name,
        [Role(role) for role in roles],
        by,
        datetime.now(UTC),
        typed,
    )
    shown = None if password else token
    if as_json:
        click.echo(json.dumps({"name": name.strip(), "roles": sorted(set(roles)), "token": shown}))
        return
    click.echo(f"{name.strip()} is enrolled as {', '.join(sorted(set(roles)))}.", err=token_only)
    if token_only:
        click.echo("The token is shown only this once: keep it.", err=True)
        click.echo(shown)
        return
    if shown is not None:
        click.echo(f"Their token, shown only this once:\n\n  {shown}\n")
    click.echo(f"They give it as {TOKEN}, with {NAME}, or are asked for it after --as.")


@people.command()
@click.argument("name")
@ACTOR
def revoke(name: str, actor: str | None) -> None:
    """Let NAME act no longer; what they did stays theirs."""
    from datetime import UTC, datetime

    from flows.verbs import live
    from flows.verbs.govern.people import revoke as end

    services = live.open_services()
    end(services.ledger, services.tokens, name, asked_by(services, actor), datetime.now(UTC))
    click.echo(f"{name.strip()} may no longer act.")


@people.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """List everybody enrolled: roles, since when, and by whom."""
    from flows.verbs import live
    from flows.verbs.govern.people import listed

    rows = listed(live.open_services().ledger)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif rows:
        table([{**row, "since": to_the_second(row["since"])} for row in rows])
    else:
        click.echo("Nobody is enrolled yet.")


COMMANDS = (people,)


def _hidden(name: str) -> str:
    return str(click.prompt(f"Token of {name}", hide_input=True, err=True))


def _new_password(name: str) -> str:
    import sys

    from configs.errors import UserError

    if not sys.stdin.isatty():
        raise UserError("a password is typed at a terminal; without one, let a token be made.")
    said = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    return str(said)
