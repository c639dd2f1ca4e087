"""What does the ledger say, now or as of a moment, and does everything still agree with it?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR, UTC_STAMP
from flows.commands.output import one_line, say_entry, table
from flows.reports.words.stamps import to_the_second


@click.command()
@click.argument("case_type", required=False)
@click.option(
    "--as-of", type=UTC_STAMP, help="As it stood at the end of that second; with its time zone."
)
@click.option("--json", "as_json", is_flag=True, help="With every dossier and hash.")
def history(case_type: str | None, as_of: datetime | None, as_json: bool) -> None:
    """List who decided what about the policies (of CASE_TYPE), and what was live then."""
    from flows.verbs import live
    from flows.verbs.govern.history import history_of

    moment = None if as_of is None else _end_of_second(live.night_of(as_of))
    services = live.open_services()
    told = history_of(services.ledger, services.case_types, case_type, moment, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(told, indent=1, default=str))
        return
    if not told["entries"]:
        click.echo("The ledger has no entry." if as_of is None else "The ledger had no entry then.")
    table([_entry_row(entry) for entry in told["entries"]])
    click.echo("\nLive then:" if as_of else "\nLive now:")
    _standings(told["live"])


@click.command()
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> None:
    """Say for every case type what decides it, who approved that, and what is stopped or tried.

    The exit code is 3 when the ledger is not as it was written, or the audit secret is not the one
    that the ledger knows: then every case goes to people.
    """
    from flows.verbs import live
    from flows.verbs.govern.history import states_of
    from flows.verbs.intake.waiting_rows import oldest_open_draws
    from flows.verbs.record.dossier_files import last_dossier

    services, now = live.open_services(), datetime.now(UTC)
    whole, lost = services.ledger.verify(), services.secrets.trouble()
    draws = oldest_open_draws(services, now) if whole.ok and not lost else []
    rows = states_of(services.ledger, services.case_types, now)
    alerts, night = (
        services.alerts.recent(5),
        last_dossier(services.home, services.shared),
    )
    unsent = services.alerts.waiting()
    if as_json:
        told = {"ok": whole.ok, "problems": whole.problems}
        secret = {"ok": not lost, "problem": lost}
        last = None if night is None else {key: night[key] for key in _OF_A_NIGHT}
        everything = {
            "case_types": rows, "night": last, "alerts": alerts, "ledger": told,
            "audit_secret": secret, "alerts_waiting": unsent, "open_draws": draws,
        }  # fmt: skip
        click.echo(json.dumps(everything, indent=1))
    else:
        _standings(rows)
        for line in _last_night(night, now):
            click.echo(line)
        for one in draws:
            click.echo(
                f"{one['case_type']}: {one['draws']:,} {one['what']}: "
                f"`ratchet open-draws --case-type {one['case_type']} --to FILE`"
            )
        for alert in alerts:
            click.echo(f"Alert {to_the_second(alert.get('at'))}: {alert.get('sentence', '')}")
        if unsent:
            click.echo(
                f"{unsent:,} alerts were not taken by the webhook or the mailbox, and are sent again "
                "with the next night."
            )
        for problem in whole.problems:
            click.echo(f"The ledger is not to be trusted, and takes no change: {problem}")
        if lost:
            click.echo(f"Every case goes to people: {lost}")
    if lost or not whole.ok:
        raise SystemExit(EXIT_GATE)


@click.command("last-night")
@click.option("--json", "as_json", is_flag=True)
def last_night(as_json: bool) -> None:
    """Tell the last night on one screen: its verdict, new rows, rejects by rule, holds, models in
    shadow, what changed since the night before, and what waits for whom, each with its command.

    It reads the night's dossier, the ledger and the evidence, and starts no server.
    """
    from flows.reports.words.last_night import last_night_lines
    from flows.verbs import live
    from flows.verbs.record.last_night import last_night as told_of

    now = datetime.now(UTC)
    told = told_of(live.open_services(), now)
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        for line in last_night_lines(told, now):
            click.echo(one_line(line))
    if told["ledger"]:
        raise SystemExit(EXIT_GATE)


@click.group()
def ledger() -> None:
    """Ask the ledger about itself."""


@ledger.command()
@click.option("--json", "as_json", is_flag=True)
def verify(as_json: bool) -> None:
    """Recompute the hash chain and compare its head; exit 3 when anything was changed."""
    from flows.verbs import live

    told = live.open_services().ledger.verify()
    if as_json:
        click.echo(json.dumps({"ok": told.ok, "problems": told.problems, "notes": told.notes}))
    else:
        click.echo("The ledger is whole." if told.ok else "The ledger was changed:")
        click.echo("\n".join([*told.problems, *told.notes]), nl=bool(told.problems or told.notes))
    if not told.ok:
        raise SystemExit(EXIT_GATE)


@ledger.command("accept-restored")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def accept_restored(reason: str, actor: str | None, as_json: bool) -> None:
    """Take a restored ledger for whole, though its head file says otherwise or is lost.

    Until then every case goes to people. The first approver asks (exit 3), a second one agrees by
    the same command. Both stand in the ledger for ever, and `ledger verify` tells of it.
    """
    from flows.verbs import live
    from flows.verbs.house.accept_restored import accept_restored as accept
    from models.hub import EntryKind

    services = live.open_services()
    person = asked_by(services, actor, services.ledger.as_it_stands())
    entry = accept(services.ledger, person.name, reason, datetime.now(UTC))
    if entry.kind is EntryKind.RESTORE_ACCEPTED:
        say_entry(
            entry,
            as_json,
            f"The restored ledger is taken for whole: {entry.dossier['requested_by']} asked, "
            f"{entry.actor} agreed. Look at what is live (`ratchet status`): a halt, a rollback or a "
            "revocation that came after the backup is gone.",
        )
        return
    say_entry(
        entry,
        as_json,
        f"{person.name} asked; every case goes to people until a second approver gives the same "
        "command.",
    )
    raise SystemExit(EXIT_GATE)


@click.command()
@click.option("--json", "as_json", is_flag=True)
def reconcile(as_json: bool) -> None:
    """Verify the ledger, point MLflow's aliases back to it, try the models it rests on, and close the
    runs in Prefect whose process is gone (of this home's `up`, or of PREFECT_API_URL).

    The exit code is 3 when something needs a person.
    """
    from configs.errors import ServiceUnreachable
    from flows.verbs import live
    from flows.verbs.house.reconcile import reconcile as agree
    from flows.verbs.house.reconcile import verdict_of
    from flows.verbs.house.servers import close_dead_runs_here

    services = live.open_services()
    told = agree(services, datetime.now(UTC))
    try:
        told["closed_runs"] = close_dead_runs_here(
            services.alerts, services.home, datetime.now(UTC)
        )
    except ServiceUnreachable as silent:
        told["closed_runs"] = []
        told["alarms"].append(str(silent))
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        click.echo(verdict_of(told))
        table(told["aliases"])
        for sentence in told["closed_runs"]:
            click.echo(sentence)
    if told["alarms"]:
        raise SystemExit(EXIT_GATE)


def _entry_row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": entry["seq"],
        "at": to_the_second(entry["at"]),
        "case_type": entry["case_type"],
        "kind": entry["kind"],
        "actor": entry["actor"],
        "policy": str(entry["policy_id"] or "-")[:12],
        "why": _why(entry),
    }


def _why(entry: dict[str, Any]) -> str | None:
    said = entry["dossier"]
    if "roles" in said:
        return f"{said['name']} as {', '.join(said['roles'])}"
    told = said.get("reason") or said.get("note") or said.get("name") or ""
    return str(told) or " ".join(said.get("reasons", [])) or None


def _end_of_second(moment: datetime) -> datetime:
    """A stamp written to the second, as the table shows it, includes what happened in it."""
    return moment if moment.microsecond else moment.replace(microsecond=999_999)


def _standings(rows: list[dict[str, Any]]) -> None:
    table(
        [
            {
                "case_type": one["case_type"],
                "state": one["state"],
                "policy": str(one["policy_id"] or "-")[:12],
                "model": one["model_version"],
                "pass <=": one["pass_at_or_below"],
                "block >=": one["block_at_or_above"],
                "approved by": " and ".join(one["approved_by"]) or None,
                "since": to_the_second(one["made_live_at"]),
                "until": to_the_second(one["valid_until"]),
                "note": _note(one),
            }
            for one in rows
        ]
    )


_OF_A_NIGHT = ("as_of", "verdict", "results", "holds", "rows_new", "rows_quarantined")


def _last_night(night: dict[str, Any] | None, now: datetime) -> list[str]:
    """What the newest night did, held and failed at; and when that is long ago."""
    if night is None:
        return ["No night has been run in this home yet."]
    from flows.reports.words.last_night import how_late
    from flows.verbs.record.night_results import not_done

    late = how_late(night["as_of"], now)
    told = [f"Night of {to_the_second(night['as_of'])}: {night['verdict']}"]
    told += [f"  {sentence}" for sentence in not_done(night["results"])]
    told.append(
        f"  {night['rows_new']:,} new rows admitted, {night['rows_quarantined']:,} quarantined."
    )
    told += [late] if late else []
    return [*told, "`ratchet last-night` tells what came in, what changed and what waits."]


def _note(one: dict[str, Any]) -> str | None:
    if one["halted_by"]:
        return f"halted by {one['halted_by']}: {one['halted_because']}"
    if one["forced"]:
        return f"forced: {one['forced_because']}"
    if one["trying"]:
        return f"A/B of {one['trying'][:12]} since {to_the_second(one['trying_since'])}"
    if one["sprint_until"]:
        return (
            f"audits at least {one['sprint_rate']:.0%} until {to_the_second(one['sprint_until'])}"
        )
    return None


COMMANDS = (history, status, last_night, ledger, reconcile)
