"""Why is a boundary that the guard refuted not proposed again by itself, though its proof stands?

A proof that carries over is about the average of its span, and the guard watches the present (METHODS 1.2,
"Drift"): what was proven before a fall says nothing of the cases that felled it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.verbs.certify.generation import SEQUENCE, Generation
from flows.verbs.ports import Ledger
from models.hub import Entry, EntryKind
from models.hub.record.readers import of
from models.vocabulary import Boundary, CaseType, Targets


@dataclass(frozen=True, slots=True)
class FellBefore:
    """What stands against a boundary that is proven.

    Attributes:
        sides: "pass", "block": refuted at the same cut or a narrower one, and not proven since.
        reaches: the widest pass cut that a look since the fall proves by itself; None: none does.
        why: a sentence.
    """

    sides: frozenset[str]
    reaches: float | None
    why: str

    def leaves(self, boundary: Boundary, today: Boundary) -> Boundary:
        """Of a proven boundary, what nothing stands against; a side that fell stays as it is today."""
        low, high = boundary.pass_at_or_below, boundary.block_at_or_above
        if "pass" in self.sides:
            cuts = [one for one in (self.reaches, today.pass_at_or_below) if one is not None]
            low = max(cuts, default=None)
        if "block" in self.sides:
            high = today.block_at_or_above
        return Boundary(low, high)


def fell_before(
    ledger: Ledger, case_types: Mapping[str, CaseType], generation: Generation, boundary: Boundary
) -> FellBefore | None:
    """What stands against a proven boundary: the guard refuted the model at the same cut or a narrower
    one, on that side, and no look since proves it by itself; None: nothing does.

    Looks since are those of a sequence that began after the fall, and for recall also one that reaches so
    far with the cases that came since.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    mine = of(ledger.history(), generation.case_type)
    targets = case_types[generation.case_type].targets
    for trip in reversed(mine):
        if trip.kind is not EntryKind.GUARDRAIL_TRIPPED:
            continue
        fallen = ledger.policy(str(trip.policy_id))
        if fallen.model_digest != generation.digest:
            continue
        sides = _refuted(trip, fallen.boundary) & _as_wide(boundary, fallen.boundary)
        reaches = _proven_since(mine, trip, generation, targets)
        cut = boundary.pass_at_or_below
        if cut is not None and reaches is not None and reaches >= cut:
            sides -= {"pass"}
        if sides and _rests_on_looks_before(mine, trip, generation):
            return FellBefore(
                frozenset(sides),
                reaches,
                f"The guard refuted the {' and '.join(sorted(sides))} side of {fallen.policy_id[:12]}, which was "
                f"no wider than what is proven on the cohort, on {trip.at:%Y-%m-%d}: what was proven before says "
                "nothing of the cases since, so that side waits until these prove it.",
            )
    return None


def _refuted(trip: Entry, fallen: Boundary) -> set[str]:
    """The sides that the guard's own answer takes back."""
    left = trip.dossier
    cuts = {
        "pass": (left.get("pass_at_or_below"), fallen.pass_at_or_below),
        "block": (left.get("block_at_or_above"), fallen.block_at_or_above),
    }
    return {side for side, (kept, had) in cuts.items() if had is not None and kept != had}


def _as_wide(boundary: Boundary, fallen: Boundary) -> set[str]:
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    was_low, was_high = fallen.pass_at_or_below, fallen.block_at_or_above
    passes = low is not None and was_low is not None and low >= was_low
    blocks = high is not None and was_high is not None and high <= was_high
    return ({"pass"} if passes else set()) | ({"block"} if blocks else set())


def _looks_before(mine: Sequence[Entry], trip: Entry, generation: Generation) -> list[Entry]:
    return [
        entry
        for entry in mine
        if entry.kind is EntryKind.LOOK_TAKEN
        and entry.version < trip.version
        and entry.dossier.get("model_digest") == generation.digest
        and SEQUENCE in entry.dossier
    ]


def _rests_on_looks_before(mine: Sequence[Entry], trip: Entry, generation: Generation) -> bool:
    """Whether the sequence began before the fall, and no restart of the evidence has ended it since."""
    before = _looks_before(mine, trip, generation)
    return bool(before) and not any(
        entry.kind is EntryKind.EVIDENCE_RESTARTED and entry.version > before[-1].version
        for entry in mine
    )


def _proven_since(
    mine: Sequence[Entry], trip: Entry, generation: Generation, targets: Targets
) -> float | None:
    """Only recall's looks are each a proof of their own: a step once proven is not tried again."""
    before = _looks_before(mine, trip, generation)
    if not before or targets.recall is None or targets.false_omission_rate is not None:
        return None
    looks = (generation.looked or {}).get("looks", ())
    since = looks[len(before[-1].dossier[SEQUENCE]["looks"]) :]
    return max((look[2] for look in since if look[2] is not None), default=None)
