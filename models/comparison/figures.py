"""Which figures stand in a comparison of two models, and how sure is each?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from scipy.special import ndtri, stdtrit

Change = Literal["better", "worse", "unclear"]

PRIMARY = "log_loss"
"""The one metric that decides the verdict, declared before any row is seen.

Log loss is a strictly proper score: it is smallest in expectation for the true probabilities, so it
rewards ranking and calibration together, and both are needed, since boundaries are cuts on
calibrated scores. AUC sees ranking alone and stands beside it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What one figure is, for people: its title, its unit and which way is better."""

    name: str
    title: str
    higher_is_better: bool
    unit: Literal["nats", "area", "share", "usd"]

    def told(self, value: float, low: float | None = None, high: float | None = None) -> str:
        """A figure as people write it, with its interval where there is one."""
        return _told(_FIGURES[self.unit], value, low, high)

    def told_change(self, value: float, low: float | None = None, high: float | None = None) -> str:
        """A difference with its sign; of shares in percentage points."""
        number, unit, scale = _FIGURES[self.unit]
        points = " points" if self.unit == "share" else unit
        return _told((f"+{number}", points, scale), value, low, high)


_FIGURES = {
    "nats": (".4f", "", 1.0),
    "area": (".4f", "", 1.0),
    "share": (".2f", " %", 100.0),
    "usd": (".3f", " USD", 1.0),
}
"""Format, unit and scale of a figure."""


def _told(
    figure: tuple[str, str, float], value: float, low: float | None, high: float | None
) -> str:
    number, unit, scale = figure
    text = f"{value * scale:{number}}{unit}"
    if low is None or high is None:
        return text
    return f"{text} ({low * scale:{number}} to {high * scale:{number}})"


_CATALOGUE = (
    Metric("log_loss", "log loss", False, "nats"),
    Metric("auc", "AUC", True, "area"),
    Metric("recall", "recall at the live boundary", True, "share"),
    Metric("precision", "precision at the live boundary", True, "share"),
    Metric("automation", "automation at the live boundary", True, "share"),
    Metric("expected_loss_usd", "expected loss at the live boundary", False, "usd"),
    Metric("recall_same_automation", "recall at the same automation", True, "share"),
    Metric("precision_same_automation", "precision at the same automation", True, "share"),
    Metric("automation_certified", "automation at the certified boundary", True, "share"),
)
METRICS = MappingProxyType({metric.name: metric for metric in _CATALOGUE})
"""By name, in the order in which they are reported."""

GUARDS = ("auc", "recall_same_automation", "precision_same_automation", "expected_loss_usd")
"""Metrics that may not get significantly worse while the primary one gets better.

At the live boundary's scores the two models automate different amounts, so a sharper model may lose
recall there only because it decides more cases. There the money is judged, which has a price for
every error and every review; recall and precision are judged where both models pass the same share
of cases and block the same share."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One model's figure with its interval; None bounds: the interval is not estimable."""

    value: float
    low: float | None
    high: float | None

    def plain(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """Challenger minus champion.

    Attributes:
        value: the difference as it was seen.
        low, high: its interval at the comparison's confidence, or None: not estimable.
        standard_error, degrees_of_freedom: of Student's t, from which the interval is made.
        p_value: two-sided, against no difference.
        largest: no difference of this metric can be larger (1 for shares).
    """

    value: float
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    p_value: float | None = None
    largest: float = math.inf

    def at(self, confidence: float) -> tuple[float, float] | None:
        """The interval at another confidence; None: not estimable."""
        if self.standard_error is None or self.degrees_of_freedom is None:
            return None
        reach = self.standard_error * student_quantile(confidence, self.degrees_of_freedom)
        return max(self.value - reach, -self.largest), min(self.value + reach, self.largest)

    def plain(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high, "p_value": self.p_value}


def student_quantile(confidence: float, degrees_of_freedom: float) -> float:
    """How many standard errors an interval reaches to either side."""
    upper = 0.5 + 0.5 * confidence
    # The library's own function knows no infinite degrees of freedom.
    normal = math.isinf(degrees_of_freedom)
    return float(ndtri(upper) if normal else stdtrit(degrees_of_freedom, upper))


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of both models on the same rows.

    Attributes:
        metric: what it is.
        champion, challenger: each model's own figure, or None: not estimable.
        difference: challenger minus champion, or None: not estimable.
        why_not: what is not estimable and why, as a sentence for people; "" where everything is.
        change: what the difference's interval proves at `judged_at`; never a point estimate.
        judged_at: the confidence at which `change` was judged. The guards share one error rate, so
            theirs is higher than that of the interval shown.
    """

    metric: Metric
    champion: Estimate | None
    challenger: Estimate | None
    difference: Difference | None
    why_not: str = ""
    judged_at: float = 0.95

    @property
    def change(self) -> Change:
        interval = self.difference.at(self.judged_at) if self.difference is not None else None
        if interval is None:
            return "unclear"
        low, high = interval
        if low > 0.0:
            return "better" if self.metric.higher_is_better else "worse"
        if high < 0.0:
            return "worse" if self.metric.higher_is_better else "better"
        return "unclear"

    def told_change(self, confidence: float) -> str:
        """The difference with its interval at the given confidence, for a sentence."""
        if self.difference is None:
            return "not estimable"
        told, interval = self.metric.told_change, self.difference.at(confidence)
        value = told(self.difference.value)
        if interval is None:
            return f"{value}, interval not estimable"
        low, high = (told(bound).split()[0] for bound in interval)
        return f"{value}, {100.0 * confidence:.4g} % interval {low} to {high}"

    def plain(self) -> dict[str, object]:
        return {
            "metric": self.metric.name,
            "title": self.metric.title,
            "higher_is_better": self.metric.higher_is_better,
            "champion": self.champion.plain() if self.champion else None,
            "challenger": self.challenger.plain() if self.challenger else None,
            "difference": self.difference.plain() if self.difference else None,
            "change": self.change,
            "judged_at": self.judged_at,
            "why_not": self.why_not,
        }
