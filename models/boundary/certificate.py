"""Is a wider boundary proven on this evidence, and if not, what is missing?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.boundary import betting, exact
from models.boundary.bounds import (
    trials_for_power,
    trials_without_error,
    upper_limit,
)
from models.boundary.candidates import (
    FIRST_BLOCKS,
    PASS_SHARES,
    SideTest,
    block_sequences,
    pass_sequences,
)
from models.boundary.evidence import Evidence, FloatArray
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets

CERTIFIABLE = ("precision", "recall", "false_omission_rate")
RECALL_SHARE = 0.7
"""Of delta, when recall and precision are promised together; any other set is split equally."""


def certify(
    evidence: Evidence | pd.DataFrame,
    targets: Targets,
    incumbent: Boundary | None = None,
    reference_scores: FloatArray | None = None,
) -> Certificate:
    """Judge one look at one case type's evidence (METHODS 1).

    Fully reviewed evidence is judged by exact tests (1.1, 1.3); as soon as one case was observed
    with a designed probability below 1, by the betting test on the designed weights (1.4), which
    stays valid at every look as long as `reference_scores` stay the same.

    Args:
        evidence: mature cases in order of time, scored by the model under test; see
            `Evidence.from_frame` for the columns of a table.
        targets: the promises; `targets.delta` is what this one look may spend.
        incumbent: the boundary in force for this model; None: everything is reviewed today.
        reference_scores: scores on which candidate cuts are laid out, fixed before this evidence
            was seen; None: the evidence's own scores (never its outcomes).

    Raises:
        ValueError: the evidence or a target is unusable; the message says why.
    """
    if isinstance(evidence, pd.DataFrame):
        evidence = Evidence.from_frame(evidence)
    incumbent = incumbent or Boundary.everything_reviewed()
    grid = (
        reference_scores if reference_scores is not None else evidence.score[evidence.automatable]
    )
    look = _Look(evidence, targets, incumbent, np.asarray(grid, dtype=np.float64))
    return look.certificate()


def effective_sample(evidence: Evidence, targets: Targets) -> float:
    """What grows until the next look is worth its delta (METHODS 2): bad cases for recall, else
    labelled cases, times the smallest designed probability."""
    if not len(evidence):
        return 0.0
    seen = evidence.bad if targets.recall is not None else evidence.labelled
    return float(seen.sum() * evidence.propensity.min())


def sample_for_first_look(targets: Targets, delta: float) -> int:
    """The effective sample worth a first look: 80 % power at 30 % of the limit (METHODS 2)."""
    shares = delta_shares(targets, delta)
    if targets.recall is not None:
        return trials_for_power(1.0 - targets.recall, shares["recall"])
    if targets.false_omission_rate is not None:
        return trials_for_power(targets.false_omission_rate, shares["false_omission_rate"])
    if targets.precision is not None:
        return trials_for_power(1.0 - targets.precision, shares["precision"])
    return 1


def delta_shares(targets: Targets, delta: float) -> dict[str, float]:
    """How one look's delta is split over the promises that have a certificate."""
    named = [name for name in targets.named() if name in CERTIFIABLE]
    if set(named) == {"recall", "precision"}:
        return {"recall": RECALL_SHARE * delta, "precision": (1.0 - RECALL_SHARE) * delta}
    return {name: delta / len(named) for name in named}


@dataclass(frozen=True)
class _Side:
    """One side of the boundary: what holds today, what each promise proves, and whether today is
    refuted."""

    today: float | None
    tests: tuple[SideTest, ...]
    refuted: bool

    @property
    def proven(self) -> float | None:
        """The widest cut that every promise proves; None: there is none."""
        cuts = [test.cut for test in self.tests if test.cut is not None]
        if not self.tests or len(cuts) < len(self.tests):
            return None
        return self.at_or_below(max(cuts)) if len(cuts) > 1 else cuts[0]

    def at_or_below(self, ceiling: float) -> float | None:
        """The widest *pass* cut up to a ceiling that every promise proves; each may lower it."""
        lowest: float | None = ceiling
        for _ in range(2):  # the second round tells every promise what the others left over
            for test in self.tests:
                lowest = None if lowest is None else test.at_or_below(lowest)
        return lowest

    def chosen(self, wider: bool) -> float | None:
        return self.proven if wider or self.refuted else self.today


