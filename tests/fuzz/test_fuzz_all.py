"""Seven thousand damaged inputs end in a sentence, an exit code and a sum that comes out; none in a
traceback, none with a row's value, none by the death of the process.

On a failure the message says of each kind of fault how often it was seen, what was done to the
smallest input that shows it, and the command that runs that input again.
"""

from __future__ import annotations

import pytest

from tests.fuzz.strategies import KINDS
from tests.fuzz.worker import try_all

pytestmark = pytest.mark.slow


def test_seven_thousand_inputs_are_tried() -> None:
    assert sum(kind.inputs for kind in KINDS.values()) == 7_000


@pytest.mark.parametrize("name", KINDS)
def test_no_input_of_a_kind_crashes_loses_a_row_or_is_quoted(name: str) -> None:
    told = try_all(name, 0, KINDS[name].inputs)

    assert told.inputs == KINDS[name].inputs
    assert not told.faults, f"{name}: ended with {dict(told.codes)}\n{told.sentences()}"
    # Where all were refused, or none, nothing beyond the first check would have been tried. Frames
    # handed over in process, and nights, are never refused: what fails is said in their answer.
    if name not in ("contract_frames", "nights"):
        refused = told.codes["2"] / told.inputs
        assert 0.1 < refused < 0.98, dict(told.codes)
