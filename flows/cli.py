"""The `ratchet` command: which verb was asked for, and what does a person read at the end?

Every command imports what it needs when it runs, so that `--help` is instant.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

EXIT_BUG, EXIT_INPUT, EXIT_GATE, EXIT_SERVICE = 1, 2, 3, 4
_FILE = click.Path(path_type=Path, dir_okay=False)
_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
_UTC_STAMP = click.DateTime(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The feedback loop around an auto-deciding risk agent.

    Ratchet widens the auto-decision boundary only when precision and recall are proven on
    selectively labelled data, and rolls back when the proof breaks.

    Exit codes: 0 done, 2 your input, 3 a gate said no, 4 a service is unreachable, 1 our bug.
    """


@cli.command()
@click.option("--nights", type=click.IntRange(1, 3660), help="How many nights (default 60).")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def demo(nights: int | None, as_json: bool) -> None:
    """Run the whole loop on a simulated exchange and name the pages to open."""
    from configs.settings import load_settings
    from flows.embedded import embedded_prefect, no_half_state
    from flows.verbs.open_walk import new_home

    load_settings().load_case_types()  # wrong settings are refused before anything is started
    home = new_home("demo")
    embedded_prefect(home)
    from flows.demo import demo as run

    with no_half_state(home):
        concluded = run(nights=nights, home=str(home))
    _conclude(concluded, as_json, simulated=True)


@cli.command()
@click.argument("source", type=_FILE)
@click.option("--json", "json_file", type=_FILE, help="Write summary and steps here, too.")
@click.option("--report", type=_FILE, help="Write the HTML page here, too.")
@click.option("--observed", type=_FILE, help="Write the case ids whose truth the loop was shown.")
def backtest(
    source: Path, json_file: Path | None, report: Path | None, observed: Path | None
) -> None:
    """Walk the loop over a history: SOURCE is a source file of kind `history`."""
    from configs.sources import load_source
    from flows.verbs.open_walk import new_home

    load_source(source)  # a wrong file is refused before anything is started or written
    from flows.embedded import embedded_prefect, no_half_state

    home = new_home(source.stem)
    embedded_prefect(home)
    from flows.backtest import backtest as run

    paths = [str(path) if path else None for path in (json_file, report, observed)]
    with no_half_state(home):
        concluded = run(str(source), str(home), None, *paths)
    _conclude(concluded, as_json=False, simulated=False)


@cli.command()
@click.option("--as-of", type=_UTC_STAMP, help="The moment the night is for, with its time zone.")
@click.option("--json", "as_json", is_flag=True, help="Print the dossier as JSON.")
def night(as_of: datetime | None, as_json: bool) -> None:
    """Run one night on the configured sources: admit, certify, propose; apply nothing."""
    from flows.verbs import live
    from flows.verbs.night import run_night

    moment = live.night_of(as_of)
    live.configured_sources()
    desk = live.open_desk()
    dossier = run_night(desk, live.load_deliveries(desk, moment), moment)
    path = live.file_dossier(desk, dossier)
    if as_json:
        click.echo(json.dumps(dossier, indent=1, default=str))
        return
    if dossier["stopped"]:
        click.echo("The night was stopped by a failed batch; nothing was certified.")
        click.echo("\n".join(dossier["reasons"]))
    else:
        click.echo(
            f"{dossier['rows_admitted']:,} rows admitted, {dossier['rows_quarantined']:,} quarantined."
        )
    _table([_certificate_row(one) for one in dossier["certificates"]])
    for drifted in dossier["drift"]:
        click.echo(f"{drifted['case_type']}: {drifted['why']}")
    for one in dossier["triage"]:
        click.echo(f"{one['case_type']}: cause of errors {one['cause']}.")
        click.echo(
            "\n".join(f"  {sentence}" for sentence in one["findings"]), nl=bool(one["findings"])
        )
    if dossier["second_reviews"]:
        click.echo(
            f"{len(dossier['second_reviews']):,} second reviews are needed; the dossier names the "
            "cases, most influential first."
        )
    for proposal in dossier["waiting"]:
        click.echo(f"Waiting for approval: {proposal['case_type']} {proposal['policy_id'][:12]}")
    click.echo(f"Dossier: {path}")


@cli.command()
@click.argument("case_type")
@click.option("--answers", multiple=True, metavar="PATTERN_ID", help="A finding that it answers.")
@click.option("--feature", "features", multiple=True, metavar="NAME",
              help="Show this feature's contribution before and after.")  # fmt: skip
@click.option("--as-of", type=_UTC_STAMP, help="Train on what was known by then.")
@click.option("--report", type=_FILE, help="Write the page (.html) here, too.")
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
    from flows.reports.move_page import report_kind
    from flows.verbs import live
    from flows.verbs.challenger import challenger_table, correction_table
    from flows.verbs.train import retrain as fit
    from flows.verbs.truth import load_book

    if report is not None and report_kind(report) != ".html":
        raise click.UsageError(
            f"a report {report.name!r} was asked for; its name must end in .html."
        )
    moment = live.night_of(as_of)
    desk = live.open_desk()
    told = fit(desk, load_book(desk, moment), case_type, answers, features)
    if as_json:
        click.echo(json.dumps(told.plain(), indent=1))
    else:
        click.echo(told.note)
        for table in (challenger_table(told), correction_table(told.corrections)):
            click.echo(nl=bool(table))
            _table(table)
    if report is not None and told.page is not None:
        from flows.adapters.files import write_atomically

        content = told.page.encode("utf-8")
        write_atomically(report, lambda file: file.write(content))
        click.echo(f"Report: {report}", err=as_json)
    if not told.filed:
        raise SystemExit(EXIT_GATE)


