"""Export: put the live policy of a case type into a folder that answers single cases."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from configs.errors import GateRefused
from flows.adapters.mlflow.serving_folder import refuse_occupied, write_serving_folder
from flows.adapters.sql.database import sqlite_url
from flows.verbs.certify.generation import scored_elsewhere
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.ports import HouseServices, Ledger
from flows.verbs.services import AUDIT_KEY_FILE, AUDIT_KEY_VARIABLE
from models.hub import halt_of, running_ab
from models.hub.policies.external import decides_elsewhere
from models.hub.policies.pinned import PinnedPolicy
from models.hub.policies.policy import Policy
from models.vocabulary import CaseType

PORT = 5001
LEDGER_VARIABLE = "RATCHET_LEDGER"
"""Where a server looks for halts; the served code names it too."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder that `mlflow models serve` runs, and what its reader must know."""

    case_type: str
    folder: Path
    policy_id: str
    model_version: str
    valid_until: datetime | None
    audit_key_file: Path | None
    ledger: str | None
    """The address of the ledger as a URL; None: it is in RATCHET_DATABASE_URL, and not told."""

    @property
    def command(self) -> str:
        """What starts the server; the audit secret comes from the home or from the environment."""
        tools = shlex.quote(str(Path(sys.executable).parent))
        secret = ""
        if self.audit_key_file is not None:
            secret = f'{AUDIT_KEY_VARIABLE}="$(cat {shlex.quote(str(self.audit_key_file))})" '
        ledger = '"$RATCHET_DATABASE_URL"' if self.ledger is None else shlex.quote(self.ledger)
        # MLflow starts uvicorn by its bare name.
        return (
            f'PATH={tools}:"$PATH" {secret}{LEDGER_VARIABLE}={ledger} mlflow models serve -m {shlex.quote(str(self.folder))} '
            f"--env-manager local --port {PORT}"
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """For people: what is pinned, until when, and what cannot reach it."""
        until = "It rests on no certificate that expires."
        if self.valid_until is not None:
            until = (
                f"Its certificate expires at {self.valid_until.isoformat()}; from then on the folder "
                "sends every case to a person."
            )
        return (
            f"{self.case_type}: policy {self.policy_id[:12]} (model version {self.model_version}) "
            f"is pinned in {self.folder}. {until}",
            "Halted, or once another policy is live, the server sends every case to a person, and so "
            "it does when it cannot read the ledger; after a promotion or a roll-back export again, "
            "into another folder. An A/B does not reach it: it goes on by today's policy.",
            "Every answer holds a whole decision: collect them in a table and bring them home with "
            "`ratchet admit FILE --contract decisions`, or as a source of decisions.",
        )

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "case_type": self.case_type,
            "folder": str(self.folder),
            "policy_id": self.policy_id,
            "model_version": self.model_version,
            "valid_until": None if self.valid_until is None else self.valid_until.isoformat(),
            "command": self.command,
            "notes": list(self.sentences),
        }


def export_serving(services: HouseServices, case_type: str, to: Path, now: datetime) -> Exported:
    """Write the serving folder of the live policy; the same policy then answers as `decide_cases`.

    A server reads the ledger, so a halt reaches it; none is written while there is one, or while an
    A/B runs, which does not.

    Args:
        to: a folder that does not exist yet, or is empty.
        now: tz-aware.

    Raises:
        UserError: there is no such case type, or `to` is taken.
        GateRefused: the case type is halted or an A/B runs, no policy with a model is live, its
            certificate has expired, or its model's bytes are not those it names.
    """
    known_case_type(services.case_types, case_type)
    refuse_occupied(to)
    head = services.ledger.head()
    policy = _live_policy(services.ledger, services.case_types, case_type, now)
    digest, version = str(policy.model_digest), str(policy.model_version)
    pinned = PinnedPolicy(
        policy=policy,
        model=services.registry.load(case_type, version, digest),
        costs=services.case_types[case_type].costs,
        key=services.draws.audit_key(case_type),
    )
    write_serving_folder(to, pinned, services.secrets.in_force(), head, now)
    own = services.home / AUDIT_KEY_FILE
    given = bool(os.environ.get(AUDIT_KEY_VARIABLE))
    file = services.ledger.file
    return Exported(
        case_type=case_type,
        folder=to.resolve(),
        policy_id=policy.policy_id,
        model_version=version,
        valid_until=policy.valid_until,
        audit_key_file=None if given else own,
        ledger=None if file is None else sqlite_url(file.resolve()).render_as_string(),
    )


def _live_policy(
    ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str, now: datetime
) -> Policy:
    history = ledger.history()
    if (halt := halt_of(history, case_type)) is not None:
        raise GateRefused(
            f"{case_type} has been halted since {halt.at.isoformat()}: everything is reviewed, by a "
            "served folder too. Resume it first (`ratchet resume`)."
        )
    if (trial := running_ab(history, case_type)) is not None:
        raise GateRefused(
            f"an A/B of {case_type} has been running since {trial.at.isoformat()}, and a served "
            "folder would decide its treated cases by today's policy. Export once it is concluded."
        )
    policy = ledger.live_policy(case_type)
    if scored_elsewhere(case_types, case_type) or (
        policy is not None and decides_elsewhere(policy)
    ):
        raise GateRefused(
            f"{case_type} is scored by another agent (scorer: external), so there is no model to "
            f"serve. `ratchet export-policy {case_type}` prints the boundary for that agent."
        )
    if policy is None or policy.model_digest is None:
        raise GateRefused(
            f"no policy with a model is live for {case_type}, so there is nothing to serve: every "
            "case goes to a person. Approve and promote a proposal first (`ratchet proposals`)."
        )
    if policy.valid_until is not None and policy.valid_until <= now:
        raise GateRefused(
            f"the certificate of {case_type}'s policy {policy.policy_id[:12]} expired at "
            f"{policy.valid_until.isoformat()}; what it would serve goes to a person. Promote a "
            "boundary that is proven anew."
        )
    return policy
