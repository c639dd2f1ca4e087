"""May a challenger be put under test?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.comparison.comparison import Comparison
from models.comparison.figures import GUARDS, PRIMARY


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much better than the champion a challenger must be on one metric, or may be worse.

    Changes count in the metric's good direction: +0.01 asks for an improvement by 0.01, 0 that it
    is not worse, -0.01 allows a fall of 0.01. What is asked for (positive) must be proven by the
    unfavourable end of the difference's interval; what is allowed (zero or negative) is broken only
    when the favourable end lies beyond it. A relative change is a share of the champion's figure.
    """

    min_absolute_change: float | None = 0.0
    min_relative_change: float | None = None


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a challenger may be put under test; `reasons` names each rule that it failed."""

    passed: bool
    reasons: tuple[str, ...]
    checked: tuple[str, ...]

    def sentence(self) -> str:
        raise NotImplementedError

    def plain(self) -> dict[str, object]:
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "checked": list(self.checked),
        }


DEFAULT_THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {name: Threshold() for name in (PRIMARY, *GUARDS)}
)


def gate(
    comparison: Comparison,
    thresholds: Mapping[str, Threshold] = DEFAULT_THRESHOLDS,
    *,
    slice_regressions_allowed: bool = False,
) -> GateVerdict:
    """Judge a comparison by thresholds on its metrics."""
    raise NotImplementedError
