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
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from models.boundary import restarted_bets
from models.boundary.bounds import trials_for_power, trials_without_error
from models.boundary.candidates import SideTest, just_above, just_below
from models.boundary.certificate import Judgement, delta_shares
from models.boundary.cohort import Cohort, IntArray
from models.boundary.evidence import BoolArray, Evidence, FloatArray
from models.boundary.look_table import (
    FIRST_LOOK_SHARE,
    FIRST_LOOK_SHARE_FROM_NOTHING,
    LookTable,
    look_table,
    looks_within,
)
from models.boundary.notch_price import NOTCH, TRICKLE, NotchPrice, Wanted, priced
from models.boundary.price import first_labels, price_named
from models.boundary.step_ladder import Ladder, laid_out, smallest_limit
from models.vocabulary import Boundary, Certificate, Costs, DaysNeeded, Targets

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
            first = len(_bad_places(cohort))
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
        return _CohortJudgement(
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
        if not 0.0 < notch < 1.0:
            raise ValueError(
                f"a notch is a share of all cases strictly between 0 and 1, got {notch!r}"
            )
        if not 0.0 < rate <= 1.0:
            raise ValueError(f"the audit rate must lie in (0, 1], got {rate!r}")
        live = incumbent or self.proven
        found: dict[str, NotchPrice] = {}
        for zone, wanted in (("pass", self._wanted_pass), ("block", self._wanted_block)):
            risks = {"precision"} if zone == "block" else {"recall", "false_omission_rate"}
            if risks & set(self.targets.named()):
                decided = self._decided(live, zone)
                notches = {step: wanted(decided + step) for step in (notch, notch / 2.0)}
                apart = zone == "block" and not self._one_cohort
                found[zone] = priced(
                    zone,
                    notch,
                    notches,
                    self._labels_in_hand,
                    decided,
                    cases_per_day,
                    1.0 if apart else rate,
                    apart,
                )
        return found

    def automation(self, boundary: Boundary) -> float:
        """Share of the cohort's cases that a boundary decides: F for the notch between two."""
        return self.evidence.automation_rate(boundary)

    def limits(self, boundary: Boundary) -> Mapping[str, float]:
        """By risk, the bound that stands proven for a boundary, as in `Certificate.limits`; asking
        spends nothing."""
        return MappingProxyType(_CohortJudgement(self, boundary, None).limits(boundary))

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
        return _CohortJudgement(self, Boundary.everything_reviewed(), None).widest()

    @cached_property
    def evidence(self) -> Evidence:
        """The cohort as evidence; it is not to be judged again by a test of one look."""
        return self.cohort.evidence()

    @cached_property
    def bad_places(self) -> IntArray:
        """Where the bad cases that count stand, in order of entry, as far as every truth is in."""
        return _bad_places(self.cohort)

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
        misses = np.sort(self._miss_score[self._miss_place < rows])
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
        return look_table(
            self.first, self._limit, self._shares["recall"], phi=self.phi, looks=looks
        )

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
                self._shares[risk],
                np.asarray(scores, dtype=np.float64),
                self.cohort,
                *sides.get(risk, (low, high)),
            )
        )

    @property
    def _limit(self) -> float:
        assert self.targets.recall is not None
        return 1.0 - self.targets.recall

    @cached_property
    def _shares(self) -> dict[str, float]:
        return delta_shares(self.targets, self.targets.delta)

    @cached_property
    def _miss_place(self) -> IntArray:
        """Cases that a pass cut at or above their score misses: a bad label counts in full, and so
        does a case given up for good, which is not counted among the bad."""
        cohort = self.cohort
        return np.flatnonzero(cohort.member & cohort.automatable & (cohort.bad | cohort.given_up))

    @property
    def _miss_score(self) -> FloatArray:
        return np.asarray(self.cohort.score[self._miss_place])

    def misses_at(self, cut: float, sizes: tuple[int, ...]) -> IntArray:
        """Misses of a pass cut among the first bad cases, for each number of them."""
        ends = self.bad_places[np.array(sizes, dtype=np.int64) - 1] + 1
        missed = self._miss_place[self._miss_score <= cut]
        return np.searchsorted(missed, ends, side="left")

    # ---- the price

    @property
    def _labels_in_hand(self) -> int:
        return int((self.cohort.member & ~self.cohort.waiting & ~self.cohort.given_up).sum())

    def _decided(self, live: Boundary, zone: str) -> float:
        low, high = live.pass_at_or_below, live.block_at_or_above
        return self.automation(Boundary(low, None) if zone == "pass" else Boundary(None, high))

    @cached_property
    def _ascending(self) -> FloatArray:
        return np.sort(self.evidence.score[self.evidence.automatable])

    def _wanted_pass(self, share: float) -> list[Wanted] | None:
        """The tests that must pass for the lowest pass cut that decides `share` of all cases."""
        rank = int(np.ceil(share * len(self.evidence) - 1e-9))
        if not 0 < rank <= len(self._ascending):
            return None
        cut = just_above(float(self._ascending[rank - 1]))
        if cut > self.ceiling:
            return None
        wanted: list[Wanted] = []
        if self.targets.recall is not None:
            bad = len(self.bad_places)
            rows = int(self.bad_places[-1]) + 1 if bad else 0
            misses = int((self._miss_score[self._miss_place < rows] <= cut).sum())
            wanted.append(
                Wanted(
                    cut, min(misses, bad), bad, self.first, self._limit,
                    self._shares["recall"], self.phi, self._bad_share,
                )
            )  # fmt: skip
        if self.targets.false_omission_rate is not None:
            steps = self._wanted_steps("false_omission_rate", share)
            return None if steps is None else [*wanted, *steps]
        return wanted

    def _wanted_block(self, share: float) -> list[Wanted] | None:
        return self._wanted_steps("precision", share)

    def _wanted_steps(self, risk: str, share: float) -> list[Wanted] | None:
        """The cheapest of the ladders that reach so far: its unproven steps up to there."""
        reaching: list[list[Wanted]] = []
        for ladder in self.ladders:
            if ladder.risk != risk:
                continue
            decided = [self._share_beyond(risk, step.cut) for step in ladder.steps]
            far = [place for place, part in enumerate(decided) if part >= share - 1e-9]
            if not far:
                continue
            tests = [
                self._wanted_step(ladder, place, decided[place])
                for place in range(min(ladder.proven, far[0]), far[0] + 1)
            ]
            reaching.append(tests)
        if not reaching:
            return None
        return min(reaching, key=lambda tests: tests[-1].errors / max(tests[-1].trials, 1))

    def _wanted_step(self, ladder: Ladder, place: int, decided: float) -> Wanted:
        seen, step = ladder.seen(self.cohort, place), ladder.steps[place]
        return Wanted(
            step.cut, int(seen.error.sum()), seen.cases, step.first, ladder.limit,
            ladder.delta, step.phi, decided,
        )  # fmt: skip

    def _share_beyond(self, risk: str, cut: float) -> float:
        """Share of the cohort's cases that a side with this cut decides."""
        side = "left" if risk == "precision" else "right"
        below = int(np.searchsorted(self._ascending, cut, side=side))  # type: ignore[call-overload]
        decided = len(self._ascending) - below if risk == "precision" else below
        return decided / max(len(self.evidence), 1)

    @property
    def _bad_share(self) -> float:
        """Bad cases that count, of the cohort's, as far as every truth is in: behind that the labels
        that are in came early, and those are of one kind (chargebacks before quiet months, or good
        cases before the second reviews of bad ones)."""
        cohort = self.cohort
        end = _first_waiting(cohort)
        if not cohort.member[:end].any():  # only what came early is there to go by
            end = len(cohort)
        known = (cohort.member & ~cohort.waiting & ~cohort.given_up)[:end]
        counted = float((known & (cohort.bad & cohort.counted)[:end]).sum())
        return max(counted, 0.5) / max(int(known.sum()), 1)  # none seen is not none at all

    @property
    def _one_cohort(self) -> bool:
        return bool((self.cohort.block_member == self.cohort.member).all())


