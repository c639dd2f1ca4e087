"""Which rows wait for somebody: put aside by a rule, to be reviewed again, or drawn and not labelled?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import FILE, UTC_STAMP
from flows.commands.output import refuse_outputs, table

if TYPE_CHECKING:
    import pandas as pd

_TO = click.option("--to", type=FILE, help="Write the rows here (.csv or .parquet).")
_CASE_TYPE = click.option("--case-type", metavar="NAME", help="Only this one.")
_SHOWN = 10


@click.command()
@_TO
@_CASE_TYPE
@click.option(
    "--table", "of_table", type=click.Choice(["decisions", "reviews", "outcomes"]),
    help="Only rows of this one.",
)  # fmt: skip
@click.option("--since", type=UTC_STAMP, help="Received since; with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def quarantine(
    to: Path | None,
    case_type: str | None,
    of_table: str | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Count the rows that a rule put aside and that are still missing; with --to write them, each with
    every rule it broke and the source that brought it."""
    from flows.verbs.intake.waiting_rows import quarantined

    rows = _asked(
        to,
        since,
        lambda services, moment: quarantined(
            services.store, services.case_types, of_table, case_type, moment
        ),
    )
    by = ["table", "broken_rules", "delivered_by"]
    counted = rows.groupby(by, sort=True)["received_at"].agg(["size", "max"]).reset_index()
    told = [
        {
            **{name: str(one[name]) for name in by},
            "rows": int(one["size"]),
            "last_received": one["max"].isoformat(),
        }
        for one in counted.to_dict("records")
    ]
    _say(rows, told, to, as_json, "quarantined rows are still missing", "Nothing is in quarantine.")


@click.command("second-reviews")
@_TO
@_CASE_TYPE
@click.option("--since", type=UTC_STAMP, help="Of cases opened since; with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def second_reviews(
    to: Path | None, case_type: str | None, since: datetime | None, as_json: bool
) -> None:
    """Name the cases that a second person should review, blind: no first verdict is shown, nor why a
    second is asked for."""
    from flows.verbs.intake.waiting_rows import second_reviews_needed

    now = datetime.now(UTC)
    rows = _asked(
        to, since, lambda services, at: second_reviews_needed(services, now, case_type, at)
    )
    told = _by_case_type(rows)
    _say(rows, told, to, as_json, "second reviews are needed", "No second review is needed.")


@click.command("open-draws")
@_TO
@_CASE_TYPE
@click.option("--since", type=UTC_STAMP, help="Of cases decided since; with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def open_draws(
    to: Path | None, case_type: str | None, since: datetime | None, as_json: bool
) -> None:
    """Name the automatic decisions that were drawn for an audit and have no label yet, oldest first.
    What was decided is not shown."""
    from flows.verbs.intake.waiting_rows import open_draws as unlabelled

    now = datetime.now(UTC)
    rows = _asked(to, since, lambda services, moment: unlabelled(services, now, case_type, moment))
    told = _by_case_type(rows)
    _say(rows, told, to, as_json, "audit draws have no label", "No audit draw is without a label.")


COMMANDS = (quarantine, second_reviews, open_draws)


def _asked(
    to: Path | None,
    since: datetime | None,
    find: Callable[[Any, datetime | None], pd.DataFrame],
) -> pd.DataFrame:
    """The rows; what cannot be used is refused before anything is opened."""
    from flows.verbs import live
    from flows.verbs.intake.hand_out import hand_out, refuse_suffix

    moment = None if since is None else live.night_of(since)
    if to is not None:
        refuse_suffix(to)
        refuse_outputs([], {"--to": to})
    rows = find(live.open_services(), moment)
    if to is not None:
        hand_out(rows, to)
    return rows


def _by_case_type(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Counts, and the first case ids of each type, in the rows' order."""
    return [
        {
            "case_type": str(name),
            "cases": len(mine),
            "oldest": mine["opened_at"].min().isoformat(),
            "first": " ".join(mine["case_id"].astype("str").head(_SHOWN)),
        }
        for name, mine in rows.groupby("case_type", sort=True, observed=True)
    ]


def _say(
    rows: pd.DataFrame,
    told: list[dict[str, Any]],
    to: Path | None,
    as_json: bool,
    what: str,
    nothing: str,
) -> None:
    """Counts and ids, and where the rows are; no cell of a row."""
    if as_json:
        click.echo(json.dumps({"rows": len(rows), "by": told, "to": to and str(to)}, indent=1))
        return
    click.echo(f"{len(rows):,} {what}." if len(rows) else nothing)
    table(told)
    if to is not None:
        click.echo(f"Written: {to}")
