"""What is one case type's certificate made from on a night: its cohort, its promises and its traffic?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.certify.generation import Generation
from flows.verbs.evidence.cohort_rows import case_draws, cohort_for
from flows.verbs.evidence.label_trust import CREDENCE_SHARE, hoped_boundary, with_second_draws
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import CaseDraws, EvidenceServices, Ledger
from models.boundary import CertificationSequence, delta_of_sequence
from models.hub import Policy
from models.truth import credence
from models.vocabulary import Boundary, Certificate, Costs, Targets

FloatArray = npt.NDArray[np.float64]

TRAFFIC_DAYS = 28
"""Today's traffic is that of the last four weeks."""


@dataclass(frozen=True)
class CertificationInputs:
    """What one case type's certificate is made from.

    frame: the model's cohort in order of entry (`cohort_for`), with the keyed draws that doubt
    labels. hoped: how far the boundary in force or the labels reach. rate, cases_per_day: of the
    cohort and of the traffic, today.
    """

    services: EvidenceServices
    snapshot: EvidenceSnapshot
    generation: Generation
    frame: pd.DataFrame
    incumbent: Boundary | None
    hoped: Boundary
    digest: str
    rate: float
    cases_per_day: float

    @property
    def case_type(self) -> str:
        return self.generation.case_type

    @property
    def costs(self) -> Costs | None:
        """The costs that choose among the proven boundaries, where the case type asks for it."""
        case_type = self.services.case_types[self.case_type]
        return case_type.costs if case_type.choose == "cheapest" else None

    @property
    def targets(self) -> Targets:
        """The promises at what this sequence's whole life may spend: its case type's part, less what
        looks of another kind spent, less what is set aside for false bad labels."""
        promised = self.services.case_types[self.case_type].targets
        share = promised.delta / len(self.services.case_types)
        left = max(share - self.generation.spent_before, share * _LEAST_LEFT)
        delta = delta_of_sequence(left, self.generation.sequence)
        return replace(promised, delta=delta * (1.0 - CREDENCE_SHARE))

    def certificate(self, sequence: CertificationSequence) -> Certificate:
        """What stands proven, with its price in labels and days."""
        return sequence.certificate(
            self.incumbent, self.costs, cases_per_day=self.cases_per_day, rate=self.rate
        )


_LEAST_LEFT = 1e-3
"""Of delta, where looks from before there were sequences have spent all but nothing."""


def with_doubt(
    ledger: Ledger,
    draws: CaseDraws,
    second_review_share: float,
    case_type: str,
    frame: pd.DataFrame,
    hoped: Boundary,
    delta: float,
) -> pd.DataFrame:
    """A cohort with `second_drawn`, `credence` and `credence_uniform` (METHODS 1.6).

    Args:
        delta: what is set aside for the limit on false bad labels.
    """
    labels = with_second_draws(draws, second_review_share, case_type, frame)
    uniform = case_draws(ledger, draws, f"credence|{case_type}", frame)
    bad = labels["bad"].to_numpy(dtype=np.float64) == 1.0
    sure = bool(labels["confirmed"].to_numpy(dtype=np.bool_)[bad].all())
    believed = np.ones(len(labels)) if sure else _once_a_case(labels, hoped, delta)
    return labels.assign(
        credence=believed, credence_uniform=np.where(np.isnan(uniform), 0.0, uniform)
    )


def certification_inputs(
    services: EvidenceServices, snapshot: EvidenceSnapshot, generation: Generation
) -> CertificationInputs:
    """Gather what a certificate is made from; nothing is spent or filed.

    Raises:
        GateRefused, ServiceUnreachable: the audit secret or the model is not at hand.
    """
    case_type = generation.case_type
    live = services.ledger.live_policy(case_type)
    hoped = hoped_boundary(services, snapshot, case_type, generation)
    frame = cohort_for(services, snapshot, case_type, generation, hoped)
    given = CertificationInputs(
        services=services,
        snapshot=snapshot,
        generation=generation,
        frame=frame,
        incumbent=live.boundary if live is not None and generation.promoted else None,
        hoped=hoped,
        digest=evidence_digest(frame, generation.digest),
        rate=lasting_rate(live),
        cases_per_day=_traffic(snapshot, case_type),
    )
    if frame.empty:
        return given
    set_aside = given.targets.delta * CREDENCE_SHARE / (1.0 - CREDENCE_SHARE)
    return replace(
        given,
        frame=with_doubt(
            services.ledger,
            services.draws,
            services.second_review_share,
            case_type,
            frame,
            hoped,
            set_aside,
        ),
    )


def _once_a_case(labels: pd.DataFrame, hoped: Boundary, delta: float) -> FloatArray:
    """How far labels may be believed, where a case drawn from the store may have a second row."""
    if "from_store" not in labels or not labels["from_store"].any():
        return credence(labels, hoped, delta)
    codes, _ = pd.factorize(labels["case_id"])
    first = ~labels["case_id"].duplicated().to_numpy()
    return credence(labels[first].reset_index(drop=True), hoped, delta)[codes]


def lasting_rate(live: Policy | None) -> float:
    """The rate at which cases enter the cohort under the live policy once a sprint of it has ended: a
    wait of months is not told at a rate that lasts some days."""
    return 1.0 if live is None else live.audit.cohort_rates(live.boundary)[0]


def evidence_digest(frame: pd.DataFrame, model_digest: str) -> str:
    """SHA-256 of what a certificate rests on: cases, scores, designs, *observed* truth, and whose
    word it is and who confirmed it."""
    digest = hashlib.sha256(model_digest.encode())
    for name in (
        "case_id", "score", "bad", "propensity", "drawn", "automatable", "surfaced", "confirmed",
        "first_bad", "reviewer",
    ):  # fmt: skip
        if name in frame:
            digest.update(name.encode() + _hashed(frame[name]).tobytes())
    return digest.hexdigest()


def _hashed(values: pd.Series) -> npt.NDArray[np.uint64]:
    """A hash a value, the same whether words are stored as text or as categories: of few words each is
    hashed once."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return pd.util.hash_array(np.asarray(values), categorize=False)
    words = np.array([*values.cat.categories, np.nan], dtype=object)
    hashed = pd.util.hash_array(words, categorize=False)
    return np.asarray(hashed[values.cat.codes.to_numpy()])


def _traffic(snapshot: EvidenceSnapshot, case_type: str) -> float:
    """Cases a day of the last `TRAFFIC_DAYS`, as far as there are that many."""
    opened = snapshot.known(case_type)["opened_at"]
    if opened.empty:
        return 0.0
    newest = opened.iloc[-1]
    first = max(opened.iloc[0], newest - timedelta(days=TRAFFIC_DAYS))
    days = max(float((newest - first) / timedelta(days=1)), 1.0)
    return float((opened >= first).sum()) / days
