"""Promote, try, force or roll back: what makes another policy live, each as a ledger entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from configs.errors import UserError
from flows.adapters.files.kill_points import kill_point
from flows.verbs.certify.generation import last_version
from flows.verbs.govern.approve import approve, find_approved, find_waiting
from flows.verbs.govern.submit import submitted
from flows.verbs.house.aliases import follow_ledger
from flows.verbs.intake.known_case_type import known_case_type
from flows.verbs.learn.model_files import check_policy_files
from flows.verbs.ports import Alerts, Ledger, ModelRegistry, PromotionServices
from models.hub import (
    Entry,
    EntryKind,
    Force,
    Policy,
    Promote,
    RequestForce,
    RequestRollBack,
    RollBack,
    StartAb,
    force_request_of,
    live_policy_id,
    made_live_by,
    open_proposals,
    previous_policy_id,
    proven_ab,
    rollback_request_of,
    running_ab,
    why_wider,
)
from models.hub.rules.people import PROMOTE_BOUNDARY, is_a_flow


def promote(
    ledger: Ledger,
    registry: ModelRegistry,
    alerts: Alerts,
    proposal: Entry,
    actor: str,
    at: datetime,
) -> Entry:
    """Make an approved policy live, or, where its A/B plan asks for it, start trying it.

    Returns:
        The entry: promoted, or the registration of the A/B test (`ab_started`), after which
        `validate_ab` promotes what it proves.

    Raises:
        GateRefused: it is not approved, the case type is halted, its A/B test runs and has proven
            nothing yet, another one runs, the model's files are gone since the approval, or somebody
            changed something in between.
    """
    case_type, policy_id = proposal.case_type, str(proposal.policy_id)
    check_policy_files(registry, alerts, ledger.policy(policy_id), at)
    history = ledger.history()
    trial = running_ab(history, case_type)
    planned = proposal.dossier.get("ab_plan") is not None
    tried = trial is not None and trial.policy_id == policy_id
    if planned and not tried and proven_ab(history, case_type, policy_id) is None:
        return submitted(
            ledger,
            StartAb(
                case_type=case_type,
                policy_id=policy_id,
                actor=actor,
                base_version=last_version(ledger, case_type),
            ),
            at,
        )
    promoted = submitted(
        ledger,
        Promote(
            case_type=case_type,
            policy_id=policy_id,
            actor=actor,
            base_version=last_version(ledger, case_type),
        ),
        at,
    )
    _project(ledger, registry, alerts, case_type, at)
    return promoted


def promote_approved(
    ledger: Ledger, registry: ModelRegistry, alerts: Alerts, proposal: Entry, at: datetime
) -> Entry:
    """The same in the flow's own name: who approved stands in the ledger, or it is refused."""
    return promote(ledger, registry, alerts, proposal, PROMOTE_BOUNDARY, at)


def approve_and_promote(
    services: PromotionServices, case_type: str, policy_id: str | None, approver: str, at: datetime
) -> Entry:
    """A second person's approval of one waiting proposal, and its promotion.

    Asked again after a crash, it goes on where it was stopped: what is approved is not approved
    again, and what is live already is only shown in the registry.

    Raises:
        UserError: no such proposal waits, or several fit.
        GateRefused: as `approve` and `promote`.
    """
    history = services.ledger.history()
    if policy_id and not _fitting(open_proposals(history, case_type), policy_id):
        for done in _fitting(_reached(history, case_type), policy_id):
            _project(services.ledger, services.registry, services.alerts, case_type, at)
            return done
        if _fitting(history, policy_id, EntryKind.APPROVED):
            return promote(
                services.ledger,
                services.registry,
                services.alerts,
                find_approved(services.ledger, services.case_types, policy_id, case_type),
                approver,
                at,
            )
    proposal = find_waiting(services.ledger, services.case_types, policy_id, case_type)
    approve(services, proposal, approver, at)
    kill_point("promote.approved")
    return promote(services.ledger, services.registry, services.alerts, proposal, approver, at)


