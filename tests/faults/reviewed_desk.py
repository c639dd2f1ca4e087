"""A desk whose model advised on cases that eight people reviewed, and what a night makes of their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.certify.certify import Judged, certify_case_type
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.propose import act_on
from flows.verbs.services import Services
from models.hub import EntryKind
from tests.flows.verbs.hub_desk import NAME, NOW, hub_desk, store
from tests.models.boundary.worlds import world

PEOPLE, HIGH = 8, 0.03
LATER = NOW + timedelta(days=20)
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reviewed:
    """Simulated cases by score, the truth of each, and who reviewed it first (shape (cases,))."""

    services: Services
    cases: pd.DataFrame = field(repr=False)
    bad: BoolArray = field(repr=False)
    person: npt.NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(
        cls,
        home: Path,
        share_of_first: float = 1.0 / PEOPLE,
        mistaken: Callable[[pd.DataFrame, BoolArray, npt.NDArray[np.int64]], BoolArray]
        | None = None,
        count: int = 6_000,
    ) -> Reviewed:
        """Person r0 reviews this share of the cases, the others the rest alike.

        Args:
            mistaken: given cases, truth and people, which first words are the opposite of the truth.
        """
        draw = np.random.default_rng(7)
        drawn = world(draw, count)
        bad = drawn["bad"].to_numpy() == 1.0
        shares = [share_of_first] + [(1.0 - share_of_first) / (PEOPLE - 1)] * (PEOPLE - 1)
        person = draw.choice(PEOPLE, size=count, p=shares)
        cases = _cases(drawn["score"].to_numpy(), count)
        services = hub_desk(home)
        store(services, "decisions", cases, ["case_id"], NOW)
        wrong = mistaken(cases, bad, person) if mistaken else np.zeros(count, dtype=np.bool_)
        first = _reviews(cases, bad ^ wrong, [f"r{one}" for one in person], "escalation")
        # A senior looks again at what counts against a boundary hoped for, as a night asks.
        doubted = (bad ^ wrong) | (cases["score"].to_numpy() > HIGH)
        second = _reviews(cases[doubted], bad[doubted], ["senior"] * int(doubted.sum()), "senior")
        store(services, "reviews", pd.concat([first, second]), ["review_id", "revision"], NOW)
        return cls(services, cases, bad, person)

    def judged(self) -> Judged:
        return certify_case_type(self.services, load_snapshot(self.services, LATER), NAME)

    def widened(self) -> list[str]:
        """What the night files after its certificate: empty while nothing would widen."""
        act_on(self.services, self.judged(), LATER)
        told = {EntryKind.PROPOSED, EntryKind.PROMOTED}
        return [one.kind.value for one in self.services.ledger.history(NAME) if one.kind in told]


def _cases(score: npt.NDArray[np.float64], count: int) -> pd.DataFrame:
    opened = pd.Timestamp(NOW) + pd.to_timedelta(np.arange(count) / count * 10.0, unit="D")
    rows: dict[str, Any] = {
        "case_id": [f"c{number:05d}" for number in range(count)],
        "case_type": NAME,
        "opened_at": opened.astype("datetime64[us, UTC]"),
        "decided_at": opened.astype("datetime64[us, UTC]"),
        "score": score,
        "recommendation": np.where(score > 0.5, "block", "pass"),
        "action": "escalate",
        "propensity": 1.0,
        "audited": False,
        "arm": "control",
        "policy_id": "0" * 64,
        "model_version": "1",
        "priority": 10,
        "amount_usd": 10.0,
    }
    return pd.DataFrame(rows)


def _reviews(cases: pd.DataFrame, bad: BoolArray, people: list[str], kind: str) -> pd.DataFrame:
    right = np.where(bad, "block", "pass") == cases["recommendation"].to_numpy(dtype=object)
    label = np.where(right, np.where(bad, "TP", "TN"), np.where(bad, "FN", "FP"))
    when = cases["opened_at"] + pd.Timedelta(hours=1 if kind == "escalation" else 3)
    return pd.DataFrame(
        {
            "review_id": cases["case_id"] + f"-{kind}",
            "case_id": cases["case_id"],
            "revision": 0,
            "reviewer_id": people,
            "team": "in_house",
            "kind": kind,
            "blind": kind == "senior",
            "queued_at": when - pd.Timedelta(minutes=30),
            "resolved_at": when,
            "verdict": np.where(bad, "block", "pass"),
            "label": label,
            "feedback_path": np.where(right, "none", "B"),
            "root_cause": np.where(right, "none", "close_call"),
            "feature_ref": None,
            "sop_clause": "S-1",
            "annotation": "Looked at.",
            "language": "en",
        }
    )