@cli.command()
@click.argument("evidence", type=_FILE)
@click.option("--precision", type=_SHARE, default=0.95, show_default=True, help="Lower limit.")
@click.option("--recall", type=_SHARE, help="Lower limit; 0.99 unless a false omission is given.")
@click.option("--false-omission", type=_SHARE, help="Upper limit on bad among the passed.")
@click.option("--delta", type=_SHARE, default=0.05, show_default=True, help="Over all case types.")
@click.option("--incumbent", metavar="A,B", help="Boundary under which labels came in; '-': none.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Days the table covers.")
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
    from flows.verbs.certify_file import all_certified, certify_file
    from models.vocabulary import Targets

    if recall is None and false_omission is None:
        recall = 0.99
    try:
        targets = Targets(precision, recall, false_omission, delta=delta)
    except ValueError as wrong:
        raise click.UsageError(f"{wrong}.") from None
    told = certify_file(evidence, targets, _boundary(incumbent), days)
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        _table([_certificate_row({"case_type": name, **one}) for name, one in told.items()])
    if not all_certified(told):
        raise SystemExit(EXIT_GATE)


@cli.command()
@click.argument("evidence", type=_FILE)
@click.option(
    "--slice", "slices", multiple=True, metavar="COLUMN", help="Look within its values, too."
)
@click.option("--margin", type=click.FloatRange(0), help="A weight may be off by this share.")
@click.option("--json", "as_json", is_flag=True)
def triage(evidence: Path, slices: tuple[str, ...], margin: float | None, as_json: bool) -> None:
    """Say why the agent erred in EVIDENCE (Parquet or CSV): a weight (A), the threshold (B), the
    procedure (C), several (mixed), or unknown.

    Columns: bad, margin or score; phi_<feature> (what each feature adds to the margin) for A,
    x_<feature> raw values; optional case_type, drawn, opened_at, feedback_path, root_cause,
    sop_clause, annotation, language.
    """
    from configs.settings import load_settings
    from flows.verbs.triage_file import triage_file
    from models.triage import TriagePlan
    from models.vocabulary import Costs

    told = load_settings().triage.model_dump(exclude={"every_days", "window_days"})
    if margin is not None:
        told["weight_margin"] = margin
    found = triage_file(evidence, TriagePlan(**told), Costs(), slices)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for case_type, one in found.items():
        click.echo(
            f"{case_type}: {one['cause']}. {one['errors']:,} of {one['cases']:,} scores were on the "
            f"wrong side of even odds; {one['expected_errors']:,.0f} were to be expected."
        )
        _table([_finding_row(each) for each in one["findings"]])
        for each in one["findings"]:
            click.echo(f"  {each['sentence']}")
        for each in one["not_judged"]:
            named = each["feature"] or "everything"
            click.echo(f"  Not judged: {named} ({each['slice']}): {each['why']}.")


@cli.command()
@click.argument("case_type")
@click.option("--pass-below", type=click.FloatRange(0, 1), help="Auto-pass at or below this score.")
@click.option("--block-above", type=click.FloatRange(0, 1), help="Auto-block at or above it.")
@click.option("--best", is_flag=True, help="The widest boundary the evidence certifies by now.")
@click.option("--days", type=click.IntRange(1, 365), default=28, show_default=True)
@click.option("--as-of", type=_UTC_STAMP, help="With what was known by then; with its time zone.")
@click.option("--report", type=_FILE, help="Write the page (.html) or its figures (.png) here.")
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
    from flows.reports.move import move_table, move_verdict
    from flows.reports.move_page import file_report, report_kind
    from flows.verbs import live
    from flows.verbs.whatif import replay_move

    if report is not None:
        report_kind(report)  # a wrong name is refused before the replay
    moment = live.night_of(as_of)
    told = replay_move(live.open_desk(), case_type, pass_below, block_above, moment, days, best)
    if as_json:
        click.echo(json.dumps(told, indent=1, default=str))
    else:
        click.echo(move_verdict(told))
        _table(move_table(told))
    if report is not None:
        file_report(told, report)
        click.echo(f"Report: {report}", err=as_json)
    if told["moved"] is None:
        raise SystemExit(EXIT_GATE)


