"""May a challenger be put under test?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.comparison.comparison import Comparison
from models.comparison.figures import GUARDS, METRICS, PRIMARY, Compared


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much better than the champion a challenger must be on one metric, or may be worse.

    Changes count in the metric's good direction: 0.01 asks for an improvement by 0.01, 0 that it is
    not worse, -0.01 allows a fall by 0.01. What is asked for (positive) must be proven: the
    unfavourable end of the difference's interval reaches it. What is allowed (zero or negative) must
    not be refuted: the favourable end reaches it. A relative change is a share of the champion's
    figure. With both, both must hold.

    Raises:
        ValueError: neither is given, or one is not finite.
    """

    min_absolute_change: float | None = None
    min_relative_change: float | None = None

    def __post_init__(self) -> None:
        given = [
            one for one in (self.min_absolute_change, self.min_relative_change) if one is not None
        ]
        if not given or not all(math.isfinite(one) for one in given):
            raise ValueError(
                "a threshold needs a finite min_absolute_change or min_relative_change, e.g. 0 for "
                f"'not worse'; got {self.min_absolute_change!r} and {self.min_relative_change!r}"
            )


NOT_WORSE = Threshold(min_absolute_change=0.0)

DEFAULT_THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    dict.fromkeys((PRIMARY, *GUARDS), NOT_WORSE)
)
"""No judged metric may be significantly worse (`GUARDS` says why these)."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a challenger may be put under test.

    Attributes:
        passed: no rule failed.
        failures: rule's name -> why, as a sentence for people.
        checked: every rule's name, in the order in which it was asked.
    """

    passed: bool
    failures: Mapping[str, str]
    checked: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(self.failures.values())

    def sentence(self) -> str:
        """For a run's note."""
        if self.passed:
            return f"The challenger may be put under test: none of {len(self.checked)} rules speaks against it."
        failed = f"{len(self.failures)} of {len(self.checked)} rules failed"
        return f"The challenger is not put under test ({failed}). " + " ".join(self.reasons)

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {
            "passed": self.passed,
            "sentence": self.sentence(),
            "failures": dict(self.failures),
            "checked": list(self.checked),
        }


def gate(
    comparison: Comparison,
    thresholds: Mapping[str, Threshold] = DEFAULT_THRESHOLDS,
    *,
    allow_slice_regressions: bool = False,
) -> GateVerdict:
    """Judge a comparison by the bounds of its intervals, never by a point estimate.

    The primary metric is judged at the comparison's confidence; the others share one error rate
    (Bonferroni). A challenger of the champion's quality is therefore refused with a probability of
    at most 1.5 times `1 - confidence`: half of it for the primary metric, for the others together,
    and for the slices. No difference passes. What is not estimable passes where a fall would have
    to be proven, and fails where an improvement was asked for; too few cases to compare at all
    fail.

    Args:
        thresholds: metric's name -> what is asked of it.
        allow_slice_regressions: let a slice that got worse (after false-discovery control) pass.

    Raises:
        ValueError: a threshold names no metric.
    """
    unknown = [repr(name) for name in thresholds if name not in METRICS]
    if unknown:
        raise ValueError(
            f"there is no metric {', '.join(unknown)} to judge; there are {', '.join(METRICS)}"
        )
    if comparison.verdict == "not_estimable":
        why = f"{comparison.sentence()} Compare again when more later cases are labelled."
        return GateVerdict(False, MappingProxyType({"enough_cases": why}), ("enough_cases",))
    checked = ["enough_cases", *thresholds]
    sharing = max(sum(name != PRIMARY for name in thresholds), 1)
    failures: dict[str, str] = {}
    for name, threshold in thresholds.items():
        lost = 1.0 - comparison.confidence
        confidence = 1.0 - (lost if name == PRIMARY else lost / sharing)
        why = _failure(comparison.metric(name), threshold, confidence)
        if why:
            failures[name] = why
    if not allow_slice_regressions:
        checked.append("slices")
        worse = [one.slice for one in comparison.slices if one.worse_on]
        if worse:
            failures["slices"] = (
                f"Worse on {', '.join(worse)}: no slice may get significantly worse."
            )
    return GateVerdict(not failures, MappingProxyType(failures), tuple(checked))


def _failure(compared: Compared, threshold: Threshold, confidence: float) -> str:
    """Why a metric fails its threshold, or ""."""
    wanted = _wanted(compared, threshold)
    interval = compared.difference.at(confidence) if compared.difference is not None else None
    title = compared.metric.title[0].upper() + compared.metric.title[1:]
    if interval is None:
        asked = any(one > 0.0 for one in wanted)
        return f"{title} is not estimable, and an improvement was asked for." if asked else ""
    low, high = interval if compared.metric.higher_is_better else (-interval[1], -interval[0])
    for least in wanted:
        proven = low >= least if least > 0.0 else high >= least
        if not proven:
            told = compared.told_change(confidence)
            return f"{title} changed by {told}; {_asked(compared, least)}."
    return ""


def _wanted(compared: Compared, threshold: Threshold) -> list[float]:
    """The least change in the good direction, in the metric's unit."""
    wanted = []
    if threshold.min_absolute_change is not None:
        wanted.append(threshold.min_absolute_change)
    if threshold.min_relative_change is not None:
        champion = abs(compared.champion.value) if compared.champion is not None else math.nan
        # Without a champion's figure there is no difference either; only the sign is read then.
        scale = champion if math.isfinite(champion) else 1.0
        wanted.append(threshold.min_relative_change * scale)
    return wanted


def _asked(compared: Compared, least: float) -> str:
    if least == 0.0:
        return "it may not get significantly worse"
    change = compared.metric.told_change(least if compared.metric.higher_is_better else -least)
    return f"{change} {'was asked for' if least > 0.0 else 'is the most that is allowed'}"
