"""Are the simulated lives those that the certification sequence would lead?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import lives as bench
from models.boundary import CertificationSequence
from models.boundary.sequence.look_table import look_table
from models.boundary.sequence.thinning import from_store
from models.vocabulary import Targets

MISSED, TESTED, CAUGHT = 0.2, 0.5, 0.9
"""Scores of bad cases below and above the tested cut, and that cut."""

TARGETS = Targets(recall=1.0 - bench.BETA, delta=bench.DELTA)


def look_passed_by_the_sequence(entries: list[bench.Entry]) -> int:
    """The first look whose cut is as wide as the tested one, 0 where none: every entry extends the
    sequence by rows in their order, members or not."""
    frames = [
        pd.DataFrame(
            {
                "score": np.where(entry.miss, MISSED, CAUGHT),
                "bad": 1.0,
                "in_cohort": entry.member,
            }
        )
        for entry in entries
    ]
    good = pd.DataFrame({"score": [0.1], "bad": [0.0], "in_cohort": [True]})
    seen = pd.concat([good, frames[0]], ignore_index=True)
    sequence = CertificationSequence.start(TARGETS, seen)
    for frame in frames[1:]:
        seen = pd.concat([seen, frame], ignore_index=True)
        sequence = sequence.extend(seen)
    passing = [
        number
        for number, look in enumerate(sequence.looks, start=1)
        if look.cut is not None and look.cut >= TESTED
    ]
    return passing[0] if passing else 0


@pytest.mark.parametrize("design", bench.ADVERSARIES)
def test_a_life_under_an_adversary_passes_at_the_look_of_the_sequence(design: str) -> None:
    """The first six lives of a generator, and on until six have passed after their first look."""
    looks = look_table(400, bench.BETA, bench.DELTA, looks=bench.LOOKS)
    rng = np.random.default_rng([3, len(design)])
    compared, later, left_out = 0, 0, 0
    while compared < 6 or later < 6:
        life = bench.adversarial_life(design, looks, rng)
        if compared >= 6 and life.passed_at < 2:
            continue
        compared, later = compared + 1, later + (life.passed_at > 1)
        left_out += sum(int((~entry.member).sum()) for entry in life.entries)
        assert look_passed_by_the_sequence(life.entries) == life.passed_at
    assert left_out > 0


def test_an_undisturbed_life_passes_at_the_look_of_the_sequence() -> None:
    """Twelve lives, and twelve with fewer misses, most of which pass; each look's misses stand in its
    last cases."""
    looks = look_table(1_000, bench.BETA, bench.DELTA, looks=30)
    sizes = np.diff(looks.sizes, prepend=0)
    rng = np.random.default_rng(11)
    more = np.concatenate([rng.binomial(sizes, share, (12, 30)) for share in (0.01, 0.006)])
    passed_at = bench.first_passed(more, looks)
    assert len(set(passed_at)) >= 5
    for misses, look in zip(more, passed_at, strict=True):
        entries = [
            bench.Entry(np.ones(size, dtype=np.bool_), np.arange(size) >= size - missed)
            for size, missed in zip(sizes, misses, strict=True)
        ]
        assert look_passed_by_the_sequence(entries) == look


def test_the_share_of_lives_that_pass_is_the_tables_own_sum() -> None:
    """Second road: 20,000 lives of a small table within four standard errors of what it says."""
    looks = look_table(500, bench.BETA, bench.DELTA, looks=bench.LOOKS)
    passed = bench.passing_looks(np.random.default_rng(5), looks, 20_000)
    assert abs((passed > 0).mean() - looks.spent) < 4.0 * np.sqrt(looks.spent / 20_000)
    assert abs((passed == 1).mean() - looks.spent_by_look[0]) < 4.0 * np.sqrt(
        looks.spent_by_look[0] / 20_000
    )


def test_a_store_is_drawn_in_the_order_of_opening_and_by_the_uniform_alone() -> None:
    """Two stretches drawn up to .1 and .03 before; the draw goes up to .5."""
    rng = np.random.default_rng(2)
    life = bench.Life(bench.table_of(1_000))
    life.store = [bench.Stretch.drawn(rng, 3_000, rate) for rate in (0.1, 0.03)]
    cases = pd.DataFrame(
        {
            "uniform": np.concatenate([one.u for one in life.store]),
            "cohort_rate": np.repeat([0.1, 0.03], 3_000),
        }
    )
    joins = from_store(cases, 0.5)
    miss = np.concatenate([one.miss for one in life.store])
    surfaced = np.concatenate([one.surfaced for one in life.store])
    life.draw(0.5)
    assert life.joined == joins.sum()
    assert life.places == np.flatnonzero(miss[joins]).tolist()
    skipping = bench.Life(bench.table_of(1_000), store=life.store)
    skipping.draw(0.5, skips_surfaced=True)
    assert 0 < (surfaced & joins).sum() == life.joined - skipping.joined
    assert len(skipping.places) == len(life.places) - (surfaced & joins).sum()


def test_the_limits_of_a_share_are_exact() -> None:
    """None of ten: (1 - p)^10 = .025 at the upper limit; all of ten, the same from the other side."""
    low, high = bench.limits(0, 10)
    assert (low, (1.0 - high) ** 10) == (0.0, pytest.approx(0.025))
    low, high = bench.limits(10, 10)
    assert (low**10, high) == (pytest.approx(0.025), 1.0)
