"""What waits for a second person, and who makes which boundary live?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.govern.people import asked_by
from flows.commands.options import ACTOR, UTC_STAMP
from flows.commands.output import say, say_entry, table
from flows.reports.words.stamps import to_the_second


@click.command()
@click.argument("which", required=False, metavar="[CASE_TYPE|ID]")
@click.option(
    "--dossier", is_flag=True, help="Print what an approval is given on; nothing is signed."
)
@click.option("--ids", is_flag=True, help="Print the policies' ids alone, one a line.")
@click.option("--json", "as_json", is_flag=True)
def proposals(which: str | None, dossier: bool, ids: bool, as_json: bool) -> None:
    """List the boundaries that wait: for an approval, for their A/B test, or to be promoted; and
    what else one person asked for and another has to agree to.

    With CASE_TYPE or ID (a policy's, or its first characters) only those. --dossier prints what
    `ratchet approve` shows: the proven limits, the evidence, every segment, and its reasons.
    """
    from flows.reports.words.proposal import beside_lines, proposal_dossier
    from flows.verbs import live
    from flows.verbs.govern.approve import pending, proposals_of, who_approves
    from flows.verbs.record.last_night import second_persons

    if ids + as_json + dossier > 1:
        raise click.UsageError("--dossier, --ids and --json were asked for together; give one.")
    services = live.open_services()
    entries = proposals_of(services.ledger, services.case_types, which)
    if dossier and entries:
        click.echo(
            "\n\n".join(proposal_dossier(one, who_approves(services, one)) for one in entries)
        )
        return
    named = {one.policy_id for one in entries}
    rows = [row for row in pending(services) if row["policy_id"] in named]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif ids:
        for row in rows:
            click.echo(row["policy_id"][:12])
        if not rows:
            click.echo("Nothing waits.", err=True)
    elif rows:
        table([_waiting_row(row) for row in rows])
        for row in rows:
            click.echo(f"\n{row['policy_id'][:12]} ({row['case_type']}):")
            click.echo("\n".join(f"  {line}" for line in beside_lines(row, row["waits_for"])))
        click.echo("\nWhat each rests on: `ratchet proposals ID --dossier`.")
    if ids or as_json:
        return
    asked = [
        one
        for one in second_persons(services.case_types, services.ledger.history())
        if which in (None, one["case_type"])
    ]
    for one in asked:
        click.echo(f"{one['case_type']}: {one['what']} (`{one['command']}`).")
    if not rows and not asked:
        click.echo("Nothing waits.")


@click.command()
@click.argument("policy_id", metavar="ID")
@click.option("--note", default="", help="What you found; kept with the approval.")
@click.option("--yes", is_flag=True, help="Do not ask again after the dossier was shown.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def approve(policy_id: str, note: str, yes: bool, actor: str | None, as_json: bool) -> None:
    """Read the dossier of a waiting proposal and agree to it, as a second person.

    ID is the policy's, or its first characters. A terminal is asked once more after the dossier; where
    nobody can be asked, say --yes (`ratchet proposals ID --dossier` shows it beforehand). The approval binds to the dossier as shown. A run of
    the flow `promote_boundary` that waits for it goes on. Where `four_eyes: two_people` is set, a
    second approver gives the same command; until then the exit code is 3.
    """
    from flows.reports.words.proposal import proposal_dossier
    from flows.verbs import live
    from flows.verbs.govern.approve import approve as agree
    from flows.verbs.govern.approve import find_waiting, who_approves
    from flows.verbs.govern.beside_the_proof import may_approve
    from models.hub import EntryKind, approvers_of

    services = live.open_services()
    proposal = find_waiting(services.ledger, services.case_types, policy_id)
    person = asked_by(services, actor)
    click.echo(proposal_dossier(proposal, who_approves(services, proposal)), err=as_json)
    if not yes:
        _refuse_unasked(str(proposal.policy_id))
        click.confirm(f"Approve it as {person.name}?", abort=True, err=True)
    entry = agree(services, proposal, person.name, datetime.now(UTC), note)
    if entry.kind is EntryKind.FIRST_APPROVED:
        others = may_approve(services.ledger, proposal.actor, person.name)
        who = " or ".join(others) or "an approver, and no other is enrolled yet"
        told = (
            f"Approved by {person.name}; one more is needed: {who}, by the same command. Nothing "
            "changed yet."
        )
        say_entry(entry, as_json, told)
        raise SystemExit(EXIT_GATE)
    told = (
        f"Approved by {' and '.join(approvers_of(entry))}. It decides nothing yet: `ratchet promote "
        f"{str(entry.policy_id)[:12]}` makes it live, or starts its A/B test."
    )
    say_entry(entry, as_json, told)
    _tell_paused_run(str(entry.policy_id))


@click.command()
@click.argument("policy_id", metavar="ID")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def refuse(policy_id: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Turn a waiting proposal down, or withdraw an approval before the promotion."""
    from flows.verbs import live
    from flows.verbs.govern.approve import find_proposal
    from flows.verbs.govern.approve import refuse as turn_down

    services = live.open_services()
    proposal, _ = find_proposal(services.ledger, services.case_types, policy_id)
    person = asked_by(services, actor)
    entry = turn_down(services.ledger, proposal, person.name, reason, datetime.now(UTC))
    say_entry(entry, as_json, f"Refused by {person.name}.")


@click.command()
@click.argument("policy_id", metavar="ID")
@click.option("--force", is_flag=True, help="Without its proof: two approvers, marked for ever.")
@click.option("--reason", default="", help="Why it is forced, in a sentence.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def promote(policy_id: str, force: bool, reason: str, actor: str | None, as_json: bool) -> None:
    """Make an approved policy live, or start the A/B test that its plan asks for.

    With --force a kept policy goes live without its proof: the first approver asks, a second one
    agrees with the same command, and the ledger marks it for ever.
    """
    from configs.errors import UserError
    from flows.verbs import live
    from flows.verbs.govern.approve import find_approved, find_policy
    from flows.verbs.govern.promote import force as force_live
    from flows.verbs.govern.promote import promote as make_live
    from models.hub import EntryKind

    if force and not reason.strip():
        raise UserError("a forced change needs --reason; say why, in a sentence.")
    if reason and not force:
        raise UserError("--reason goes with --force; a promotion rests on its approval.")
    services, now = live.open_services(), datetime.now(UTC)
    if force:
        policy = find_policy(services.ledger, policy_id)
        entry = force_live(
            services.ledger,
            services.registry,
            services.alerts,
            policy,
            asked_by(services, actor).name,
            reason,
            now,
        )
    else:
        proposal = find_approved(services.ledger, services.case_types, policy_id)
        entry = make_live(
            services.ledger,
            services.registry,
            services.alerts,
            proposal,
            asked_by(services, actor).name,
            now,
        )
    told = {
        EntryKind.PROMOTED: "It decides from now on.",
        EntryKind.FORCED: "It decides from now on, and the ledger marks it as forced for ever.",
        EntryKind.FORCE_REQUESTED: "Nothing changed yet: a second approver gives the same command.",
        EntryKind.AB_STARTED: (
            "Its A/B test runs from now on; `ratchet validate-ab` judges it, and promotes it once "
            "everything is proven."
        ),
    }
    say_entry(entry, as_json, told[entry.kind])


@click.command()
@click.argument("case_type")
@click.option("--reason", required=True, help="Why, in a sentence; kept for ever.")
@ACTOR
@click.option("--json", "as_json", is_flag=True)
def rollback(case_type: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Return CASE_TYPE to the policy promoted before the live one.

    What would decide more than today in any respect, or by another model, takes two people: the
    first one asks (exit code 3, nothing changed), a second one agrees by the same command.
    """
    from flows.verbs import live
    from flows.verbs.govern.promote import roll_back
    from models.hub import EntryKind

    services = live.open_services()
    person = asked_by(services, actor)
    entry = roll_back(services, case_type, person.name, reason, datetime.now(UTC))
    if entry.kind is EntryKind.ROLLED_BACK:
        asked = entry.dossier.get("requested_by")
        agreed = f": {asked} asked, {person.name} agreed" if asked else ""
        say_entry(entry, as_json, f"{case_type} is rolled back{agreed}.")
        return
    told = (
        f"Nothing changed yet. Going back to {str(entry.policy_id)[:12]} would widen what is decided "
        f"for {case_type}: {'; '.join(entry.dossier['widens'])}. {person.name} asked; a second "
        f"person agrees by the same command. `ratchet halt {case_type}` stops it at once, and takes "
        "one."
    )
    say_entry(entry, as_json, told)
    raise SystemExit(EXIT_GATE)


@click.command("validate-ab")
@click.option("--as-of", type=UTC_STAMP, help="The moment the look is for, with its time zone.")
@click.option("--json", "as_json", is_flag=True)
def validate_ab(as_of: datetime | None, as_json: bool) -> None:
    """Judge every A/B test that runs: go on, promote what is proven, or stop.

    The exit code is 3 when one could not be judged.
    """
    from flows.reports.words.ab_proofs import ab_rows, ab_sentences
    from flows.verbs import live
    from flows.verbs.ab.validate_ab import NOT_JUDGED
    from flows.verbs.ab.validate_ab import validate_ab as judge

    told = judge(live.open_services(), live.night_of(as_of))
    if as_json:
        click.echo(json.dumps(told, indent=1))
    elif not told:
        click.echo("No A/B test runs.")
    else:
        for one in told:
            click.echo("\n".join(ab_sentences([one])))
            table(ab_rows(one))
    if any(one["verdict"] == NOT_JUDGED for one in told):
        raise SystemExit(EXIT_GATE)


_IN_THE_TABLE = (
    "case_type", "policy_id", "waits_for", "proposer", "since", "pass_at_or_below",
    "block_at_or_above", "automation_rate",
)  # fmt: skip


def _waiting_row(row: dict[str, Any]) -> dict[str, Any]:
    shown = {"policy_id": row["policy_id"][:12], "since": to_the_second(row["since"])}
    return {name: shown.get(name, row[name]) for name in _IN_THE_TABLE}


def _refuse_unasked(policy_id: str) -> None:
    """Nothing at a terminal; elsewhere nobody can be asked, and silence is no approval."""
    import sys

    from configs.errors import UserError

    if not sys.stdin.isatty():
        raise UserError(
            "an approval was asked for where nobody can be asked back, as the input is no terminal, so "
            f"nothing was approved. Read the dossier (`ratchet proposals {policy_id[:12]} --dossier`), then "
            "say that you did: the same command with --yes."
        )


def _tell_paused_run(policy_id: str) -> None:
    """A promotion that waits in Prefect goes on; without a server there is none."""
    import os

    if not os.environ.get("PREFECT_API_URL"):
        return
    from flows.orchestration.approvals import resume_promotions

    for name in resume_promotions(policy_id):
        say(f"the flow run {name} goes on.")


COMMANDS = (proposals, approve, refuse, promote, rollback, validate_ab)
