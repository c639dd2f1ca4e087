"""Who proposed, approved, tried and made live the policy that decided at a moment?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, SPRINT, Entry, EntryKind
from models.hub.record.readers import approvers_of, of

_BY_PEOPLE = frozenset({EntryKind.PROMOTED, EntryKind.FORCED, EntryKind.AB_STARTED})
"""What lets a policy decide that was not decided by before: somebody's word stands behind each."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The entries behind a policy; None where there is none.

    A narrowed policy has the approval, proposal and force of the one it was narrowed from: nobody is
    asked before a boundary decides less. So has a policy in a sprint of the one whose place it took:
    what was approved since is the hours, and nothing that it decides.

    Attributes:
        made_live: the promotion, force, narrowing or rollback that made it live (the last one).
        tried: the start of its A/B test, in whose treatment arm it decided.
        approval, proposal: what its last promotion or A/B test rested on; before there is one, the
            latest. None where it was forced: that rests on neither.
        forced: it went live without a proof, and was not promoted with one since.
    """

    made_live: Entry | None
    tried: Entry | None
    approval: Entry | None
    proposal: Entry | None
    forced: Entry | None

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The names of those who approved, or who forced it; empty: nobody was asked."""
        behind = self.forced or self.approval
        return () if behind is None else approvers_of(behind)


def provenance(history: Sequence[Entry], case_type: str, policy_id: str) -> Provenance:
    """The entries behind a policy, as far as this history reaches (cut it as of a moment)."""
    mine = of(history, case_type)
    origin = _origin(mine, policy_id)
    began = _last(mine, origin, _BY_PEOPLE)
    forced = began is not None and began.kind is EntryKind.FORCED
    # A later approval of the same policy is not what made it decide.
    approval = None if forced else _last(_before(mine, began), origin, {EntryKind.APPROVED})
    proposed_before = _before(mine, approval or began)
    return Provenance(
        made_live=_last(mine, policy_id, CHANGES_THE_LIVE_POLICY),
        tried=_last(mine, policy_id, {EntryKind.AB_STARTED}),
        approval=approval,
        proposal=None if forced else _last(proposed_before, origin, {EntryKind.PROPOSED}),
        forced=began if forced else None,
    )


def _origin(mine: Sequence[Entry], policy_id: str) -> str:
    """Back over narrowings and sprints to the policy that somebody approved or forced."""
    for entry in reversed(mine):
        if entry.policy_id != policy_id:
            continue
        if entry.kind is EntryKind.PROMOTED and SPRINT in entry.dossier:
            policy_id = str(entry.dossier[SPRINT]["in_place_of"])
        elif entry.kind in _BY_PEOPLE:
            break
        if entry.kind is EntryKind.NARROWED:
            policy_id = str(entry.dossier["narrowed_from"])
    return policy_id


def _before(mine: Sequence[Entry], entry: Entry | None) -> Sequence[Entry]:
    """The entries before this one; all of them where there is none."""
    return mine if entry is None else [one for one in mine if one.version < entry.version]


def _last(
    mine: Sequence[Entry], policy_id: str, kinds: set[EntryKind] | frozenset[EntryKind]
) -> Entry | None:
    return next(
        (one for one in reversed(mine) if one.kind in kinds and one.policy_id == policy_id), None
    )
