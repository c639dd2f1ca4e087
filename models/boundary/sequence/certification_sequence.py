"""What has one generation's cohort proven so far, and what does it take to prove more? (METHODS 1.2, 1.3)

A uniform audit makes, for every boundary and every model, a fully reviewed random sample of the
traffic. On it one table of looks serves the whole life of a generation, whatever is promoted,
narrowed or rolled back in between: nothing restarts.

The looks follow from the cohort in its order of entry, the targets and the first sizes alone. What
is kept beside these (`plain`) is which looks have been taken and what they gave, because a label
may be corrected afterwards: *a look once taken stays taken*, with its cut, and is never taken again;
the next look uses the corrected labels. Whether a boundary should fall when labels change is the
refutation's business, not the table's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from models.boundary.price import sequence_price
from models.boundary.price.notch_price import NOTCH, TRICKLE, NotchPrice
from models.boundary.proof.bounds import trials_for_power, trials_without_error
from models.boundary.proof.candidates import just_above, just_below
from models.boundary.proof.certificate import delta_shares
from models.boundary.proof.evidence import Evidence, FloatArray
from models.boundary.proof.step_ladder import Ladder, laid_out
from models.boundary.sequence.cohort import Cohort, IntArray
from models.boundary.sequence.look_table import (
    FIRST_LOOK_SHARE,
    FIRST_LOOK_SHARE_FROM_NOTHING,
    LookTable,
    look_table,
    looks_within,
)
from models.boundary.sequence.sequence_certificate import CohortJudgement
from models.vocabulary import Boundary, Certificate, Costs, Targets

FEWEST_TO_LAY_OUT = 600
"""Scores on which the steps of a risk that is not monotone are laid out (METHODS 1.3: the second
start blocks 600 cases)."""


@dataclass(frozen=True, slots=True)
class RecallLook:
    """A look that was taken.

    Attributes:
        size: bad cases used, the first ones of the cohort.
        allowed: misses allowed; -1: it could not pass.
        cut: the widest pass cut it proves; None: none.
        rows: the cohort's cases up to the last one used.
    """

    size: int
    allowed: int
    cut: float | None
    rows: int


@dataclass(frozen=True, eq=False)
class CertificationSequence:
    """The certificate of one case type and one model generation, over its whole life.

    Attributes:
        targets: the promises; `targets.delta` is what this sequence's whole life may spend (after
            case types, drift and label noise have had their parts; see `delta_of_sequence`).
        cohort: see `Cohort`.
        first, phi: bad cases of the first look for recall, and that look's share of delta; 0 where
            recall is not promised.
        looks: recall's looks that were taken, in order.
        ladders: the sequences of steps for precision and false omission; empty until there are
            `FEWEST_TO_LAY_OUT` scores to lay them out on.
        ceiling: no pass cut above it (`reviewable_range` says where a design could not draw).
    """

    targets: Targets
    cohort: Cohort
    first: int
    phi: float
    looks: tuple[RecallLook, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    ceiling: float = 1.0

    @classmethod
    def start(
        cls,
        targets: Targets,
        cohort: Cohort | pd.DataFrame,
        *,
        reference_scores: FloatArray | None = None,
        incumbent: Boundary | None = None,
        ceiling: float = 1.0,
    ) -> CertificationSequence:
        """Begin with the held-back slice and the reserve, and take the first look if it is due.

        With as many bad cases in hand as can prove anything, the first look uses all of them and
        spends `FIRST_LOOK_SHARE`; else it waits for the first size of METHODS 2 and spends less.

        Args:
            cohort: cases in order of entry; a frame is read by `Cohort.from_frame`.
            reference_scores: scores of this model without their truth, on which the steps of
                precision and false omission are laid out; None: the cohort's own, as soon as there
                are enough.
            incumbent: today's boundary of *this* model, from which steps go outward; None: there is
                none, and they have several starts.

        Raises:
            ValueError: the cohort or a target is unusable; the message says why.
        """
        cohort = cohort if isinstance(cohort, Cohort) else Cohort.from_frame(cohort)
        first, phi = 0, FIRST_LOOK_SHARE
        if targets.recall is not None:
            delta, limit = delta_shares(targets, targets.delta)["recall"], 1.0 - targets.recall
            first = len(cohort.bad_places)
            if first < trials_without_error(limit, FIRST_LOOK_SHARE * delta):
                phi = FIRST_LOOK_SHARE_FROM_NOTHING
                first = trials_for_power(limit, phi * delta)
        begun = cls(targets, cohort, first, phi, ceiling=ceiling)
        return begun._advanced(reference_scores, incumbent)

    def extend(self, cohort: Cohort | pd.DataFrame) -> CertificationSequence:
        """The same sequence with a longer cohort, after every look that is due now.

        Labels may have come in, and may have been corrected; see the module.

        Raises:
            ValueError: an earlier case is gone, or has another place, score or draw; it is named.
        """
        cohort = cohort if isinstance(cohort, Cohort) else Cohort.from_frame(cohort)
        self.cohort.refuse_unless_continued_by(cohort)
        return replace(self, cohort=cohort)._advanced(None, None)

    def certificate(
        self,
        incumbent: Boundary | None = None,
        cheapest_at: Costs | None = None,
        *,
        cases_per_day: float | None = None,
        rate: float = TRICKLE,
    ) -> Certificate:
        """What stands proven now, beside today's boundary. Asking changes nothing and spends nothing.

        A promise is refuted by bets on the whole cohort that are valid on any night
        (`restarted_bets`), with delta of their own. `limits` hold at the looks' own levels.

        Args:
            incumbent: the boundary in force for this model; None: everything is reviewed.
            cheapest_at: take the cheapest of the proven boundaries at these costs; None: the widest.
            cases_per_day, rate: traffic of this case type and today's audit rate, for a price in days.
        """
        return CohortJudgement(
            self, incumbent or Boundary.everything_reviewed(), cheapest_at, cases_per_day, rate
        ).certificate()

    def price(
        self,
        notch: float = NOTCH,
        cases_per_day: float | None = None,
        *,
        incumbent: Boundary | None = None,
        rate: float = TRICKLE,
    ) -> dict[str, NotchPrice]:
        """The next notch's price by zone, "pass" and "block", as far as promises bind it (METHODS 2).

        Args:
            notch: more automation on that side, as a share of all cases, in (0, 1).
            cases_per_day: traffic of this case type.
            incumbent: the boundary in force; None: what stands proven here.
            rate: today's audit rate, in (0, 1]. Where the block cohort is another one, its rate is
                taken as 1 (METHODS 1.3).

        Raises:
            ValueError: notch or rate is out of range.
        """
        return sequence_price.by_zone(self, notch, cases_per_day, incumbent or self.proven, rate)

    def automation(self, boundary: Boundary) -> float:
        """Share of the cohort's cases that a boundary decides: F for the notch between two."""
        return self.evidence.automation_rate(boundary)

    def limits(self, boundary: Boundary) -> Mapping[str, float]:
        """By risk, the bound that stands proven for a boundary, as in `Certificate.limits`; asking
        spends nothing."""
        return MappingProxyType(CohortJudgement(self, boundary, None).limits(boundary))

    @property
    def table(self) -> LookTable:
        """Recall's looks that the bad cases in hand suffice for; never another for what was promoted."""
        return self._table(len(self.bad_places))

    @property
    def proven_by_recall(self) -> float | None:
        """The widest pass cut of all looks so far (a*)."""
        cuts = [look.cut for look in self.looks if look.cut is not None]
        return min(max(cuts), self.ceiling) if cuts and self.ceiling >= 0.0 else None

    @property
    def proven(self) -> Boundary:
        """The widest boundary that stands proven, whatever is in force."""
        return CohortJudgement(self, Boundary.everything_reviewed(), None).widest()

    @cached_property
    def evidence(self) -> Evidence:
        """The cohort as evidence; it is not to be judged again by a test of one look."""
        return self.cohort.evidence()

    @cached_property
    def bad_places(self) -> IntArray:
        """Where the bad cases that count stand, in order of entry, as far as every truth is in."""
        return self.cohort.bad_places

    def plain(self) -> dict[str, Any]:
        """What a ledger entry keeps, of numbers, text and lists alone; the cohort is not in it, only
        the digest of its cases. `from_plain` gives the sequence back."""
        return {
            "targets": {**self.targets.named(), "delta": self.targets.delta},
            "first": self.first,
            "phi": self.phi,
            "ceiling": self.ceiling,
            "looks": [[look.size, look.allowed, look.cut, look.rows] for look in self.looks],
            "ladders": [ladder.plain() for ladder in self.ladders],
            "cases": len(self.cohort),
            "cohort_sha256": self.cohort.digest(),
        }

    @classmethod
    def from_plain(
        cls,
        plain: Mapping[str, Any],
        cohort: Cohort | pd.DataFrame,
        *,
        may_have_changed: bool = False,
    ) -> CertificationSequence:
        """The stored sequence on today's cohort, after every look that is due now.

        Args:
            may_have_changed: go on where cases were taken out or scored anew since, for a reason that
                has nothing to do with their truth (a person's data was erased). Looks that were
                taken stay taken; the next ones count in the cohort as it is.

        Raises:
            ValueError: the cohort does not begin with the cases that the stored looks used.
        """
        cohort = cohort if isinstance(cohort, Cohort) else Cohort.from_frame(cohort)
        before = int(plain["cases"])
        same = len(cohort) >= before and cohort.until(before).digest() == plain["cohort_sha256"]
        if not same and not may_have_changed:
            raise ValueError(
                f"the cohort of {len(cohort):,} cases does not begin with the {before:,} that this "
                "sequence has looked at; give them in their order of entry, scored by the same "
                "model, and append new ones at the end"
            )
        found = cls(
            targets=Targets(**plain["targets"]),
            cohort=cohort,
            first=int(plain["first"]),
            phi=float(plain["phi"]),
            looks=tuple(RecallLook(*look) for look in plain["looks"]),
            ladders=tuple(Ladder.from_plain(one) for one in plain["ladders"]),
            ceiling=float(plain["ceiling"]),
        )
        return found._advanced(None, None)

    # ---- looks

    def _advanced(
        self, reference_scores: FloatArray | None, incumbent: Boundary | None
    ) -> CertificationSequence:
        ladders = self.ladders or self._laid_out(reference_scores, incumbent)
        return replace(
            self,
            looks=(*self.looks, *self._looks_due()),
            ladders=tuple(ladder.advanced(self.cohort) for ladder in ladders),
        )

    def _looks_due(self) -> list[RecallLook]:
        if self.targets.recall is None:
            return []
        table, places = self.table, self.bad_places
        due = range(len(self.looks), len(table.sizes))
        return [
            self._look(
                table.sizes[look], table.allowed[look], int(places[table.sizes[look] - 1]) + 1
            )
            for look in due
        ]

    def _look(self, size: int, allowed: int, rows: int) -> RecallLook:
        """A look at exactly the first `size` bad cases, which stand in the first `rows` cases."""
        return RecallLook(size, allowed, self._cut(allowed, rows), rows)

    def _cut(self, allowed: int, rows: int) -> float | None:
        if allowed < 0:
            return None
        misses = np.sort(self.miss_score[self.miss_place < rows])
        free = self.cohort.score[:rows][(self.cohort.member & self.cohort.automatable)[:rows]]
        if not len(free):
            return None
        if allowed < len(misses):
            cut = just_below(float(misses[allowed]))
        else:
            cut = just_above(float(free.max()))  # not even passing them all misses too many
        return cut if cut is not None and float(free.min()) <= cut else None

    def _table(self, bad: int) -> LookTable:
        looks = looks_within(self.first, bad) if self.targets.recall is not None else 0
        if not looks:
            return LookTable((), (), ())
        return look_table(self.first, self.limit, self.shares["recall"], phi=self.phi, looks=looks)

    def _laid_out(
        self, reference_scores: FloatArray | None, incumbent: Boundary | None
    ) -> tuple[Ladder, ...]:
        scores = reference_scores
        if scores is None:
            scores = self.cohort.score[self.cohort.member & self.cohort.automatable]
            if len(scores) < FEWEST_TO_LAY_OUT:
                return ()
        today = incumbent or Boundary.everything_reviewed()
        low, high = today.pass_at_or_below, today.block_at_or_above
        promised, sides = self.targets.named(), {"precision": (high, low)}
        return tuple(
            ladder
            for risk in ("precision", "false_omission_rate")
            if risk in promised
            for ladder in laid_out(
                risk,
                promised[risk],
                self.shares[risk],
                np.asarray(scores, dtype=np.float64),
                self.cohort,
                *sides.get(risk, (low, high)),
            )
        )

    @property
    def limit(self) -> float:
        """The share of the bad cases that recall's promise allows to be missed."""
        assert self.targets.recall is not None
        return 1.0 - self.targets.recall

    @cached_property
    def shares(self) -> dict[str, float]:
        """What each promised risk may spend of delta."""
        return delta_shares(self.targets, self.targets.delta)

    @cached_property
    def miss_place(self) -> IntArray:
        """Cases that a pass cut at or above their score misses: a bad label counts in full, and so
        does a case given up for good, which is not counted among the bad."""
        cohort = self.cohort
        return np.flatnonzero(cohort.member & cohort.automatable & (cohort.bad | cohort.given_up))

    @property
    def miss_score(self) -> FloatArray:
        """Their scores."""
        return np.asarray(self.cohort.score[self.miss_place])

    def misses_at(self, cut: float, sizes: tuple[int, ...]) -> IntArray:
        """Misses of a pass cut among the first bad cases, for each number of them."""
        ends = self.bad_places[np.array(sizes, dtype=np.int64) - 1] + 1
        missed = self.miss_place[self.miss_score <= cut]
        return np.searchsorted(missed, ends, side="left")
