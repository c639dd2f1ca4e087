"""A portable certificate by hand, and how a forger or its issuer would sign it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flows.adapters.ledger import certificate_verifier as verifier
from flows.adapters.ledger.certificate_key import CertificateKey
from models.boundary.sequence.look_table import look_table
from models.hub import AuditPlan, Policy
from models.vocabulary import Boundary

NOW = datetime(2026, 5, 14, 3, tzinfo=UTC)
ISSUER, FORGER = CertificateKey(b"i" * 32), CertificateKey(b"f" * 32)
KEY = ISSUER.public.hex()
Change = Callable[[dict[str, Any]], object]


def certificate() -> dict[str, Any]:
    """A recall of .99 at the cut .2 by the second of two looks at 3,600 and 3,780 bad cases, and a
    precision of .95 at .9 in two steps; not signed."""
    model = hashlib.sha256(b"model").hexdigest()
    policy = Policy(
        case_type="small_case",
        model_name="small_case",
        model_version="1",
        model_digest=model,
        audit=AuditPlan(0.1),
        boundary=Boundary(0.2, 0.9),
    )
    return {
        "format": verifier.FORMAT,
        "case_type": "small_case",
        "issued_at": "2026-05-14T02:00:00+00:00",
        "valid_until": "2026-08-12T02:00:00+00:00",
        "speaks_of": "It says what was proven when it was issued.",
        "policy": policy.document(),
        "policy_id": policy.policy_id,
        "boundary": {"pass_at_or_below": 0.2, "block_at_or_above": 0.9},
        "model_digest": model,
        "targets": {"recall": 0.99, "precision": 0.95},
        "delta": {
            "promised": 0.05,
            "spendable": 0.05,
            "shares": {"recall": 0.035, "precision": 0.015},
        },
        "growth": 1.05,
        "proofs": [
            _proof("recall", 0.01, 0.035, (0.2, 3_600, (24, 25))),
            _proof("precision", 0.05, 0.015, (0.95, 400, (3,)), (0.9, 600, (9,))),
        ],
        "evidence": {"evidence_sha256": "1" * 64, "cohort_sha256": "2" * 64, "cohort_cases": 40_000},
        "ledger": {"entry": 9, "kind": "promoted", "entry_sha256": "3" * 64, "head": 12, "head_sha256": "4" * 64},
    }  # fmt: skip


def signed(document: dict[str, Any], key: CertificateKey = ISSUER) -> str:
    """The document with its digest and a signature, as its file has them."""
    told = {**document, "digest": verifier.digest_of(document)}
    signature = {
        "algorithm": "Ed25519",
        "public_key": key.public.hex(),
        "value": key.sign(verifier.message_of(told)).hex(),
    }
    return json.dumps({**told, "signature": signature}, indent=1)


def changed(change: Change) -> dict[str, Any]:
    """A document of its own, changed."""
    document = copy.deepcopy(certificate())
    change(document)
    return document


def _proof(
    risk: str, limit: float, delta: float, *steps: tuple[float, int, tuple[int, ...]]
) -> dict[str, Any]:
    phi = 0.6
    shown = []
    for cut, first, errors in steps:
        table = look_table(first, limit, delta, phi=phi, looks=len(errors))
        looks = zip(table.sizes, table.allowed, table.spent_by_look, errors, strict=True)
        shown.append(
            {"cut": cut, "first": first, "phi": phi, "looks": [list(one) for one in looks]}
        )
    return {"risk": risk, "limit": limit, "delta": delta, "steps": shown}
