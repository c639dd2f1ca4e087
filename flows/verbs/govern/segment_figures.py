"""What does a boundary do in each configured segment of the cases it is proposed on?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.verbs.ports import EvidenceStore
from models.comparison.segments import SegmentRows, by_segment
from models.vocabulary import Boundary, CaseType


def segment_figures(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    case_type: str,
    frame: pd.DataFrame,
    boundary: Boundary,
) -> list[dict[str, Any]]:
    """Automation, precision and recall in all and by segment, for a dossier (DESIGN 5).

    Args:
        frame: the evidence of the certificate (see `evidence_for`).
    """
    stored = set(store.columns("decisions"))
    names = [name for name in case_types[case_type].segments if name in stored]
    observed = frame["bad"].notna().to_numpy() & frame["drawn"].to_numpy(dtype=np.bool_)
    rows = SegmentRows(
        score=frame["score"].to_numpy(dtype=np.float64),
        bad=(frame["bad"] == 1.0).to_numpy(dtype=np.bool_),
        labelled=observed,
        propensity=frame["propensity"].to_numpy(dtype=np.float64),
        automatable=frame["automatable"].to_numpy(dtype=np.bool_),
    )
    segments = _segments(store, case_type, frame, names) if names else {}
    return [one.plain() for one in by_segment(rows, boundary, segments)]


def _segments(
    store: EvidenceStore, case_type: str, frame: pd.DataFrame, names: list[str]
) -> dict[str, pd.Series]:
    """Each case's value in each segment, in the order of the frame."""
    read = store.read(
        "decisions",
        columns=names,
        filters={"case_type": [case_type]},
        since=frame["opened_at"].min().to_pydatetime(),
        stamp="opened_at",
        numbered=True,
    )
    place = pd.Series(np.arange(len(read)), index=read[CASE_NUMBER].to_numpy())
    at = place.reindex(frame[CASE_NUMBER].to_numpy()).to_numpy(dtype=np.float64)
    at = np.where(np.isnan(at), -1, at).astype(np.intp)
    return {
        name: pd.Series(read[name].array.take(at, allow_fill=True), name=name) for name in names
    }
