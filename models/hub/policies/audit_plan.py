"""With what designed probability is each automatic decision reviewed under a policy?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.hub.policies.canonical import in_utc, utc_stamp
from models.hub.record.checked import check_names, number
from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """How often an automatically decided case is reviewed all the same (METHODS 2).

    Attributes:
        rate: the designed probability, in (0, 1], wherever nothing below says another.
        salt_id: names, and never reveals, the key of the hash that draws the cases.
        steps: (up to this score, rate), scores rising: a case takes the first step that reaches
            its score.
        block_rate: the rate of automatic blocks; None: as any other case.
        sprint_rate: the least rate of every automatic decision, whatever its score, until the
            sprint ends; None: there is no sprint.
        sprint_until: when it ends by itself (tz-aware): a case decided at this instant is no longer
            in it.

    A plan has one spelling: what repeats the rate beside it is left out. A plan of one rate is
    written as it was before there were steps, and a plan without a sprint as before there were
    sprints, so that older policies keep their names.

    Raises:
        ValueError: a rate is outside (0, 1], the steps do not rise or repeat a rate, the key has no
            name, or a sprint has no end, no rate, or raises nothing.
    """

    rate: float
    salt_id: str = "audit-1"
    steps: tuple[tuple[float, float], ...] = ()
    block_rate: float | None = None
    sprint_rate: float | None = None
    sprint_until: datetime | None = None

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
        self._check_sprint()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AuditPlan:
        """The plan a document describes; `steps` and `block_rate` stand in it together or not at all,
        and so do `sprint_rate` and `sprint_until`.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
        """
        stepped = bool({*_STEPPED} & set(document))
        sprints = bool({*_SPRINT} & set(document))
        known = ("rate", "salt_id", *_STEPPED * stepped, *_SPRINT * sprints)
        check_names("policy audit plan", document, known)
        if sprints:
            document = {**document, "sprint_until": _stamp(document["sprint_until"])}
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
        if self.sprint_until is not None:
            plain["sprint_rate"] = self.sprint_rate
            plain["sprint_until"] = utc_stamp(self.sprint_until)
        return plain

    def sprints(self, decided_at: pd.Series) -> BoolArray:
        """Whether each case was decided before the sprint's end, shape (cases,); tz-aware stamps.

        A sprint begins with the policy that has it, so no case of it was decided earlier.
        """
        if self.sprint_until is None:
            return np.zeros(len(decided_at), dtype=np.bool_)
        before = decided_at < pd.Timestamp(self.sprint_until)
        return before.to_numpy(dtype=np.bool_)

    def sprints_at(self, at: datetime) -> bool:
        """Whether the sprint lasts at a moment (tz-aware)."""
        return self.sprint_until is not None and at < self.sprint_until

    def rates(
        self, scores: FloatArray, boundary: Boundary, sprinting: BoolArray | bool = False
    ) -> FloatArray:
        """The designed probability of an audit for each case, were it decided automatically.

        Args:
            scores: shape (cases,); NaN where a case cannot be scored (it is never decided).
            sprinting: whether the case is decided within the sprint (`sprints`), for all cases or
                one a case. Left out, the plan is read as it stands once the sprint has ended.

        Returns:
            Shape (cases,), each in (0, 1].
        """
        tops = np.array([top for top, _ in self.steps])
        by_step = np.array([*(rate for _, rate in self.steps), self.rate])
        found: FloatArray = by_step[np.searchsorted(tops, scores, side="left")]
        if self.block_rate is not None and boundary.block_at_or_above is not None:
            found = np.where(scores >= boundary.block_at_or_above, self.block_rate, found)
        if self.sprint_rate is not None:
            found = np.where(sprinting, np.maximum(found, self.sprint_rate), found)
        return found

    def cohort_rates(self, boundary: Boundary, *, sprinting: bool = False) -> tuple[float, float]:
        """(cohort rate, block cohort rate) of the cases decided under a boundary (METHODS 1.2, 1.3).

        Below the first every automatic decision is reviewed, whatever its score; below the second
        every automatic block is. 1 while everything is reviewed.

        Args:
            sprinting: of the cases decided within the sprint, else of those decided after it.
        """
        least = (self.sprint_rate or 0.0) if sprinting else 0.0
        passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
        anywhere = max(self._lowest, least)
        block = (
            1.0
            if blocks is None
            else anywhere
            if self.block_rate is None
            else max(self.block_rate, least)
        )
        return min(1.0 if passes is None else anywhere, block), block

    @property
    def _lowest(self) -> float:
        """The least rate of an automatic decision, blocks of a rate of their own apart."""
        return min([self.rate, *(rate for _, rate in self.steps)])

    def _check_sprint(self) -> None:
        if self.sprint_rate is None and self.sprint_until is None:
            return
        if self.sprint_rate is None or self.sprint_until is None:
            raise ValueError("an audit sprint needs both a sprint_rate and a sprint_until")
        object.__setattr__(self, "sprint_rate", _rate("audit sprint_rate", self.sprint_rate))
        object.__setattr__(self, "sprint_until", in_utc(self.sprint_until))
        if self.sprint_rate <= min(self._lowest, self.block_rate or 1.0):
            raise ValueError(
                f"audit sprint_rate {self.sprint_rate} raises no rate of the plan; give a higher one, "
                "or leave the sprint out"
            )


_STEPPED = ("steps", "block_rate")
_SPRINT = ("sprint_rate", "sprint_until")


def _stamp(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(
            f"policy audit plan: sprint_until must be a UTC stamp as text, got {value!r}"
        )
    return datetime.fromisoformat(value)


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
