"""May the boundary on trial replace today's, has it failed, or must the test go on?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.boundary.ab.ab_claims import LargestWeights
from models.boundary.ab.ab_evidence import (
    log_capitals,
    look_days,
    refuting_log_capitals,
    scores_at_looks,
)
from models.boundary.ab.ab_rows import (
    BLOCKED,
    PASSED,
    AbRows,
    BoolArray,
    CaseKinds,
    FloatArray,
    tally,
)
from models.boundary.ab.ab_verdict import AbEnd, AbVerdict
from models.boundary.ab.group_sequential import obrien_fleming_constant
from models.boundary.decision.arms import SPLIT_BROKEN_BELOW, Arm, sample_ratio_p_value
from models.boundary.proof.odds import odds
from models.boundary.proof.risks import certifiable
from models.boundary.proof.wagers import e_value
from models.vocabulary import AbPlan, Boundary

_ROUNDING = 1e-9

NAMES = MappingProxyType(
    {
        "automation": "automates more",
        "precision": "keeps its precision",
        "precision_margin": "is as precise as today's",
        "recall": "keeps its recall",
        "false_omission_rate": "keeps its false omission rate",
    }
)


@dataclass(frozen=True, slots=True)
class AbDesign:
    """The two policies on trial, as far as a judgement must know them beforehand.

    Attributes:
        control, treatment: their boundaries; a side that is None leaves nothing to test there.
        lowest_pass_rate, lowest_block_rate: lowest designed audit rate of either policy among the
            cases both pass (block), in (0, 1]; 1 where the control passes (blocks) none.

    Raises:
        ValueError: a rate is outside (0, 1].
    """

    control: Boundary
    treatment: Boundary
    lowest_pass_rate: float = 1.0
    lowest_block_rate: float = 1.0

    def __post_init__(self) -> None:
        for rate in (self.lowest_pass_rate, self.lowest_block_rate):
            if not 0.0 < rate <= 1.0:
                raise ValueError(f"a designed audit rate must lie in (0, 1], got {rate!r}")


@dataclass(frozen=True, slots=True)
class AbProof:
    """What is known of one claim.

    Attributes:
        claim: "automation", "precision", "precision_margin", "recall" or "false_omission_rate".
        evidence: highest so far, at the ends of days: the e-value, or with O'Brien-Fleming
            z * sqrt(k / K) at the registered looks.
        needed: the evidence that proves it: 1/delta, or O'Brien and Fleming's constant.
        tested: False where the policies leave nothing to test; it then counts as proven.
    """

    claim: str
    evidence: float
    needed: float
    tested: bool = True

    @property
    def proven(self) -> bool:
        return not self.tested or self.evidence >= self.needed


@dataclass(frozen=True, eq=False)
class AbJudgement:
    """The state of an A/B at a look.

    Attributes:
        verdict: promote, stop or continue.
        proofs: one for each claim; all must be proven, each at the whole delta.
        refuted: promises that the treatment is proven to break.
        arms: assigned cases by arm, mature or not.
        split_p_value: see `sample_ratio_p_value`.
        days_judged, cases_judged: days that are over, and the cases that matured on them.
        missing: of those, drawn cases without a label, each counted as the worst case.
        reasons: the verdict in sentences.
        ended_by: why it stopped; None: it did not.
    """

    verdict: AbVerdict
    proofs: tuple[AbProof, ...]
    refuted: tuple[str, ...]
    arms: Mapping[str, int]
    split_p_value: float
    days_judged: int
    cases_judged: int
    missing: int
    reasons: tuple[str, ...]
    ended_by: AbEnd | None = None

    @property
    def evidence(self) -> Mapping[str, float]:
        """Evidence by claim: e-values, or with O'Brien-Fleming scaled z-scores."""
        return MappingProxyType({one.claim: one.evidence for one in self.proofs})


