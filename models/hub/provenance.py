"""Who proposed, approved, tried and made live the policy that decided at a moment?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.hub.entries import CHANGES_THE_LIVE_POLICY, Entry, EntryKind
from models.hub.readers import of


@dataclass(frozen=True, slots=True)
class Provenance:
    """The entries behind a policy; None where there is none.

    Attributes:
        made_live: the promotion, force, narrowing or rollback that made it live (the last one).
        tried: the start of its A/B test, in whose treatment arm it decided.
        approval, proposal: what a promotion or an A/B test rested on. A narrowed policy has those of the one it was
            narrowed from: nobody is asked before a boundary decides less.
        forced: it, or the policy it was narrowed from, went live without a proof.
    """

    made_live: Entry | None
    tried: Entry | None
    approval: Entry | None
    proposal: Entry | None
    forced: Entry | None

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The names of those who approved: one, or the two who forced it; empty: nobody was asked."""
        if self.forced is not None:
            return tuple(str(name) for name in self.forced.dossier["approvers"])
        return () if self.approval is None else (self.approval.actor,)


def provenance(history: Sequence[Entry], case_type: str, policy_id: str) -> Provenance:
    """The entries behind a policy, as far as this history reaches (cut it as of a moment)."""
    mine = of(history, case_type)
    made_live = _last(mine, policy_id, CHANGES_THE_LIVE_POLICY)
    origin = _origin(mine, policy_id)
    return Provenance(
        made_live=made_live,
        tried=_last(mine, policy_id, {EntryKind.AB_STARTED}),
        approval=_last(mine, origin, {EntryKind.APPROVED}),
        proposal=_last(mine, origin, {EntryKind.PROPOSED}),
        forced=_last(mine, origin, {EntryKind.FORCED}),
    )


def _origin(mine: Sequence[Entry], policy_id: str) -> str:
    """Back over narrowings to the policy that somebody approved or forced."""
    for entry in reversed(mine):
        if entry.kind is EntryKind.NARROWED and entry.policy_id == policy_id:
            policy_id = str(entry.dossier["narrowed_from"])
    return policy_id


def _last(
    mine: Sequence[Entry], policy_id: str, kinds: set[EntryKind] | frozenset[EntryKind]
) -> Entry | None:
    return next(
        (one for one in reversed(mine) if one.kind in kinds and one.policy_id == policy_id), None
    )