def roll_back(
    services: PromotionServices,
    case_type: str,
    actor: str,
    reason: str,
    at: datetime,
    leaving: str | None = None,
) -> Entry:
    """Return to the policy promoted before the live one.

    What would widen in any respect (`models.hub.why_wider`) takes two people: the first one's wish
    is kept, the second one agrees by the same call. A flow's is refused.

    Args:
        leaving: the id of the policy that is to be left; asked twice, it is left once. None:
            whichever is live.

    Returns:
        The entry `rolled_back`, or the first person's request (`rollback_requested`), after which
        nothing has changed yet.

    Raises:
        UserError: no reason is given, or no such case type is configured.
        GateRefused: there is none, it would widen and a flow or the same person asks again, or
            somebody changed the policy in between.
    """
    if not reason.strip():
        raise UserError("a rollback needs a reason; say why, in a sentence.")
    base = last_version(services.ledger, known_case_type(services.case_types, case_type))
    if not is_a_flow(actor) and _asks_first(services.ledger, case_type, leaving, at):
        wish = RequestRollBack(
            case_type=case_type, reason=reason.strip(), actor=actor, base_version=base
        )
        return submitted(services.ledger, wish, at)
    said = submitted(
        services.ledger,
        RollBack(
            case_type=case_type,
            actor=actor,
            base_version=base,
            leaving=leaving,
            dossier={"reason": reason.strip()},
        ),
        at,
    )
    _project(services.ledger, services.registry, services.alerts, case_type, at)
    return said


def widening_of(ledger: Ledger, case_type: str, at: datetime) -> tuple[str, ...]:
    """In which respects a rollback of a case type would widen today; empty: in none, or there is
    nothing to return to.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    before = previous_policy_id(ledger.history(), case_type)
    live = ledger.live_policy(case_type)
    if before is None or live is None:
        return ()
    return why_wider(ledger.policy(before), than=live, at=at)


def _asks_first(ledger: Ledger, case_type: str, leaving: str | None, at: datetime) -> bool:
    """Whether the ledger would ask for a second person, and nobody has asked yet."""
    history = ledger.history()
    if leaving not in (None, live_policy_id(history, case_type)):
        return False  # the ledger says so
    asked = rollback_request_of(history, case_type)
    return asked is None and bool(widening_of(ledger, case_type, at))


def force(
    ledger: Ledger,
    registry: ModelRegistry,
    alerts: Alerts,
    policy: Policy,
    actor: str,
    reason: str,
    at: datetime,
) -> Entry:
    """Make a policy live without its proof: the first approver asks, the second one agrees.

    Returns:
        The request, or, from the second approver, the entry `forced`, which marks it for ever.

    Raises:
        GateRefused: the model's files are not what was registered, the same person agrees with
            themselves, or the case type is halted.
    """
    case_type = policy.case_type
    check_policy_files(registry, alerts, policy, at)
    history, base = ledger.history(), last_version(ledger, case_type)
    if force_request_of(history, case_type, policy.policy_id) is None:
        return submitted(
            ledger,
            RequestForce(
                case_type=case_type, policy=policy, reason=reason, actor=actor, base_version=base
            ),
            at,
        )
    forced = submitted(
        ledger,
        Force(
            case_type=case_type,
            policy_id=policy.policy_id,
            actor=actor,
            base_version=base,
            dossier={"second_reason": reason.strip()},
        ),
        at,
    )
    _project(ledger, registry, alerts, case_type, at)
    return forced


def _reached(history: Sequence[Entry], case_type: str) -> list[Entry]:
    """What an approval and promotion lead to, where they led there already."""
    ends = (made_live_by(history, case_type), running_ab(history, case_type))
    kinds = (EntryKind.PROMOTED, EntryKind.AB_STARTED)
    return [entry for entry in ends if entry is not None and entry.kind in kinds]


def _fitting(
    entries: Sequence[Entry], policy_id: str, kind: EntryKind | None = None
) -> list[Entry]:
    return [
        one
        for one in entries
        if str(one.policy_id).startswith(policy_id) and kind in (None, one.kind)
    ]


def _project(
    ledger: Ledger, registry: ModelRegistry, alerts: Alerts, case_type: str, at: datetime
) -> None:
    """The registry's aliases follow the ledger; a crash in between is mended by `reconcile`."""
    kill_point("promote.before_alias")
    follow_ledger(ledger, registry, alerts, case_type, at)
    kill_point("promote.after_alias")
