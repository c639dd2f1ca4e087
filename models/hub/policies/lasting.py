"""Does a proof last until its policy can decide something?

A proof counts from the end of its evidence, which lies `maturity_days` back: it is believed for
`certificate_days` from then. What has expired by the time it may be live would send every case to
people, without anybody being told why (METHODS 5).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from models.hub.policies.canonical import in_utc
from models.hub.record.entries import SPRINT, Entry
from models.hub.record.refusal import Refusal, RefusalRule
from models.hub.record.said import short
from models.vocabulary.ab_plan import AbPlan


def lasts_until_live(
    policy_id: str, valid_until: datetime | None, plan: AbPlan | None, at: datetime
) -> Refusal | None:
    """The refusal of a policy whose certificate ends before it could be live; None: it lasts.

    Args:
        valid_until: when its certificate ends; None: it rests on none.
        plan: the A/B test that comes before its promotion, and takes its whole horizon at most.
        at: now, tz-aware.
    """
    if valid_until is None:
        return None
    days = 0.0 if plan is None else plan.horizon_days
    if valid_until > at + timedelta(days=days):
        return None
    when = in_utc(valid_until).isoformat(timespec="seconds")
    past = valid_until <= at
    trial = "" if past else f", before its A/B test of {days:g} days could end"
    return Refusal(
        f"The certificate of {short(policy_id)} {'ended' if past else 'ends'} at {when}{trial}; from then "
        "on it would decide nothing, and every case goes to people. A proof is believed for "
        "`certificate_days` from the end of its evidence, and that lies `maturity_days` back: "
        "`certificate_days` must be longer than `maturity_days`, the time of an A/B test and the time "
        "people take to approve. Set it in the case type, and let a night prove and propose it anew.",
        RefusalRule.CERTIFICATE_LASTS,
    )


def sprint_has_ended(until: datetime, at: datetime) -> Refusal | None:
    """The refusal of a sprint that has no time left (both tz-aware); None: it lasts."""
    if until > at:
        return None
    return Refusal(
        f"The sprint ends at {in_utc(until).isoformat(timespec='seconds')}, and by now that is past: it "
        "would raise nothing. Ask for one with a later end.",
        RefusalRule.SPRINT_ENDS_LATER,
    )


def still_lasts(proposal: Entry | None, at: datetime) -> Refusal | None:
    """The same of a proposal in the ledger, as it is approved or promoted: has its certificate ended
    by now, or the sprint that it asks for? Proposals that do not say when it ends are not judged."""
    if proposal is not None and (sprint := proposal.dossier.get(SPRINT)) is not None:
        ended = sprint_has_ended(datetime.fromisoformat(str(sprint["until"])), at)
        if ended is not None:
            return ended
    said = None if proposal is None else proposal.dossier.get("valid_until")
    if proposal is None or said is None:
        return None
    return lasts_until_live(str(proposal.policy_id), datetime.fromisoformat(str(said)), None, at)
