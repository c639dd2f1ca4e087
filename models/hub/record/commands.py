"""What may somebody ask of the ledger?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from models.hub.policies.policy import Policy
from models.hub.record.entries import AUDIT_SECRET, LEDGER, PEOPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """File a policy for approval, with the digest of the evidence that speaks for it.

    The whole policy is passed: its id, its model and its A/B plan follow from it, so the command
    cannot claim what its policy does not have. The evidence's cases were opened at or after
    `evidence_since`, and what was known of them at `evidence_until` counts. `approvers`: how many
    people must agree to it besides the proposer, 1 or 2. `live` is the live policy as the ledger keeps
    it, which fills it in: it tells a renewal (models.hub.policies.renewal) from another policy.
    """

    case_type: str
    policy: Policy
    actor: str
    base_version: int
    evidence_digest: str
    evidence_since: datetime | None = None
    evidence_until: datetime | None = None
    approvers: int = 1
    live: Policy | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_approvers(self.approvers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeSprint:
    """Ask for more audits of the live policy for a time: it is the same policy in all else (METHODS 2).

    Whole policies are passed, so the command cannot claim what they do not have. A sprint proves
    nothing and rests on no certificate of its own: `evidence_digest` names what its price was made
    from. It spends people's hours, so somebody else approves it, as any proposal.
    """

    case_type: str
    live: Policy
    sprint: Policy
    actor: str
    base_version: int
    evidence_digest: str
    approvers: int = 1
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_approvers(self.approvers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A second person agrees to one proposal on the evidence and the dossier they saw.

    `dossier_digest` is `dossier_digest(proposal)` of the proposal that was read. `approvers`: how
    many people must agree besides the proposer, 1 or 2, as it is set today; what the proposal itself
    asks for counts where it is more.
    """

    case_type: str
    proposal_policy_id: str
    actor: str
    base_version: int
    evidence_digest: str
    dossier_digest: str
    approvers: int = 1
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_approvers(self.approvers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Somebody turns a proposal, an approval or the wish to force a policy down, or withdraws it."""

    case_type: str
    proposal_policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAb:
    """Try an approved policy against the live one, by the plan that is part of it (METHODS 5)."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcludeAb:
    """End the running A/B test: its three tests all proved the policy, or they did not."""

    case_type: str
    policy_id: str
    verdict: Literal["promote", "stop"]
    actor: str
    base_version: int
    evidence_digest: str
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in ("promote", "stop"):
            raise ValueError(f"an A/B test ends in promote or stop, not in {self.verdict!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make an approved policy the live one."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForce:
    """The first of two approvers asks for a policy to go live without its proof, and says why."""

    case_type: str
    policy: Policy
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """The second approver agrees, and the policy goes live, marked as forced for ever."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Return to the policy promoted before the live one.

    `leaving`: the live policy that is meant; asked twice, it is left only once. None: whichever is
    live. `live` and `target` are the two policies themselves, as the ledger keeps them (it fills
    them in): only what they show to be no wider goes back by one person or by a flow.
    """

    case_type: str
    actor: str
    base_version: int
    leaving: str | None = None
    live: Policy | None = None
    target: Policy | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRollBack:
    """The first of two people asks for a rollback that would widen, and says why.

    The second one agrees by `RollBack`. `live` and `target`: as there.
    """

    case_type: str
    reason: str
    actor: str
    base_version: int
    live: Policy | None = None
    target: Policy | None = None
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """Without asking anybody, let the live policy decide less and change nothing else.

    Whole policies are passed, not ids: their ids follow from them, so the command cannot claim a
    boundary that its policy does not have.
    """

    case_type: str
    incumbent: Policy
    narrowed: Policy
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TripGuardrail:
    """The live policy's promise is refuted by the evidence; a rollback or a narrowing follows."""

    case_type: str
    policy_id: str
    actor: str
    base_version: int
    evidence_digest: str
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Send every case to review at once; one person is enough."""

    case_type: str
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """End a halt: the first person asks, a second one agrees by the same command."""

    case_type: str
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold:
    """Labels of one table received since an instant wait: they may refute a boundary and prove none.

    `table` is decisions, reviews or outcomes; `rule` the population rule that asked for it, and
    `reason` what it found, in figures. A hold on decisions is one on the labels of those cases.
    """

    case_type: str
    table: str
    rule: str
    reason: str
    since: datetime
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundHold:
    """What was received at or after `until` counts again; what came before stays on hold."""

    case_type: str
    hold_id: str
    until: datetime
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """The labels on hold are as good as any: the night says so when their level has lasted, or a
    person does."""

    case_type: str
    hold_id: str
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardHold:
    """The labels on hold are wrong: they never prove anything. Once a second person says the same
    they no longer refute anything either (`hold_struck`): one person alone would silence the guard.
    """

    case_type: str
    hold_id: str
    reason: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExtension:
    """The first of two people asks for audits to be drawn from the store, up to a rate (METHODS 2).

    `since` names where the window begins, and no other moment can be had: a window chosen by what came
    to light in it would be no sample. It is go-live, where the last window ended, or where the cases
    begin that may certify the model under test. The window ends at the request.
    """

    case_type: str
    since: Literal["go_live", "last_extension", "this_model"]
    rate: float
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.since not in ("go_live", "last_extension", "this_model"):
            raise ValueError(
                "a window begins at go_live, at the last_extension or with this_model, not at "
                f"{self.since!r}"
            )
        if not 0.0 < self.rate <= 1.0:
            raise ValueError(f"the rate must lie in (0, 1], got {self.rate!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendAudit:
    """The second person agrees to the request that they read: the cases are drawn at this moment.

    `request_digest` is `dossier_digest(request)`.
    """

    case_type: str
    request_digest: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartGeneration:
    """The model changed: looks are counted from here (METHODS 1)."""

    case_type: str
    model_digest: str
    actor: str
    base_version: int
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartEvidence:
    """What is certified became worse, or the evidence is too old: cases opened before `evidence_since`
    no longer speak for today's model.

    Looks and their shares of delta stay spent; the next sequence spends what was set aside for it
    (METHODS 1.2). The dossier's `why` says it to people, its `reason_code` is "recall",
    "false_omission_rate", "precision" or "age", and `comparisons` goes on with what the watch has
    spent.
    """

    case_type: str
    actor: str
    base_version: int
    evidence_since: datetime
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLook:
    """A certificate that may end in a promotion is about to be computed; its delta is spent.

    A certification sequence spends the delta of its whole life at its first look, and its later
    looks spend none (METHODS 1.2).
    """

    case_type: str
    actor: str
    base_version: int
    evidence_digest: str
    look_index: int
    delta_spent: float
    effective_sample: float
    dossier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.delta_spent < 1.0:
            raise ValueError(f"a look spends a delta in [0, 1), got {self.delta_spent!r}")
        if not (math.isfinite(self.effective_sample) and self.effective_sample >= 0.0):
            raise ValueError(
                f"effective_sample must be zero or more, got {self.effective_sample!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """Somebody may act from now on, in these roles, known by the token whose digest is named.

    The very first person enrols themselves, as an approver; everybody after is enrolled by one.
    """

    name: str
    roles: tuple[str, ...]
    token_digest: str
    actor: str
    base_version: int
    case_type: str = PEOPLE
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Somebody may no longer act; what they did stays theirs."""

    name: str
    actor: str
    base_version: int
    case_type: str = PEOPLE
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAuditSecret:
    """The first draw is about to be made: from now on the secret is known by its check.

    `check` is `models.boundary.decision.audit.secret_check(secret, salt)`, which does not reveal the secret.
    """

    check: str
    salt: str
    actor: str
    base_version: int
    case_type: str = AUDIT_SECRET
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateAuditSecret:
    """Draw audits with another secret from now on; earlier draws stay those of the earlier secret."""

    check: str
    salt: str
    reason: str
    actor: str
    base_version: int
    case_type: str = AUDIT_SECRET
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRestored:
    """Take a restored ledger for whole although it does not fit its head: two approvers, one after
    the other, by the same command.

    `why` says in what the ledger and its head differ ("": they do not), and `lost` is the head that
    it does not fit; the ledger fills both in, whatever the command brought.
    """

    reason: str
    actor: str
    base_version: int
    why: str = ""
    lost: Mapping[str, Any] = field(default_factory=dict)
    case_type: str = LEDGER
    dossier: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordErasure:
    """The data of some cases was taken out of the evidence; said once it is done.

    `case_digests` are salted digests of the cases' ids; the ids themselves stand nowhere.
    """

    reason: str
    case_digests: tuple[str, ...]
    actor: str
    base_version: int
    case_type: str = LEDGER
    dossier: Mapping[str, Any] = field(default_factory=dict)


Command: TypeAlias = (
    Propose
    | ProposeSprint
    | Approve
    | Refuse
    | StartAb
    | ConcludeAb
    | Promote
    | RequestForce
    | Force
    | RollBack
    | Narrow
    | TripGuardrail
    | Halt
    | Resume
    | PlaceHold
    | BoundHold
    | ReleaseHold
    | DiscardHold
    | RequestExtension
    | ExtendAudit
    | StartGeneration
    | RestartEvidence
    | TakeLook
    | Enrol
    | Revoke
    | RequestRollBack
    | RecordAuditSecret
    | RotateAuditSecret
    | AcceptRestored
    | RecordErasure
)


def _check_approvers(count: int) -> None:
    if count not in (1, 2):
        raise ValueError(f"a proposal takes 1 or 2 approvers, got {count!r}")
