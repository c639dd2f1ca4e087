"""How long is a proof believed: what expires narrows, and what still holds is proposed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from flows.verbs.certify.certificate_life import FEWEST_FRESH, is_due
from flows.verbs.certify.certify import Judged
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.submit import looking_again, submitted
from flows.verbs.ports import Alerts, Ledger
from models.hub import Entry, Narrow, Policy, open_proposals
from models.hub.policies.renewal import RENEWS
from models.hub.rules.people import NIGHT
from models.reviewers.gates import GATES
from models.vocabulary import Boundary, CaseType, Certificate, CertificateVerdict, Targets

ENDS_SOON = "certificate_ends_soon"
WARNED_DAYS = (14, 3)
"""So many days ahead people are told."""
_REMEMBERED = 500
"""Alerts that are looked through for a warning given already; beyond them it is given again."""


def expire_policy(ledger: Ledger, alerts: Alerts, case_type: str, at: datetime) -> list[Entry]:
    """Send a case type back to review where its certificate has expired; deciding does so without it.

    Nothing older is left to fall back to: what was promoted before expired before.
    """
    return looking_again(partial(_expire, ledger, alerts, case_type, at))


def renewal(
    ledger: Ledger, case_types: Mapping[str, CaseType], judged: Judged, at: datetime
) -> Policy | None:
    """Today's policy with a new expiry, where a look at fresh evidence proves it once more.

    What counts is that the sequence still proves the boundary in force, that cases have come since
    which could have refuted it, and that none did: whether a wider one lacks labels does not matter. A
    gate on reviewers that is broken holds a renewal as it holds a proposal. A second person approves.
    """
    live = ledger.live_policy(judged.case_type)
    days = case_types[judged.case_type].certificate_days
    if live is None or live.valid_until is None or days is None or judged.generation is None:
        return None
    certificate = judged.certificate
    same = live.model_digest == judged.generation.digest and certificate.boundary == live.boundary
    targets = case_types[judged.case_type].targets
    if not (is_due(case_types, live, at) and same and certificate.verdict in _STANDS):
        return None
    if judged.fresh_labels < FEWEST_FRESH:
        return None
    if any(reason.startswith(GATES) for reason in certificate.reasons):
        return None
    if not proves(certificate, targets):
        return None
    until = judged.evidence_until + timedelta(days=days)
    return replace(live, valid_until=until, ab_plan=None) if until > live.valid_until else None


_STANDS = (CertificateVerdict.HOLD, CertificateVerdict.INSUFFICIENT_EVIDENCE)
"""Verdicts that leave the boundary in force where it is."""


def warn_before_expiry(ledger: Ledger, alerts: Alerts, case_type: str, at: datetime) -> None:
    """Tell people `WARNED_DAYS` before the live certificate ends, each once, and what could be done.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    live = ledger.live_policy(case_type)
    if live is None or live.valid_until is None or live.boundary.automates_nothing:
        return
    left = (live.valid_until - at) / timedelta(days=1)
    near = [days for days in WARNED_DAYS if 0.0 < left <= days]
    if not near:
        return
    told = {
        one.get("within_days")
        for one in alerts.recent(_REMEMBERED)
        if (one.get("kind"), one.get("policy_id")) == (ENDS_SOON, live.policy_id)
    }
    if min(near) in told:
        return
    sentence = (
        f"{case_type}: the certificate of the live policy {live.policy_id[:12]} ends at "
        f"{live.valid_until.isoformat(timespec='minutes')}, in {left:.1f} days; from then on every case is "
        f"reviewed. {_what_helps(ledger, live)}"
    )
    facts: dict[str, str | int] = {"policy_id": live.policy_id, "within_days": min(near)}
    alerts.send(ENDS_SOON, case_type, sentence, at, **facts)


def _what_helps(ledger: Ledger, live: Policy) -> str:
    waits = open_proposals(ledger.history(), live.case_type)
    for proposal in waits:
        if RENEWS in proposal.dossier:
            return f"Its renewal waits: `ratchet approve {str(proposal.policy_id)[:12]}`."
    if waits:
        return (
            f"A proposal waits: `ratchet approve {str(waits[-1].policy_id)[:12]}`; no renewal of today's "
            "boundary is proven so far."
        )
    return (
        f"No renewal is proven so far. It takes {FEWEST_FRESH} labelled cases of the cohort since the evidence "
        "of today's certificate ended, and the proof; the night's certificate says what is lacking."
    )


def proves(certificate: Certificate, targets: Targets) -> bool:
    """Whether a certificate's limits keep every promise for the boundary it names.

    A side that is reviewed needs no proof; a side that decides needs a promise, and the proof of it.
    """
    sides = certificate.boundary
    cuts = {"pass": sides.pass_at_or_below, "block": sides.block_at_or_above}
    used = [_BOUNDS[side] for side, cut in cuts.items() if cut is not None]
    return bool(used) and all(_keeps(certificate, targets.named(), signs) for signs in used)


_BOUNDS = {"pass": {"recall": 1.0, "false_omission_rate": -1.0}, "block": {"precision": 1.0}}
"""By side, the limits that speak for it: 1 where one is a lower bound, -1 where it is an upper one."""


def _keeps(
    certificate: Certificate, promised: Mapping[str, float], signs: Mapping[str, float]
) -> bool:
    made = {name: sign for name, sign in signs.items() if name in promised}
    limits = certificate.limits
    return bool(made) and all(
        name in limits and sign * limits[name] >= sign * promised[name]
        for name, sign in made.items()
    )


def _expire(ledger: Ledger, alerts: Alerts, case_type: str, at: datetime) -> list[Entry]:
    live = ledger.live_policy(case_type)
    if live is None or live.valid_until is None or live.boundary.automates_nothing:
        return []
    if live.valid_until > at:
        return []
    why = f"The certificate expired at {live.valid_until.isoformat()}; everything is reviewed."
    entry = submitted(
        ledger,
        Narrow(
            case_type=case_type,
            incumbent=live,
            narrowed=replace(live, boundary=Boundary.everything_reviewed()),
            actor=NIGHT,
            base_version=last_version(ledger, case_type),
            dossier={"reasons": [why]},
        ),
        at,
    )
    alerts.send("certificate_expired", case_type, f"{case_type}: {why}", at)
    return [entry]
