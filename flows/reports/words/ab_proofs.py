"""How does a person read what an A/B test has proven so far?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.boundary.ab.ab_test import NAMES
from models.boundary.proof.odds import odds

_UNTESTED = "nothing to prove: the policies leave such decisions to people"


def ab_rows(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row a claim: what is claimed, whether it is proven, and how rarely so much evidence would come
    up by chance if the claim were untrue.

    Args:
        told: one test, as `flows.verbs.ab.validate_ab` tells it.
    """
    betting = told.get("method", "betting") == "betting"
    return [_row(one, betting) for one in told["proofs"]]


def ab_days_sentences(said: Mapping[str, Any]) -> list[str]:
    """The days that a proposal's A/B test needs, in sentences; of a dossier's `ab_days`."""
    horizon = f"{said['horizon_days']:,.0f} days"
    if said["cases_per_day"] <= 0.0:
        return [
            f"No case came lately, so the days of its A/B test cannot be told (horizon {horizon})."
        ]
    traffic = f"{said['cases_per_day']:,.0f} cases a day"
    days, by_horizon = said["days"], said["by_horizon"]
    told = (
        f"Its A/B test, simulated at {traffic}: {by_horizon:.0%} of {said['runs']:,} simulated tests prove "
        f"every claim by the horizon of {horizon}"
    )
    if days is None:
        return [
            f"{told}, and no horizon up to {said['most_days']:,.0f} days gives {said['power']:.0%}: "
            f"{_hardest(said)}. A better model or a narrower boundary helps; more days do not."
        ]
    sentences = [
        f"{told}; it takes {days:,.0f} days until {said['power']:.0%} do, {said['maturity_days']:,.0f} of them "
        "before the first case is mature."
    ]
    if days > said["horizon_days"]:
        sentences.append(
            f"So the horizon is too short for this traffic: {_hardest(said)}. Set `horizon_days` of its "
            f"`ab_plan` to {days:,.0f} or more, audit more of what it passes, or expect a test without a "
            "proof (which costs no proof)."
        )
    return sentences


def _hardest(said: Mapping[str, Any]) -> str:
    claim = said["hardest"]
    share = said["by_claim"][claim]
    return f"that the new boundary {NAMES[claim]} is proven in {share:.0%} of the simulated tests by then"


def _row(one: Mapping[str, Any], betting: bool) -> dict[str, str]:
    state = "proven" if one["proven"] else "not proven so far"
    row = {"the new boundary": NAMES.get(one["claim"], str(one["claim"]).replace("_", " "))}
    if not one["tested"]:
        return {**row, "state": _UNTESTED, "chance if it were untrue": "-", "proven at": "-"}
    if betting:
        shown, needed = odds(one["evidence"]), odds(one["needed"])
        return {**row, "state": state, "chance if it were untrue": shown, "proven at": needed}
    shown, needed = f"z-score {one['evidence']:.2f}", f"z-score {one['needed']:.2f}"
    return {**row, "state": state, "chance if it were untrue": shown, "proven at": needed}


def ab_sentences(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each test's verdict, why, and what comes next."""
    found = []
    for one in tests:
        verdict = str(one["verdict"]).replace("_", " ")
        found.append(f"{one['case_type']}: {verdict}. {' '.join(one['reasons'])}")
        if one.get("next"):
            found.append(str(one["next"]))
    return found
