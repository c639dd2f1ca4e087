"""Which claims must a new boundary prove in its A/B, and what does each case say about them?

A claim is a sum over cases: 'E[z] > 0', where z is what a case of one kind contributes. Its
hypothesis, 'E[z] <= 0', is what a bettor or a z-score plays against (METHODS 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.boundary.ab.ab_rows import BoolArray, CaseKinds, FloatArray
from models.vocabulary import Targets


@dataclass(frozen=True, eq=False)
class Claim:
    """One linear claim about the whole policy.

    Attributes:
        name: "automation", or the promise's name in `Targets`.
        z: what a case of each kind contributes, shape (kinds,).
        largest_loss: z is never below minus this, by design.
        least_square: a contribution whose sum is at least the second moment of z where the claim
            is only just untrue, shape (kinds,). Keeps a z-score honest while errors are rare.
    """

    name: str
    z: FloatArray
    largest_loss: float
    least_square: FloatArray


@dataclass(frozen=True, slots=True)
class LargestWeights:
    """The largest weights by design, never as seen, each at least 1.

    Attributes:
        pass_agreed: of a case that both policies pass.
        block_agreed: of a case that both policies block.
        moved: of a treated case to which the policies answer differently.
    """

    pass_agreed: float
    block_agreed: float
    moved: float

    @property
    def passed(self) -> float:
        return max(self.pass_agreed, self.moved)

    @property
    def blocked(self) -> float:
        return max(self.block_agreed, self.moved)


def automation_claim(kinds: CaseKinds, margin: float) -> Claim:
    """The treatment decides more cases by itself than the control, by more than `margin`.

    Both policies answer every case, so the difference is taken case by case, over both arms; truth
    plays no part, hence neither do weights.
    """
    treatment = kinds.treatment_passes | kinds.treatment_blocks
    control = kinds.control_passes | kinds.control_blocks
    z = treatment.astype(np.float64) - control - margin
    return Claim("automation", z, 1.0 + margin, np.full(len(z), margin * (1.0 - margin)))


def precision_claim(kinds: CaseKinds, precision: float, largest: LargestWeights) -> Claim:
    """More than `precision` of what the treatment blocks is bad; a missing label counts as good."""
    z = _share(kinds, kinds.treatment_blocks, ~kinds.bad, 1.0 - precision)
    spread = kinds.weight**2 * kinds.treatment_blocks * precision * (1.0 - precision)
    return Claim("precision", z, precision * largest.blocked, spread)


def false_omission_claim(kinds: CaseKinds, limit: float, largest: LargestWeights) -> Claim:
    """Less than `limit` of what the treatment passes is bad; a missing label counts as bad."""
    z = _share(kinds, kinds.treatment_passes, kinds.bad | kinds.missing, limit)
    spread = kinds.weight**2 * kinds.treatment_passes * limit * (1.0 - limit)
    return Claim("false_omission_rate", z, (1.0 - limit) * largest.passed, spread)


def recall_claim(kinds: CaseKinds, recall: float, largest: LargestWeights) -> Claim:
    """Less than 1 - `recall` of all bad cases is passed by the treatment.

    It is the same as 'the moved pass band adds fewer misses than beta * B - M(a0)', with all three
    estimated from one sample. A missing label is a miss where it would be passed, and no bad case
    elsewhere.
    """
    beta = 1.0 - recall
    passed = kinds.treatment_passes
    counted = kinds.bad | (kinds.missing & passed)
    z = kinds.weight * counted * np.where(passed, -(1.0 - beta), beta)
    # At the boundary a share beta of the bad cases' weight is missed, at most at the largest weight.
    spread = kinds.weight * counted * beta * (1.0 - beta) * largest.passed
    return Claim("recall", z, (1.0 - beta) * largest.passed, spread)


def absolute_claims(
    kinds: CaseKinds, targets: Targets, largest: LargestWeights
) -> tuple[Claim, ...]:
    """The promises the treatment is held to, one claim each, where it makes such decisions at all."""
    claims = []
    if targets.precision is not None:
        claims.append(precision_claim(kinds, targets.precision, largest))
    if targets.recall is not None:
        claims.append(recall_claim(kinds, targets.recall, largest))
    if targets.false_omission_rate is not None:
        claims.append(false_omission_claim(kinds, targets.false_omission_rate, largest))
    return tuple(claims)


def refuting_claims(
    kinds: CaseKinds, targets: Targets, largest: LargestWeights
) -> tuple[Claim, ...]:
    """The opposites: each promise is broken. A missing label now speaks for the treatment."""
    claims = []
    if targets.precision is not None:
        good = kinds.bad | kinds.missing
        z = _share(kinds, kinds.treatment_blocks, good, targets.precision)
        claims.append(_opposite("precision", z, (1.0 - targets.precision) * largest.blocked))
    if targets.recall is not None:
        beta, passed = 1.0 - targets.recall, kinds.treatment_passes
        counted = kinds.bad | (kinds.missing & ~passed)
        z = kinds.weight * counted * np.where(passed, 1.0 - beta, -beta)
        claims.append(_opposite("recall", z, beta * max(largest.passed, largest.blocked)))
    if targets.false_omission_rate is not None:
        limit = targets.false_omission_rate
        z = _share(kinds, kinds.treatment_passes, ~kinds.bad, 1.0 - limit)
        claims.append(_opposite("false_omission_rate", z, limit * largest.passed))
    return tuple(claims)


def _share(kinds: CaseKinds, among: BoolArray, error: BoolArray, limit: float) -> FloatArray:
    """z of 'the share of `error` among them is below `limit`'."""
    z: FloatArray = kinds.weight * among * (limit - error)
    return z


def _opposite(name: str, z: FloatArray, largest_loss: float) -> Claim:
    return Claim(name, z, largest_loss, np.zeros(len(z)))
