"""After a boundary fell, or a period closed: what must be looked at, and what can be shown to others?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.options import FILE, SHARE, UTC_STAMP
from flows.commands.output import refuse_outputs, table


@click.command("look-back")
@click.argument("case_type")
@click.option(
    "--to", type=FILE, help="Write the cases to review here, most harm first (.csv or .parquet)."
)
@click.option("--json", "as_json", is_flag=True)
def look_back(case_type: str, to: Path | None, as_json: bool) -> None:
    """Say what the fallen boundaries of CASE_TYPE passed above what is left, what of it is worth a look,
    and what looks at it have shown.

    A boundary falls when it is refuted or rolled back. Its unlabelled cases whose expected harm is above
    the cost of a review wait, most harm first; what a review finds may refute a boundary, and proves none.
    """
    from flows.reports.look_back import look_back_row, look_back_sentences
    from flows.verbs import live
    from flows.verbs.hand_out import hand_out, refuse_suffix
    from flows.verbs.look_back import look_backs, waiting_cases, within_sla

    if to is not None:
        refuse_suffix(to)
        refuse_outputs([], {"--to": to})
    desk, now = live.open_desk(), datetime.now(UTC)
    found = look_backs(desk, case_type, now)
    cases = waiting_cases(found)
    fits = within_sla(desk, case_type, found, now)
    if to is not None:
        hand_out(cases, to)
    if as_json:
        told = {"case_type": case_type, "waiting": len(cases), "sla": fits, "to": to and str(to)}
        click.echo(json.dumps({**told, "falls": [one.plain() for one in found]}, indent=1))
        return
    click.echo("\n".join(look_back_sentences(case_type, found, fits)))
    table([look_back_row(one) for one in found])
    if to is not None:
        click.echo(f"Written: {to}")


@click.command("audit-period")
@click.argument("case_type")
@click.option("--from", "since", type=UTC_STAMP, required=True, help="First moment of the period.")
@click.option("--to", "until", type=UTC_STAMP, required=True, help="First moment after it.")
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True),
              help="Share of the auto-passed cases to review in all (default: what proves it if none is bad).")  # fmt: skip
@click.option("--miss-share", type=SHARE, default=0.01, show_default=True, help="The promise.")
@click.option(
    "--next", "to", type=FILE, help="Write the next cases to review here (.csv or .parquet)."
)
@click.option("--json", "as_json", is_flag=True)
def audit_period(
    case_type: str,
    since: datetime,
    until: datetime,
    rate: float | None,
    miss_share: float,
    to: Path | None,
    as_json: bool,
) -> None:
    """Say whether at most a share of the bad cases of a closed period of CASE_TYPE were auto-passed.

    The auto-passed cases have a random order by a keyed hash; an audit is its beginning and a top-up a
    longer one, so asking again after every result is sound. Labels that are there already count. The
    exit code is 0 when it is proven, else 3.
    """
    from flows.verbs import live
    from flows.verbs.audit_period import audit_period as judge
    from flows.verbs.hand_out import hand_out, refuse_suffix

    since, until = live.night_of(since), live.night_of(until)
    if to is not None:
        refuse_suffix(to)
        refuse_outputs([], {"--next": to})
    told = judge(
        live.open_desk(),
        case_type,
        since,
        until,
        datetime.now(UTC),
        rate=rate,
        miss_share=miss_share,
    )
    if to is not None:
        hand_out(told.next_cases, to)
    if as_json:
        click.echo(json.dumps({**told.plain(), "next": to and str(to)}, indent=1))
    else:
        click.echo("\n".join(told.sentences()))
        if to is not None:
            click.echo(f"Written: {to}")
    if told.audit.verdict.value != "proven":
        raise SystemExit(EXIT_GATE)


COMMANDS = (look_back, audit_period)
