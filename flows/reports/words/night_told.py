"""What does a night say of models that score beside the one that decides, and of other agents?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows.reports.words.live_boundaries import share_of
from flows.reports.words.stamps import to_the_second


def shadow_line(one: Mapping[str, Any]) -> str:
    """How many delivered decisions a model of ours has scored; one that decides is in no shadow."""
    place = "; it decides by now" if one.get("decides") else " in shadow; it decides nothing"
    return (
        f"{one['case_type']}: version {one['model_version']} has scored {one['scored']:,} of "
        f"{one['decisions']:,} decisions that were delivered or imported, {one['new']:,} of them "
        f"tonight{place}."
    )


def agent_line(one: Mapping[str, Any], as_of: str) -> str:
    """What another agent decided, since it must have had the live boundary; before that moment there is
    nothing to hold it to."""
    if datetime.fromisoformat(one["since"]) > datetime.fromisoformat(as_of):
        return (
            f"{one['case_type']}: what is live has changed, and its agent has until "
            f"{to_the_second(one['since'])} to fetch it (`ratchet export-policy {one['case_type']}`); what it "
            "decides from then on is held to it."
        )
    return (
        f"{one['case_type']}: its agent decided {share_of(one['automatic'], one['decided'])} cases "
        f"automatically since {to_the_second(one['since'])}, {one['beyond']:,} of them beyond the live "
        "boundary."
    )


def cause_line(one: Mapping[str, Any]) -> str:
    """Why a model's score erred, or that nothing was there to judge it by."""
    if not one["cases"]:
        return (
            f"{one['case_type']}: the cause of errors was not looked for, as no labelled case of the deciding "
            "model is mature yet."
        )
    return f"{one['case_type']}: cause of errors {one['cause']}, judged on {one['cases']:,} labelled cases."
