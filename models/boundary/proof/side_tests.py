"""Which test judges one side of a boundary, and how is each asked?

Three interchangeable tests (METHODS 1): exact where every case was designed to be observed (1.1,
1.3), stratified where few designed weights are in force (1.2), betting for any design (1.4).
Each answers the same four questions about a risk: how far is it proven, is today's cut refuted,
what bound holds at a cut, and what is it called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from models.boundary.proof import betting, exact, stratified
from models.boundary.proof.bounds import upper_limit
from models.boundary.proof.candidates import SideTest
from models.boundary.proof.evidence import Evidence, FloatArray
from models.boundary.proof.risks import RISKS
from models.vocabulary import Boundary


class SideTests(Protocol):
    """What a look asks of a test. `delta` is what one risk may spend; cuts are scores."""

    @property
    def name(self) -> str: ...

    def widest(
        self, risk: str, target: float, delta: float, starts: list[FloatArray]
    ) -> SideTest: ...

    def refuted(self, risk: str, target: float, delta: float, cut: float) -> bool: ...

    def bound(self, risk: str, delta: float, cut: float) -> float | None: ...


def pass_tests(evidence: Evidence, incumbent: Boundary) -> SideTests:
    """The test for recall and false omission on this design."""
    reason = stratified.pass_fallback_reason(evidence, incumbent)
    return _chosen(evidence, incumbent, stratified_applies=reason is None)


def block_tests(evidence: Evidence, incumbent: Boundary) -> SideTests:
    """The test for precision on this design."""
    reason = stratified.block_fallback_reason(evidence, incumbent)
    return _chosen(evidence, incumbent, stratified_applies=reason is None)


def sequential(evidence: Evidence, incumbent: Boundary | None) -> bool:
    """Whether betting judges every side, so that one share of delta serves all nights (METHODS)."""
    today = incumbent or Boundary.everything_reviewed()
    names = {pass_tests(evidence, today).name, block_tests(evidence, today).name}
    return names == {"betting"}


def _chosen(evidence: Evidence, incumbent: Boundary, stratified_applies: bool) -> SideTests:
    if evidence.fully_reviewed:
        return _Exact(evidence)
    # Without an incumbent nothing says which weights were in force where (METHODS 1.2).
    if stratified_applies and not incumbent.automates_nothing:
        return _Stratified(evidence, incumbent)
    return _Betting(evidence)


@dataclass(frozen=True)
class _Exact:
    evidence: Evidence
    name: str = "exact"

    def widest(self, risk: str, target: float, delta: float, starts: list[FloatArray]) -> SideTest:
        if risk == "recall":
            return exact.widest_pass_by_recall(self.evidence, target, delta)
        if not starts:
            return SideTest(None)
        if risk == "precision":
            return exact.widest_block(self.evidence, target, delta, starts)
        return exact.widest_pass_by_false_omission(self.evidence, target, delta, starts)

    def refuted(self, risk: str, target: float, delta: float, cut: float) -> bool:
        p_value = {
            "recall": exact.recall_refuted,
            "precision": exact.block_refuted,
            "false_omission_rate": exact.pass_refuted,
        }[risk](self.evidence, target, cut)
        return p_value <= delta

    def bound(self, risk: str, delta: float, cut: float) -> float | None:
        errors = {
            "recall": exact.recall_errors,
            "precision": exact.block_errors,
            "false_omission_rate": exact.pass_errors,
        }[risk](self.evidence, cut)
        return _as_stated(risk, upper_limit(*errors, delta))


@dataclass(frozen=True)
class _Stratified:
    evidence: Evidence
    incumbent: Boundary
    name: str = "stratified"

    def widest(self, risk: str, target: float, delta: float, starts: list[FloatArray]) -> SideTest:
        if risk == "recall":
            return stratified.widest_pass_by_recall(self.evidence, target, delta, self.incumbent)
        if not starts:
            return SideTest(None)
        of_risk = (
            stratified.widest_block
            if risk == "precision"
            else stratified.widest_pass_by_false_omission
        )
        return of_risk(self.evidence, target, delta, starts, self.incumbent)

    def refuted(self, risk: str, target: float, delta: float, cut: float) -> bool:
        if risk == "recall":
            p_value = stratified.recall_refuted(self.evidence, target, delta, self.incumbent, cut)
        elif risk == "precision":
            p_value = stratified.block_refuted(self.evidence, target, self.incumbent, cut)
        else:
            p_value = stratified.pass_refuted(self.evidence, target, cut)
        return p_value <= delta

    def bound(self, risk: str, delta: float, cut: float) -> float | None:
        of_risk: Callable[[Evidence, float, Boundary | None, float], float | None] = {
            "recall": stratified.recall_lower_limit,
            "precision": stratified.precision_lower_limit,
            "false_omission_rate": stratified.false_omission_upper_limit,
        }[risk]
        return of_risk(self.evidence, delta, self.incumbent, cut)


@dataclass(frozen=True)
class _Betting:
    evidence: Evidence
    name: str = "betting"

    def widest(self, risk: str, target: float, delta: float, starts: list[FloatArray]) -> SideTest:
        if risk == "recall":
            return betting.widest_pass_by_recall(self.evidence, target, delta)
        if not starts:
            return SideTest(None)
        if risk == "precision":
            return betting.widest_block(self.evidence, target, delta, starts)
        return betting.widest_pass_by_false_omission(self.evidence, target, delta, starts)

    def refuted(self, risk: str, target: float, delta: float, cut: float) -> bool:
        capital = {
            "recall": betting.recall_refuted,
            "precision": betting.block_refuted,
            "false_omission_rate": betting.pass_refuted,
        }[risk](self.evidence, target, cut)
        return capital >= 1.0 / delta

    def bound(self, risk: str, delta: float, cut: float) -> float | None:
        """The best limit whose capital still reaches 1/delta, by bisection to 1e-4 of it."""

        def capital(share: float) -> float:
            if risk == "recall":
                return betting.recall_e_value(self.evidence, 1.0 - share, cut)
            if risk == "precision":
                return betting.block_e_value(self.evidence, 1.0 - share, cut)
            return betting.pass_e_value(self.evidence, share, cut)

        low, high = 0.0, 0.5
        if capital(high) < 1.0 / delta:
            return None
        while high - low > max(1e-4 * high, 1e-7):
            middle = (low + high) / 2.0
            low, high = (low, middle) if capital(middle) >= 1.0 / delta else (middle, high)
        return _as_stated(risk, high)


def _as_stated(risk: str, error_share: float | None) -> float | None:
    return None if error_share is None else RISKS[risk].as_stated(error_share)
