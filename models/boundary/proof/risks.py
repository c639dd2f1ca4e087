"""What can be promised about automatic decisions, and for which promises is there a proof?

A risk is a value: an error (an occurrence) among some cases (a condition), as in risk control
(Bates et al. 2021; Angelopoulos et al. 2021, Learn then Test). A promise limits its share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.boundary.proof.evidence import BoolArray
from models.vocabulary import Targets


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a boundary did with cases whose truth is known; each of shape (cases,).

    Raises:
        ValueError: the shapes differ, or a case was both passed and blocked.
    """

    passed: BoolArray
    blocked: BoolArray
    bad: BoolArray

    def __post_init__(self) -> None:
        shapes = {self.passed.shape, self.blocked.shape, self.bad.shape}
        if len(shapes) != 1:
            raise ValueError(f"passed, blocked and bad must have one shape, got {sorted(shapes)}")
        if (self.passed & self.blocked).any():
            raise ValueError("a case was both passed and blocked; a boundary does one or neither")


Part = Callable[[Outcomes], BoolArray]


@dataclass(frozen=True, slots=True)
class Risk:
    """A promise's name, and what it is about.

    Attributes:
        error: the occurrence, as a mask of cases.
        among: the condition, as a mask of cases.
        kept: the promise is stated as the share *without* the error (precision, recall, accuracy).
        no_certificate: why nothing proves it, as a sentence for people; None: a certificate can.
    """

    name: str
    error: Part
    among: Part
    kept: bool
    no_certificate: str | None = None

    def counts(self, outcomes: Outcomes) -> tuple[int, int]:
        """(cases with the error, cases it could occur among)."""
        among = self.among(outcomes)
        return int((among & self.error(outcomes)).sum()), int(among.sum())

    def error_limit(self, target: float) -> float:
        """The largest error share that a target allows."""
        return 1.0 - target if self.kept else target

    def as_stated(self, error_share: float) -> float:
        """An error share as people state this risk."""
        return 1.0 - error_share if self.kept else error_share


def _missed(seen: Outcomes) -> BoolArray:
    return seen.passed & seen.bad


def _wrong(seen: Outcomes) -> BoolArray:
    return _missed(seen) | (seen.blocked & ~seen.bad)


PRECISION = Risk(
    "precision", error=lambda seen: ~seen.bad, among=lambda seen: seen.blocked, kept=True
)
RECALL = Risk("recall", error=_missed, among=lambda seen: seen.bad, kept=True)
FALSE_OMISSION_RATE = Risk(
    "false_omission_rate", error=_missed, among=lambda seen: seen.passed, kept=False
)
ACCURACY = Risk(
    "accuracy",
    error=_wrong,
    among=lambda seen: seen.passed | seen.blocked,
    kept=True,
    no_certificate=(
        "it binds both sides at once, and a cut proven for one side says nothing about the pair; "
        "promise precision with a false omission rate, which together imply it"
    ),
)
EXPECTED_LOSS = Risk(
    "expected_loss",
    error=_wrong,
    among=lambda seen: np.ones(seen.bad.shape, dtype=np.bool_),
    kept=False,  # `counts` are of wrong decisions among all cases; the promise is on their amounts
    no_certificate=(
        "amounts have no upper limit, so no number of labels rules out a rare large loss; promise "
        "a false omission rate, and set never_auto_pass_above_usd"
    ),
)

RISKS = MappingProxyType(
    {risk.name: risk for risk in (PRECISION, RECALL, FALSE_OMISSION_RATE, ACCURACY, EXPECTED_LOSS)}
)
"""By the name that `Targets` gives them."""


def certifiable(targets: Targets) -> tuple[str, ...]:
    """The promises made that a certificate can prove, by name."""
    return tuple(name for name in targets.named() if RISKS[name].no_certificate is None)


def without_certificate(targets: Targets) -> tuple[str, ...]:
    """A plain sentence for each promise made that nothing here proves."""
    return tuple(
        f"There is no certificate for {name.replace('_', ' ')}: {why}."
        for name in targets.named()
        if (why := RISKS[name].no_certificate) is not None
    )
