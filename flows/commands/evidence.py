"""What does the evidence admit, prove and explain, and what would a moved boundary do?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from flows.commands.exit_codes import EXIT_GATE, EXIT_INPUT
from flows.commands.options import FILE, SHARE, UTC_STAMP, Number, boundary
from flows.commands.output import certificate_row, say, say_note, table


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--contract", type=click.Choice(["decisions", "reviews", "outcomes"]), required=True,
    help="Which contract the file is held to.",
)  # fmt: skip
@click.option("--rejects", type=FILE, help="Write the quarantined rows and their reasons here.")
@click.option("--dry-run", is_flag=True, help="Judge only; store nothing.")
@click.option("--as-of", type=UTC_STAMP, help="What was there by then; with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def admit(
    file: Path,
    contract: str,
    rejects: Path | None,
    dry_run: bool,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Hold FILE (Parquet or CSV) to a contract; store what is sound, quarantine the rest by name.

    With --as-of it is admitted as a night of that moment would have done it: rows that came later
    are left out, and what is stored is stamped with it.
    """
    from flows.verbs.intake.admit_file import admit_file
    from flows.verbs.live import night_of

    moment = None if as_of is None else night_of(as_of)
    told = admit_file(file, contract, rejects, dry_run, say_note, moment)
    if as_json:
        click.echo(json.dumps(told.counts(), indent=1))
    else:
        click.echo(
            f"{told.rows_in:,} rows in = {told.admitted:,} admitted + {told.quarantined:,} quarantined."
        )
        if told.already_stored:
            click.echo(f"{told.already_stored:,} of the admitted rows were stored before.")
        if told.report and not told.failed:
            click.echo(told.report)
        for sentence in told.held:
            click.echo(f"On hold: {sentence}" if not dry_run else f"Would be on hold: {sentence}")
    if told.failed:
        say("\n".join(told.failed) + "\nThe batch failed as a whole; nothing was stored.")
        raise SystemExit(EXIT_INPUT)


@click.command()
@click.argument("evidence", type=FILE)
@click.option("--precision", type=SHARE, default=0.95, show_default=True, help="Lower limit.")
@click.option("--recall", type=SHARE, help="Lower limit; 0.99 unless a false omission is given.")
@click.option("--false-omission", type=SHARE, help="Upper limit on bad among the passed.")
@click.option("--delta", type=SHARE, default=0.05, show_default=True, help="Over all case types.")
@click.option("--incumbent", metavar="A,B", help="Boundary under which labels came in; '-': none.")
@click.option("--days", type=Number(0, min_open=True), help="Days the table covers.")
@click.option("--json", "as_json", is_flag=True)
def certify(
    evidence: Path,
    precision: float,
    recall: float | None,
    false_omission: float | None,
    delta: float,
    incumbent: str | None,
    days: float | None,
    as_json: bool,
) -> None:
    """Say what EVIDENCE (Parquet or CSV) proves: a boundary, or the price of one.

    Columns: score, bad (true, false, empty = not observed), propensity; optional case_type, drawn,
    automatable, credence, and opened_at: with it, or with --days, missing labels have a price in
    days. The exit code is 0 when every case type is certified, else 3.
    """
    from flows.verbs.certify.certify_file import all_certified, certify_file
    from models.vocabulary import Targets

    if recall is None and false_omission is None:
        recall = 0.99
    try:
        targets = Targets(precision, recall, false_omission, delta=delta)
    except ValueError as wrong:
        raise click.UsageError(f"{wrong}.") from None
    told = certify_file(evidence, targets, boundary(incumbent), days, say_note)
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        table([certificate_row({"case_type": name, **one}) for name, one in told.items()])
    if not all_certified(told):
        raise SystemExit(EXIT_GATE)


