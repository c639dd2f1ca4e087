"""How does a project of one's own begin: its folder, its contracts, a check of its sources, a sample?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from configs.masking import masked
from flows.commands.exit_codes import EXIT_GATE, EXIT_INPUT, EXIT_SERVICE
from flows.commands.options import FILE

if TYPE_CHECKING:
    from flows.verbs.onboarding.init_project import Project

FOLDER = click.Path(path_type=Path, file_okay=False)
CONTRACT_NAMES = ("decisions", "reviews", "outcomes", "history", "cases")


@click.command()
@click.argument("case_type")
@click.option("--from", "table", required=True, metavar="TABLE",
              help="Past or live cases: a .parquet or .csv file, a folder, a pattern, an address; or a "
              "database's address with --query.")  # fmt: skip
@click.option("--query", help="The SELECT that gives the cases, where --from names a database.")
@click.option(
    "--to", type=FOLDER, help="The project folder (default: the one RATCHET_CONFIG names)."
)
@click.option("--id", "case_id", metavar="COLUMN", help="The case's id.")
@click.option("--opened-at", metavar="COLUMN", help="When the case was opened.")
@click.option("--label", metavar="COLUMN", help="Whether it was bad; '-': the table does not know.")
@click.option("--bad-value", "bad_values", multiple=True, metavar="VALUE",
              help="A value of the label that means bad, where it is not yes or no.")  # fmt: skip
@click.option("--unknown-value", "unknown_values", multiple=True, metavar="VALUE",
              help="A value of the label whose cases are still open: neither bad nor good.")  # fmt: skip
@click.option("--amount", metavar="COLUMN", help="The money at stake, in US dollars; '-': none.")
@click.option("--priority", metavar="COLUMN", help="0 to 100, key users from 75 on; '-': none.")
@click.option("--numbers", multiple=True, metavar="COLUMN=EXAMPLE",
              help="How a column writes 1234.56, once for each: amount=1.234,56 or 'amount=€1,234.56'.")  # fmt: skip
@click.option("--cases", metavar="FILE", help="New cases to decide.")
@click.option("--decisions", metavar="FILE", help="Another agent's decisions.")
@click.option("--reviews", metavar="FILE", help="What reviewers say.")
@click.option("--outcomes", metavar="FILE", help="Chargebacks, appeals, reports.")
@click.option("--scorer", type=click.Choice(["internal", "external"]), default="internal",
              show_default=True, help="Whose score decides: a model trained here, or another agent's.")  # fmt: skip
@click.option("--timezone", help="Of stamps that do not name one (default UTC).")
@click.option("--dates", type=click.Choice(["dmy", "mdy", "ymd"]), help="How 03/04/2026 is meant.")
@click.option(
    "--epoch", type=click.Choice(["s", "ms", "us", "ns"]), help="What numeric stamps count."
)
@click.option("--encoding", help="Of a text file that is not UTF-8.")
@click.option(
    "--case-type-only", is_flag=True, help="Only the case type's file, for a second type."
)
@click.option("--json", "as_json", is_flag=True)
def init(
    case_type: str,
    table: str,
    query: str | None,
    to: Path | None,
    case_id: str | None,
    opened_at: str | None,
    label: str | None,
    bad_values: tuple[str, ...],
    unknown_values: tuple[str, ...],
    amount: str | None,
    priority: str | None,
    numbers: tuple[str, ...],
    cases: str | None,
    decisions: str | None,
    reviews: str | None,
    outcomes: str | None,
    scorer: str,
    timezone: str | None,
    dates: str | None,
    epoch: str | None,
    encoding: str | None,
    case_type_only: bool,
    as_json: bool,
) -> None:
    """Write a project folder of your own for CASE_TYPE, guessed from a table of cases.

    It holds the case type (features, kinds, promises), a source file for each table with every
    column of its contract explained, and a profile. Every guess is said. Nothing is written over.
    """
    from flows.reports.progress import counted
    from flows.verbs.onboarding.init_asked import Asked
    from flows.verbs.onboarding.init_project import init_project

    roles = {
        "case_id": case_id, "opened_at": opened_at, "bad": label, "amount_usd": amount,
        "priority": priority,
    }  # fmt: skip
    others = {"cases": cases, "decisions": decisions, "reviews": reviews, "outcomes": outcomes}
    said = {"timezone": timezone, "dates": dates, "epoch": epoch, "encoding": encoding}
    asked = Asked(
        case_type=case_type,
        table=table,
        query=query,
        to=to,
        roles=roles,
        bad_values=bad_values,
        unknown_values=unknown_values,
        numbers=numbers,
        others={name: one for name, one in others.items() if one is not None},
        said={name: one for name, one in said.items() if one is not None},
        external=scorer == "external",
        case_type_only=case_type_only,
    )
    with counted("looking at columns") as progress:
        project = init_project(asked, progress=progress)
    if as_json:
        from flows.reports.words.project_told import as_plain

        click.echo(json.dumps(as_plain(project), indent=1))
        return
    _tell(project)


@click.command()
@click.argument("files", type=FILE, nargs=-1, metavar="[SOURCE.yaml]...")
@click.option(
    "--profile", metavar="NAME", help="Whose sources (default RATCHET_PROFILE, or local)."
)
@click.option("--json", "as_json", is_flag=True)
def check(files: tuple[Path, ...], profile: str | None, as_json: bool) -> None:
    """Read every configured source and say what would be admitted and rejected; write nothing.

    Rejects are counted by rule, with the first three row numbers of the source (row 1 is the first
    row of the table). Past cases in your own sources/ folder are checked, too; with SOURCE.yaml only
    these files. Exit codes: 0 all can be read, 2 a source is configured wrongly, 4 one does not
    answer, 3 a delivery would fail as a whole or bring nothing.
    """
    from flows.reports.progress import counted
    from flows.reports.words.checked import checked_lines
    from flows.verbs.onboarding.check_sources import check_sources

    with counted("checking sources") as progress:
        found = check_sources(profile, files, progress)
    if as_json:
        click.echo(json.dumps({"sources": [one.plain() for one in found]}, indent=1))
    else:
        for line in checked_lines(found):
            click.echo(masked(line))
    for ended, code in (
        (any(one.wrong for one in found), EXIT_INPUT),
        (any(one.unreachable for one in found), EXIT_SERVICE),
        (any(one.failed or one.empty for one in found), EXIT_GATE),
    ):
        if ended:
            raise SystemExit(code)


@click.command()
@click.argument("name", type=click.Choice(CONTRACT_NAMES), required=False)
def contracts(name: str | None) -> None:
    """Print what may come in: every column and rule of a contract, or of all (docs/contracts.md)."""
    from data_contracts import CONTRACTS
    from flows.reports.pages.contracts_page import contract_section, contracts_page
    from flows.verbs.intake.delivered_decisions import SENTENCES

    more = {"decisions": SENTENCES}
    if name is None:
        click.echo(contracts_page(more), nl=False)
    else:
        click.echo(contract_section(CONTRACTS[name], more.get(name)), nl=False)


@click.command()
@click.option("--to", type=FOLDER, required=True, help="Where the tables are written.")
@click.option("--scorer", type=click.Choice(["internal", "external"]), default="internal",
              show_default=True, help="Cases for a model trained here, or another agent's decisions.")  # fmt: skip
@click.option("--days", type=click.IntRange(5, 730), default=120, show_default=True)
@click.option("--per-day", type=click.IntRange(1, 20_000), default=600, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=7, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def sample(to: Path, scorer: str, days: int, per_day: int, seed: int, as_json: bool) -> None:
    """Write sample tables of a simulated live source, to try the whole road without data of your own.

    All of it is simulated: withdrawals up to last midnight (UTC). With --scorer internal past cases
    whose truth is known, and the last day's new ones; with external an agent's decisions, their
    reviews and late outcomes.
    """
    from datetime import UTC, datetime

    from flows.verbs.onboarding.sample_tables import Sample, write_sample

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = write_sample(Sample(midnight, days, per_day, seed, scorer == "external"), to)
    if as_json:
        click.echo(json.dumps({"folder": str(to), "rows": rows}, indent=1))
        return
    for name, count in rows.items():
        click.echo(f"{to / name}.parquet: {count:,} rows (simulated)")
    first = "decisions" if scorer == "external" else "history"
    also = " --scorer external" if scorer == "external" else ""
    click.echo(
        f"Next: ratchet init withdrawal --from {shlex.quote(str(to / f'{first}.parquet'))} --to DIR{also}"
    )


COMMANDS = (init, check, contracts, sample)


def _tell(project: Project) -> None:
    from flows.reports.words.project_told import next_commands, told_of

    for sentence in told_of(project):
        click.echo(sentence)
    click.echo("\nNext:")
    for command in next_commands(project):
        click.echo(f"  {command}")
