"""Export a certificate that another party verifies with Python alone (`flows.adapters.ledger.certificate_verifier`).

What it shows is counted again on the labels as they are now, at the looks that the ledger keeps, so
exporting takes no look, spends nothing, and refuses what would not stand.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from configs.errors import GateRefused
from flows.adapters.ledger import certificate_verifier
from flows.adapters.ledger.certificate_key import CertificateKey
from flows.verbs.certify.generation import champion_generation
from flows.verbs.certify.inputs import CertificationInputs, certification_inputs
from flows.verbs.certify.look import sequence_of
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import AuditSecrets, CertificateServices, EvidenceServices, Ledger
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.shown_proof import ShownProof, shown_proofs
from models.boundary.sequence.look_table import GROWTH
from models.hub import Entry, Policy, halt_of, made_live_by, proposal_of
from models.hub.policies.canonical import plain_document, utc_stamp

LASTS = timedelta(days=90)
"""How long a certificate is believed whose policy has no expiry of its own."""

_SPEAKS_OF = (
    "It says what was proven when it was issued, about the average population of the evidence; whether the "
    "policy is live today, and what audits found since, its issuer says."
)


def export_certificate(
    services: CertificateServices, case_type: str, now: datetime
) -> dict[str, Any]:
    """The live policy's proof as a signed, expiring document.

    Raises:
        UserError: no such case type is configured.
        GateRefused: nothing is live, halted or expired; no recorded look proves its boundary on the
            labels as they are; the audit secret or the model is not at hand; or the document would not
            verify.
    """
    live, entry = _live(services.ledger, known_case_type(services.case_types, case_type), now)
    proofs, given = _proven(services, case_type, live, now)
    proposal = proposal_of(services.ledger.history(), case_type, live.policy_id)
    seq, head = services.ledger.head()
    looked = given.generation.looked
    assert looked is not None  # nothing is proven without a look
    targets = given.services.case_types[case_type].targets
    document: dict[str, Any] = plain_document(
        {
            "format": certificate_verifier.FORMAT,
            "case_type": case_type,
            "issued_at": utc_stamp(now),
            "valid_until": utc_stamp(min(live.valid_until or now + LASTS, now + LASTS)),
            "speaks_of": _SPEAKS_OF,
            "policy": live.document(),
            "policy_id": live.policy_id,
            "boundary": asdict(live.boundary),
            "model_digest": live.model_digest,
            "targets": {
                name: value for name, value in looked["targets"].items() if _is_promise(name, value)
            },
            "delta": {
                "promised": targets.delta,
                "spendable": looked["targets"]["delta"],
                "shares": _shares(given, looked["targets"]["delta"]),
            },
            "growth": GROWTH,
            "proofs": [proof.plain() for proof in proofs],
            "evidence": {
                "evidence_sha256": given.digest,
                "proposed_on": None if proposal is None else proposal.evidence_digest,
                "cohort_sha256": looked["cohort_sha256"],
                "cohort_cases": looked["cases"],
            },
            "ledger": {
                "entry": entry.seq,
                "kind": entry.kind.value,
                "entry_sha256": entry.own_hash,
                "head": seq,
                "head_sha256": head,
            },
        }
    )
    return _signed(services.secrets, document, now)


def _live(ledger: Ledger, case_type: str, now: datetime) -> tuple[Policy, Entry]:
    history = ledger.history()
    live, entry = ledger.live_policy(case_type), made_live_by(history, case_type)
    why = ""
    if live is None or entry is None or live.boundary.automates_nothing:
        why = "nothing is automated, so there is nothing to certify"
    elif halt_of(history, case_type) is not None:
        why = "it is halted; two people resume it (`ratchet resume`)"
    elif live.valid_until is not None and live.valid_until <= now:
        why = f"its proof expired at {live.valid_until.isoformat()}"
    if why or live is None or entry is None:
        raise GateRefused(f"A certificate of {case_type} was asked for, and {why}.")
    return live, entry


def _proven(
    services: EvidenceServices, case_type: str, live: Policy, now: datetime
) -> tuple[tuple[ShownProof, ...], CertificationInputs]:
    generation = champion_generation(services.ledger, services.case_types, case_type)
    if generation is None or generation.looked is None:
        raise GateRefused(
            f"A certificate of {case_type} was asked for, and the ledger has no look at a cohort of the "
            "live model: its boundary was proven in another way or not here, or its evidence began again "
            "since. `ratchet night` takes the looks that are due."
        )
    given = certification_inputs(services, load_snapshot(services, now), generation)
    sequence, _ = sequence_of(given)
    try:
        return shown_proofs(sequence, live.boundary, len(generation.looked["looks"])), given
    except ValueError as why:
        raise GateRefused(
            f"A certificate of {case_type} was asked for, and {why}. The live boundary stays as it is; "
            "what refutes it is the guard's business (`ratchet night`)."
        ) from None


def _shares(given: CertificationInputs, delta: float) -> dict[str, float]:
    return delta_shares(given.targets, delta)


def _is_promise(name: str, value: float | None) -> bool:
    return name != "delta" and value is not None


def _signed(secrets: AuditSecrets, document: dict[str, Any], now: datetime) -> dict[str, Any]:
    """With digest and signature; held against the verifier that its reader will use."""
    key = CertificateKey.of_secret(secrets.in_force())
    told = {**document, "digest": certificate_verifier.digest_of(document)}
    signature = {
        "algorithm": "Ed25519",
        "public_key": key.public.hex(),
        "value": key.sign(certificate_verifier.message_of(told)).hex(),
    }
    told = {**told, "signature": signature}
    wrong = certificate_verifier.verify(json.dumps(told), now, key.public.hex())
    if wrong:
        raise GateRefused(
            f"The certificate of {document['case_type']} would not verify: {' '.join(wrong)}"
        )
    return told