def judge_ab(plan: AbPlan, design: AbDesign, rows: AbRows, days: float) -> AbJudgement:
    """Judge an A/B from all its cases so far (METHODS 5); valid at any look.

    Promotion needs every claim: more automation by `automation_margin`, precision less than
    `precision_margin` below the control's, and each promise of `plan.targets` kept. Each is tested
    at the whole delta (intersection-union): a wrong promotion needs a wrong proof of the claim that
    is untrue. Claims are about whole policies and one population, which is taken not to change
    meanwhile; `tally` says which arm's cases speak for what. Where the control blocks nothing there
    is no precision to compare with, and that claim is left out; so are promises on a side that the
    treatment leaves to people.

    Evidence is read at the ends of days and only over days that are over, so looking more often
    changes nothing, and judging all rows anew equals a process that went along with them. A label
    that comes after maturity can only raise it.

    Args:
        plan: as registered.
        design: the two policies on trial.
        rows: every assigned case, mature or not; each once.
        days: time since the registration, in days.

    Raises:
        ValueError: a row contradicts the design, or `days` is no time.
    """
    if not (math.isfinite(days) and days >= 0.0):
        raise ValueError(f"the days since the registration must be 0 or more, got {days!r}")
    largest = designed_weights(plan, design)
    _check_rows(plan, design, rows)
    over = min(math.floor(days + _ROUNDING), math.floor(plan.horizon_days))
    kinds, counts = tally(rows, plan.treatment_share, over)
    proofs = _proofs(plan, design, kinds, counts, largest)
    treated = int(rows.treated.sum())
    arms = {Arm.CONTROL.value: len(rows) - treated, Arm.TREATMENT.value: treated}
    split = sample_ratio_p_value(len(rows) - treated, treated, plan.treatment_share)
    refuted = _refuted(plan, kinds, counts, largest)
    used = rows.day < over
    verdict, ended_by, reasons = _conclude(plan, design, proofs, refuted, split, days)
    return AbJudgement(
        verdict=verdict,
        proofs=proofs,
        refuted=refuted,
        arms=MappingProxyType(arms),
        split_p_value=split,
        days_judged=over,
        cases_judged=int(used.sum()),
        missing=int((rows.missing & used).sum()),
        reasons=reasons,
        ended_by=ended_by,
    )


def designed_weights(plan: AbPlan, design: AbDesign) -> LargestWeights:
    """The largest weights the plan and the audit rates allow."""
    return LargestWeights(
        pass_agreed=1.0 / design.lowest_pass_rate,
        block_agreed=1.0 / design.lowest_block_rate,
        moved=1.0 / (plan.treatment_share * plan.lowest_moved_rate),
    )


def _proofs(
    plan: AbPlan,
    design: AbDesign,
    kinds: CaseKinds,
    counts: FloatArray,
    largest: LargestWeights,
) -> tuple[AbProof, ...]:
    if plan.method == "betting":
        paths = log_capitals(plan, kinds, counts, largest)
        # Before the first day a bettor holds 1.
        evidence = {name: e_value(max([0.0, *path])) for name, path in paths.items()}
        needed = 1.0 / plan.targets.delta
    else:
        scores = scores_at_looks(plan, kinds, counts, largest)
        evidence = {name: max([0.0, *score]) for name, score in scores.items()}
        needed = obrien_fleming_constant(len(look_days(plan)), plan.targets.delta)
    untested = untested_claims(design)
    return tuple(
        AbProof(name, value, needed, tested=name not in untested)
        for name, value in evidence.items()
    )


def _refuted(
    plan: AbPlan, kinds: CaseKinds, counts: FloatArray, largest: LargestWeights
) -> tuple[str, ...]:
    """Promises proven broken, together wrong with probability delta at most. Always by betting:
    an early stop takes nothing from the error of a promotion."""
    paths = refuting_log_capitals(plan, kinds, counts, largest)
    needed = math.log(max(len(paths), 1) / plan.targets.delta)
    return tuple(name for name, path in paths.items() if max([0.0, *path]) >= needed)


def untested_claims(design: AbDesign) -> frozenset[str]:
    """Claims about decisions that a policy leaves to people. A matter of its boundary, never of the
    rows: a side that has decided nothing *yet* is unproven."""
    untested = set()
    if design.control.block_at_or_above is None:
        untested.add("precision_margin")
    if design.treatment.block_at_or_above is None:
        untested |= {"precision", "precision_margin"}
    if design.treatment.pass_at_or_below is None:
        untested |= {"recall", "false_omission_rate"}
    return frozenset(untested)


