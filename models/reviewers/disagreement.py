"""Who labels unlike everybody else where a certificate rests? (METHODS 6)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.boundary.proof.evidence import BoolArray, Evidence
from models.drift.agreement import PersonCount, compare_people, score_bands
from models.drift.multiple_testing import holm
from models.reviewers.decisive_labels import ReviewerArray, names
from models.vocabulary import Boundary

NEAR = 0.1
"""The neighbourhood of a cut: this share of the automatable cases to each side of it, by rank."""

RATE_FLOOR = 1.25
"""A person's share of labels differs when it is this factor off the others' on like cases."""

ACCURACY = 0.98
"""What a reviewer's words must reach (METHODS 6); an error share within it is no finding."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One person whose labels stand out.

    Attributes:
        zone: "pass zone", "neighbourhood of the pass cut", and the same for block.
        about: "bad" or "good" (labels of that kind), "missed bad" or "false bad" (first words that
            a second person overturned).
        seen, expected: labels of that kind by this person, and what the others' share on like
            cases would give; labels: all of this person's there.
        p_value: adjusted by Holm over all reviewers, zones and comparisons.
        sentence: for people.
    """

    reviewer: str
    zone: str
    about: str
    seen: int
    expected: float
    labels: int
    p_value: float
    sentence: str


def disagreeing_reviewers(
    evidence: Evidence,
    reviewer: ReviewerArray,
    boundary: Boundary,
    *,
    first_bad: BoolArray | None = None,
    alpha: float = 0.01,
) -> tuple[Disagreement, ...]:
    """Compare each person with all others in the zones on which a certificate rests.

    Compared are the labels that hurt, bad ones on the pass side and good ones on the block side.
    In the zone itself, at or below the pass cut or at or above the block cut: too few of them, as
    by somebody who hides bad cases. Around the cut: too few or too many, as by somebody who flips
    labels at random. With `first_bad` also the first words that were overturned: too many. Exact
    within score bands (`compare_people`), Holm over everything at `alpha`, and only what matters:
    labels that are off by `RATE_FLOOR`, or words less accurate than `ACCURACY`.

    Valid where a case's reviewer depends on nothing but its score and designed weight. One person
    is named at a time and then left out of the comparison; of two people who are left and differ,
    nobody can say which one is right, so both are named. Each with the most significant finding.

    Args:
        reviewer: first reviewer of each case, "" where nobody reviewed it; shape (cases,).
        first_bad: that person's own word, shape (cases,).

    Raises:
        ValueError: not one reviewer or first word a case, or alpha is out of (0, 1).
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is the accepted false alarm rate, between 0 and 1; got {alpha!r}")
    people = names(evidence, reviewer)
    if first_bad is not None and len(first_bad) != len(evidence):
        raise ValueError(
            f"one first word a case is needed: {len(evidence)} cases, {len(first_bad)} words"
        )
    left = evidence.labelled & evidence.automatable & (people != "")
    found: list[Disagreement] = []
    while striking := _most_striking(evidence, people, left, boundary, first_bad, alpha):
        found += striking
        # Somebody far off spoils the others' share: whoever is named leaves the comparison.
        left &= ~np.isin(people, [one.reviewer for one in striking])
    return tuple(found)


def _most_striking(
    evidence: Evidence,
    people: ReviewerArray,
    left: BoolArray,
    boundary: Boundary,
    first_bad: BoolArray | None,
    alpha: float,
) -> list[Disagreement]:
    """Who stands out most among the labels that are left; both, where only two people differ."""
    compared = [
        one
        for zone in _zones(evidence, boundary)
        for kind in _kinds(evidence.bad, zone.hurting, first_bad)
        for one in _compared(evidence, people, left & zone.where, zone, kind)
    ]
    if not compared:
        return []
    striking = [index for index, one in enumerate(compared) if one.matters]
    # Holm only makes a probability larger: where none of these is small, the others' are not needed.
    if min((compared[index].p_value for index in striking), default=1.0) > alpha:
        return []
    adjusted = holm(np.array([one.p_value for one in compared]))
    if min(float(adjusted[index]) for index in striking) > alpha:
        return []
    first = min(striking, key=lambda index: compared[index].p_value)
    zone, kind = compared[first].zone, compared[first].kind
    alike = [one for one in compared if one.zone is zone and one.kind is kind]
    # Overturned words were judged by somebody else; otherwise two people only differ.
    unclear = len(alike) == 2 and not kind.overturned
    named = alike if unclear else [compared[first]]
    return [one.told(float(adjusted[first])) for one in named]


