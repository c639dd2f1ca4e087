"""What happened to single cases, and why?"""

from __future__ import annotations

import json

import click

from flows.commands.output import table


@click.command()
@click.argument("case_id")
@click.option("--json", "as_json", is_flag=True)
def explain(case_id: str, as_json: bool) -> None:
    """Say what was decided on CASE_ID, by which policy and model, and what each feature added."""
    from flows.reports.explanation import explanation, largest_first
    from flows.verbs import live
    from flows.verbs.explain import explain as tell

    told = tell(live.open_desk(), case_id)
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(explanation(told))
    table(largest_first(told))


COMMANDS = (explain,)
