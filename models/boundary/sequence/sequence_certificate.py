"""What a certification sequence has proven, as a certificate beside today's boundary. (METHODS 1.2, 1.3)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from models.boundary.live import restarted_bets
from models.boundary.price.notch_price import TRICKLE
from models.boundary.price.price import first_labels, price_named
from models.boundary.proof.candidates import SideTest
from models.boundary.proof.certificate import Judgement
from models.boundary.proof.evidence import Evidence, FloatArray
from models.boundary.proof.step_ladder import Ladder, smallest_limit
from models.vocabulary import Boundary, Certificate, Costs, DaysNeeded

if TYPE_CHECKING:
    from models.boundary.sequence.certification_sequence import CertificationSequence


class CohortJudgement(Judgement):
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
