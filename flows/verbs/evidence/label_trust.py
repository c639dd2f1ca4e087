"""How far may the labels behind a certificate be believed, and whose word do they rest on?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from flows.verbs.certify.generation import Generation, current_generation
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import CaseDraws, EvidenceServices
from models.boundary import Evidence
from models.boundary.proof.hindsight import plug_in_boundary
from models.reviewers import judge_reviewers
from models.reviewers.influence import Decide
from models.vocabulary import Boundary, Certificate, CertificateVerdict, Targets

CREDENCE_SHARE = 0.05
"""Of a look's delta, for the limit on false bad labels where some are unconfirmed."""


def hoped_boundary(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    generation: Generation | None = None,
) -> Boundary:
    """How far the boundary in force or the present labels reach, whichever is further on each side:
    where a label that contradicts it must be confirmed. It proves nothing.

    Args:
        generation: whose cohort; None: the newest one's.
    """
    generation = generation or current_generation(services.ledger, services.case_types, case_type)
    asked = (case_type, "" if generation is None else generation.digest)
    if asked not in snapshot.hoped:
        snapshot.hoped[asked] = _hoped(services, snapshot, case_type, generation)
    return snapshot.hoped[asked]


def _hoped(
    services: EvidenceServices,
    snapshot: EvidenceSnapshot,
    case_type: str,
    generation: Generation | None,
) -> Boundary:
    live = services.ledger.live_policy(case_type)
    reached = [live.boundary] if live is not None else []
    frame = (
        pd.DataFrame()
        if generation is None
        else cohort_for(services, snapshot, case_type, generation)
    )
    if len(frame):
        known = frame[(frame["in_cohort"] & frame["bad"].notna()).to_numpy(dtype=np.bool_)]
        targets = services.case_types[case_type].targets
        score = known["score"].to_numpy(dtype=np.float64)
        bad = known["bad"].to_numpy(dtype=np.float64) == 1.0
        free = known["automatable"].to_numpy(dtype=np.bool_)
        reached.append(plug_in_boundary(score, bad, targets, free))
    lows = [one.pass_at_or_below for one in reached if one.pass_at_or_below is not None]
    highs = [one.block_at_or_above for one in reached if one.block_at_or_above is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low >= high:
        return reached[0]
    return Boundary(low, high)


def with_second_draws(
    draws: CaseDraws, second_review_share: float, case_type: str, frame: pd.DataFrame
) -> pd.DataFrame:
    """The evidence with `second_drawn`: whether a second review of a bad first word was designed."""
    said_bad = frame["first_bad"].to_numpy(dtype=np.bool_)
    drawn = np.zeros(len(frame), dtype=np.bool_)
    uniform = draws.second_review_draw(case_type, frame["case_id"][said_bad])
    drawn[said_bad] = uniform < second_review_share
    return frame.assign(second_drawn=drawn)


def past_the_gates(
    certificate: Certificate,
    evidence: Evidence,
    labels: pd.DataFrame,
    targets: Targets,
    incumbent: Boundary | None,
    decide: Decide,
    *,
    hoped: Boundary,
    cap: float,
) -> Certificate:
    """The certificate, or a hold that names the reviewers it must not rest on (METHODS 6).

    Where nothing was certified they are named all the same, around the boundary hoped for.
    """
    if not labels["reviewer"].notna().any():
        return certificate
    certified = certificate.verdict is CertificateVerdict.CERTIFIED
    judged = judge_reviewers(
        evidence,
        labels["reviewer"].to_numpy(dtype=object),
        targets,
        incumbent,
        decide,
        first_bad=labels["first_bad"].to_numpy(dtype=np.bool_),
        candidate=None if certified else hoped,
        cap=cap,
    )
    if judged.holds:
        return certificate
    if certified:
        return held(certificate, incumbent, judged.broken)
    return replace(certificate, reasons=(*certificate.reasons, *judged.broken))


def held(
    certificate: Certificate, incumbent: Boundary | None, reasons: Sequence[str]
) -> Certificate:
    """Nothing moves, and why."""
    return replace(
        certificate,
        verdict=CertificateVerdict.HOLD,
        boundary=incumbent or Boundary.everything_reviewed(),
        reasons=tuple(reasons),
        labels_needed={},
    )
