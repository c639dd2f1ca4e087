"""Is a wider boundary proven on this evidence, and if not, what is missing?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from models.boundary.price.price import first_block_floor, labels_needed, price_named
from models.boundary.proof.candidates import FIRST_BLOCKS, SideTest, block_sequences, pass_sequences
from models.boundary.proof.cost_choice import cheapest
from models.boundary.proof.evidence import Evidence, FloatArray
from models.boundary.proof.risks import certifiable, without_certificate
from models.boundary.proof.side_tests import SideTests, block_tests, pass_tests
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Costs, Targets

RISKS_OF: Mapping[str, frozenset[str]] = {
    "pass": frozenset({"recall", "false_omission_rate"}),
    "block": frozenset({"precision"}),
}
"""By side the promises that are about it."""
NO_CASE_YET = "No mature case has been scored by this model yet."
"""Why nothing is proven where there is no evidence at all."""
RECALL_SHARE = 0.7
"""Of delta, when recall and precision are promised together; any other set is split equally."""


def certify(
    evidence: Evidence | pd.DataFrame,
    targets: Targets,
    incumbent: Boundary | None = None,
    reference_scores: FloatArray | None = None,
    cheapest_at: Costs | None = None,
) -> Certificate:
    """Judge one look at one case type's evidence (METHODS 1).

    Fully reviewed evidence is judged by exact tests (1.1, 1.3); evidence collected under an
    incumbent by the stratified test on its few designed weights (1.2, 1.3); anything else by the
    betting test (1.4), which stays valid at every look as long as `reference_scores` stay the same.

    Args:
        evidence: mature cases in order of time, scored by the model under test; see
            `Evidence.from_frame` for the columns of a table.
        targets: the promises; `targets.delta` is what this one look may spend.
        incumbent: the boundary in force for this model; None: everything is reviewed today.
        reference_scores: scores on which candidate cuts are laid out, fixed before this evidence
            was seen; None: the evidence's own scores (never its outcomes).
        cheapest_at: take the cheapest of the proven boundaries at these costs, which is never wider
            than the widest; None: take the widest.

    Raises:
        ValueError: the evidence or a target is unusable; the message says why.
    """
    if isinstance(evidence, pd.DataFrame):
        evidence = Evidence.from_frame(evidence)
    incumbent = incumbent or Boundary.everything_reviewed()
    grid = (
        reference_scores if reference_scores is not None else evidence.score[evidence.automatable]
    )
    look = Judgement(
        evidence,
        targets,
        incumbent,
        np.asarray(grid, dtype=np.float64),
        cheapest_at,
        pass_tests(evidence, incumbent),
        block_tests(evidence, incumbent),
    )
    return look.certificate()


def effective_sample(evidence: Evidence, targets: Targets) -> float:
    """What grows until the next look is worth its delta (METHODS 2): bad cases for recall, else
    labelled cases, times the smallest designed probability."""
    if not len(evidence):
        return 0.0
    seen = evidence.bad if targets.recall is not None else evidence.labelled
    return float(seen.sum() * evidence.propensity.min())


def delta_shares(targets: Targets, delta: float) -> dict[str, float]:
    """How one look's delta is split over the promises that have a certificate."""
    named = certifiable(targets)
    if set(named) == {"recall", "precision"}:
        return {"recall": RECALL_SHARE * delta, "precision": (1.0 - RECALL_SHARE) * delta}
    return {name: delta / len(named) for name in named}


def surfaced_refutes(
    evidence: Evidence, targets: Targets, shares: Mapping[str, float], cut: float
) -> bool:
    """Whether bad cases that came to light by themselves are already more than is allowed.

    They are some of the misses, so their number alone is a lower limit: under the promise it is
    at most Poisson with the misses allowed.

    Args:
        shares: of delta, by promise; see `delta_shares`.
        cut: the pass cut in force.
    """
    passed = evidence.automatable & (evidence.score <= cut)
    surfaced = int((passed & evidence.surfaced).sum())
    if not surfaced:
        return False
    allowed = []
    if targets.false_omission_rate is not None:
        limit = targets.false_omission_rate * float(passed.sum())
        allowed.append((limit, shares["false_omission_rate"]))
    if targets.recall is not None:
        caught = (evidence.bad | evidence.missing) & ~passed
        seen = float((1.0 / evidence.propensity[caught]).sum())
        odds = (1.0 - targets.recall) / targets.recall
        allowed.append((odds * seen, shares["recall"]))
    return any(stats.poisson.sf(surfaced - 1, limit) <= delta for limit, delta in allowed)


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

    def proven_cuts(self) -> tuple[float, ...] | None:
        """The cuts that every promise proves, ascending; None: all narrower than the widest."""
        listed = {step for test in self.tests for step in test.steps}
        if not listed:
            return None
        # A test without steps (recall) proves every pass cut up to its own.
        return tuple(
            sorted(
                step
                for step in listed
                if all(
                    step in test.steps if test.steps else test.cut is not None and step <= test.cut
                    for test in self.tests
                )
            )
        )

    def chosen(self, wider: bool) -> float | None:
        return self.proven if wider or self.refuted else self.today