class _Look:
    """The steps of one look; each returns a value and changes nothing."""

    def __init__(
        self,
        evidence: Evidence,
        targets: Targets,
        incumbent: Boundary,
        reference_scores: FloatArray | None,
    ) -> None:
        self.evidence = evidence
        self.targets = targets
        self.incumbent = incumbent
        self.on_reference = reference_scores is not None
        self.grid = (
            evidence.score[evidence.automatable]
            if reference_scores is None
            else np.asarray(reference_scores, dtype=np.float64)
        )
        self.shares = delta_shares(targets, targets.delta)
        self.tests = exact if evidence.fully_reviewed else betting

    def certificate(self) -> Certificate:
        no_certificate = [name for name in self.targets.named() if name not in CERTIFIABLE]
        reasons = [
            f"There is no certificate for {name.replace('_', ' ')}." for name in no_certificate
        ]
        if len(self.evidence) == 0:
            return self._answer(
                CertificateVerdict.INSUFFICIENT_EVIDENCE,
                self.incumbent,
                ["No mature case has been scored by this model yet.", *reasons],
            )
        passing, blocking = self._pass_side(), self._block_side()
        wider_pass = _further(passing.proven, passing.today, np.greater)
        wider_block = _further(blocking.proven, blocking.today, np.less)
        boundary = _without_crossing(
            passing, passing.chosen(wider_pass), blocking.chosen(wider_block)
        )
        if passing.refuted or blocking.refuted:
            sides = [
                name for name, side in (("pass", passing), ("block", blocking)) if side.refuted
            ]
            alarm = f"Today's {' and '.join(sides)} side is refuted by the evidence; it narrows at once."
            # An alarm only narrows: what may be wider on the other side waits for its own look.
            narrowed = _without_crossing(passing, passing.chosen(False), blocking.chosen(False))
            return self._answer(
                CertificateVerdict.INCUMBENT_UNCERTIFIED, narrowed, [alarm, *reasons]
            )
        if wider_pass or wider_block:
            sides = [
                name for name, wider in (("pass", wider_pass), ("block", wider_block)) if wider
            ]
            proof = f"A wider {' and '.join(sides)} side is proven."
            return self._answer(CertificateVerdict.CERTIFIED, boundary, [proof, *reasons])
        needed = self._labels_needed()
        if needed:
            price = ", ".join(f"{count:,} in the {zone} zone" for zone, count in needed.items())
            return self._answer(
                CertificateVerdict.INSUFFICIENT_EVIDENCE,
                self.incumbent,
                [f"Too little evidence for a proof; labels still needed: {price}.", *reasons],
                needed,
            )
        return self._answer(
            CertificateVerdict.HOLD, self.incumbent, ["No wider boundary qualifies.", *reasons]
        )

    def _pass_side(self) -> _Side:
        """Recall and false omission both bind the pass cut: the narrower of the two is proven."""
        today = self.incumbent.pass_at_or_below
        proven: list[SideTest] = []
        refuted = False
        recall, limit = self.targets.recall, self.targets.false_omission_rate
        if recall is not None:
            delta = self.shares["recall"]
            proven.append(self.tests.widest_pass_by_recall(self.evidence, recall, delta))
            refuted |= self._refuted("recall", today, recall, delta)
        if limit is not None:
            delta = self.shares["false_omission_rate"]
            starts = pass_sequences(self.grid, today, self.incumbent.block_at_or_above)
            proven.append(
                self.tests.widest_pass_by_false_omission(self.evidence, limit, delta, starts)
                if starts
                else SideTest(None)
            )
            refuted |= self._refuted("false_omission_rate", today, limit, delta)
        return _Side(today, tuple(proven), refuted)

    def _block_side(self) -> _Side:
        today = self.incumbent.block_at_or_above
        if self.targets.precision is None:
            return _Side(today, (), False)
        delta, precision = self.shares["precision"], self.targets.precision
        first: tuple[int, ...] = FIRST_BLOCKS
        if self.on_reference and len(self.grid):
            # On a reference grid a number of blocked cases becomes the same share of the grid.
            ratio = len(self.grid) / max(int(self.evidence.automatable.sum()), 1)
            first = tuple(max(math.ceil(size * ratio), 1) for size in first)
        starts = block_sequences(self.grid, today, self.incumbent.pass_at_or_below, first)
        proven = (
            self.tests.widest_block(self.evidence, precision, delta, starts)
            if starts
            else SideTest(None)
        )
        return _Side(today, (proven,), self._refuted("precision", today, precision, delta))

    def _refuted(self, risk: str, cut: float | None, target: float, delta: float) -> bool:
        """Whether the evidence proves that today's cut breaks a promise."""
        if cut is None:
            return False
        test = {
            "recall": self.tests.recall_refuted,
            "precision": self.tests.block_refuted,
            "false_omission_rate": self.tests.pass_refuted,
        }[risk](self.evidence, target, cut)
        return bool(test <= delta if self.tests is exact else test >= 1.0 / delta)

    def _labels_needed(self) -> dict[str, int]:
        """Labels to the cheapest certificate (no error seen), by zone; empty where there are enough.

        Labels in hand count with the smallest designed probability, as the tests weigh them.
        """
        labelled, bad = int(self.evidence.labelled.sum()), int(self.evidence.bad.sum())
        rarest = float(self.evidence.propensity.min())
        needed: dict[str, int] = {}
        if self.targets.recall is not None:
            cases = trials_without_error(1.0 - self.targets.recall, self.shares["recall"])
            short = cases - bad * rarest
            if short > 0:
                needed["pass"] = math.ceil(short / rarest * max(labelled, 1) / max(bad, 1))
        if self.targets.false_omission_rate is not None:
            # A sequence's first test is at a share of delta where there are several.
            starts = 1 if self.incumbent.pass_at_or_below is not None else len(PASS_SHARES)
            share = self.shares["false_omission_rate"] / starts
            cases = trials_without_error(self.targets.false_omission_rate, share)
            short = cases - labelled * rarest
            if short > 0:
                needed["pass"] = max(math.ceil(short / rarest), needed.get("pass", 0))
        if self.targets.precision is not None:
            starts = 1 if self.incumbent.block_at_or_above is not None else len(FIRST_BLOCKS)
            share = self.shares["precision"] / starts
            cases = trials_without_error(1.0 - self.targets.precision, share)
            likely = self.evidence.automatable & self.evidence.labelled
            likely = likely & (self.evidence.score >= self.targets.precision)
            short = cases - int(likely.sum()) * rarest
            if short > 0:
                needed["block"] = math.ceil(short / rarest)
        return needed

    def _answer(
        self,
        verdict: CertificateVerdict,
        boundary: Boundary,
        reasons: list[str],
        needed: dict[str, int] | None = None,
    ) -> Certificate:
        limits = self._limits(boundary)
        missing = int(self.evidence.missing.sum())
        if missing:
            reasons = [
                *reasons,
                f"{missing:,} drawn cases have no label yet and count as the worst case.",
            ]
        return Certificate(
            verdict=verdict,
            boundary=boundary,
            automation_rate=self.evidence.automation_rate(boundary),
            limits=limits,
            precision_lower=limits.get("precision"),
            recall_lower=limits.get("recall"),
            labels_needed=needed or {},
            reasons=tuple(reasons),
            delta=self.targets.delta,
            effective_sample=effective_sample(self.evidence, self.targets),
            drawn_and_missing=missing,
        )

    def _limits(self, boundary: Boundary) -> dict[str, float]:
        """Bounds at this look's confidence for the sides the boundary automates."""
        found: dict[str, float | None] = {}
        low, high = boundary.pass_at_or_below, boundary.block_at_or_above
        for name, delta in self.shares.items():
            if name == "recall" and low is not None:
                found[name] = self._bound(name, low, delta)
            if name == "false_omission_rate" and low is not None:
                found[name] = self._bound(name, low, delta)
            if name == "precision" and high is not None:
                found[name] = self._bound(name, high, delta)
        return {name: value for name, value in found.items() if value is not None}

    def _bound(self, risk: str, cut: float, delta: float) -> float | None:
        if not len(self.evidence):
            return None
        if not self.evidence.fully_reviewed:
            return _betting_bound(self.evidence, risk, cut, delta)
        counted = {
            "recall": exact.recall_errors,
            "precision": exact.block_errors,
            "false_omission_rate": exact.pass_errors,
        }[risk](self.evidence, cut)
        limit = upper_limit(*counted, delta)
        if limit is None:
            return None
        return limit if risk == "false_omission_rate" else 1.0 - limit


