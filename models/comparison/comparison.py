"""What came of comparing a challenger with the champion, and how is it said in one sentence?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.comparison.figures import PRIMARY, Compared
from models.vocabulary import Boundary

ComparisonVerdict = Literal["better", "worse", "no_difference", "mixed", "not_estimable"]


@dataclass(frozen=True, slots=True)
class SliceCompared:
    """One value of one slicing column.

    Attributes:
        slice: "column=value".
        cases, bad: of this slice.
        metrics: by name: log loss, recall and precision at the same automation.
        worse_on, better_on: names of metrics whose change survives false-discovery control.
        why_not: why the slice was not judged, or "".
    """

    slice: str
    cases: int
    bad: int
    metrics: tuple[Compared, ...] = ()
    worse_on: tuple[str, ...] = ()
    better_on: tuple[str, ...] = ()
    why_not: str = ""

    def plain(self) -> dict[str, object]:
        return {
            "slice": self.slice,
            "cases": self.cases,
            "bad": self.bad,
            "metrics": {compared.metric.name: compared.plain() for compared in self.metrics},
            "worse_on": list(self.worse_on),
            "better_on": list(self.better_on),
            "why_not": self.why_not,
        }


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cases of similar score: what one model predicted and what was observed (weighted)."""

    predicted: float
    observed: float
    low: float
    high: float
    cases: int


@dataclass(frozen=True, slots=True)
class Curves:
    """One model's curves for the page; no row in them.

    `roc` holds (false alarm share, share of bad found) from (0, 0) to (1, 1), thinned.
    """

    roc: tuple[tuple[float, float], ...]
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion against challenger on the same later rows.

    Attributes:
        verdict: what the primary metric's interval says: `better` or `worse` where it excludes
            zero, else `no_difference`; `mixed` where it is better but a guard is significantly
            worse; `not_estimable` where there are too few cases to ask.
        metrics: every metric of both models, in a fixed order.
        slices: every slice value, supported or not, in the given order.
        regressions: a sentence for each metric or slice that got significantly worse.
        live, matched: the champion's boundary, and the challenger's cuts that pass and block the
            same shares.
        champion_certified, challenger_certified: the boundaries of `automation_certified`.
        cases, bad: rows compared. effective_cases: Kish's (1965) number of equally weighted ones.
        champion_curves, challenger_curves: for figures; None where one class is missing.
        confidence, draws, seed: as asked.
    """

    verdict: ComparisonVerdict
    metrics: tuple[Compared, ...]
    slices: tuple[SliceCompared, ...]
    regressions: tuple[str, ...]
    live: Boundary
    matched: Boundary
    champion_certified: Boundary | None
    challenger_certified: Boundary | None
    cases: int
    bad: int
    effective_cases: float
    champion_curves: Curves | None
    challenger_curves: Curves | None
    confidence: float
    draws: int
    seed: int
    why_not: str = ""

    def metric(self, name: str) -> Compared:
        """One metric by its name.

        Raises:
            ValueError: there is none of that name.
        """
        for compared in self.metrics:
            if compared.metric.name == name:
                return compared
        known = ", ".join(compared.metric.name for compared in self.metrics)
        raise ValueError(f"the comparison has no metric {name!r}; it has {known}")

    @property
    def primary(self) -> Compared:
        return self.metric(PRIMARY)

    def sentence(self) -> str:
        """The verdict in one sentence with its figures."""
        raise NotImplementedError

    def plain(self) -> dict[str, object]:
        """For JSON: plain values, no row; what is not estimable is None, with a reason beside it."""
        raise NotImplementedError
