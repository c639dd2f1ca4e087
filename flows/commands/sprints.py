"""What would more labels cost and prove, and who buys them? (METHODS 2)"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from flows.commands.options import ACTOR, UTC_STAMP
from flows.commands.output import say_entry
from flows.commands.people import asked_by


@click.command()
@click.argument("case_type")
@click.option("--labels", type=click.IntRange(1), help="Until so many audits are drawn.")
@click.option("--until", type=UTC_STAMP, help="Until this moment; with its time zone.")
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
              help="Share of the automatic decisions that is audited within it.")  # fmt: skip
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def sprint(
    case_type: str,
    labels: int | None,
    until: datetime | None,
    rate: float,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raise the audits of CASE_TYPE's live boundary for a time, so that the next notch is proven sooner.

    Says what it costs in audits and reviewer hours and what it is expected to prove, and files it for a
    second person (`ratchet approve`, then `ratchet promote`). It ends by itself; nothing else of the
    boundary changes, and no evidence begins again. With neither --labels nor --until the sprint that
    pays for the dearest notch is priced, and nothing is filed.
    """
    from flows.verbs import live
    from flows.verbs.sprint import file_sprint, sprint_asked

    if labels is not None and until is not None:
        raise click.UsageError("--labels and --until were given together; give one.")
    moment = None if until is None else live.night_of(until)
    desk, now = live.open_desk(), datetime.now(UTC)
    files = labels is not None or moment is not None
    person = asked_by(desk, actor) if files else None
    asked = sprint_asked(desk, case_type, now, rate=rate, labels=labels, until=moment)
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
            click.echo(
                f"Nothing is filed: `ratchet sprint {case_type} --labels "
                f"{max(round(asked.cost.labels), 1)}` asks for it."
            )
        return
    entry = file_sprint(desk, asked, person.name, now)
    policy = str(entry.policy_id)[:12]
    say_entry(
        entry,
        as_json,
        f"Asked for by {person.name}; nothing changed yet: somebody else reads it and gives "
        f"`ratchet approve {policy}`, then `ratchet promote {policy}`.",
    )


COMMANDS = (sprint,)
