"""By which looks is a boundary proven, in numbers that somebody else can compute again? (METHODS 7)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.step_ladder import Ladder
from models.boundary.sequence.certification_sequence import CertificationSequence
from models.boundary.sequence.look_table import LookTable, look_table, looks_within
from models.vocabulary import Boundary


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One cut and its looks, up to the last one taken.

    Attributes:
        cut: the pass or block cut.
        first, phi: of its table (`models.boundary.sequence.look_table`).
        looks: of each look its cases (recall: bad cases), the errors allowed, what was spent up to it,
            and the errors seen at this cut.
    """

    cut: float
    first: int
    phi: float
    looks: tuple[tuple[int, int, float, int], ...]

    @property
    def passes(self) -> bool:
        return any(errors <= allowed for _, allowed, _, errors in self.looks)


@dataclass(frozen=True, slots=True)
class ShownProof:
    """One promise on one side: the error share it allows, the delta of its table, and its steps outward;
    the last one is the boundary's cut."""

    risk: str
    limit: float
    delta: float
    steps: tuple[ShownStep, ...]

    def plain(self) -> dict[str, Any]:
        return {
            "risk": self.risk,
            "limit": self.limit,
            "delta": self.delta,
            "steps": [
                {
                    "cut": step.cut,
                    "first": step.first,
                    "phi": step.phi,
                    "looks": [list(look) for look in step.looks],
                }
                for step in self.steps
            ],
        }


def shown_proofs(
    sequence: CertificationSequence, boundary: Boundary, looks: int
) -> tuple[ShownProof, ...]:
    """The proofs of a boundary by the looks that were taken, counted on the labels as they are now.

    Args:
        sequence: of the model whose boundary it is.
        looks: recall's looks that are on record; later ones show nothing.

    Raises:
        ValueError: a side that decides is not proven by them; the message says which and why.
    """
    promised = sequence.targets.named()
    found: list[ShownProof] = []
    for cut, side, risks in (
        (boundary.pass_at_or_below, "pass", ("recall", "false_omission_rate")),
        (boundary.block_at_or_above, "block", ("precision",)),
    ):
        made = [risk for risk in risks if risk in promised]
        if cut is None:
            continue
        if not made:
            raise ValueError(f"nothing is promised of its {side} side")
        for risk in made:
            recall = risk == "recall"
            found.append(_recall(sequence, cut, looks) if recall else _ladder(sequence, risk, cut))
    return tuple(found)


def _recall(sequence: CertificationSequence, cut: float, looks: int) -> ShownProof:
    targets = sequence.targets
    assert targets.recall is not None
    limit, delta = 1.0 - targets.recall, delta_shares(targets, targets.delta)["recall"]
    taken = [one for one in sequence.looks[:looks] if one.size <= len(sequence.bad_places)]
    if not taken:
        raise ValueError("no look at its recall is on record")
    table = look_table(
        sequence.first,
        limit,
        delta,
        phi=sequence.phi,
        looks=looks_within(sequence.first, taken[-1].size),
    )
    sizes = table.sizes[: len(taken)]
    step = _shown(cut, sequence.first, sequence.phi, table, sequence.misses_at(cut, sizes).tolist())
    if cut > sequence.ceiling or not step.passes:
        raise ValueError(
            f"no look on record proves a recall of {targets.recall:g} at the pass cut {cut:g} by the labels "
            "as they are now"
        )
    return ShownProof("recall", limit, delta, (step,))


def _ladder(sequence: CertificationSequence, risk: str, cut: float) -> ShownProof:
    for ladder in sequence.ladders:
        if ladder.risk == risk and cut in ladder.proven_cuts:
            last = ladder.proven_cuts.index(cut)
            steps = tuple(_step(sequence, ladder, place) for place in range(last + 1))
            weak = next((step for step in steps if not step.passes), None)
            if weak is not None:
                raise ValueError(
                    f"the step at {weak.cut:g} on the way to {cut:g} is not proven by the labels as they "
                    f"are now ({risk})"
                )
            return ShownProof(risk, ladder.limit, ladder.delta, steps)
    raise ValueError(f"no look on record proves the promised {risk} at the cut {cut:g}")


def _step(sequence: CertificationSequence, ladder: Ladder, place: int) -> ShownStep:
    """A proven step's looks, up to the one that proves it."""
    at, seen = ladder.steps[place], ladder.seen(sequence.cohort, place)
    table = ladder.table(place, seen.cases)
    errors = seen.errors_at(table.sizes).tolist()
    passed = [n for n, (e, most) in enumerate(zip(errors, table.allowed, strict=True)) if e <= most]
    until = passed[0] + 1 if passed else len(errors)
    return _shown(at.cut, at.first, at.phi, table, errors[:until])


def _shown(cut: float, first: int, phi: float, table: LookTable, errors: list[int]) -> ShownStep:
    looks = zip(table.sizes, table.allowed, table.spent_by_look, errors, strict=False)
    return ShownStep(
        cut, first, phi, tuple((size, most, spent, int(seen)) for size, most, spent, seen in looks)
    )