@dataclass(frozen=True, eq=False)
class _Zone:
    """A part of the scores, which labels hurt there, and whether too many of them matter too."""

    name: str
    where: BoolArray
    hurting: str
    too_many: bool


@dataclass(frozen=True, eq=False)
class _Kind:
    """about: its name; event: labels of that kind; could_be: labels that could have been."""

    about: str
    event: BoolArray
    could_be: BoolArray
    overturned: bool = False


@dataclass(frozen=True, slots=True)
class _Compared:
    """A person's count of one kind of label in one zone; could_be: their labels it could befall."""

    zone: _Zone
    kind: _Kind
    count: PersonCount
    could_be: int

    @property
    def p_value(self) -> float:
        if self.kind.overturned:
            return self.count.at_least
        return self.count.two_sided if self.zone.too_many else self.count.at_most

    @property
    def matters(self) -> bool:
        seen, expected = self.count.seen, self.count.expected
        if self.kind.overturned:
            return seen > (1.0 - ACCURACY) * self.could_be
        few, many = RATE_FLOOR * seen <= expected, seen >= RATE_FLOOR * expected
        return few or (many and self.zone.too_many)

    def told(self, p_value: float) -> Disagreement:
        one = self.count
        did = (
            f"{one.seen:,} of the {one.labels:,} first words of reviewer {one.person!r} in the "
            f"{self.zone.name} were overturned as {self.kind.about}"
            if self.kind.overturned
            else f"Reviewer {one.person!r} has {one.seen:,} {self.kind.about} labels among "
            f"{one.labels:,} in the {self.zone.name}"
        )
        sentence = (
            f"{did}; by the others' share on like cases {one.expected:.1f} were to be expected "
            f"(p = {p_value:.1g}). These labels need a second review before the boundary moves."
        )
        return Disagreement(
            one.person,
            self.zone.name,
            self.kind.about,
            one.seen,
            one.expected,
            one.labels,
            p_value,
            sentence,
        )


def _compared(
    evidence: Evidence, people: ReviewerArray, inside: BoolArray, zone: _Zone, kind: _Kind
) -> list[_Compared]:
    happened = kind.event[inside]
    if not happened.any():
        return []
    band = score_bands(evidence.score[inside], happened, evidence.propensity[inside])
    could_be = pd.Series(people[inside & kind.could_be]).value_counts()
    return [
        _Compared(zone, kind, one, int(could_be.get(one.person, 0)))
        for one in compare_people(people[inside], happened, band)
    ]


def _zones(evidence: Evidence, boundary: Boundary) -> list[_Zone]:
    """A side that is never automated has none."""
    zones: list[_Zone] = []
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    if low is not None:
        zones.append(_Zone("pass zone", evidence.score <= low, "bad", False))
        zones.append(_Zone("neighbourhood of the pass cut", _near(evidence, low), "bad", True))
    if high is not None:
        zones.append(_Zone("block zone", evidence.score >= high, "good", False))
        zones.append(_Zone("neighbourhood of the block cut", _near(evidence, high), "good", True))
    return zones


def _near(evidence: Evidence, cut: float) -> BoolArray:
    scores = np.sort(evidence.score[evidence.automatable])
    if not len(scores):
        return np.zeros(len(evidence), dtype=np.bool_)
    rank, reach = int(np.searchsorted(scores, cut)), int(NEAR * len(scores))
    low, high = scores[max(rank - reach, 0)], scores[min(rank + reach, len(scores) - 1)]
    near: BoolArray = (evidence.score >= low) & (evidence.score <= high)
    return near


def _kinds(bad: BoolArray, hurting: str, first_bad: BoolArray | None) -> list[_Kind]:
    kinds = [_Kind(hurting, bad if hurting == "bad" else ~bad, np.ones(len(bad), dtype=np.bool_))]
    if first_bad is not None:
        kinds.append(_Kind("missed bad", bad & ~first_bad, bad, overturned=True))
        kinds.append(_Kind("false bad", ~bad & first_bad, ~bad, overturned=True))
    return kinds
