"""How many days until there are enough labels for a proof, at today's audit rate and at two others?

METHODS 2 asks every `insufficient_evidence` to say so. The library's certificate knows labels; days
need the traffic, so a flow adds them with `in_days`.

At today's rate the evidence in hand counts. At another it does not: cases audited at a second rate
form a stratum of their own, and the stratified test, which must take every error as made where
sampling is thinnest, gains next to nothing from the denser part. So the days at half and at double
the rate are counted from a fresh start, as after a promotion. A zone that is reviewed in full has
one rate only: without a boundary there is no audit to plan.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from models.boundary.price.power import Design, outlooks
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.evidence import Evidence
from models.boundary.proof.side_tests import block_tests, pass_tests
from models.vocabulary import Boundary, Certificate, DaysNeeded, Targets

_OTHERS = (0.5, 2.0)
"""Times today's audit rate, capped at 1."""

_LONGEST = 3_650.0
"""Days; a longer wait is no plan, so people read that it is longer, and JSON keeps the number."""


def in_days(
    certificate: Certificate,
    evidence: Evidence,
    targets: Targets,
    incumbent: Boundary | None,
    observed_days: float,
) -> Certificate:
    """The certificate with the days that its missing labels take, and a sentence that says so.

    A certificate that misses no label comes back unchanged.

    Args:
        evidence, targets, incumbent: what the certificate was made from.
        observed_days: days between the evidence's first and last case, above 0; the zones' traffic
            is the evidence's own cases over these days.

    Raises:
        ValueError: `observed_days` is not positive.
    """
    if not certificate.labels_needed:
        return certificate
    today = incumbent or Boundary.everything_reviewed()
    spent = replace(targets, delta=certificate.delta)
    prices = tuple(
        price
        for zone, labels in certificate.labels_needed.items()
        for price in _of_zone(zone, labels, evidence, spent, today, observed_days)
    )
    sentences = [_sentence(zone, prices) for zone in certificate.labels_needed]
    # Right behind the sentence that names the labels.
    reasons = (*certificate.reasons[:1], *filter(None, sentences), *certificate.reasons[1:])
    return replace(certificate, days_needed=prices, reasons=reasons)


def _of_zone(
    zone: str,
    labels: int,
    evidence: Evidence,
    targets: Targets,
    today: Boundary,
    observed_days: float,
) -> list[DaysNeeded]:
    if not observed_days > 0.0:
        raise ValueError(
            f"the evidence spans {observed_days!r} days, so its traffic is unknown; give the days "
            "between its first and its last case"
        )
    tests = {
        "pass": pass_tests(evidence, today).name,
        "block": block_tests(evidence, today).name,
    }
    shares = delta_shares(targets, targets.delta)
    logged = Design.as_logged(evidence, today, tests)
    plans = outlooks(logged, targets, shares)[zone]
    # The promise that asks for the most labels is the one the price named; before any label it
    # named reviewed cases.
    dearest = plans[0] if len(plans) == 1 else max(plans, key=lambda plan: plan.more)
    counted = dearest.labels
    daily = (counted or float(evidence.propensity.sum())) / observed_days
    rate = _lowest_rate(zone, evidence, today)
    found = [DaysNeeded(zone, rate, labels / daily if daily > 0.0 else math.inf, afresh=False)]
    if rate == 1.0 or not evidence.labelled.any():
        return found
    for times in _OTHERS:
        scale = max(
            plan.scale() for plan in outlooks(_denser(logged, times), targets, shares)[zone]
        )
        found.append(DaysNeeded(zone, min(rate * times, 1.0), scale * observed_days, afresh=True))
    return found


def _denser(logged: Design, times: float) -> Design:
    """The same design with every audit rate multiplied, and capped at 1."""
    sampled = logged.propensity < 1.0
    propensity = np.where(sampled, np.minimum(logged.propensity * times, 1.0), 1.0)
    if (propensity == 1.0).all():
        return replace(logged, propensity=propensity, tests=dict.fromkeys(logged.tests, "exact"))
    return replace(logged, propensity=propensity)


def _lowest_rate(zone: str, evidence: Evidence, today: Boundary) -> float:
    """The lowest designed rate of a zone, the one a proof waits for; of all cases, where this model
    automates nothing there yet and another policy's audits are its labels."""
    cut = today.pass_at_or_below if zone == "pass" else today.block_at_or_above
    if cut is None:
        return float(evidence.propensity.min())
    beyond = evidence.score <= cut if zone == "pass" else evidence.score >= cut
    return float(evidence.propensity[evidence.automatable & beyond].min(initial=1.0))


def _sentence(zone: str, prices: tuple[DaysNeeded, ...]) -> str:
    here = [price for price in prices if price.zone == zone]
    now, others = here[0], here[1:]
    at_rate = (
        "with every case reviewed"
        if now.audit_rate == 1.0
        else f"at today's audit rate of {_percent(now.audit_rate)}"
    )
    said = (
        f"The {zone} zone does not have its labels within ten years {at_rate}"
        if now.days > _LONGEST
        else f"The {zone} zone has its labels {_days(now.days)} {at_rate}"
    )
    afresh = [f"{_days(price.days)} at {_percent(price.audit_rate)}" for price in others]
    return said + (f"; from a fresh start {', '.join(afresh)}." if afresh else ".")


def _percent(rate: float) -> str:
    return f"{100.0 * rate:.3g}%"


def _days(days: float) -> str:
    if days > _LONGEST:
        return "not within ten years"
    return f"after {math.ceil(days):,} day{'' if math.ceil(days) == 1 else 's'}"
