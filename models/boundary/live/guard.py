"""Does the boundary in force still keep its promises, whichever night we ask?"""

from __future__ import annotations

from dataclasses import replace

from models.boundary.live import restarted_bets
from models.boundary.proof.certificate import certify, delta_shares, surfaced_refutes
from models.boundary.proof.evidence import Evidence
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets


def guard(evidence: Evidence, targets: Targets, boundary: Boundary) -> Certificate | None:
    """An alarm with the narrower boundary to fall back to, or None while nothing is refuted.

    The bets against its promises (METHODS 5; `restarted_bets`) are valid on every night, so a sound
    boundary is called refuted with a probability of at most `targets.delta`, ever. So is one whose
    misses that came to light by themselves are alone too many (METHODS 1).

    Args:
        evidence: cases opened since the boundary's own evidence ended, scored by its model. With
            their days, a change is found as soon after good months as after good weeks.
    """
    if not len(evidence):
        return None
    shares = delta_shares(targets, targets.delta)
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    refuted = set()
    if low is not None:
        if targets.recall is not None:
            capital = restarted_bets.recall_refuted(evidence, targets.recall, low)
            refuted |= {"pass"} if capital >= 1.0 / shares["recall"] else set()
        if targets.false_omission_rate is not None:
            capital = restarted_bets.pass_refuted(evidence, targets.false_omission_rate, low)
            refuted |= {"pass"} if capital >= 1.0 / shares["false_omission_rate"] else set()
        if surfaced_refutes(evidence, targets, shares, low):
            refuted.add("pass")
    if high is not None and targets.precision is not None:
        capital = restarted_bets.block_refuted(evidence, targets.precision, high)
        refuted |= {"block"} if capital >= 1.0 / shares["precision"] else set()
    if not refuted:
        return None
    proven = certify(evidence, targets, boundary)
    narrowed = proven.boundary
    if proven.verdict is not CertificateVerdict.INCUMBENT_UNCERTIFIED:
        # The test of a look does not see what the stream has proven: nothing narrower is certain.
        narrowed = Boundary(
            None if "pass" in refuted else low, None if "block" in refuted else high
        )
    why = f"Today's {' and '.join(sorted(refuted))} side is refuted by the evidence; it narrows at once."
    return replace(
        proven,
        verdict=CertificateVerdict.INCUMBENT_UNCERTIFIED,
        boundary=narrowed,
        automation_rate=evidence.automation_rate(narrowed),
        reasons=(why,),
        labels_needed={},
    )