def _betting_bound(evidence: Evidence, risk: str, cut: float, delta: float) -> float | None:
    """The best limit whose capital still reaches 1/delta, by bisection to 1e-4 of it; None: none does."""

    def capital(share: float) -> float:
        if risk == "recall":
            return betting.recall_e_value(evidence, 1.0 - share, cut)
        if risk == "precision":
            return betting.block_e_value(evidence, 1.0 - share, cut)
        return betting.pass_e_value(evidence, share, cut)

    low, high = 0.0, 0.5
    if capital(high) < 1.0 / delta:
        return None
    while high - low > max(1e-4 * high, 1e-7):
        middle = (low + high) / 2.0
        low, high = (low, middle) if capital(middle) >= 1.0 / delta else (middle, high)
    return high if risk == "false_omission_rate" else 1.0 - high


def _further(cut: float | None, today: float | None, beyond: np.ufunc) -> bool:
    return cut is not None and (today is None or bool(beyond(cut, today)))


def _without_crossing(passing: _Side, low: float | None, high: float | None) -> Boundary:
    """Everything is automated where the sides would meet: pass up to just below the block cut."""
    if low is not None and high is not None and low >= high:
        below = float(np.nextafter(high, -np.inf))
        # Blocking everything leaves nothing to pass.
        low = passing.at_or_below(below) if below >= 0.0 else None
        if not passing.refuted and passing.today is not None:
            low = passing.today if low is None else max(low, passing.today)
    return Boundary(low, high)
