"""What can happen in the story of a walk, and how is each kind called?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

WORDS: Mapping[str, str] = {
    "planted": "planted",
    "certificate": "first certificate",
    "notch": "notch",
    "sprint_notch": "notch by the sprint",
    "wider": "wider by the retrain",
    "recovered": "recovered",
    "ticket": "ticket",
    "retrain": "retrain",
    "sprint": "sprint from the store",
    "refused": "sprint refused",
    "tripped": "guard trips",
    "rolled_back": "rollback",
    "narrowed": "narrowed",
    "look_back": "look-back",
    "evidence": "evidence starts again",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened on one night of a walk.

    Attributes:
        step: the night, from 0. date: its day.
        kind: a key of `WORDS`. what: a sentence.
        days: how long a planted episode lasts; 0 for all else.
    """

    step: int
    date: str
    case_type: str
    kind: str
    what: str
    days: int = 0

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def line(self) -> str:
        """As a line of the story."""
        return f"night {self.step:>3}  {self.case_type:<20}  {self.what}"
