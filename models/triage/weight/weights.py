"""Type A of one case type: over the whole of it and over each of its configured columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.triage.evidence import TriageEvidence
from models.triage.labelled_rows import LabelledRows
from models.triage.plan import TriagePlan
from models.triage.weight.counterfactual import try_remedy
from models.triage.weight.feature_bias import (
    FeatureBias,
    Unjudged,
    WeightError,
    assess_rows,
    bias_in,
)
from models.vocabulary import EVERYWHERE, Counterfactual

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BiasedWeight:
    """A Type A finding as something that can be put right in any cases of its type.

    Attributes:
        column: the configured column whose value `found.slice` is; None: found everywhere.
        error: the weight error over all rows it was found in.
    """

    found: FeatureBias
    column: str | None
    error: WeightError

    @property
    def slice(self) -> str:
        if self.column is None or self.found.slice == EVERYWHERE:
            return EVERYWHERE
        return f"{self.column}={self.found.slice}"

    def inside(self, evidence: TriageEvidence) -> BoolArray:
        """Which cases it is about, shape (cases,)."""
        if self.column is None or self.found.slice == EVERYWHERE:
            return np.ones(len(evidence.margin), dtype=np.bool_)
        labels = evidence.segments[self.column].astype(str)
        return np.asarray(labels == self.found.slice, dtype=np.bool_)

    def correction(self, evidence: TriageEvidence) -> FloatArray:
        """Logits that putting it right would add to each case's margin, shape (cases,)."""
        values = self._values(evidence)
        return np.where(self.inside(evidence), self.error.correction(values), 0.0)

    def direction(self, evidence: TriageEvidence) -> FloatArray:
        """What its weight multiplies, uncentred, shape (cases,); zero outside the slice."""
        values = self._values(evidence)
        if self.error.dead:
            values = (values - self.error.middle) / self.error.spread
        return np.where(self.inside(evidence), np.nan_to_num(values, nan=0.0), 0.0)

    def _values(self, evidence: TriageEvidence) -> FloatArray:
        """The feature's contributions, or where it has none its raw values."""
        table = evidence.raw if self.error.dead else evidence.contributions
        assert table is not None
        return table[self.found.feature].to_numpy(dtype=np.float64, na_value=np.nan)

    def remedy(self, evidence: TriageEvidence) -> Counterfactual | None:
        """Put right on the earlier half of its cases, judged on the later half."""
        return try_remedy(labelled_rows(evidence, self.column), self.found)


@dataclass(frozen=True, slots=True)
class BiasedWeights:
    """All Type A findings of a case type, contributions that are noise, and what was not judged."""

    findings: tuple[BiasedWeight, ...] = ()
    noise: tuple[FeatureBias, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    def directions(self, evidence: TriageEvidence) -> FloatArray:
        """Along what the log-odds of these cases are off, shape (cases, findings)."""
        if not self.findings:
            return np.zeros((len(evidence.margin), 0))
        return np.column_stack([one.direction(evidence) for one in self.findings])


def labelled_rows(evidence: TriageEvidence, column: str | None) -> LabelledRows:
    """The evidence by the slices of one configured column (None: one slice).

    Raises:
        ValueError: there are no contributions.
    """
    if evidence.contributions is None:
        raise ValueError("there are no contributions, so Type A is not estimable")
    slices = None if column is None else evidence.segments[column]
    raw = evidence.raw if evidence.raw.shape[1] else None
    return LabelledRows.of(evidence.contributions, evidence.margin, evidence.bad, raw, slices)


def biased_weights(evidence: TriageEvidence, plan: TriagePlan) -> BiasedWeights:
    """Search the case type as one slice, then each configured column, q split over the searches.

    A feature found everywhere is one finding, whichever search found it. One whose slices differ is
    found in those, and its average over all cases, which is wrong in each of them, is not told.
    """
    if evidence.contributions is None:
        why = "the scoring model's contributions are not known, so Type A is not estimable"
        return BiasedWeights((), (), (Unjudged(None, EVERYWHERE, why),))
    searches = [None, *evidence.segments]
    found: dict[tuple[str, str], BiasedWeight] = {}
    noise: dict[str, FeatureBias] = {}
    unjudged: list[Unjudged] = []
    for column in searches:
        rows = labelled_rows(evidence, column)
        report = assess_rows(rows, plan.q / len(searches), plan.weight_margin, plan.ignored_margin)
        prefix = "" if column is None else f"{column}="
        unjudged += [replace(one, slice=f"{prefix}{one.slice}") for one in report.unjudged]
        for one in report.noise:
            noise.setdefault(one.feature, one)
        for one in report.findings:
            margin = plan.ignored_margin if one.dead else plan.weight_margin
            if not one.surely_beyond(margin, plan.least_effect):
                continue
            told = _with_error(rows, column, one)
            if told is not None:
                found.setdefault((one.feature, told.slice), told)
    within = {feature for feature, where in found if where != EVERYWHERE}
    kept = [
        told
        for (feature, where), told in found.items()
        if where != EVERYWHERE or feature not in within
    ]
    kept.sort(key=lambda one: one.found.p_value)
    return BiasedWeights(tuple(kept), tuple(noise.values()), tuple(unjudged))


def _with_error(rows: LabelledRows, column: str | None, one: FeatureBias) -> BiasedWeight | None:
    inside = np.arange(len(rows.bad))
    if one.slice != EVERYWHERE:
        inside = np.flatnonzero(rows.slices == rows.labels.index(one.slice))
    error = bias_in(rows, one.feature, inside)
    return None if error is None else BiasedWeight(one, column, error)
