"""What would more labels cost and prove, and who buys them? (METHODS 2)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR, FILE, UTC_STAMP, Number, in_utc
from flows.commands.output import refuse_outputs, say_entry, table
from flows.reports.words.stamps import to_the_second

if TYPE_CHECKING:
    from flows.verbs.more_labels.extend_audit import Window


@click.command()
@click.argument("case_type")
@click.option("--labels", type=click.IntRange(1), help="Until so many audits are drawn.")
@click.option("--until", type=UTC_STAMP, help="Until this moment; with its time zone.")
@click.option("--from-store", "window", type=click.Choice(["go-live", "last-draw", "this-model"]),
              help="Draw past cases instead: since go-live, since the last such draw, or since the cases of the model under test begin.")  # fmt: skip
@click.option("--rate", type=Number(0, 1, min_open=True), default=1.0, show_default=True,
              help="Share of the automatic decisions that is audited within it.")  # fmt: skip
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def sprint(
    case_type: str,
    labels: int | None,
    until: datetime | None,
    window: str | None,
    rate: float,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raise the audits of CASE_TYPE's live boundary for a time, so that the next notch is proven sooner.

    Says what it costs in audits and reviewer hours and what it is expected to prove, and files it for a
    second person (`ratchet approve`, then `ratchet promote`). It ends by itself; nothing else of the
    boundary changes, and no evidence begins again. With neither --labels nor --until the sprint that
    pays for the dearest notch is priced, and nothing is filed.

    With --from-store cases that were decided already are drawn, up to --rate; they wait in
    `ratchet open-draws`. Two people give the same command: the first one asks, the second one, an
    approver, agrees. Until then the exit code is 3.
    """
    from flows.verbs import live
    from flows.verbs.more_labels.sprint import file_sprint, sprint_asked

    if sum(one is not None for one in (labels, until, window)) > 1:
        raise click.UsageError("of --labels, --until and --from-store give one.")
    if window is not None:
        _from_store(case_type, window, rate, actor, as_json)
        return
    moment = None if until is None else in_utc(until)
    services, now = live.open_services(), datetime.now(UTC)
    files = labels is not None or moment is not None
    person = asked_by(services, actor) if files else None
    asked = sprint_asked(services, case_type, now, rate=rate, labels=labels, until=moment)
    if asked is None:
        told = f"{case_type}: no notch is left that more labels would pay for."
        click.echo(json.dumps({"case_type": case_type, "sentences": [told]}) if as_json else told)
        return
    if not as_json:
        click.echo("\n".join(asked.cost.sentences))
    elif person is None:
        click.echo(json.dumps({**asked.plain(), "filed": False}, indent=1))
    if person is None:
        if not as_json:
            click.echo(how_to_ask(case_type, asked.cost.labels, rate))
        return
    entry = file_sprint(services, asked, person.name, now)
    policy = str(entry.policy_id)[:12]
    say_entry(
        entry,
        as_json,
        f"Asked for by {person.name}; nothing changed yet: somebody else reads it and gives "
        f"`ratchet approve {policy}`, then `ratchet promote {policy}`.",
    )


@click.command("label-budget")
@click.option("--to", type=FILE, help="Write one self-contained page here (.html).")
@click.option("--json", "as_json", is_flag=True)
def label_budget(to: Path | None, as_json: bool) -> None:
    """Say where the next reviewer hour buys the most certified automation, over all case types and sides.

    For each side: the labels, hours and days to its next notch, when they are paid back, and whether a
    sprint, patience or a better model is the cheapest road. It spends no look.
    """
    from configs.errors import UserError
    from flows.adapters.files.files import write_atomically
    from flows.reports.pages.label_budget import budget_page, budget_row
    from flows.verbs import live
    from flows.verbs.more_labels.label_budget import label_budget as budget_of

    if to is not None:
        if to.suffix != ".html":
            raise UserError(f"a page {to.name!r} was asked for; its name must end in .html.")
        refuse_outputs([], {"--to": to})
    budget = budget_of(live.open_services(), datetime.now(UTC))
    if to is not None:
        content = budget_page(budget).encode("utf-8")
        write_atomically(to, lambda file: file.write(content))
    if as_json:
        click.echo(json.dumps({**budget.plain(), "to": to and str(to)}, indent=1))
        return
    click.echo(budget.recommendation)
    table([budget_row(offer) for offer in budget.offers])
    for name, why in budget.without:
        click.echo(f"{name}: {why}")
    if to is not None:
        click.echo(f"Written: {to}")


def how_to_ask(case_type: str, labels: float, rate: float) -> str:
    """The command that files what was priced: at the same rate."""
    more = "" if rate == 1.0 else f" --rate {rate:g}"
    return (
        f"Nothing is filed: `ratchet sprint {case_type} --labels {max(round(labels), 1)}{more}` asks "
        "for it."
    )


def _from_store(case_type: str, window: str, rate: float, actor: str | None, as_json: bool) -> None:
    from flows.verbs import live
    from flows.verbs.more_labels.extend_audit import ask_or_agree, draw_asked, request_of_another
    from models.hub import EntryKind

    services, now = live.open_services(), datetime.now(UTC)
    person = asked_by(services, actor)
    asked = draw_asked(services, case_type, _WINDOWS[window], now, rate=rate)
    request = request_of_another(services.ledger, asked, person.name)
    said = asked.sentences if request is None else request.dossier["reasons"]
    if request is not None:
        click.echo(
            f"Asked for by {request.actor} at {to_the_second(request.at.isoformat())}:", err=as_json
        )
    click.echo("\n".join(said), err=as_json)
    entry = ask_or_agree(services.ledger, asked, person.name, now)
    if entry.kind is EntryKind.EXTENSION_REQUESTED:
        told = (
            f"Asked for by {person.name}; nothing is drawn yet: an approver gives the same command."
        )
        say_entry(entry, as_json, told)
        raise SystemExit(EXIT_GATE)
    told = (
        f"Drawn; {entry.dossier['requested_by']} asked for it and {person.name} agreed. "
        f"`ratchet open-draws --case-type {case_type} --to FILE` names what waits for a review."
    )
    say_entry(entry, as_json, told)


_WINDOWS: Mapping[str, Window] = {
    "go-live": "go_live",
    "last-draw": "last_extension",
    "this-model": "this_model",
}
COMMANDS = (sprint, label_budget)
