"""After a boundary fell, or a period closed: what must be looked at, and what can be shown to others?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.exit_codes import EXIT_GATE
from flows.commands.options import FILE, SHARE, UTC_STAMP, Number, in_utc
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
    from flows.reports.words.look_back import look_back_row, look_back_sentences
    from flows.verbs import live
    from flows.verbs.intake.hand_out import hand_out, refuse_suffix
    from flows.verbs.more_labels.look_back import look_backs, waiting_cases, within_sla

    if to is not None:
        refuse_suffix(to)
        refuse_outputs([], {"--to": to})
    services, now = live.open_services(), datetime.now(UTC)
    found = look_backs(services, case_type, now)
    cases = waiting_cases(found)
    fits = within_sla(services.store, services.case_types, case_type, found, now)
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
@click.option("--rate", type=Number(0, 1, min_open=True),
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
    from flows.verbs.intake.hand_out import hand_out, refuse_suffix
    from flows.verbs.more_labels.audit_period import audit_period as judge

    since, until = live.night_of(since), live.night_of(until)
    if to is not None:
        refuse_suffix(to)
        refuse_outputs([], {"--next": to})
    told = judge(
        live.open_services(),
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


@click.group()
def certificate() -> None:
    """Show another party what is proven: a signed, expiring file, and the verifier that needs Python
    alone."""


@certificate.command("export")
@click.argument("case_type")
@click.option("--to", type=FILE, required=True, help="Write the certificate here (JSON).")
@click.option("--verifier", type=FILE, help="Copy the verifier (one Python file) here, too.")
def export_certificate(case_type: str, to: Path, verifier: Path | None) -> None:
    """Write what is proven of CASE_TYPE's live boundary: policy, promises, every look with its counts and
    limits, digests of the evidence, the ledger's entry and head; signed, and valid for 90 days at most.

    It takes no look and spends nothing. What the labels as they are now do not prove is refused (exit
    code 3).
    """
    from flows.adapters.files.files import write_atomically
    from flows.adapters.ledger import certificate_verifier
    from flows.verbs import live
    from flows.verbs.certify.certificate import export_certificate as export

    refuse_outputs([], {"--to": to, "--verifier": verifier})
    told = export(live.open_services(), case_type, datetime.now(UTC))
    text = json.dumps(told, indent=1) + "\n"
    write_atomically(to, lambda file: file.write(text.encode("ascii")))
    click.echo(
        f"{case_type}: {len(told['proofs'])} promises proven, valid until {told['valid_until']}."
    )
    click.echo(f"Written: {to}")
    if verifier is not None:
        source = Path(certificate_verifier.__file__).read_bytes()
        write_atomically(verifier, lambda file: file.write(source))
        click.echo(f"Verifier: {verifier} (python {verifier.name} {to.name} --key KEY)")
    click.echo(
        f"Public key, to be told by another way than the file: {told['signature']['public_key']}"
    )


@certificate.command("verify")
@click.argument("file", type=FILE)
@click.option("--key", metavar="HEX", help="The issuer's public key, got by another way.")
@click.option("--at", type=UTC_STAMP, help="The moment it is relied on (default: now).")
def verify_certificate(file: Path, key: str | None, at: datetime | None) -> None:
    """Compute a certificate's table again, hold its counts against it, and check its digests, expiry,
    policy and signature.

    The same as `python certificate_verifier.py FILE`, which needs nothing of ours. The exit code is 0
    when it holds, else 3 with a sentence for each reason.
    """
    from configs.errors import UserError
    from flows.adapters.ledger.certificate_verifier import key_of, report

    now = datetime.now(UTC) if at is None else in_utc(at)
    try:
        key = None if key is None else key_of(key)
    except ValueError as wrong:
        raise UserError(f"--key: {wrong}; `ratchet certificate export` printed it.") from None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise UserError(f"{file} cannot be read as a certificate: {wrong}.") from None
    holds, lines = report(text, now, key)
    click.echo("\n".join(lines))
    if not holds:
        raise SystemExit(EXIT_GATE)


COMMANDS = (look_back, audit_period, certificate)
