"""Which labels does a second person see, asked for out of doubt or drawn by design? (METHODS 1.6)"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.certify.generation import current_generation
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.label_trust import hoped_boundary
from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.ports import EvidenceServices
from models.truth import blind_second_sample, contradictions

WINDOW_DAYS = 28
"""Older labels are asked about only where the next proof rests on them."""

MARGIN = 0.25
"""How much further than the boundary hoped for questions are asked, as a part of the probability of
error at its cuts: it moves a little every night, and an answer takes one."""

COLUMNS = ["case_id", "case_type", "why"]
CONTRADICTS, AUDIT_PASSED, DRAWN_BAD = "contradicts", "audit_said_good", "drawn_bad"


def second_reviews(services: EvidenceServices, snapshot: EvidenceSnapshot) -> pd.DataFrame:
    """The cases whose first review needs a second, blind one: case_id, case_type and why.

    `contradicts`: an unconfirmed label that counts against the boundary in force or hoped for, most
    influential first. `audit_said_good`: a random share of the audit's good labels, among which
    missed bad cases hide. `drawn_bad`: a random share of the bad labels above the pass cut, by which
    the share of false ones is known. Each case is named once, for the first of these reasons.
    """
    found = [_of_case_type(services, snapshot, case_type) for case_type in services.case_types]
    return pd.concat(found, ignore_index=True)[COLUMNS]


def _of_case_type(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> pd.DataFrame:
    labels = snapshot.reviewed(case_type, snapshot.as_of - timedelta(days=WINDOW_DAYS))
    proof = _evidence(services, snapshot, case_type)
    if labels.empty and proof.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS})
    boundary = hoped_boundary(services, snapshot, case_type)
    uniform = services.draws.second_review_draw(case_type, labels["case_id"])
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    waiting = pd.concat(
        [
            contradictions(
                rows[rows["automatable"].to_numpy(dtype=np.bool_)],
                boundary,
                pass_margin=0.0 if low is None else MARGIN * low,
                block_margin=0.0 if high is None else MARGIN * (1.0 - high),
            ).rows
            for rows in (proof, labels)
            if len(rows)
        ]
    )
    good = labels[blind_second_sample(labels, uniform, services.second_review_share)]
    bad = labels[_unconfirmed_bad(labels, uniform < services.second_review_share)]
    asked = pd.concat(
        [
            waiting[["case_id"]].assign(why=CONTRADICTS),
            good[["case_id"]].assign(why=AUDIT_PASSED),
            bad[["case_id"]].assign(why=DRAWN_BAD),
        ]
    ).drop_duplicates("case_id")
    return asked.assign(case_type=case_type)


def _evidence(
    services: EvidenceServices, snapshot: EvidenceSnapshot, case_type: str
) -> pd.DataFrame:
    """What the next certificate rests on, of that people have reviewed."""
    generation = current_generation(services.ledger, services.case_types, case_type)
    if generation is None:
        return pd.DataFrame()
    rows = cohort_for(services, snapshot, case_type, generation)
    return rows[rows["reviewer"].notna().to_numpy()]


def _unconfirmed_bad(labels: pd.DataFrame, drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    said_bad = labels["first_bad"].to_numpy(dtype=np.bool_)
    return np.asarray(drawn & said_bad & ~labels["confirmed"].to_numpy(dtype=np.bool_))
