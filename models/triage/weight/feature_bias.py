"""Is a feature's weight too large, too small, reversed or missing (Type A)?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2, t

from models.drift.multiple_testing import discoveries
from models.triage.labelled_rows import FEWEST_OF_A_CLASS, Columns, LabelledRows
from models.triage.threshold.offset_logit import fit_offset_logit, independent
from models.vocabulary import EVERYWHERE

FloatArray = npt.NDArray[np.float64]

DEAD_BELOW = 0.03
"""A feature whose contributions spread less than this (logits, standard deviation) is dead."""
ALIKE = 0.01
"""Slices tell one story about a feature while Cochran's Q has a p-value above this."""
NOISE_BELOW = 0.15
"""A contribution that spreads less than this (logits) and may carry no signal at all is noise."""
_SHAPE_BINS = 10


@dataclass(frozen=True, slots=True)
class FeatureBias:
    """One feature whose weight is off, in one slice or in all of them.

    Attributes:
        delta: share of the weight that is missing, after the score's common slope: -1/3 for a
            weight 1.5 times too large, +1 for one half as large as it should be. For a dead
            feature, logits per standard deviation of its raw value that the score ignores.
        low, high: 95 % interval of delta, by Student's t. p_value: two-sided, before false-discovery
            control.
        dead: whether the feature contributes nothing here.
        spread: standard deviation of what the feature contributes (dead: 1, of its z-score).
        degrees_of_freedom: of interval and p-value; infinite: the normal distribution.
    """

    feature: str
    slice: str
    delta: float
    low: float
    high: float
    p_value: float
    dead: bool = False
    spread: float = 1.0
    degrees_of_freedom: float = math.inf

    @property
    def standard_error(self) -> float:
        """Of delta: what the interval was made from, by the quantile it was made with."""
        return (self.high - self.low) / (2.0 * float(t.ppf(0.975, self.degrees_of_freedom)))

    @property
    def is_noise(self) -> bool:
        """Whether it is a small contribution that means nothing: fitted trees spread a little
        weight over features without signal. No weight of theirs is right, and none does harm."""
        return not self.dead and self.spread < NOISE_BELOW and self.low <= -1.0

    def beyond(self, margin: float) -> bool:
        """Whether the weight is off by more than a margin of interest, at one-sided 95 %.

        Significance against zero is not enough: no trained weight is exact, and with many cases one
        that is off by just less than the margin would be told of every other night.
        """
        if margin == 0.0:
            return True
        one_sided = float(t.ppf(0.95, self.degrees_of_freedom))
        return abs(self.delta) - margin > one_sided * self.standard_error

    def surely_beyond(self, margin: float, effect: float) -> bool:
        """Whether the whole interval lies beyond a margin of interest, and moves the log-odds of a
        typical case by at least `effect` logits."""
        least = max(self.low, -self.high)
        return least > margin and least * self.spread >= effect


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What could not be judged, and why: a feature in a slice, or (feature None) a whole slice."""

    feature: str | None
    slice: str
    why: str


@dataclass(frozen=True, slots=True)
class WeightError:
    """What a feature's contribution lacks, as a direction to move the log-odds along.

    Attributes:
        slope: logits per logit of its contribution (dead: per standard deviation of its raw value).
        middle, spread: where it is neutral, and the unit.
    """

    feature: str
    dead: bool
    slope: float
    middle: float
    spread: float

    def correction(self, values: FloatArray) -> FloatArray:
        """Logits to add to the margins, shape of `values`: what the feature contributes (dead: its
        raw values, a missing one in the middle)."""
        moved = self.slope * (values - self.middle) / self.spread
        return np.asarray(np.nan_to_num(moved, nan=0.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FeatureBiasReport:
    """What was found, what was tested, and what could not be judged.

    Attributes:
        findings: most significant first.
        noise: would-be findings whose contribution is small and means nothing (`is_noise`).
        cells: everything that was tested, feature by slice.
        common_slopes: by slice, the slope that all live features share (1 when it is right); what
            is left of it after Type A is Type B's affair.
    """

    findings: tuple[FeatureBias, ...]
    noise: tuple[FeatureBias, ...]
    cells: tuple[FeatureBias, ...] = field(repr=False)
    unjudged: tuple[Unjudged, ...]
    common_slopes: dict[str, float]


def find_feature_bias(
    contributions: Columns,
    margin: npt.ArrayLike,
    bad: npt.ArrayLike,
    raw: Columns | None = None,
    slices: npt.ArrayLike | None = None,
    q: float = 0.05,
    margin_of_interest: float = 0.0,
) -> list[FeatureBias]:
    """Type A findings (METHODS 4.1): the joint offset logit in each slice, combined across slices.

    Args:
        contributions: what each feature adds to the log-odds, one column a feature, shape
            (rows, features); the scoring model's own, on rows it did not learn from.
        margin: the score's log-odds, shape (rows,).
        bad: truth, shape (rows,); a null is not observed and left out. Reviews selected by their
            score need no weights: the score is in the model.
        raw: the features' raw values by the same names, for those that contribute nothing.
        slices: a label a row (case type, or a configured column); None: one slice, "all".
        q: false-discovery rate.
        margin_of_interest: findings whose `|delta|` is not proven to exceed this (one-sided, 95 %)
            are not reported.

    Raises:
        ValueError: shapes disagree, a contribution or margin of a labelled row is not finite, or q
            or the margin is out of range.
    """
    report = assess_feature_bias(contributions, margin, bad, raw, slices, q, margin_of_interest)
    return list(report.findings)


def assess_feature_bias(
    contributions: Columns,
    margin: npt.ArrayLike,
    bad: npt.ArrayLike,
    raw: Columns | None = None,
    slices: npt.ArrayLike | None = None,
    q: float = 0.05,
    margin_of_interest: float = 0.0,
    dead_margin: float | None = None,
) -> FeatureBiasReport:
    """`find_feature_bias` with all that was tested and all that could not be.

    Args:
        dead_margin: margin of interest of dead features, whose delta is in logits per standard
            deviation; None: as for the others.

    Raises:
        ValueError: as `find_feature_bias`.
    """
    rows = LabelledRows.of(contributions, margin, bad, raw, slices)
    return assess_rows(rows, q, margin_of_interest, dead_margin)


def assess_rows(
    rows: LabelledRows,
    q: float = 0.05,
    margin_of_interest: float = 0.0,
    dead_margin: float | None = None,
) -> FeatureBiasReport:
    """`assess_feature_bias` of rows that are laid out already."""
    if not 0.0 < q < 1.0:
        raise ValueError(f"q must lie strictly between 0 and 1, got {q!r}")
    if not (math.isfinite(margin_of_interest) and margin_of_interest >= 0.0):
        raise ValueError(f"margin_of_interest must be zero or more, got {margin_of_interest!r}")
    cells: list[FeatureBias] = []
    unjudged: list[Unjudged] = []
    slopes: dict[str, float] = {}
    for label, here in rows.by_slice():
        judged = _judge_slice(rows, label, here)
        cells += judged.cells
        unjudged += judged.unjudged
        if judged.common_slope is not None:
            slopes[label] = judged.common_slope
    dead_limit = margin_of_interest if dead_margin is None else dead_margin
    found = sorted(
        (
            one
            for one in _discoveries(cells, q)
            if one.beyond(dead_limit if one.dead else margin_of_interest)
        ),
        key=lambda one: (one.p_value, one.feature, one.slice),
    )
    return FeatureBiasReport(
        findings=tuple(one for one in found if not one.is_noise),
        noise=tuple(one for one in found if one.is_noise),
        cells=tuple(cells),
        unjudged=tuple(unjudged),
        common_slopes=slopes,
    )


def bias_in(rows: LabelledRows, feature: str, here: npt.NDArray[np.intp]) -> WeightError | None:
    """One feature's weight error as estimated from some rows alone; None where it cannot be.

    Args:
        rows: all labelled rows. here: places of the rows to learn from.
    """
    judged = _judge_slice(rows, EVERYWHERE, here)
    cell = next((one for one in judged.cells if one.feature == feature), None)
    if cell is None or judged.common_slope is None:
        return None
    if cell.dead:
        values = rows.raw[feature][here]
        known = values[np.isfinite(values)]
        return WeightError(feature, True, cell.delta, float(known.mean()), float(known.std()))
    phi = rows.contributions[here, rows.features.index(feature)]
    return WeightError(feature, False, cell.delta * judged.common_slope, float(phi.mean()), 1.0)


@dataclass(slots=True)
class _Judged:
    cells: list[FeatureBias] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    common_slope: float | None = None


@dataclass(slots=True)
class _Design:
    """The directions of one slice: live features' centred contributions, dead ones' z-scores."""

    names: list[str]
    dead: npt.NDArray[np.bool_]
    columns: FloatArray
    spreads: FloatArray

    def only(self, kept: Sequence[int] | npt.NDArray[np.intp]) -> _Design:
        if len(kept) == len(self.names):
            return self
        names = [self.names[int(place)] for place in kept]
        return _Design(names, self.dead[kept], self.columns[:, kept], self.spreads[kept])


def _judge_slice(rows: LabelledRows, label: str, here: npt.NDArray[np.intp]) -> _Judged:
    judged = _Judged()
    bad = rows.bad[here]
    fewer = int(min(bad.sum(), len(bad) - bad.sum()))
    if fewer < FEWEST_OF_A_CLASS:
        word = "bad" if bad.sum() == fewer else "good"
        why = (
            f"{fewer} {word} cases among {len(bad):,}; it takes {FEWEST_OF_A_CLASS} of either kind"
        )
        judged.unjudged.append(Unjudged(None, label, why))
        return judged
    design = _designed(rows, label, here, judged.unjudged)
    design = _without_separation(design, label, bad, judged.unjudged)
    margin = rows.margin[here]
    while len(design.names):
        freedom = fewer - len(design.names) - 1
        if freedom < 1:
            why = f"{fewer} cases of the rarer kind are too few for {len(design.names)} features"
            judged.unjudged.append(Unjudged(None, label, why))
            return judged
        fit = fit_offset_logit(design.columns, margin, bad)
        if fit.settled:
            slopes, ses = fit.slopes, fit.ses
            shapes = _shapes_of_ignored(rows, here, design, slopes / ses)
            if shapes is not None:
                # What a line leaves over of an ignored feature would be blamed on its neighbours.
                kept, _ = independent(np.column_stack([design.columns, shapes]))
                if len(kept) >= len(design.names) and freedom > len(kept):
                    whole = np.column_stack([design.columns, shapes])[:, kept]
                    again = fit_offset_logit(whole, margin, bad)
                    if again.settled:
                        live = ~design.dead
                        size = len(design.names)
                        slopes = np.where(live, again.slopes[:size], slopes)
                        ses = np.where(live, again.ses[:size], ses)
            _add_cells(judged, design, label, slopes, ses, freedom)
            return judged
        culprit = fit.runaway
        why = (
            "with it bad and good cases separate, so its weight cannot be estimated; is it a leak?"
        )
        judged.unjudged.append(Unjudged(design.names[culprit], label, why))
        design = design.only([place for place in range(len(design.names)) if place != culprit])
    return judged


def _designed(
    rows: LabelledRows, label: str, here: npt.NDArray[np.intp], unjudged: list[Unjudged]
) -> _Design:
    phi = rows.contributions[here]
    spreads = phi.std(axis=0)
    names, dead, columns, widths = [], [], [], []
    for place, name in enumerate(rows.features):
        if rows.is_constant(name, here):
            unjudged.append(Unjudged(name, label, "it has one value here"))
            continue
        if spreads[place] >= DEAD_BELOW:
            names.append(name)
            dead.append(False)
            columns.append(phi[:, place] - phi[:, place].mean())
            widths.append(float(spreads[place]))
            continue
        scaled = _z_scores(rows.raw[name][here]) if name in rows.raw else None
        if scaled is None:
            why = rows.why_no_raw.get(name, "its raw values are constant")
            unjudged.append(Unjudged(name, label, f"it contributes nothing here, and {why}"))
            continue
        names.append(name)
        dead.append(True)
        columns.append(scaled)
        widths.append(1.0)
    stacked = np.column_stack(columns) if columns else np.zeros((len(here), 0))
    design = _Design(names, np.array(dead, dtype=np.bool_), stacked, np.array(widths))
    if len(names) < 2:
        return design
    kept, twin_of = independent(stacked)
    for left_out, twin in twin_of.items():
        why = f"it moves exactly with {names[twin]} and is judged together with it"
        unjudged.append(Unjudged(names[left_out], label, why))
    return design.only(kept)


def _z_scores(values: FloatArray) -> FloatArray | None:
    """Standardised, a missing value in the middle; None for a constant."""
    known = values[np.isfinite(values)]
    spread = float(known.std()) if len(known) else 0.0
    if spread <= 1e-12 * max(1.0, float(np.abs(known).max()) if len(known) else 1.0):
        return None
    return np.asarray(np.nan_to_num((values - known.mean()) / spread, nan=0.0), dtype=np.float64)


def _without_separation(
    design: _Design, label: str, bad: FloatArray, unjudged: list[Unjudged]
) -> _Design:
    """Leave out, by name, each feature that alone tells bad from good without an error."""
    if not len(design.names):
        return design
    is_bad = bad == 1.0
    high, low = design.columns[is_bad], design.columns[~is_bad]
    apart = (high.min(axis=0) > low.max(axis=0)) | (high.max(axis=0) < low.min(axis=0))
    for place in np.flatnonzero(apart):
        why = (
            "it alone separates bad from good cases without an error; is it a leak of the outcome?"
        )
        unjudged.append(Unjudged(design.names[int(place)], label, why))
    return design.only(np.flatnonzero(~apart))


def _shapes_of_ignored(
    rows: LabelledRows, here: npt.NDArray[np.intp], design: _Design, z: FloatArray
) -> FloatArray | None:
    """Steps over the deciles of each ignored feature that carries signal, shape (rows, steps)."""
    steps = []
    for place in np.flatnonzero(design.dead & (np.abs(z) > 3.0)):
        values = rows.raw[design.names[int(place)]][here]
        cuts = np.unique(np.nanquantile(values, np.linspace(0.0, 1.0, _SHAPE_BINS + 1)[1:-1]))
        # An interval that a feature's values leave empty, or fill alone, says nothing new; what is
        # left over is dropped as dependent.
        steps += [np.asarray(values > cut, dtype=np.float64) for cut in cuts]
        steps.append(np.asarray(np.isnan(values), dtype=np.float64))
    varied = [column for column in steps if 0.0 < column.mean() < 1.0]
    return np.column_stack(varied) if varied else None


def _add_cells(
    judged: _Judged,
    design: _Design,
    label: str,
    slopes: FloatArray,
    ses: FloatArray,
    freedom: int,
) -> None:
    live = ~design.dead
    common, weight = _common_slope(slopes[live], ses[live]) if live.any() else (0.0, math.inf)
    if 1.0 + common <= 0.0:
        why = f"the score ranks backwards here (common slope {1.0 + common:.2f})"
        judged.unjudged.append(Unjudged(None, label, why))
        return
    judged.common_slope = 1.0 + common
    delta = np.where(live, (slopes - common) / (1.0 + common), slopes)
    variance = (ses**2 + (1.0 + delta) ** 2 / weight) / (1.0 + common) ** 2
    se = np.where(live, np.sqrt(variance), ses)
    # With few cases of the rarer kind a normal reference is too sure of itself.
    width = float(t.ppf(0.975, freedom))
    p_values = 2.0 * t.sf(np.abs(delta / se), freedom)
    judged.cells += [
        FeatureBias(
            feature=name,
            slice=label,
            delta=float(delta[place]),
            low=float(delta[place] - width * se[place]),
            high=float(delta[place] + width * se[place]),
            p_value=float(p_values[place]),
            dead=bool(design.dead[place]),
            spread=float(design.spreads[place]),
            degrees_of_freedom=float(freedom),
        )
        for place, name in enumerate(design.names)
    ]


def _common_slope(slopes: FloatArray, ses: FloatArray) -> tuple[float, float]:
    """The slope most live features share, and its precision (1 / variance).

    Around the *unweighted* median: weighted, one dominant feature would be the median, and its
    bias would be blamed on all the others (METHODS 4.1).
    """
    middle = float(np.median(slopes))
    most = math.ceil(2 * len(slopes) / 3)
    kept = np.argsort(np.abs(slopes - middle) / ses, kind="stable")[:most]
    weights = 1.0 / ses[kept] ** 2
    return float(slopes[kept] @ weights / weights.sum()), float(weights.sum())


def _discoveries(cells: Sequence[FeatureBias], q: float) -> list[FeatureBias]:
    """Benjamini-Hochberg over cells, and over features that are alike in all slices, half of q each.

    A feature found both ways is one finding, the one that holds everywhere.
    """
    if len({one.slice for one in cells}) <= 1:
        return _controlled(cells, q)
    across = _controlled(_alike_everywhere(cells), q / 2.0)
    everywhere = {one.feature for one in across}
    within = [one for one in _controlled(cells, q / 2.0) if one.feature not in everywhere]
    return across + within


def _controlled(tested: Sequence[FeatureBias], q: float) -> list[FeatureBias]:
    if not tested:
        return []
    found = discoveries(np.array([one.p_value for one in tested]), q)
    return [one for one, is_found in zip(tested, found, strict=True) if is_found]


def _alike_everywhere(cells: Sequence[FeatureBias]) -> list[FeatureBias]:
    """Features whose deviation is the same in all slices (Cochran's Q), each combined into one."""
    table = pd.DataFrame({"feature": [one.feature for one in cells], "cell": list(cells)})
    table["dead"] = [one.dead for one in cells]
    found = []
    for _, same in table.groupby(["feature", "dead"], sort=True):
        slices = same["cell"].tolist()
        if len(slices) > 1 and homogeneity_p_value(slices) > ALIKE:
            found.append(combined(slices))
    return found


def homogeneity_p_value(slices: Sequence[FeatureBias]) -> float:
    """P-value of Cochran's (1954) Q against 'one deviation in all slices'.

    Weighted by the slices' own standard errors. A slice's interval is wider than its standard error
    says where Student's t made it, and an error read back from it as if it were normal would let
    slices that differ pass as alike.
    """
    delta, weight = _weighted(slices)
    middle = float(delta @ weight / weight.sum())
    return float(chi2.sf(weight @ (delta - middle) ** 2, len(slices) - 1))


def combined(slices: Sequence[FeatureBias]) -> FeatureBias:
    """One deviation of several slices' that are alike, weighted by their inverse variances.

    Its degrees of freedom are Satterthwaite's (1946): (sum w)^2 / sum (w^2 / f).
    """
    delta, weight = _weighted(slices)
    total = float(weight.sum())
    middle, se = float(delta @ weight / total), 1.0 / math.sqrt(total)
    shares = weight / total
    spent = float(
        sum(share**2 / one.degrees_of_freedom for share, one in zip(shares, slices, strict=True))
    )
    freedom = 1.0 / spent if spent > 0.0 else math.inf
    half = float(t.ppf(0.975, freedom)) * se
    return FeatureBias(
        feature=slices[0].feature,
        slice=EVERYWHERE,
        delta=middle,
        low=middle - half,
        high=middle + half,
        p_value=float(2.0 * t.sf(abs(middle) / se, freedom)),
        dead=slices[0].dead,
        spread=float(shares @ np.array([one.spread for one in slices])),
        degrees_of_freedom=freedom,
    )


def _weighted(slices: Sequence[FeatureBias]) -> tuple[FloatArray, FloatArray]:
    """(deviations, inverse variances), shapes (slices,)."""
    errors = np.array([one.standard_error for one in slices])
    return np.array([one.delta for one in slices]), 1.0 / errors**2
