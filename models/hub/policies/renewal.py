"""Is a policy the live one again, with a later end of its certificate and nothing else?

A renewal changes nothing that a proposal, an approval or an A/B test argues with, so it ends none of
them (docs/adr/0034).
"""

from __future__ import annotations

from dataclasses import replace

from models.hub.policies.policy import Policy
from models.hub.record.entries import Entry, EntryKind

RENEWS = "renews"
"""In the dossier of a proposal and of its promotion: the policy whose certificate is renewed."""


def is_renewal(policy: Policy, of: Policy | None) -> bool:
    """Whether a policy is another one but for a later expiry, and is not to be tried first.

    Args:
        of: the live policy; None: there is none, so there is nothing to renew.
    """
    if of is None or of.valid_until is None or policy.valid_until is None:
        return False
    same = replace(policy, valid_until=of.valid_until, ab_plan=of.ab_plan) == of
    return same and policy.ab_plan is None and policy.valid_until > of.valid_until


def renewed(entry: Entry) -> bool:
    """Whether an entry promoted a renewal."""
    return entry.kind is EntryKind.PROMOTED and RENEWS in entry.dossier
