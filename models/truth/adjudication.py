"""What is the truth of a case, when reviewers, second reviewers and outcomes have all spoken?"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Later ranks overrule earlier ones; an outcome overrules every opinion.
REVIEW_RANKS = {"escalation": 1, "audit": 1, "gold": 2, "second": 3, "senior": 4}
OUTCOME_RANK = 5


def settle(reviews: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per case with a settled truth.

    Args:
        reviews: latest revisions; case_id, kind, verdict, resolved_at.
        outcomes: case_id, observed_at, bad.

    Returns:
        case_id, bad (bool) and settled_at (UTC): of the highest rank that spoke, the latest word.
        A verdict `escalate` leaves a case open, so it settles nothing.
    """
    decided = reviews[reviews["verdict"] != "escalate"]
    opinions = pd.DataFrame(
        {
            "case_id": decided["case_id"],
            "bad": decided["verdict"].to_numpy() == "block",
            "settled_at": decided["resolved_at"],
            "rank": decided["kind"].map(REVIEW_RANKS).fillna(0).astype(np.int64),
        }
    )
    facts = pd.DataFrame(
        {
            "case_id": outcomes["case_id"],
            "bad": outcomes["bad"].to_numpy(dtype=np.bool_),
            "settled_at": outcomes["observed_at"],
            "rank": np.int64(OUTCOME_RANK),
        }
    )
    said = pd.concat([part for part in (opinions, facts) if len(part)] or [opinions])
    # Most cases have one word only, and sorting those would be most of the work.
    several = said["case_id"].duplicated(keep=False).to_numpy()
    if several.any():
        heard = said[several].sort_values(["rank", "settled_at"], kind="stable")
        said = pd.concat([said[~several], heard.drop_duplicates("case_id", keep="last")])
    return said[["case_id", "bad", "settled_at"]].reset_index(drop=True)