class _CohortJudgement(Judgement):
    """A certificate whose proofs are the looks of a sequence."""

    def __init__(
        self,
        sequence: CertificationSequence,
        incumbent: Boundary,
        cheapest_at: Costs | None,
        cases_per_day: float | None = None,
        rate: float = TRICKLE,
    ) -> None:
        tests = _CohortTests(sequence)
        nothing: FloatArray = np.empty(0)
        super().__init__(
            sequence.evidence, sequence.targets, incumbent, nothing, cheapest_at, tests, tests
        )
        self.sequence = sequence
        self.cases_per_day = cases_per_day
        self.rate = rate
        self.days: tuple[DaysNeeded, ...] = ()

    def certificate(self) -> Certificate:
        """As any certificate, with its price in days where the traffic was told."""
        found = super().certificate()
        return replace(found, days_needed=self.days)

    def pass_starts(self) -> list[FloatArray]:
        return []  # the sequence laid out its steps at its start

    def block_starts(self) -> list[FloatArray]:
        return []

    def price(self) -> tuple[dict[str, int], str]:
        if not self.evidence.labelled.any():
            zones = {"precision": "block", "recall": "pass", "false_omission_rate": "pass"}
            asked = {zones[risk] for risk in self.shares}
            needed = {zone: first_labels(self.targets, self.shares, zone) for zone in asked}
            return needed, price_named(needed)
        prices = self.sequence.price(
            cases_per_day=self.cases_per_day, incumbent=self.incumbent, rate=self.rate
        )
        self.days = tuple(
            DaysNeeded(zone, at, days, afresh=False)
            for zone, one in prices.items()
            for at, days in one.days.items()
        )
        needed = {
            zone: max(one.labels, 1) for zone, one in prices.items() if one.labels is not None
        }
        return needed, " ".join(price.sentence for price in prices.values())

    def settled(self) -> Evidence:
        """Without the cases whose truth will come: a look waits for them, and so does a cost."""
        cohort = self.sequence.cohort
        return self.evidence.only(~cohort.waiting[cohort.member])

    def waiting(self) -> str:
        cohort = self.sequence.cohort
        waiting = int((cohort.member & cohort.waiting).sum())
        given_up = int((cohort.member & cohort.given_up).sum())
        said = []
        if waiting:
            first = int(np.flatnonzero(cohort.member & cohort.waiting)[0])
            said.append(_of_those_that_wait(waiting, float(cohort.day[first])))
        if given_up:
            said.append(f"{given_up:,} cases were given up for good and count as the worst case.")
        return " ".join(said)