def _conclude(
    plan: AbPlan,
    design: AbDesign,
    proofs: tuple[AbProof, ...],
    refuted: tuple[str, ...],
    split: float,
    days: float,
) -> tuple[AbVerdict, AbEnd | None, tuple[str, ...]]:
    if split < SPLIT_BROKEN_BELOW:
        return (
            AbVerdict.STOP,
            AbEnd.SPLIT,
            (
                f"The split is broken: with {plan.treatment_share:g} of the cases treated by chance, arms "
                f"this uneven have a probability of {split:.2g}. Nothing is proven; find out which cases "
                f"were lost or assigned twice.",
            ),
        )
    if refuted:
        return (
            AbVerdict.STOP,
            AbEnd.HARM,
            tuple(
                f"The new boundary is proven to break its promise of {name.replace('_', ' ')}."
                for name in refuted
            ),
        )
    unpromised = _unpromised(plan, design)
    if unpromised:
        return AbVerdict.STOP, AbEnd.PROMISE, unpromised
    lacking = [one for one in proofs if not one.proven]
    if not lacking:
        return (
            AbVerdict.PROMOTE,
            None,
            tuple(f"Proven: the new boundary {NAMES[one.claim]}." for one in proofs if one.tested),
        )
    why = tuple(
        f"Not proven: that the new boundary {NAMES[one.claim]} ({_so_far(plan, one)})."
        for one in lacking
    )
    if days + _ROUNDING >= plan.horizon_days:
        over = f"The horizon of {plan.horizon_days:g} days is over."
        return AbVerdict.STOP, AbEnd.HORIZON, (over, *why)
    return AbVerdict.CONTINUE, None, why


def _so_far(plan: AbPlan, one: AbProof) -> str:
    if plan.method == "betting":
        return f"chance if it were untrue: {odds(one.evidence)}; proven at {odds(one.needed)}"
    return f"z-score {one.evidence:.2f}; proven at {one.needed:.2f}"


def _unpromised(plan: AbPlan, design: AbDesign) -> tuple[str, ...]:
    """Decisions the treatment makes and nobody promised anything about."""
    promised = set(certifiable(plan.targets))
    found = []
    if design.treatment.block_at_or_above is not None and "precision" not in promised:
        found.append("The new boundary blocks cases, and the plan promises no precision.")
    passes = design.treatment.pass_at_or_below is not None
    if passes and not promised & {"recall", "false_omission_rate"}:
        found.append(
            "The new boundary passes cases, and the plan promises neither recall nor a false "
            "omission rate."
        )
    return tuple(found)


def _check_rows(plan: AbPlan, design: AbDesign, rows: AbRows) -> None:
    """A rate below the design would let one case lose more than the bettor has."""
    for arm, boundary, action in (
        (Arm.CONTROL, design.control, rows.control_action),
        (Arm.TREATMENT, design.treatment, rows.treatment_action),
    ):
        for done, side, cut in (
            (PASSED, "passes", boundary.pass_at_or_below),
            (BLOCKED, "blocks", boundary.block_at_or_above),
        ):
            if cut is None and (action == done).any():
                raise ValueError(
                    f"the {arm}'s boundary {side} nothing, yet {int((action == done).sum())} rows say "
                    f"that it {side}; judge with the policies that were registered"
                )
    agreed = ~rows.differ
    _refuse_below(rows, rows.differ & rows.treated, plan.lowest_moved_rate, "treated and moved")
    for done, rate, what in (
        (PASSED, design.lowest_pass_rate, "passed by both"),
        (BLOCKED, design.lowest_block_rate, "blocked by both"),
    ):
        _refuse_below(rows, agreed & (rows.control_action == done), rate, what)


def _refuse_below(rows: AbRows, among: BoolArray, rate: float, what: str) -> None:
    below = among & rows.drawn & (rows.propensity < rate - _ROUNDING)
    if below.any():
        raise ValueError(
            f"{int(below.sum())} drawn cases that were {what} have a propensity below the lowest "
            f"designed rate {rate:g}, the lowest {rows.propensity[below].min():g}; judge with the "
            f"rates of the policies that decided them"
        )