@cli.command()
@click.argument("file", type=_FILE)
@click.option(
    "--contract", type=click.Choice(["decisions", "reviews", "outcomes"]), required=True,
    help="Which contract the file is held to.",
)  # fmt: skip
@click.option("--rejects", type=_FILE, help="Write the quarantined rows and their reasons here.")
@click.option("--dry-run", is_flag=True, help="Judge only; store nothing.")
@click.option("--json", "as_json", is_flag=True)
def admit(file: Path, contract: str, rejects: Path | None, dry_run: bool, as_json: bool) -> None:
    """Hold FILE (Parquet or CSV) to a contract; store what is sound, quarantine the rest by name."""
    from flows.verbs.admit_file import admit_file

    told = admit_file(file, contract, rejects, dry_run)
    if as_json:
        click.echo(json.dumps(told.counts(), indent=1))
    else:
        click.echo(
            f"{told.rows_in:,} rows in = {told.admitted:,} admitted + {told.quarantined:,} quarantined."
        )
        if told.report and not told.failed:
            click.echo(told.report)
    if told.failed:
        _say("\n".join(told.failed) + "\nThe batch failed as a whole; nothing was stored.")
        raise SystemExit(EXIT_INPUT)


@cli.command()
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
        _table(rows)
    else:
        click.echo("Nothing waits for approval.")


@cli.command()
@click.option("--as-of", type=_UTC_STAMP, help="As they were known by then; with its time zone.")
@click.option("--all", "quiet_too", is_flag=True, help="Also those that were not found lately.")
@click.option("--json", "as_json", is_flag=True)
def tickets(as_of: datetime | None, quiet_too: bool, as_json: bool) -> None:
    """List the patterns of errors: blamed on what, how large, what they cost, and who answers."""
    from flows.reports.tickets import tickets_sentence, tickets_table
    from flows.verbs import live
    from flows.verbs.tickets import open_tickets
    from flows.verbs.tickets import tickets as all_tickets

    moment = None if as_of is None else live.night_of(as_of)
    told = (all_tickets if quiet_too else open_tickets)(live.open_desk(), moment)
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(tickets_sentence(told))
    _table(tickets_table(told))


@cli.command()
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
    _table(largest_first(told))


@cli.group()
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and turn what went wrong into one clear line and an exit code."""
    from configs.errors import GateRefused, ServiceUnreachable, UserError

    codes: dict[type[Exception], int] = {
        UserError: EXIT_INPUT,
        GateRefused: EXIT_GATE,
        ServiceUnreachable: EXIT_SERVICE,
    }
    try:
        cli.main(args=arguments, prog_name="ratchet", standalone_mode=False)
    except click.ClickException as wrong:
        _say(wrong.format_message())
        sys.exit(EXIT_INPUT)
    except click.Abort:
        _say("Stopped.")
        sys.exit(130)
    except tuple(codes) as said:
        _say(str(said))
        sys.exit(codes[type(said)])


def _boundary(text: str | None) -> Any:
    """`A,B` as a boundary; '-' (or nothing) on a side means that it is reviewed."""
    from configs.errors import UserError
    from models.vocabulary import Boundary

    if text is None:
        return None
    sides = [side.strip() for side in text.split(",")]
    try:
        low, high = (None if side in ("", "-") else float(side) for side in sides)
        return Boundary(low, high)
    except ValueError as wrong:
        raise UserError(
            f"--incumbent {text!r} is no boundary ({wrong}). Give two scores, as in 0.02,0.97; "
            "'-' for a side that is reviewed."
        ) from None


def _say(text: str) -> None:
    click.echo(f"ratchet: {text}", err=True)


def _conclude(concluded: Any, as_json: bool, simulated: bool) -> None:
    if as_json:
        click.echo(json.dumps(concluded.summary, indent=1, default=str))
        return
    click.echo()
    click.echo(("Simulated. " if simulated else "") + concluded.verdict)
    click.echo()
    _table(concluded.table)
    if concluded.desk:
        click.echo("\nReviews within the SLA, by case type:")
        _table(concluded.desk)
    home = concluded.filed.decisions.parent
    click.echo(f"\nOpen the page:      {concluded.filed.report}")
    click.echo(f"Figures as JSON:    {concluded.filed.json}")
    click.echo(f"Truth it was shown: {concluded.filed.observed}")
    click.echo(f"Every decision:     {concluded.filed.decisions}")
    click.echo(
        "Experiments:        .venv/bin/mlflow ui --backend-store-uri "
        f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    )


def _certificate_row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "case_type": one["case_type"],
        "verdict": one["verdict"],
        "pass <=": one["pass_at_or_below"],
        "block >=": one["block_at_or_above"],
        "automation": one["automation_rate"],
        "why": " ".join(one["reasons"]),
    }


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


_AS_SHARE: Callable[[float], str] = "{:.2%}".format
_SHARES = {
    "automation_rate", "true_precision", "true_recall", "true_false_omission", "automation",
    "Ratchet", "review everything", "tuned once", "oracle",
}  # fmt: skip


def _table(rows: Sequence[dict[str, Any]]) -> None:
    """A plain aligned table; undefined values are a dash."""
    if not rows:
        return
    names = list(rows[0])
    texts = [[_text(name, row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[place]) for line in [names, *texts]) for place in range(len(names))]
    for line in [names, ["-" * width for width in widths], *texts]:
        click.echo(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )


def _text(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return _AS_SHARE(value) if name in _SHARES else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


if __name__ == "__main__":
    main()
