"""What happened to single cases, and why?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from flows.commands.options import FILE
from flows.commands.output import say_note, table


@click.command()
@click.argument("case_id")
@click.option("--json", "as_json", is_flag=True)
def explain(case_id: str, as_json: bool) -> None:
    """Say what was decided on CASE_ID, by which policy and model, and what each feature added."""
    from flows.reports.words.explanation import explanation, largest_first
    from flows.verbs import live
    from flows.verbs.record.explain import explain as tell

    told = tell(live.open_services(), case_id)
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(explanation(told))
    table(largest_first(told))


@click.command()
@click.argument("file", type=FILE, required=False)
@click.option("--case-type", metavar="NAME", help="What kind of cases FILE holds.")
@click.option("--to", "out", type=FILE, help="Write the decisions (.parquet or .csv) here, too.")
@click.option("--json", "as_json", is_flag=True)
def decide(file: Path | None, case_type: str | None, out: Path | None, as_json: bool) -> None:
    """Decide the cases in FILE (Parquet or CSV) by what is live, each exactly once, and store it.

    Without FILE what is new at the configured source of cases is decided, whatever its columns are
    called; those of FILE have our names (`ratchet contracts cases`). --to writes the stored decision of
    every case that was read, decided now or before. A case that was decided before keeps its decision, so the same file again changes nothing. Rows
    that are no sound case are quarantined by name; one that cannot be scored, or has a cell that
    cannot be read, goes to a person. So does every case where the ledger or the audit secret cannot
    be trusted, and the exit code is 3.
    """
    from flows.reports.progress import counted
    from flows.verbs import live
    from flows.verbs.decide.authority import refuse_without_authority
    from flows.verbs.decide.decide_file import decide_file

    if file is None:
        if case_type is not None:
            raise click.UsageError(
                "--case-type goes with a FILE; without one the configured source of cases is read."
            )
        _decide_at_source(as_json, out)
        return
    if case_type is None:
        raise click.UsageError("say what kind of cases FILE holds: --case-type NAME.")
    services = live.open_services()
    with counted(f"deciding {case_type}") as progress:
        told = decide_file(services, file, case_type, out, None, progress, tell=say_note).counts()
    if as_json:
        click.echo(json.dumps(told, indent=1))
        refuse_without_authority([told["overrides"]])
        return
    click.echo(
        f"{told['rows_in']:,} rows in = {told['decided']:,} decided now + "
        f"{told['already_decided']:,} decided before + {told['refused']:,} refused."
    )
    table([{"action": name, "cases": count} for name, count in sorted(told["actions"].items())])
    click.echo(f"{told['audited']:,} are audited, {told['to_seniors']:,} go to a senior.")
    table(
        [
            {"rule": name, "cases": count}
            for name, count in {**told["overrides"], **told["rejections"]}.items()
            if name
        ]
    )
    refuse_without_authority([told["overrides"]])


@click.command(name="export-serving")
@click.argument("case_type")
@click.option("--to", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="A folder that does not exist yet.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
def export_serving(case_type: str, to: Path, as_json: bool) -> None:
    """Put the live policy of CASE_TYPE into a folder for `mlflow models serve`.

    It answers single cases as the policy decides them, to the bit. The server reads the ledger: while
    CASE_TYPE is halted, or once another policy is live, every case goes to a person. None is written
    while CASE_TYPE is halted or an A/B of it runs.
    """
    from flows.verbs import live
    from flows.verbs.decide.export_serving import export_serving as export

    told = export(live.open_services(), case_type, to, live.night_of(None))
    if as_json:
        click.echo(json.dumps(told.plain(), indent=1))
        return
    click.echo("\n".join(told.sentences))
    click.echo(f"Serve it: {told.command}")


def _decide_at_source(as_json: bool, out: Path | None) -> None:
    from flows.reports.words.decided import decided_table, decided_verdict, where_they_are
    from flows.verbs import live
    from flows.verbs.decide.authority import refuse_without_authority
    from flows.verbs.decide.decide_source import decide_new_cases

    told = decide_new_cases(live.open_services(), None, tell=say_note, out=out)
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        click.echo(decided_verdict(told))
        table(decided_table(told))
        for sentence in where_they_are(told):
            click.echo(sentence)
        if out is not None:
            click.echo(f"The stored decision of every case that was read is in {out}.")
    refuse_without_authority([one.get("overrides", {}) for one in told.values()])


COMMANDS = (decide, explain, export_serving)
