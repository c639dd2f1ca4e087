"""Is this machine one of the team's, with everything that they share?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.options import FILE


@click.command()
@click.option("--audit-key", "audit_key", type=FILE,
              help="What `ratchet audit-key export` wrote on another machine; kept here first.")  # fmt: skip
@click.option("--publish", is_flag=True,
              help="Put what only this home has (head, evidence, models, dossiers) at the shared store.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def join(audit_key: Path | None, publish: bool, as_json: bool) -> None:
    """Check on this machine everything that the machines of a team share, and name what is missing.

    Settings, database, clock, shared store, head, audit secret, evidence, models, MLflow, who asks, and
    who runs the night; one line each. The exit code is 3 when anything is missing.
    """
    from flows.adapters.ledger.audit_key_file import read_handed_over
    from flows.verbs.house.join import join as look

    handed = () if audit_key is None else read_handed_over(audit_key)
    joined = look(handed, publish=publish)
    if as_json:
        told = {"ok": joined.ok, "checks": [one.plain() for one in joined.looked]}
        click.echo(json.dumps({**told, "published": dict(joined.published)}, indent=1))
    else:
        width = max(len(one.check) for one in joined.looked)
        for one in joined.looked:
            said = one.problem or (f"ok: {one.note}" if one.note else "ok")
            click.echo(f"{one.check.ljust(width)}  {said}")
        if joined.published:
            put = ", ".join(f"{what}: {count:,}" for what, count in joined.published.items())
            click.echo(f"Put at the shared store: {put}.")
        if audit_key is not None:
            click.echo(
                f"The audit secrets are kept; delete {audit_key} here and where it came from."
            )
        if joined.ok:
            click.echo("This machine is one of the team's.")
    if not joined.ok:
        raise SystemExit(EXIT_GATE)


COMMANDS = (join,)
