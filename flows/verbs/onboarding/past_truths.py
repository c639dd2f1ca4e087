"""Of how many past cases is the truth bad, good, or not known, and what becomes of the last?

A mature case without a truth stays in the evidence: a person was to see it, so it counts as the worst
case wherever it falls. To leave it out would be to choose the evidence by its outcome: what is still
open is rarely like what is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class PastTruths:
    """Counts of past cases: by truth, and of those without one how many are mature."""

    bad: int
    good: int
    unknown: int
    unknown_and_mature: int

    def sentence(self, case_type: str) -> str:
        """The three counts, and what becomes of what is not known."""
        counts = (
            f"{case_type}: {self.bad:,} cases are bad, {self.good:,} good, of {self.unknown:,} the truth is "
            "not known"
        )
        if not self.unknown:
            return f"{counts}."
        young = self.unknown - self.unknown_and_mature
        parts = []
        if young:
            parts.append(
                f"{young:,} of these are younger than `maturity_days` and are left out until they are older"
            )
        if self.unknown_and_mature:
            parts.append(
                f"{self.unknown_and_mature:,} are older: no model learns from them, and in a proof each "
                "counts as the worst case, since leaving out what is still open would choose the evidence "
                "by its outcome. Where cases stay open so long, raise `maturity_days`, or end the table at "
                "an opening date before which all are settled"
            )
        return f"{counts}. {'; '.join(parts)[:1].upper()}{'; '.join(parts)[1:]}."


def past_truths(rows: pd.DataFrame, mature_before: datetime) -> PastTruths:
    """Count the truths of admitted past cases.

    Args:
        rows: `bad` (true, false or missing) and `opened_at`; one case type, a row each case.
        mature_before: cases opened before it are mature.
    """
    unknown = rows["bad"].isna().to_numpy(dtype=np.bool_)
    bad = rows["bad"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_)
    mature = (rows["opened_at"] < pd.Timestamp(mature_before)).to_numpy(dtype=np.bool_)
    return PastTruths(
        bad=int(bad.sum()),
        good=int((~bad & ~unknown).sum()),
        unknown=int(unknown.sum()),
        unknown_and_mature=int((unknown & mature).sum()),
    )
