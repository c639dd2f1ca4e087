"""How many more labels would prove a wider boundary? (METHODS 2)

The price is the size at which the very test that will be used succeeds with a probability of 80 %
(planned at 85 %), when the true error share is 30 % of its limit; see `models.boundary.price.power`.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.boundary.price.power import POWER, TRUE_SHARE, Design, outlooks
from models.boundary.proof.bounds import trials_for_power
from models.boundary.proof.candidates import FIRST_BLOCKS
from models.boundary.proof.evidence import Evidence
from models.boundary.proof.risks import RISKS
from models.vocabulary import Boundary, Targets


def labels_needed(
    evidence: Evidence,
    targets: Targets,
    shares: Mapping[str, float],
    incumbent: Boundary,
    tests: Mapping[str, str],
) -> dict[str, int]:
    """Labels still needed by zone ("pass", "block"); a zone with enough is left out.

    Args:
        shares: what each risk may spend of delta.
        tests: the test that judges each zone: "exact", "stratified" or "betting".
    """
    if not evidence.labelled.any():
        return {zone: first_labels(targets, shares, zone) for zone in tests if tests[zone]}
    found = outlooks(Design.as_logged(evidence, incumbent, tests), targets, shares)
    needed = {zone: max(plan.more for plan in plans) for zone, plans in found.items()}
    return {zone: count for zone, count in needed.items() if count > 0}


def first_labels(targets: Targets, shares: Mapping[str, float], zone: str) -> int:
    """Before any label: the cases an exact test would ask for."""
    promised = targets.named()
    return max(
        trials_for_power(RISKS[name].error_limit(promised[name]), shares[name], TRUE_SHARE, POWER)
        for name in (("precision",) if zone == "block" else ("recall", "false_omission_rate"))
        if name in promised
    )


def first_block_floor(targets: Targets, shares: Mapping[str, float], incumbent: Boundary) -> str:
    """Why a first block side costs the same whatever precision is promised, in a sentence, or "".

    Its candidate cuts are laid out before any outcome is seen, and the later of their starts blocks the
    600 highest scores (`candidates.FIRST_BLOCKS`): a price below that is not planned for.
    """
    if targets.precision is None or incumbent.block_at_or_above is not None:
        return ""
    if first_labels(targets, shares, "block") >= max(FIRST_BLOCKS):
        return ""
    return (
        f"(A first block side is planned from {max(FIRST_BLOCKS):,} cases on whose score is at least the "
        f"promised precision, here {targets.precision:g}; a lower promise makes it no cheaper than that.)"
    )


def price_named(needed: Mapping[str, int]) -> str:
    """The sentence that names labels still needed, by zone."""
    price = ", ".join(f"{count:,} in the {zone} zone" for zone, count in needed.items())
    return f"Too little evidence for a proof; labels still needed: {price}."
