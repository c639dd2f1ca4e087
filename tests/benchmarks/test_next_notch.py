"""Are the short roads of the benchmark of the next notch those of the certification sequence?"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import next_notch as bench
from benchmarks.worlds import GaussianWorld, StealthWorld, World
from models.boundary import CertificationSequence

WORLDS = [
    pytest.param(GaussianWorld("few", 3.0, 0.02), id="one case in fifty is bad"),
    pytest.param(StealthWorld("near", 2.5, 0.1, 0.005), id="one in ten, some look good"),
]


@pytest.mark.parametrize("world", WORLDS)
def test_looks_taken_one_by_one_are_those_of_extending_the_sequence(world: World) -> None:
    """Twelve steps of 5 % more cases, and one of half as many again, which takes many looks at once."""
    stream = bench._Stream(world, np.random.default_rng(17), np.random.default_rng(18))
    sequence = CertificationSequence.start(bench.TARGETS, stream.cohort(bench.HELD_BACK))
    looks = bench._Looks.of(sequence, stream)
    ends = [int(bench.HELD_BACK * 1.05**step) for step in range(1, 13)]
    proven = []
    for end in [bench.HELD_BACK, *ends, ends[-1] * 3 // 2]:
        sequence = sequence.extend(stream.cohort(end))
        looks.take(end)
        assert looks.taken == len(sequence.looks)
        assert looks.proven == sequence.proven_by_recall
        proven.append(looks.proven)
    assert len(set(proven)) >= 2
    for rows, cut in looks.widened:
        assert rows == next(look.rows for look in sequence.looks if look.cut == cut)
    assert looks.rows_at(lambda cut: cut > looks.widened[0][1]) == looks.widened[1][0]
