"""Is a planted procedure fault found by slice, by clause and by code, and no other fault taken for one?"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.procedure_gaps import features_of, refitted_twice, reports_on, reviewed
from models.simulation.faults import Fault, ProcedureFault, ThresholdFault, WeightFault
from models.triage.procedure.annotation_topics import find_topics
from models.triage.procedure.error_codes import find_code_excess, find_group_excess

GAP = ProcedureFault("ato", "ATO-07", "country_changed", True, 0.4)


def test_a_procedure_fault_is_found_by_every_road() -> None:
    """Simulated: 40 % of cases with a changed country are read the wrong way round."""
    rows, margin, marks = reviewed("ato", 8_000, 4, (GAP,))
    once, again = refitted_twice(rows, margin, 4).values()
    slices = reports_on(rows, once, 4)["FP"].findings
    assert [found.slice for found in slices] == ["country_changed=true"]
    assert np.array_equal(slices[0].holds(features_of(rows)), rows["country_changed"].to_numpy())

    wrong, expected = again["FP"]
    clauses = find_group_excess(marks["sop_clause"], wrong, expected)
    assert [found.group for found in clauses] == ["ATO-07"]
    codes = find_code_excess(marks["root_cause"], wrong, expected)
    assert [found.code for found in codes] == ["sop_blocks_legitimate_pattern"]
    blamed = marks[wrong].reset_index(drop=True)
    topics = find_topics(blamed["annotation"], blamed["language"])
    of_codes = blamed["root_cause"] == "sop_blocks_legitimate_pattern"
    largest = np.bincount(topics.of[of_codes & (topics.of >= 0)]).argmax()
    assert of_codes[topics.of == largest].mean() > 0.9


@pytest.mark.parametrize(
    "fault", [None, WeightFault("ato", "new_device", 1.8), ThresholdFault("ato", 0.8, 1.4)]
)
def test_no_other_fault_is_a_procedure_gap(fault: Fault | None) -> None:
    """Simulated: without a fault, with a weight or a threshold fault, no code and no clause."""
    rows, margin, marks = reviewed("ato", 8_000, 5, () if fault is None else (fault,))
    for sides in refitted_twice(rows, margin, 5).values():
        for wrong, expected in sides.values():
            code = marks["root_cause"].where(marks["root_cause"] != "none")
            assert find_code_excess(code, wrong, expected) == []
            assert find_group_excess(marks["sop_clause"], wrong, expected) == []