@click.command()
@click.argument("evidence", type=FILE)
@click.option(
    "--slice", "slices", multiple=True, metavar="COLUMN", help="Look within its values, too."
)
@click.option("--margin", type=Number(0), help="A weight may be off by this share.")
@click.option("--json", "as_json", is_flag=True)
def triage(evidence: Path, slices: tuple[str, ...], margin: float | None, as_json: bool) -> None:
    """Say why the agent erred in EVIDENCE (Parquet or CSV): a weight (A), the threshold (B), the
    procedure (C), several (mixed), or unknown.

    Columns: bad, margin or score; phi_<feature> (what each feature adds to the margin) for A,
    x_<feature> raw values; optional case_type, drawn, opened_at, feedback_path, root_cause,
    sop_clause, annotation, language.
    """
    from configs.settings import load_settings
    from flows.verbs.causes.triage_file import triage_file
    from models.triage import TriagePlan
    from models.vocabulary import Costs

    told = load_settings().triage.model_dump(exclude={"every_days", "window_days"})
    if margin is not None:
        told["weight_margin"] = margin
    found = triage_file(evidence, TriagePlan(**told), Costs(), slices, say_note)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for case_type, one in found.items():
        click.echo(
            f"{case_type}: {one['cause']}. {one['errors']:,} of {one['cases']:,} scores were on the "
            f"wrong side of even odds; {one['expected_errors']:,.0f} were to be expected."
        )
        table([_finding_row(each) for each in one["findings"]])
        for each in one["findings"]:
            click.echo(f"  {each['sentence']}")
        for each in one["not_judged"]:
            named = each["feature"] or "everything"
            click.echo(f"  Not judged: {named} ({each['slice']}): {each['why']}.")


@click.command()
@click.argument("case_type")
@click.option("--pass-below", type=Number(0, 1), help="Auto-pass at or below this score.")
@click.option("--block-above", type=Number(0, 1), help="Auto-block at or above it.")
@click.option("--best", is_flag=True, help="The widest boundary the evidence certifies by now.")
@click.option("--days", type=click.IntRange(1, 365), default=28, show_default=True)
@click.option("--as-of", type=UTC_STAMP, help="With what was known by then; with its time zone.")
@click.option("--report", type=FILE, help="Write the page (.html) or its figures (.png) here.")
@click.option("--json", "as_json", is_flag=True)
def whatif(
    case_type: str,
    pass_below: float | None,
    block_above: float | None,
    best: bool,
    days: int,
    as_of: datetime | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Replay past cases of CASE_TYPE under a moved boundary; nothing is changed.

    Limits are a peek at tonight's certificate: no look is spent and nothing is proposed. With --best
    the exit code is 3 when nothing is certified.
    """
    from flows.reports.pages.move_page import file_report, report_kind
    from flows.reports.words.move import move_table, move_verdict, proof_text
    from flows.verbs import live
    from flows.verbs.whatif.whatif import replay_move

    if report is not None:
        report_kind(report)  # a wrong name is refused before the replay
    moment = live.night_of(as_of)
    told = replay_move(live.open_services(), case_type, pass_below, block_above, moment, days, best)
    if as_json:
        click.echo(json.dumps(told, indent=1, default=str))
    else:
        click.echo(move_verdict(told))
        if told["proof"] is not None:
            click.echo(proof_text(told))
        table(move_table(told))
    if report is not None:
        file_report(told, report)
        click.echo(f"Report: {report}", err=as_json)
    if told["moved"] is None:
        raise SystemExit(EXIT_GATE)


@click.command()
@click.option("--as-of", type=UTC_STAMP, help="As they were known by then; with its time zone.")
@click.option("--all", "quiet_too", is_flag=True, help="Also those that were not found lately.")
@click.option("--json", "as_json", is_flag=True)
def tickets(as_of: datetime | None, quiet_too: bool, as_json: bool) -> None:
    """List the patterns of errors: blamed on what, how large, what they cost, and who answers."""
    from flows.reports.words.tickets import tickets_sentence, tickets_table
    from flows.verbs import live
    from flows.verbs.causes.tickets import open_tickets
    from flows.verbs.causes.tickets import tickets as all_tickets

    moment = None if as_of is None else live.night_of(as_of)
    told = (all_tickets if quiet_too else open_tickets)(live.open_services(), moment)
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(tickets_sentence(told))
    table(tickets_table(told))


COMMANDS = (admit, certify, triage, whatif, tickets)


def _finding_row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": one["path"],
        "what": one["subject"],
        "where": one["slice"],
        "effect": one["effect"],
        "low": one["low"],
        "high": one["high"],
        "unit": one["unit"],
        "errors": one["errors"],
        "fires": one["fires"],
    }