@dataclass(frozen=True)
class _CohortTests:
    """The looks of a sequence, asked as a look asks its tests (`SideTests`)."""

    sequence: CertificationSequence
    name: str = "cohort"

    def widest(self, risk: str, target: float, delta: float, starts: list[FloatArray]) -> SideTest:
        if risk == "recall":
            cut = self.sequence.proven_by_recall
            return SideTest(cut, sample=len(self.sequence.bad_places))
        cuts = [cut for ladder in self._ladders(risk) for cut in ladder.proven_cuts]
        cuts = [cut for cut in cuts if risk == "precision" or cut <= self.sequence.ceiling]
        if not cuts:
            return SideTest(None)
        return SideTest(
            min(cuts) if risk == "precision" else max(cuts), steps=tuple(sorted(set(cuts)))
        )

    def refuted(self, risk: str, target: float, delta: float, cut: float) -> bool:
        refute = {
            "recall": restarted_bets.recall_refuted,
            "precision": restarted_bets.block_refuted,
            "false_omission_rate": restarted_bets.pass_refuted,
        }[risk]
        blocks = risk == "precision"
        evidence = self.sequence.cohort.evidence(blocks=True) if blocks else self.sequence.evidence
        return refute(evidence, target, cut) >= 1.0 / delta

    def bound(self, risk: str, delta: float, cut: float) -> float | None:
        if risk == "recall":
            sequence = self.sequence
            table = sequence.table
            share = smallest_limit(
                sequence.misses_at(cut, table.sizes), table, 1.0 - (sequence.targets.recall or 0.0)
            )
            proven = sequence.proven_by_recall
            if proven is not None and cut <= proven:
                limit = 1.0 - (sequence.targets.recall or 0.0)
                share = limit if share is None else min(share, limit)
            return None if share is None else 1.0 - share
        shares = [
            share
            for ladder in self._ladders(risk)
            if (share := ladder.bound(self.sequence.cohort, cut)) is not None
        ]
        if not shares:
            return None
        return 1.0 - min(shares) if risk == "precision" else min(shares)

    def _ladders(self, risk: str) -> list[Ladder]:
        return [ladder for ladder in self.sequence.ladders if ladder.risk == risk]


def _of_those_that_wait(count: int, opened_on: float) -> str:
    """How many truths are not in, and since when the first in order of entry waits.

    Args:
        opened_on: days since 1970 (UTC); 0 where that is not told.
    """
    one = count == 1
    cases = "1 case" if one else f"{count:,} cases"
    told = f"{cases} of the cohort {'has' if one else 'have'} no settled label yet"
    first = "it" if one else "the first of them"
    since = "" if opened_on <= 0.0 else f", opened on {_EPOCH + timedelta(days=opened_on):%Y-%m-%d}"
    return f"{told}; the next look waits for {first}{since}."


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _bad_places(cohort: Cohort) -> IntArray:
    """Places of the bad cases that count, before the first case whose truth is not in: to go on
    without it would choose by what came in first."""
    end = _first_waiting(cohort)
    counted: BoolArray = (cohort.member & cohort.bad & cohort.counted)[:end]
    return np.flatnonzero(counted)


def _first_waiting(cohort: Cohort) -> int:
    """The place of the first case whose truth is not in; the cohort's length where all are."""
    waiting = np.flatnonzero(cohort.member & cohort.waiting)
    return int(waiting[0]) if len(waiting) else len(cohort)
