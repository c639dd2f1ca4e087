"""Which cases are in a cohort, and what do those without a truth wait for?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from flows.verbs.evidence.cohort_rows import WaitsFor, what_is_waited_for


def test_what_a_cohort_waits_for_is_told_with_the_command_that_serves_people() -> None:
    """Four members and one that is not: what is certain to come by itself is told last."""
    frame = pd.DataFrame(
        {
            "in_cohort": [True, True, True, True, False],
            "waits_for": np.array(
                [WaitsFor.MATURITY, WaitsFor.SECOND_REVIEW, WaitsFor.A_LABEL, 0, WaitsFor.A_HOLD],
                dtype=np.int8,
            ),
        }
    )
    assert what_is_waited_for(frame) == (
        "What they wait for: 1 a second review (ratchet second-reviews --to FILE); "
        "1 a label (ratchet open-draws --to FILE); 1 the case type's maturity."
    )
    assert what_is_waited_for(frame[frame["waits_for"] == 0]) == ""
