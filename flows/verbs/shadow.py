"""Shadow: write down what a model says about cases that another one decides."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from flows.verbs.desk import Desk
from models.risk import RiskModel

SHADOW_KEY = ("case_id", "model_version")


def score_in_shadow(
    desk: Desk,
    case_type: str,
    model: RiskModel,
    cases: pd.DataFrame,
    now: datetime,
    received_at: datetime | None,
) -> None:
    """Store the model's scores of these cases (DESIGN 4, shadow_scores); they decide nothing.

    `received_at` is None for the moment of the commit (see `EvidenceStore.append`).
    """
    if cases.empty:
        return
    scores = model.score(cases)[0]
    shadow = pd.DataFrame(
        {
            "case_id": cases["case_id"].to_numpy(),
            "case_type": case_type,
            "model_version": model.digest,
            "score": scores,
            "scored_at": pd.Series(now, index=range(len(cases))).astype("datetime64[us, UTC]"),
        }
    )
    nothing = shadow.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    desk.store.append(
        "shadow_scores",
        shadow,
        nothing,
        key=SHADOW_KEY,
        source=f"shadow {case_type}",
        received_at=received_at,
    )
