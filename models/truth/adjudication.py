"""What is the truth of a case, when reviewers, second reviewers and outcomes have all spoken?"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Later ranks overrule earlier ones; an outcome overrules every opinion.
FIRST_RANK, GOLD_RANK, SECOND_RANK, SENIOR_RANK, OUTCOME_RANK = 1, 2, 3, 4, 5
REVIEW_RANKS = {
    "escalation": FIRST_RANK,
    "audit": FIRST_RANK,
    "gold": GOLD_RANK,
    "second": SECOND_RANK,
    "senior": SENIOR_RANK,
}


def settle(reviews: pd.DataFrame, outcomes: pd.DataFrame, by: str = "case_id") -> pd.DataFrame:
    """One row per case with a settled truth.

    Args:
        reviews: latest revisions; the case, kind, verdict, resolved_at.
        outcomes: the case, observed_at, bad.
        by: the column that names the case in both.

    Returns:
        the case, bad (bool) and settled_at (UTC): of the highest rank that spoke, the latest word.
        A verdict `escalate` leaves a case open, so it settles nothing. confirmed (bool): a second
        person agreed, or a senior, a gold case or an outcome decided (METHODS 1.6). rank: of the
        word that counts, up to OUTCOME_RANK.
    """
    open_still = (reviews["verdict"] == "escalate").to_numpy(dtype=np.bool_)
    decided = reviews.loc[~open_still, [by, "kind", "verdict", "resolved_at"]]
    opinions = pd.DataFrame(
        {
            by: decided[by],
            "bad": (decided["verdict"] == "block").to_numpy(dtype=np.bool_),
            "settled_at": decided["resolved_at"],
            "rank": decided["kind"].map(REVIEW_RANKS).astype("float64").fillna(0.0),
        }
    )
    facts = pd.DataFrame(
        {
            by: outcomes[by],
            "bad": outcomes["bad"].to_numpy(dtype=np.bool_),
            "settled_at": outcomes["observed_at"],
            "rank": float(OUTCOME_RANK),
        }
    )
    said = pd.concat([part for part in (opinions, facts) if len(part)] or [opinions])
    said["confirmed"] = said["rank"].isin([GOLD_RANK, SENIOR_RANK, OUTCOME_RANK])
    # Most cases have one word only, and sorting those would be most of the work.
    several = said[by].duplicated(keep=False).to_numpy()
    if several.any():
        heard = said[several].sort_values(["rank", "settled_at"], kind="stable")
        agreed = heard.duplicated([by, "bad"], keep=False) & (heard["rank"] == SECOND_RANK)
        heard["confirmed"] |= agreed
        said = pd.concat([said[~several], heard.drop_duplicates(by, keep="last")])
    return said[[by, "bad", "settled_at", "confirmed", "rank"]].reset_index(drop=True)
