"""Does one reviewer carry a certificate? (METHODS 6)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.proof.certificate import certify
from models.boundary.proof.evidence import BoolArray, Evidence, FloatArray
from models.reviewers.decisive_labels import ReviewerArray, decisive_shares, names
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets

Decide = Callable[[Evidence, Targets, Boundary | None], Certificate]
"""Makes a certificate of evidence, targets and incumbent, as `certify` does."""


@dataclass(frozen=True, eq=False)
class ReviewerInfluence:
    """What becomes of a certificate when one person's labels are left out.

    Attributes:
        certificate: with everybody's labels.
        shares: each person's share of its decisive labels, largest first; index reviewer.
        flipped_by: (reviewer, share) of those without whom a side that the certificate widens is
            not widened at all; the largest share first.
        supported: the narrowest boundary found without anybody; what nobody carries.
    """

    certificate: Certificate
    shares: pd.Series
    flipped_by: tuple[tuple[str, float], ...]
    supported: Boundary

    @property
    def holds(self) -> bool:
        """No person's labels carry the certificate."""
        return not self.flipped_by


def leave_one_reviewer_out(
    evidence: Evidence,
    reviewer: ReviewerArray,
    targets: Targets,
    incumbent: Boundary | None = None,
    decide: Decide = certify,
    *,
    cap: float = 0.25,
) -> ReviewerInfluence:
    """Make the certificate again without each person who has a decisive label.

    A person's cases are taken out whole, see `without_reviewer`. A side that the certificate
    widens must still be widened without anybody, if perhaps less far. A first certificate is
    often so narrow that any eighth of the labels would turn it, whoever gave them: a person up to
    the cap carries it only where as many labels taken evenly from everybody would not have turned
    it too (ADR 12). A certificate that is not `certified` is carried by nobody.

    Args:
        evidence: as the certificate was made from.
        reviewer: who reviewed each case first, shape (cases,); "" or missing: nobody did.
        cap: the largest share of the decisive labels that one person may have.

    Raises:
        ValueError: not one reviewer a case.
    """
    people = names(evidence, reviewer)
    certificate = decide(evidence, targets, incumbent)
    shares = decisive_shares(evidence, people, targets, certificate.boundary)
    if certificate.verdict is not CertificateVerdict.CERTIFIED:
        return ReviewerInfluence(certificate, shares, (), certificate.boundary)
    today = incumbent or Boundary.everything_reviewed()
    flipped: list[tuple[str, float]] = []
    found = [certificate.boundary]
    for name, share in shares.items():
        rest = without_reviewer(evidence, people, str(name), today)
        again = decide(rest, targets, incumbent).boundary
        found.append(again)
        if not _loses_a_side(certificate.boundary, again, today):
            continue
        if share <= cap:
            fewer = without_equal_share(evidence, people, str(name), today)
            as_many = decide(fewer, targets, incumbent).boundary
            if _loses_a_side(certificate.boundary, as_many, today):
                continue
        flipped.append((str(name), float(share)))
    return ReviewerInfluence(certificate, shares, tuple(flipped), _narrowest(found))


def without_reviewer(
    evidence: Evidence, reviewer: ReviewerArray, name: str, incumbent: Boundary
) -> Evidence:
    """The evidence as it would be had this person's part of the cases never been opened.

    Taking the labels alone would break the design. Drawn cases without a label count as the worst
    case, and no certificate would survive that; called 'not drawn', they would leave `propensity`
    too large for the labels that stay, and errors would weigh too little. Who reviews a case does
    not depend on its truth, so a person's cases are a random part of those reviewed: out they go
    whole, and with them the same part of the cases that nobody reviewed (not drawn, or still
    without a label). Within each stratum (zone of the incumbent, designed weight, automatable or
    not) the reviewed share, and so the propensity, stays what it was; evenly along the scores, so
    that the same evidence always gives the same answer.
    """
    people = names(evidence, reviewer)
    theirs = people == name
    stratum = _strata(evidence, incumbent)
    unlabelled = ~evidence.labelled & ~theirs
    taken = theirs | _thinned(evidence, unlabelled, stratum, _part(evidence, theirs, stratum))
    return evidence.only(~taken)


def without_equal_share(
    evidence: Evidence, reviewer: ReviewerArray, name: str, incumbent: Boundary
) -> Evidence:
    """As much evidence as `without_reviewer` leaves, but everybody's labels thinned alike: what is
    lost by the number of labels alone, whoever gave them."""
    theirs = names(evidence, reviewer) == name
    stratum = _strata(evidence, incumbent)
    everybody = np.ones(len(evidence), dtype=np.bool_)
    part = _part(evidence, theirs, stratum)
    return evidence.only(~_thinned(evidence, everybody, stratum, part))


def _part(evidence: Evidence, theirs: BoolArray, stratum: npt.NDArray[np.int64]) -> FloatArray:
    """What part of each stratum's labelled cases is theirs; shape (strata,)."""
    size = int(stratum.max(initial=-1)) + 1
    known = np.bincount(stratum[evidence.labelled | theirs], minlength=size)
    return np.bincount(stratum[theirs], minlength=size) / np.maximum(known, 1)


def _thinned(
    evidence: Evidence, among: BoolArray, stratum: npt.NDArray[np.int64], part: FloatArray
) -> BoolArray:
    """A part of the cases `among` each stratum, taken evenly along the scores; shape (cases,)."""
    taken = np.zeros(len(evidence), dtype=np.bool_)
    at = np.flatnonzero(among)
    at = at[
        np.lexsort((evidence.score[at], evidence.labelled[at], evidence.drawn[at], stratum[at]))
    ]
    share = part[stratum[at]]
    begins = np.searchsorted(stratum[at], stratum[at], side="left")
    rank = np.arange(len(at)) - begins
    # Systematic thinning: a case is taken wherever the running share passes a whole number.
    taken[at] = np.floor((rank + 1) * share + 0.5) > np.floor(rank * share + 0.5)
    return taken


def _strata(evidence: Evidence, incumbent: Boundary) -> npt.NDArray[np.int64]:
    """Number of each case's stratum, 0, 1, ...; shape (cases,)."""
    zone = np.ones(len(evidence), dtype=np.int64)
    zone[evidence.score <= _low(incumbent)] = 0
    zone[evidence.score >= _high(incumbent)] = 2
    keys = pd.DataFrame(
        {"zone": zone, "pi": evidence.propensity, "automatable": evidence.automatable}
    )
    number = keys.groupby(["zone", "pi", "automatable"]).ngroup()
    return np.asarray(number, dtype=np.int64)


def _loses_a_side(proposed: Boundary, again: Boundary, today: Boundary) -> bool:
    pass_lost = _low(proposed) > _low(today) >= _low(again)
    block_lost = _high(proposed) < _high(today) <= _high(again)
    return pass_lost or block_lost


def _narrowest(boundaries: list[Boundary]) -> Boundary:
    low, high = min(map(_low, boundaries)), max(map(_high, boundaries))
    return Boundary(None if low == -np.inf else low, None if high == np.inf else high)


def _low(boundary: Boundary) -> float:
    return -np.inf if boundary.pass_at_or_below is None else boundary.pass_at_or_below


def _high(boundary: Boundary) -> float:
    return np.inf if boundary.block_at_or_above is None else boundary.block_at_or_above
