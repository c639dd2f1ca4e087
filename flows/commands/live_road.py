"""How does a boundary reach another agent, and how do past cases come in?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.options import FILE, UTC_STAMP, Number
from flows.commands.output import certificate_row, refuse_outputs, say_note, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.verbs.onboarding.import_history import Imported
    from models.vocabulary import CaseType


@click.command(name="export-policy")
@click.argument("case_type")
@click.option("--to", type=FILE, metavar="FILE", help="Write it here instead of printing it.")
def export_policy(case_type: str, to: Path | None) -> None:
    """Print as JSON what an agent elsewhere must do to decide CASE_TYPE as the ledger says.

    Boundary, audit rule and overrides, until when they hold, whether CASE_TYPE is halted (then there
    is no boundary, and every case is escalated), a running A/B, and a SHA-256 of all of it. It holds
    no secret. Ask again at least as often as it says.
    """
    from flows.verbs import live
    from flows.verbs.decide.export_policy import export_policy as export
    from flows.verbs.decide.export_policy import said_of_export

    services = live.open_services()
    told = export(services.ledger, services.case_types, case_type, live.night_of(None))
    text = json.dumps(told, indent=1, allow_nan=False) + "\n"
    if to is None:
        click.echo(text, nl=False)
        click.echo(said_of_export(told), err=True)
        return
    from flows.adapters.files.files import write_atomically

    write_atomically(to, lambda file: file.write(text.encode("utf-8")))
    click.echo(f"{said_of_export(told)} Written to {to}.")


@click.command(name="import-history")
@click.argument("source", type=FILE)
@click.option("--hold-back", type=Number(0.0, 1.0, max_open=True), metavar="SHARE",
              help="Of the past, by time: certifies the first model, trains nothing (default 0.7).")  # fmt: skip
@click.option("--rejects", type=FILE, help="Write the rejected rows and their reasons here.")
@click.option("--as-of", type=UTC_STAMP, help="The moment it is imported at, with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def import_history(
    source: Path,
    hold_back: float | None,
    rejects: Path | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Turn fully reviewed past cases into evidence, a first model and a first proposal.

    SOURCE is a source file of kind `history`, of case types that are configured. Every case of it is
    taken as reviewed (probability 1). The first model learns from the older part and is certified on
    the newer one; a night is run at once. The same history again changes nothing.
    """
    from configs.sources import load_source
    from flows.verbs import live
    from flows.verbs.intake.hand_out import hand_out
    from flows.verbs.onboarding.import_history import import_history as take_in

    read = load_source(source)
    refuse_outputs([source, *([Path(read.path)] if read.path else [])], {"--rejects": rejects})
    moment = live.night_of(as_of)
    services = live.open_services()
    told = take_in(
        services, source, moment, hold_back=hold_back, at_commit=as_of is None, step=_step
    )
    path = None if told.night is None else live.close_night(services, told.night)
    if rejects is not None:
        hand_out(told.rejected, rejects)
    if as_json:
        click.echo(json.dumps(told.plain(), indent=1, default=str))
    else:
        _say_import(told, services.case_types)
    if path is not None:
        click.echo(f"The night's dossier is the file {path}", err=as_json)
    fitted = all(one.filed for one in told.models)
    if not fitted or (told.night is not None and not told.night.all_done):
        raise SystemExit(EXIT_GATE)


def _step(what: str) -> None:
    """What is done next, beside what a machine may read on the standard output."""
    click.echo(f"import-history: {what}", err=True)


def _say_import(told: Imported, case_types: Mapping[str, CaseType]) -> None:
    """What came in, what learned, what certified, and what to do next."""
    from flows.verbs.onboarding.import_advice import what_to_do_now

    for note in told.told:
        say_note(note)
    kept = told.rows - len(told.rejected)
    click.echo(f"{told.rows:,} rows read = {kept:,} admitted + {len(told.rejected):,} rejected.")
    if told.report:
        click.echo(told.report)
    table(
        [
            {
                "case type": one.case_type,
                "stored now": one.cases,
                "stored before": one.stored_before,
                "decided elsewhere": one.decided_before,
                "truths now": one.labels,
                "too young": one.young,
                "truth unknown": one.unknown,
            }
            for one in told.past
        ]
    )
    for one in told.past:
        click.echo(one.truths.sentence(one.case_type))
    if told.night is None:
        click.echo("Nothing is new in it, so nothing changed.")
        return
    for one in told.past:
        if one.held_back_from is not None:
            click.echo(
                f"{one.case_type}: cases opened before {one.held_back_from:%Y-%m-%d %H:%M} taught the "
                f"first model. The newest {one.held_back:.0%} of the past did not: they certify it, as "
                "the same rows never both teach and prove. `--hold-back` moves the cut."
            )
    for model in told.models:
        click.echo(model.note)
    night = told.night.plain()
    click.echo(told.night.verdict)
    for sentence in told.night.not_done:
        click.echo(f"  {sentence}")
    mine = [one.case_type for one in told.past]
    certificates = [one for one in night["certificates"] if one["case_type"] in mine]
    restarted = {one["case_type"]: one["why"] for one in night["drift"]}
    for name in mine:
        if name in restarted:
            click.echo(f"{name}: {restarted[name]}")
    table([certificate_row(one) for one in certificates])
    waiting = [one for one in night["waiting"] if one["case_type"] in mine]
    for proposal in waiting:
        name = proposal["policy_id"][:12]
        click.echo(
            f"Waiting for approval: {proposal['case_type']} {name}. Read it with `ratchet proposals`; "
            f"then `ratchet approve {name}` and `ratchet promote {name}`."
        )
    for one in certificates:
        if one["case_type"] not in [each["case_type"] for each in waiting]:
            click.echo(f"{one['case_type']}: no proposal. {' '.join(one['reasons'])}")
            past = next(each for each in told.past if each.case_type == one["case_type"])
            levers = what_to_do_now(
                past,
                one,
                case_types[past.case_type].targets,
                not_fitted=next(
                    (m.note for m in told.models if m.case_type == past.case_type and not m.filed),
                    "",
                ),
                restarted=restarted.get(past.case_type, ""),
            )
            if levers:
                click.echo("What you can do now:")
            for sentence in levers:
                click.echo(f"  - {sentence}")


COMMANDS = (import_history, export_policy)
