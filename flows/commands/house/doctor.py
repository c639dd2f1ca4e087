"""Is everything that the house rests on in order?"""

from __future__ import annotations

import json

import click

from flows.commands.exit_codes import EXIT_GATE


@click.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(as_json: bool) -> None:
    """Look at what the house rests on, one line a check: ok, or what is wrong and what helps.

    Settings, case types and sources; versions and addresses of servers, and who can reach them; disk
    and clock; the modes of the home; the ledger, its head and its tables; the audit secret; the digests
    of the models that decide, and the aliases; open holds, and the last good night of each case type.
    The exit code is 3 when anything is wrong.
    """
    from flows.verbs.house.doctor import examine

    found = examine()
    ok = all(one.ok for one in found)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [one.plain() for one in found]}, indent=1))
    else:
        width = max(len(one.check) for one in found)
        for one in found:
            click.echo(f"{one.check.ljust(width)}  {one.problem or 'ok'}")
    if not ok:
        raise SystemExit(EXIT_GATE)


COMMANDS = (doctor,)
