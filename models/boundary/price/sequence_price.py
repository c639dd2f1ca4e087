"""Which tests of a certification sequence must pass for its next notch, and what do they cost? (METHODS 2)"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.boundary.price.notch_price import NotchPrice, Wanted, priced
from models.boundary.proof.candidates import just_above
from models.boundary.proof.evidence import FloatArray
from models.boundary.proof.step_ladder import Ladder, Seen
from models.vocabulary import Boundary

if TYPE_CHECKING:
    from models.boundary.sequence.certification_sequence import CertificationSequence


def by_zone(
    sequence: CertificationSequence,
    notch: float,
    cases_per_day: float | None,
    live: Boundary,
    rate: float,
) -> dict[str, NotchPrice]:
    """See `CertificationSequence.price`; `live` is the boundary from which the notch counts."""
    if not 0.0 < notch < 1.0:
        raise ValueError(f"a notch is a share of all cases strictly between 0 and 1, got {notch!r}")
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"the audit rate must lie in (0, 1], got {rate!r}")
    found: dict[str, NotchPrice] = {}
    promised, ahead = set(sequence.targets.named()), _Ahead(sequence)
    for zone, risks, wanted in (
        ("pass", {"recall", "false_omission_rate"}, ahead.wanted_pass),
        ("block", {"precision"}, ahead.wanted_block),
    ):
        if not risks & promised:
            continue
        decided = ahead.decided(live, zone)
        notches = {step: wanted(decided + step) for step in (notch, notch / 2.0)}
        apart = zone == "block" and not ahead.one_cohort
        found[zone] = priced(
            zone,
            notch,
            notches,
            ahead.labels_in_hand,
            decided,
            cases_per_day,
            1.0 if apart else rate,
            apart,
        )
    return found


@dataclass(frozen=True)
class _Ahead:
    """What a sequence's cohort says about cuts that it has not proven yet."""

    sequence: CertificationSequence

    @property
    def labels_in_hand(self) -> int:
        cohort = self.sequence.cohort
        return int((cohort.member & ~cohort.waiting & ~cohort.given_up).sum())

    def decided(self, live: Boundary, zone: str) -> float:
        low, high = live.pass_at_or_below, live.block_at_or_above
        side = Boundary(low, None) if zone == "pass" else Boundary(None, high)
        return self.sequence.automation(side)

    @cached_property
    def _ascending(self) -> FloatArray:
        evidence = self.sequence.evidence
        return np.sort(evidence.score[evidence.automatable])

    def wanted_pass(self, share: float) -> list[Wanted] | None:
        """The tests that must pass for the lowest pass cut that decides `share` of all cases."""
        rank = int(np.ceil(share * len(self.sequence.evidence) - 1e-9))
        if not 0 < rank <= len(self._ascending):
            return None
        cut = just_above(float(self._ascending[rank - 1]))
        if cut > self.sequence.ceiling:
            return None
        wanted: list[Wanted] = []
        if self.sequence.targets.recall is not None:
            bad = len(self.sequence.bad_places)
            rows = int(self.sequence.bad_places[-1]) + 1 if bad else 0
            misses = int((self.sequence.miss_score[self.sequence.miss_place < rows] <= cut).sum())
            wanted.append(
                Wanted(
                    cut, min(misses, bad), bad, self.sequence.first, self.sequence.limit,
                    self.sequence.shares["recall"], self.sequence.phi, self._bad_share,
                )
            )  # fmt: skip
        if self.sequence.targets.false_omission_rate is not None:
            steps = self._wanted_steps("false_omission_rate", share)
            return None if steps is None else [*wanted, *steps]
        return wanted

    def wanted_block(self, share: float) -> list[Wanted] | None:
        return self._wanted_steps("precision", share)

    def _wanted_steps(self, risk: str, share: float) -> list[Wanted] | None:
        """The cheapest of the ladders that reach so far: its unproven steps up to there."""
        reaching: list[list[Wanted]] = []
        for ladder in self.sequence.ladders:
            if ladder.risk != risk:
                continue
            decided = [self._share_beyond(risk, step.cut) for step in ladder.steps]
            far = [place for place, part in enumerate(decided) if part >= share - 1e-9]
            if not far:
                continue
            places = range(min(ladder.proven, far[0]), far[0] + 1)
            tests = [
                self._wanted_step(ladder, place, seen, decided[place])
                for place, seen in zip(
                    places, ladder.seen_at(self.sequence.cohort, places), strict=True
                )
            ]
            reaching.append(tests)
        if not reaching:
            return None
        return min(reaching, key=lambda tests: tests[-1].errors / max(tests[-1].trials, 1))

    @staticmethod
    def _wanted_step(ladder: Ladder, place: int, seen: Seen, decided: float) -> Wanted:
        step = ladder.steps[place]
        return Wanted(
            step.cut, int(seen.error.sum()), seen.cases, step.first, ladder.limit,
            ladder.delta, step.phi, decided,
        )  # fmt: skip

    def _share_beyond(self, risk: str, cut: float) -> float:
        """Share of the cohort's cases that a side with this cut decides."""
        side = "left" if risk == "precision" else "right"
        below = int(np.searchsorted(self._ascending, cut, side=side))  # type: ignore[call-overload]
        decided = len(self._ascending) - below if risk == "precision" else below
        return decided / max(len(self.sequence.evidence), 1)

    @property
    def _bad_share(self) -> float:
        """Bad cases that count, of the cohort's, as far as every truth is in: behind that the labels
        that are in came early, and those are of one kind (chargebacks before quiet months, or good
        cases before the second reviews of bad ones)."""
        cohort = self.sequence.cohort
        end = cohort.first_waiting
        if not cohort.member[:end].any():  # only what came early is there to go by
            end = len(cohort)
        known = (cohort.member & ~cohort.waiting & ~cohort.given_up)[:end]
        counted = float((known & (cohort.bad & cohort.counted)[:end]).sum())
        return max(counted, 0.5) / max(int(known.sum()), 1)  # none seen is not none at all

    @property
    def one_cohort(self) -> bool:
        return bool((self.sequence.cohort.block_member == self.sequence.cohort.member).all())