class Judgement:
    """The steps of one certificate, whichever tests judge; each returns a value and changes nothing.

    Args:
        grid: scores on which candidate cuts are laid out, shape (scores,).
        passing, blocking: the tests of each side.
    """

    def __init__(
        self,
        evidence: Evidence,
        targets: Targets,
        incumbent: Boundary,
        grid: FloatArray,
        cheapest_at: Costs | None,
        passing: SideTests,
        blocking: SideTests,
    ) -> None:
        self.evidence = evidence
        self.costs = cheapest_at
        self.targets = targets
        self.incumbent = incumbent
        self.grid = grid
        self.shares = delta_shares(targets, targets.delta)
        self.passing = passing
        self.blocking = blocking

    def certificate(self) -> Certificate:
        reasons = list(without_certificate(self.targets))
        if len(self.evidence) == 0:
            return self._insufficient(*self.price(), [NO_CASE_YET, *reasons])
        passing = self._pass_side()
        blocking = _above_what_passes(self._block_side(), passing)
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
            narrowed = _without_crossing(
                passing, self._left_of(passing, np.less), self._left_of(blocking, np.greater)
            )
            return self._answer(
                CertificateVerdict.INCUMBENT_UNCERTIFIED, narrowed, [alarm, *reasons]
            )
        if wider_pass or wider_block:
            sides = [
                name for name, wider in (("pass", wider_pass), ("block", wider_block)) if wider
            ]
            proof = f"A wider {' and '.join(sides)} side is proven."
            if self.costs is not None:
                return self._cheapest(self.costs, passing, blocking, boundary, [proof, *reasons])
            return self._answer(CertificateVerdict.CERTIFIED, boundary, [proof, *reasons])
        needed, sentence = self.price()
        if needed:
            return self._insufficient(needed, sentence, [*self._unproven(needed), *reasons])
        return self._answer(
            CertificateVerdict.HOLD,
            self.incumbent,
            ["No wider boundary qualifies.", *([sentence] if sentence else []), *reasons],
        )

    def _unproven(self, needed: Mapping[str, int]) -> list[str]:
        """A sentence for a promised side that lacks no labels and is not proven all the same: only the
        other side's price would be named."""
        return [
            f"The {side} side lacks no labels and is not proven: more errors were seen there than a proof of "
            "any cut that decides more than today's allows at this look's confidence. A better model or "
            "another promise helps; more labels alone may not."
            for side, risks in RISKS_OF.items()
            if risks & set(self.shares) and side not in needed
        ]

    def widest(self) -> Boundary:
        """What is proven on each side, whatever is in force."""
        passing = self._pass_side()
        return _without_crossing(passing, passing.proven, self._block_side().proven)

    def _cheapest(
        self,
        costs: Costs,
        passing: _Side,
        blocking: _Side,
        widest: Boundary,
        reasons: list[str],
    ) -> Certificate:
        """The cheapest of the boundaries proven up to `widest`; today's, where nothing is cheaper."""
        choice = cheapest(
            self.settled(),
            costs,
            self.incumbent,
            widest,
            passing.proven_cuts(),
            blocking.proven_cuts(),
        )
        verdict = CertificateVerdict.CERTIFIED
        usd, widest_usd = f"${choice.usd:,.2f}", f"${choice.widest_usd:,.2f}"
        if choice.cheapest == self.incumbent:
            verdict = CertificateVerdict.HOLD
            why = f"Today's is the cheapest: an estimated {usd} a case, {widest_usd} at the widest."
        elif choice.cheapest == widest:
            why = f"The widest is also the cheapest: an estimated {usd} a case."
        else:
            why = (
                f"Of the proven boundaries the cheapest is taken: an estimated {usd} a case, "
                f"{widest_usd} at the widest."
            )
        found = self._answer(verdict, choice.cheapest, [*reasons[:1], why, *reasons[1:]])
        return replace(found, choices={"widest": widest, "cheapest": choice.cheapest})

    def _pass_side(self) -> _Side:
        """Recall and false omission both bind the pass cut: the narrower of the two is proven."""
        today = self.incumbent.pass_at_or_below
        proven: list[SideTest] = []
        refuted = False
        starts = self.pass_starts()
        for risk in ("recall", "false_omission_rate"):
            target = getattr(self.targets, risk)
            if target is None:
                continue
            delta = self.shares[risk]
            proven.append(self.passing.widest(risk, target, delta, starts))
            refuted |= today is not None and self.passing.refuted(risk, target, delta, today)
        if today is not None and self._surfaced_refutes(today):
            refuted = True
        return _Side(today, tuple(proven), refuted)

    def _block_side(self) -> _Side:
        today = self.incumbent.block_at_or_above
        if self.targets.precision is None:
            return _Side(today, (), False)
        delta, precision = self.shares["precision"], self.targets.precision
        starts = self.block_starts()
        proven = self.blocking.widest("precision", precision, delta, starts)
        refuted = today is not None and self.blocking.refuted("precision", precision, delta, today)
        return _Side(today, (proven,), refuted)

    def pass_starts(self) -> list[FloatArray]:
        """Sequences of cuts for a risk that is not monotone, laid out on scores alone."""
        low, high = self.incumbent.pass_at_or_below, self.incumbent.block_at_or_above
        return pass_sequences(self.grid, low, high)

    def block_starts(self) -> list[FloatArray]:
        # On a reference grid a number of blocked cases becomes the same share of the grid.
        ratio = len(self.grid) / max(int(self.evidence.automatable.sum()), 1) or 1.0
        first = tuple(max(math.ceil(size * ratio), 1) for size in FIRST_BLOCKS)
        low, high = self.incumbent.pass_at_or_below, self.incumbent.block_at_or_above
        return block_sequences(self.grid, high, low, first)

    def _surfaced_refutes(self, cut: float) -> bool:
        return surfaced_refutes(self.evidence, self.targets, self.shares, cut)

    def _insufficient(
        self, needed: dict[str, int], sentence: str, reasons: list[str]
    ) -> Certificate:
        """Today's boundary stays, and the price of another is named first."""
        return self._answer(
            CertificateVerdict.INSUFFICIENT_EVIDENCE,
            self.incumbent,
            [*([sentence] if sentence else []), *reasons],
            needed,
        )

    def _left_of(self, side: _Side, narrower: np.ufunc) -> float | None:
        """What an alarm leaves of a side: today's cut, or, where that is refuted, a proven one short
        of it. Audits may prove what outcomes refute; then the side is reviewed."""
        if not side.refuted:
            return side.today
        cut = side.proven
        if cut is None or not narrower(cut, side.today):
            return None
        return None if narrower is np.less and self._surfaced_refutes(cut) else cut

    def price(self) -> tuple[dict[str, int], str]:
        """(labels still needed by zone, the sentence that names them)."""
        tests = {}
        if RISKS_OF["pass"] & set(self.shares):
            tests["pass"] = self.passing.name
        if RISKS_OF["block"] & set(self.shares):
            tests["block"] = self.blocking.name
        needed = labels_needed(self.evidence, self.targets, self.shares, self.incumbent, tests)
        if not needed:
            return needed, ""
        floor = first_block_floor(self.targets, self.shares, self.incumbent)
        explained = floor if "block" in needed and self.evidence.labelled.any() else ""
        return needed, " ".join(filter(None, (price_named(needed), explained)))

    def settled(self) -> Evidence:
        """The evidence that tells what a boundary costs."""
        return self.evidence

    def waiting(self) -> str:
        """What is said of drawn cases without a label; "": nothing."""
        missing = int(self.evidence.missing.sum())
        return (
            f"{missing:,} drawn cases have no label yet and count as the worst case."
            if missing
            else ""
        )

    def _answer(
        self,
        verdict: CertificateVerdict,
        boundary: Boundary,
        reasons: list[str],
        needed: dict[str, int] | None = None,
    ) -> Certificate:
        limits = self.limits(boundary)
        waiting = self.waiting()
        return Certificate(
            verdict=verdict,
            boundary=boundary,
            automation_rate=self.evidence.automation_rate(boundary),
            limits=limits,
            precision_lower=limits.get("precision"),
            recall_lower=limits.get("recall"),
            labels_needed=needed or {},
            reasons=(*reasons, *([waiting] if waiting else [])),
            delta=self.targets.delta,
            effective_sample=effective_sample(self.evidence, self.targets),
            drawn_and_missing=int(self.evidence.missing.sum()),
        )

    def limits(self, boundary: Boundary) -> dict[str, float]:
        """Bounds at this look's confidence for the sides the boundary automates."""
        if not len(self.evidence):
            return {}
        found: dict[str, float | None] = {}
        for name, delta in self.shares.items():
            blocks = name == "precision"
            cut = boundary.block_at_or_above if blocks else boundary.pass_at_or_below
            if cut is not None:
                tests = self.blocking if blocks else self.passing
                found[name] = tests.bound(name, delta, cut)
        return {name: value for name, value in found.items() if value is not None}


def _further(cut: float | None, today: float | None, beyond: np.ufunc) -> bool:
    return cut is not None and (today is None or bool(beyond(cut, today)))


def _above_what_passes(blocking: _Side, passing: _Side) -> _Side:
    """The block side with the cuts that lie above today's pass cut, which stays until it is refuted.

    A proof that outlives a boundary may reach below what has been passed since: it was laid out
    before that cut was in force.
    """
    floor = None if passing.refuted else passing.today
    if floor is None:
        return blocking
    return replace(blocking, tests=tuple(test.above(floor) for test in blocking.tests))


def _without_crossing(passing: _Side, low: float | None, high: float | None) -> Boundary:
    """Everything is automated where the sides would meet: pass up to just below the block cut."""
    if low is not None and high is not None and low >= high:
        below = float(np.nextafter(high, -np.inf))
        # Blocking everything leaves nothing to pass.
        low = passing.at_or_below(below) if below >= 0.0 else None
        if not passing.refuted and passing.today is not None:
            low = passing.today if low is None else max(low, passing.today)
    return Boundary(low, high)
