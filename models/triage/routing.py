"""To whom does each pattern of errors go, what is at stake, and do the reviewers agree?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from models.triage.diagnosis import Diagnosis
from models.triage.evidence import TriageEvidence
from models.triage.procedure.procedure import BOTH, ProcedureGap
from models.triage.threshold.miscalibration import recalibrated
from models.triage.weight.counterfactual import blamed_errors
from models.triage.weight.weights import BiasedWeight
from models.vocabulary import EVERYWHERE, Costs, Counterfactual, FeedbackPath, Finding
from models.vocabulary.finding_words import (
    IGNORED,
    RATIO,
    SHIFT,
    WEIGHT,
    plain_interval,
    plain_size,
)

BoolArray = npt.NDArray[np.bool_]

_MARKS = (
    FeedbackPath.FEATURE_WEIGHT.value,
    FeedbackPath.THRESHOLD.value,
    FeedbackPath.PROCEDURE.value,
)


def findings_of(
    case_type: str, evidence: TriageEvidence, diagnosis: Diagnosis, costs: Costs
) -> list[Finding]:
    """One finding a pattern, each with the statistics' verdict and the reviewers' own marks beside it.

    Where most marks of the blamed errors name another cause, the sentence says so (METHODS 4.4);
    neither side overrules the other.
    """
    desk = _Desk(case_type, evidence, costs)
    weights = zip(diagnosis.weights.findings, diagnosis.counterfactuals, strict=True)
    rest = evidence.rows(diagnosis.outside)
    outside = _Desk(case_type, rest, costs)
    found = [outside.weight(one, made) for one, made in weights]
    if diagnosis.calibration is not None and diagnosis.calibration.found:
        found.append(outside.threshold(diagnosis))
    gaps: dict[str, Finding] = {}
    for gap in sorted(diagnosis.gaps, key=lambda gap: gap.p_value):
        told = desk.procedure(gap)
        gaps.setdefault(told.pattern_id, told)
    return [*found, *gaps.values()]


class _Desk:
    """The labelled cases of one case type with what an error of either kind costs."""

    def __init__(self, case_type: str, evidence: TriageEvidence, costs: Costs) -> None:
        self._case_type, self._evidence, self._costs = case_type, evidence, costs
        says_block = evidence.margin >= 0.0
        self._false_positive = says_block & ~evidence.bad
        self._false_negative = ~says_block & evidence.bad

    def weight(self, one: BiasedWeight, made: Counterfactual | None) -> Finding:
        evidence, found = self._evidence, one.found
        blamed = blamed_errors(evidence.margin, evidence.bad, one.correction(evidence))
        where = "" if one.slice == EVERYWHERE else f" where {one.slice}"
        if found.dead:
            what = (
                f"{found.feature} is ignored{where} and carries {found.delta:+.2f} logits per standard "
                f"deviation (95 % interval {found.low:+.2f} to {found.high:+.2f}): "
                f"{plain_size(found.delta, IGNORED)}"
            )
        elif found.delta <= -1.0:
            near, far = sorted((abs(found.low), abs(found.high)))
            what = (
                f"the weight of {found.feature}{where} points the wrong way: {-found.delta:.0%} of it "
                f"is too much (95 % interval {near:.0%} to {far:.0%})"
            )
        else:
            way = "too high" if found.delta < 0.0 else "too low"
            what = (
                f"the weight of {found.feature}{where} is {way}: "
                f"{plain_size(found.delta, WEIGHT)} (95 % interval "
                f"{plain_interval(found.low, found.high, WEIGHT)})"
            )
        return self._finding(
            FeedbackPath.FEATURE_WEIGHT, found.feature, one.slice,
            (found.delta, found.low, found.high), IGNORED if found.dead else WEIGHT,
            found.p_value, int(one.inside(evidence).sum()), blamed,
            f"{what}. {_remedy_told(made)}", made,
        )  # fmt: skip

    def threshold(self, diagnosis: Diagnosis) -> Finding:
        found, evidence = diagnosis.calibration, self._evidence
        assert found is not None
        after = recalibrated(evidence.margin, found, float(evidence.margin.mean()))
        blamed = ((evidence.margin >= 0.0) != evidence.bad) & ((after >= 0.0) == evidence.bad)
        sentence = (
            f"the score is off by {found.shift:+.2f} logits at its mean (95 % interval "
            f"{found.shift_low:+.2f} to {found.shift_high:+.2f}), {plain_size(found.shift, SHIFT)}, "
            f"with slope {found.slope:.2f} ({found.slope_low:.2f} to {found.slope_high:.2f}); its "
            "ranking stands. Recalibrate, and "
            "let the certificate propose the thresholds."
        )
        return self._finding(
            FeedbackPath.THRESHOLD, "score", EVERYWHERE,
            (found.shift, found.shift_low, found.shift_high), SHIFT, found.p_value,
            len(evidence.margin), blamed, sentence, None,
        )  # fmt: skip

    def procedure(self, gap: ProcedureGap) -> Finding:
        kinds = {"FP": self._false_positive, "FN": self._false_negative}
        either = self._false_positive | self._false_negative
        blamed = gap.members & kinds.get(gap.errors_are, either)
        also = f" Also: {', '.join(gap.also)}." if gap.also else ""
        sentence = (
            f"{gap.told} has {gap.errors} {_KINDS[gap.errors_are]}, {gap.ratio:.1f} times as many as "
            f"elsewhere at the same score (95 % interval {gap.low:.1f} to {gap.high:.1f}); neither a "
            f"weight nor the threshold explains them.{also} Look at the procedure."
        )
        return self._finding(
            FeedbackPath.PROCEDURE, f"{gap.kind}={gap.pattern}", EVERYWHERE,
            (gap.ratio, gap.low, gap.high), RATIO, gap.p_value, gap.cases, blamed, sentence, None,
        )  # fmt: skip

    def _finding(
        self,
        path: FeedbackPath,
        subject: str,
        where: str,
        effect: tuple[float, float, float],
        unit: str,
        p_value: float,
        cases: int,
        blamed: BoolArray,
        sentence: str,
        made: Counterfactual | None,
    ) -> Finding:
        marks = self._marks(blamed)
        money = self._costs.false_positive_usd * int((blamed & self._false_positive).sum())
        money += self._costs.false_negative_usd * int((blamed & self._false_negative).sum())
        return Finding(
            case_type=self._case_type, path=path, subject=subject, slice=where,
            effect=effect[0], low=effect[1], high=effect[2], unit=unit, p_value=p_value,
            cases=cases, errors=int(blamed.sum()), money_usd=float(money),
            sentence=f"{self._case_type}: {sentence}{_disagreement(path, marks)}",
            marks=marks, counterfactual=made,
        )  # fmt: skip

    def _marks(self, blamed: BoolArray) -> dict[str, int]:
        notes = self._evidence.notes
        if "feedback_path" not in notes:
            return {}
        said = notes["feedback_path"][blamed].value_counts()
        return {path: int(said.get(path, 0)) for path in _MARKS}


_KINDS = {BOTH: "errors", "FP": "false positives", "FN": "false negatives"}


def _remedy_told(made: Counterfactual | None) -> str:
    if made is None:
        return "Whether its remedy would hold cannot be told yet."
    held = "held" if made.supported else "did not hold"
    way = "falls" if made.fall >= 0.0 else "rises"
    low, high = (made.low, made.high) if made.fall >= 0.0 else (-made.high, -made.low)
    return (
        f"Its remedy {held}: put right on the earlier half, the errors it is blamed for on the later "
        "half go from "
        f"{made.errors_before} to {made.errors_after}, and the log loss of the {made.later_cases:,} "
        f"cases it moves {way} by {abs(made.fall):.1%} (95 % interval {low:.1%} to {high:.1%})."
    )


def _disagreement(path: FeedbackPath, marks: Mapping[str, int]) -> str:
    total = sum(marks.values())
    if not total:
        return ""
    most = max(marks, key=lambda mark: marks[mark])
    if most == path.value or marks[most] * 2 <= total:
        return ""
    return f" The reviewers disagree: they mark {marks[most]} of {total} of these errors {most}."
