"""How is the loop run: over a simulation, a history, tonight's sources, or for its next model?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.options import FILE, UTC_STAMP
from flows.commands.output import certificate_row, conclude, refuse_outputs, table


@click.command()
@click.option(
    "--nights",
    type=click.IntRange(1, 3660),
    help="How many nights (default: demo.nights of the settings).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def demo(nights: int | None, as_json: bool) -> None:
    """Run the whole loop on a simulated exchange and name the pages to open."""
    from configs.settings import load_settings
    from flows.orchestration.embedded import embedded_prefect, no_half_state
    from flows.verbs.walk.open_walk import new_home

    load_settings().load_case_types()  # wrong settings are refused before anything is started
    home = new_home("demo")
    embedded_prefect(home)
    from flows.demo import demo as run

    with no_half_state(home):
        concluded = run(nights=nights, home=str(home))
    conclude(concluded, as_json, simulated=True)


@click.command()
@click.argument("source", type=FILE)
@click.option("--json", "json_file", type=FILE, help="Write summary and steps here, too.")
@click.option("--report", type=FILE, help="Write the HTML page here, too.")
@click.option("--observed", type=FILE, help="Write the case ids whose truth the loop was shown.")
def backtest(
    source: Path, json_file: Path | None, report: Path | None, observed: Path | None
) -> None:
    """Walk the loop over a history: SOURCE is a source file of kind `history`."""
    from configs.sources import load_source
    from flows.verbs.walk.open_walk import new_home

    read = load_source(source)  # a wrong file is refused before anything is started or written
    refuse_outputs(
        [source, *([Path(read.path)] if read.path else [])],
        {"--json": json_file, "--report": report, "--observed": observed},
    )
    from flows.orchestration.embedded import embedded_prefect, no_half_state

    home = new_home(source.stem)
    embedded_prefect(home)
    from flows.backtest import backtest as run

    paths = [str(path) if path else None for path in (json_file, report, observed)]
    with no_half_state(home):
        concluded = run(str(source), str(home), None, *paths)
    conclude(concluded, as_json=False, simulated=False)


@click.command()
@click.option("--as-of", type=UTC_STAMP, help="The moment the night is for, with its time zone.")
@click.option("--json", "as_json", is_flag=True, help="Print the dossier as JSON.")
def night(as_of: datetime | None, as_json: bool) -> None:
    """Run one night on the configured sources: admit, guard what is live, certify, propose.

    What is refuted or has expired narrows or goes back at once; nothing widens. What fails or is
    on hold is said first, holds back only what rests on it, and makes the exit code 3. Of a team one
    machine runs it at a time: who comes second hears who does, and since when (exit code 3).
    """
    from flows.reports.words.live_boundaries import live_lines
    from flows.reports.words.night_told import agent_line, cause_line, shadow_line
    from flows.verbs import live
    from flows.verbs.house.one_night import one_night
    from flows.verbs.record.night_results import moved

    live.night_of(as_of)  # a moment that is none is refused before anything is opened
    with one_night():
        services = live.open_services()
        night = live.live_night(services, as_of)
        path = live.close_night(services, night)
    dossier, done = night.plain(), night.all_done
    if as_json:
        click.echo(json.dumps(dossier, indent=1, default=str))
        if not done:
            raise SystemExit(EXIT_GATE)
        return
    click.echo(dossier["verdict"])
    for sentence in night.not_done:
        click.echo(f"  {sentence}")
    for hold in dossier["holds"]:
        click.echo(f"  End it by: ratchet release {hold['hold_id']} --reason R, or discard.")
    for line in [*dossier.get("next", []), *live_lines(dossier["live"])]:
        click.echo(line)
    click.echo(
        f"{dossier['rows_new']:,} new rows admitted, {dossier['rows_quarantined']:,} quarantined, "
        f"{dossier['rows_waiting']:,} wait for their decisions."
    )
    if dossier["results"]["tables"] == {}:
        click.echo("No source of decisions, reviews or outcomes is configured: nothing was pulled.")
    for note in dict.fromkeys(note for batch in dossier["batches"] for note in batch["notes"]):
        click.echo(note)
    table([certificate_row(one) for one in dossier["certificates"]])
    for entry in dossier["entries"]:
        kind = entry["kind"].replace("_", " ")
        click.echo(f"Ledger: {entry['case_type']} {kind} {str(entry['policy_id'])[:12]}")
    for drifted in dossier["drift"]:
        click.echo(f"{drifted['case_type']}: {drifted['why']}")
    for sentence in moved(dossier["results"]):
        click.echo(f"Moved, and no evidence ended: {sentence}")
    for one in dossier["triage"]:
        click.echo(cause_line(one))
        click.echo(
            "\n".join(f"  {sentence}" for sentence in one["findings"]), nl=bool(one["findings"])
        )
        for sentence in one["not_judged"]:
            if "not estimable" in sentence:
                click.echo(f"  Not judged: {sentence}.")
    for one in dossier["shadow"]:
        click.echo(shadow_line(one))
    for one in dossier["agents"]:
        click.echo(agent_line(one, dossier["as_of"]))
    if dossier["second_reviews"]:
        click.echo(
            f"{len(dossier['second_reviews']):,} second reviews are needed; the dossier names the "
            "cases, most influential first."
        )
    for proposal in dossier["waiting"]:
        click.echo(f"Waiting for approval: {proposal['case_type']} {proposal['policy_id'][:12]}")
    click.echo(f"The night's dossier is the file {path}")
    if not done:
        raise SystemExit(EXIT_GATE)


@click.command()
@click.argument("case_type")
@click.option("--answers", multiple=True, metavar="PATTERN_ID", help="A finding that it answers.")
@click.option("--feature", "features", multiple=True, metavar="NAME",
              help="Show this feature's contribution before and after.")  # fmt: skip
@click.option("--as-of", type=UTC_STAMP, help="Train on what was known by then.")
@click.option("--report", type=FILE, help="Write the page (.html) here, too.")
@click.option("--json", "as_json", is_flag=True)
def retrain(
    case_type: str,
    answers: tuple[str, ...],
    features: tuple[str, ...],
    as_of: datetime | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Fit a challenger for CASE_TYPE and compare it with today's model; it decides nothing.

    A fresh fit and a warm start are tried, and the better one is registered. Unless it is
    significantly worse than today's model on later cases it scores in shadow from now on; else, or
    where nothing could be fitted, the exit code is 3.
    """
    from flows.reports.pages.move_page import report_kind
    from flows.verbs import live
    from flows.verbs.evidence.truth import load_snapshot
    from flows.verbs.learn.challenger import challenger_table, correction_table
    from flows.verbs.learn.train import retrain as fit

    if report is not None and report_kind(report) != ".html":
        raise click.UsageError(
            f"a report {report.name!r} was asked for; its name must end in .html."
        )
    moment = live.night_of(as_of)
    services = live.open_services()
    told = fit(services, load_snapshot(services, moment), case_type, answers, features)
    if as_json:
        click.echo(json.dumps(told.plain(), indent=1))
    else:
        click.echo(told.note)
        for rows in (challenger_table(told), correction_table(told.corrections)):
            click.echo(nl=bool(rows))
            table(rows)
    if report is not None and told.page is not None:
        from flows.adapters.files.files import write_atomically

        content = told.page.encode("utf-8")
        write_atomically(report, lambda file: file.write(content))
        click.echo(f"Report: {report}", err=as_json)
    if not told.filed:
        raise SystemExit(EXIT_GATE)


COMMANDS = (demo, backtest, night, retrain)
