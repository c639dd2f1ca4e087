"""Which boundary would the labels themselves suggest, and did a boundary keep its promise in truth?

Not a proof: `plug_in_boundary` is what a threshold 'tuned once' on labelled cases gives, and, fed
with the whole truth, the oracle that reports compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.boundary.proof.bounds import share_is_above
from models.boundary.proof.risks import RISKS
from models.vocabulary import Boundary, Targets

_ROUNDING = 1e-9
"""1 - 0.9 is a little less than 0.1 in binary: one miss among ten still meets recall 90 %."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def plug_in_boundary(
    scores: FloatArray, bad: BoolArray, targets: Targets, automatable: BoolArray | None = None
) -> Boundary:
    """The widest boundary whose *observed* risks meet the targets; shapes (cases,)."""
    free = np.ones(len(scores), dtype=np.bool_) if automatable is None else automatable
    order = np.argsort(scores[free], kind="stable")
    s, y = scores[free][order], bad[free][order]
    if not len(s):
        return Boundary.everything_reviewed()
    last_of_run = np.concatenate([s[1:] != s[:-1], [True]])
    missed, passed = np.cumsum(y), np.arange(1, len(s) + 1)
    low = None
    if targets.recall is not None or targets.false_omission_rate is not None:
        fits = last_of_run.copy()
        if targets.recall is not None:
            fits &= missed <= (1.0 - targets.recall) * bad.sum() + _ROUNDING
        if targets.false_omission_rate is not None:
            fits &= missed <= targets.false_omission_rate * passed + _ROUNDING
        low = float(s[np.flatnonzero(fits)[-1]]) if fits.any() else None
    high = None
    if targets.precision is not None:
        first_of_run = np.concatenate([[True], s[1:] != s[:-1]])
        caught, blocked = np.cumsum(y[::-1])[::-1], passed[::-1]
        fits = first_of_run & (caught >= targets.precision * blocked - _ROUNDING)
        high = float(s[np.flatnonzero(fits)[0]]) if fits.any() else None
    if low is not None and high is not None and low >= high:
        low = float(np.nextafter(high, -np.inf))
        low = low if low >= 0.0 else None
    return Boundary(low, high)


@dataclass(frozen=True, slots=True)
class HindsightCounts:
    """What a set of decisions came to, in cases; truth included."""

    cases: int = 0
    bad: int = 0
    auto_passed: int = 0
    auto_blocked: int = 0
    missed: int = 0
    falsely_blocked: int = 0

    @classmethod
    def of(cls, passed: BoolArray, blocked: BoolArray, bad: BoolArray) -> HindsightCounts:
        return cls(
            cases=len(bad),
            bad=int(bad.sum()),
            auto_passed=int(passed.sum()),
            auto_blocked=int(blocked.sum()),
            missed=int((passed & bad).sum()),
            falsely_blocked=int((blocked & ~bad).sum()),
        )

    @property
    def escalated(self) -> int:
        return self.cases - self.auto_passed - self.auto_blocked

    def rates(self) -> dict[str, float | None]:
        """automation_rate and the true risks; None where undefined."""
        return {
            "automation_rate": _share(self.auto_passed + self.auto_blocked, self.cases),
            "true_precision": _complement(_share(self.falsely_blocked, self.auto_blocked)),
            "true_recall": _complement(_share(self.missed, self.bad)),
            "true_false_omission": _share(self.missed, self.auto_passed),
        }

    def broken_promises(self, targets: Targets, delta: float = 0.05) -> tuple[str, ...]:
        """The targets that this truth rejects at 1 - delta (exact binomial; single days are noise)."""
        decided = self.auto_passed + self.auto_blocked
        errors: Mapping[str, tuple[int, int, float | None]] = {
            "precision": (self.falsely_blocked, self.auto_blocked, targets.precision),
            "recall": (self.missed, self.bad, targets.recall),
            "false_omission_rate": (self.missed, self.auto_passed, targets.false_omission_rate),
            "accuracy": (self.missed + self.falsely_blocked, decided, targets.accuracy),
        }
        broken = []
        for name, (wrong, trials, target) in errors.items():
            if target is None:
                continue
            if share_is_above(wrong, trials, RISKS[name].error_limit(target)) <= delta:
                broken.append(name)
        return tuple(broken)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _complement(share: float | None) -> float | None:
    return None if share is None else 1.0 - share
