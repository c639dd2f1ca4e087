"""What came of comparing a challenger with the champion, and how is it said in one sentence?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.comparison.figures import GUARDS, PRIMARY, Compared
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
        why_not: why nothing could be compared, or "".
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
        if self.verdict == "not_estimable":
            return f"Champion and challenger cannot be compared yet: {self.why_not}."
        return (
            f"{_VERDICTS[self.verdict]}{self._worse_where()}: "
            + "; ".join([self._primary_told(), self._beside(), *self._worse_guards()])
            + "."
        )

    def plain(self) -> dict[str, object]:
        """For JSON: plain values, no row; what is not estimable is None, with a reason beside it."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "primary": PRIMARY,
            "metrics": {compared.metric.name: compared.plain() for compared in self.metrics},
            "slices": [one.plain() for one in self.slices],
            "regressions": list(self.regressions),
            "boundaries": {
                "live": _sides(self.live),
                "matched": _sides(self.matched),
                "champion_certified": _sides(self.champion_certified),
                "challenger_certified": _sides(self.challenger_certified),
            },
            "cases": self.cases,
            "bad": self.bad,
            "effective_cases": self.effective_cases,
            "confidence": self.confidence,
            "draws": self.draws,
            "seed": self.seed,
            "why_not": self.why_not,
        }

    def _primary_told(self) -> str:
        primary = self.primary
        assert primary.champion is not None
        assert primary.challenger is not None
        told = primary.metric.told
        return (
            f"{primary.metric.title} {told(primary.challenger.value)} against the champion's "
            f"{told(primary.champion.value)} ({primary.told_change(self.confidence)}) on {self.cases:,} "
            f"later cases, {self.bad:,} of them bad"
        )

    def _beside(self) -> str:
        auc = self.metric("auc")
        assert auc.champion is not None
        assert auc.challenger is not None
        return (
            f"AUC {auc.metric.told(auc.challenger.value)} against {auc.metric.told(auc.champion.value)} "
            f"({auc.told_change(self.confidence)})"
        )

    def _worse_where(self) -> str:
        """ "overall, worse on ...", or nothing where no slice got worse."""
        worse = [one.slice for one in self.slices if one.worse_on]
        if not worse:
            return ""
        more = f" and {len(worse) - _MOST_NAMED} more" if len(worse) > _MOST_NAMED else ""
        joined = "most surely" if self.verdict == "worse" else "worse"
        return f" overall, {joined} on {', '.join(worse[:_MOST_NAMED])}{more}"

    def _worse_guards(self) -> list[str]:
        return [
            f"{compared.metric.title} is worse ({compared.told_change(compared.judged_at)})"
            for compared in self.metrics
            if compared.metric.name in GUARDS and compared.change == "worse"
        ]


def regression_sentences(
    metrics: tuple[Compared, ...], slices: tuple[SliceCompared, ...], confidence: float
) -> tuple[str, ...]:
    """One for each judged metric that got significantly worse, then for each slice that did."""
    judged = (PRIMARY, *GUARDS)
    overall = [
        f"Worse overall: {compared.metric.title} ({compared.told_change(compared.judged_at)})."
        for compared in metrics
        if compared.metric.name in judged and compared.change == "worse"
    ]
    return (*overall, *(_slice_sentence(one, confidence) for one in slices if one.worse_on))


_VERDICTS = {
    "better": "The challenger is better",
    "worse": "The challenger is worse",
    "no_difference": "No difference between challenger and champion is proven",
    "mixed": "The challenger is better on log loss but worse elsewhere, so it is not better",
}
_MOST_NAMED = 3


def _slice_sentence(one: SliceCompared, confidence: float) -> str:
    changes = "; ".join(
        f"{compared.metric.title} {compared.told_change(confidence)}"
        for compared in one.metrics
        if compared.metric.name in one.worse_on
    )
    return f"Worse on {one.slice}: {changes} ({one.cases:,} cases, {one.bad:,} bad)."


def _sides(boundary: Boundary | None) -> dict[str, float | None] | None:
    if boundary is None:
        return None
    return {
        "pass_at_or_below": boundary.pass_at_or_below,
        "block_at_or_above": boundary.block_at_or_above,
    }
