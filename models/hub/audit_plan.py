"""With what designed probability is each automatic decision reviewed under a policy?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.hub.checked import check_names, number
from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """How often an automatically decided case is reviewed all the same (METHODS 2).

    Attributes:
        rate: the designed probability, in (0, 1], wherever nothing below says another.
        salt_id: names, and never reveals, the key of the hash that draws the cases.
        steps: (up to this score, rate), scores rising: a case takes the first step that reaches
            its score.
        block_rate: the rate of automatic blocks; None: as any other case.

    A plan has one spelling: what repeats the rate beside it is left out. A plan of one rate is
    written as it was before there were steps, so that older policies keep their names.

    Raises:
        ValueError: a rate is outside (0, 1], the steps do not rise or repeat a rate, or the key
            has no name.
    """

    rate: float
    salt_id: str = "audit-1"
    steps: tuple[tuple[float, float], ...] = ()
    block_rate: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _rate("audit rate", self.rate))
        if not (isinstance(self.salt_id, str) and self.salt_id):
            raise ValueError("salt_id must name the key that draws the audits")
        object.__setattr__(self, "steps", _steps(self.steps))
        rates = [*(rate for _, rate in self.steps), self.rate]
        if any(one == other for one, other in pairwise(rates)):
            raise ValueError(
                f"audit steps {self.steps!r} repeat a rate (above the last it is {self.rate}); "
                "leave out the step that changes nothing"
            )
        if self.block_rate is not None:
            object.__setattr__(self, "block_rate", _rate("audit block_rate", self.block_rate))
            if self.block_rate == self.rate:
                raise ValueError(
                    f"audit block_rate {self.block_rate} is the rate itself; leave it out"
                )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AuditPlan:
        """The plan a document describes; `steps` and `block_rate` stand in it together or not at all.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
        """
        stepped = bool({"steps", "block_rate"} & set(document))
        known = ("rate", "salt_id", "steps", "block_rate") if stepped else ("rate", "salt_id")
        check_names("policy audit plan", document, known)
        if not stepped:
            return cls(**document)
        steps = document["steps"]
        if not isinstance(steps, list | tuple):
            raise ValueError(f"policy audit plan: steps must be a list of pairs, got {steps!r}")
        plan = cls(**{**document, "steps": tuple(steps)})
        if not plan.steps and plan.block_rate is None:
            raise ValueError(
                "policy audit plan: steps and block_rate say nothing; a plan of one rate is "
                "written without them"
            )
        return plan

    def document(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        plain: dict[str, Any] = {"rate": self.rate, "salt_id": self.salt_id}
        if self.steps or self.block_rate is not None:
            plain["steps"] = [list(step) for step in self.steps]
            plain["block_rate"] = self.block_rate
        return plain

    def rates(self, scores: FloatArray, boundary: Boundary) -> FloatArray:
        """The designed probability of an audit for each case, were it decided automatically.

        Args:
            scores: shape (cases,); NaN where a case cannot be scored (it is never decided).

        Returns:
            Shape (cases,), each in (0, 1].
        """
        tops = np.array([top for top, _ in self.steps])
        by_step = np.array([*(rate for _, rate in self.steps), self.rate])
        found: FloatArray = by_step[np.searchsorted(tops, scores, side="left")]
        if self.block_rate is not None and boundary.block_at_or_above is not None:
            found = np.where(scores >= boundary.block_at_or_above, self.block_rate, found)
        return found

    def cohort_rates(self, boundary: Boundary) -> tuple[float, float]:
        """(cohort rate, block cohort rate) of the cases decided under a boundary (METHODS 1.2, 1.3).

        Below the first every automatic decision is reviewed, whatever its score; below the second
        every automatic block is. 1 while everything is reviewed.
        """
        passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
        anywhere = min([self.rate, *(rate for _, rate in self.steps)])
        block = 1.0 if blocks is None else anywhere if self.block_rate is None else self.block_rate
        return min(1.0 if passes is None else anywhere, block), block


def _rate(name: str, value: object) -> float:
    rate = number(name, value)
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"the {name} must lie in (0, 1], got {value!r}")
    return rate


def _steps(said: Iterable[Sequence[object]]) -> tuple[tuple[float, float], ...]:
    steps = []
    for step in said:
        if isinstance(step, str) or len(step) != 2:
            raise ValueError(f"an audit step is a pair (up to this score, rate), got {step!r}")
        top = number("audit step score", step[0])
        if not 0.0 <= top <= 1.0:
            raise ValueError(f"an audit step ends at a score in [0, 1], got {step[0]!r}")
        steps.append((top, _rate("audit rate of a step", step[1])))
    tops = [top for top, _ in steps]
    if any(one >= other for one, other in pairwise(tops)):
        raise ValueError(f"audit steps must have rising scores, got {tops}")
    return tuple(steps)
