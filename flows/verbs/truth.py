"""Establish the truth: which mature cases may speak, how each was decided, and what it turned out to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from flows.verbs.desk import Desk
from flows.verbs.generation import Generation
from flows.verbs.joined import looked_up
from models.boundary.decide import automatable
from models.truth import matured_before, settle
from models.vocabulary import Action

_DECISIONS = [
    "case_id", "case_type", "opened_at", "score", "recommendation", "action", "propensity",
    "audited", "policy_id", "model_version", "priority",
]  # fmt: skip
_REVIEWS = [
    "case_id", "review_id", "revision", "reviewer_id", "team", "kind", "queued_at", "resolved_at",
    "verdict", "label", "feedback_path", "root_cause", "sop_clause",
]  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Everything the store held as of a moment that a night reads, once for all case types.

    decisions, reviews (latest revisions) and truth (one row per settled case).
    """

    as_of: datetime
    decisions: pd.DataFrame
    reviews: pd.DataFrame
    truth: pd.DataFrame

    @cached_property
    def review_types(self) -> pd.Series:
        """The case type of each review, by the reviews' index; missing where no decision is."""
        known = self.decisions
        return looked_up(self.reviews["case_id"], known["case_type"], by=known["case_id"])

    @cached_property
    def _cases(self) -> dict[str, pd.DataFrame]:
        """By case type, in order of time: decisions with what was observed of them.

        Truth that arrived by itself on a case that was not drawn is no label: it was seen because
        the case was bad (METHODS 1). It is kept apart, as `surfaced`.
        """
        rows = self.decisions
        drawn = ((rows["action"] == Action.ESCALATE.value) | rows["audited"]).to_numpy(
            dtype=np.bool_
        )
        bad = looked_up(rows["case_id"], self.truth["bad"], by=self.truth["case_id"])
        said = bad.to_numpy(dtype=np.float64)
        known = rows.assign(
            drawn=drawn,
            bad=np.where(drawn, said, np.nan),
            surfaced=~drawn & (said == 1.0),
            automatable=automatable(rows),
        )
        by_type = known.groupby("case_type", observed=True, sort=False)
        return {str(name): in_order_of_time(mine) for name, mine in by_type}

    def shadow_scores(self, desk: Desk, model_digest: str) -> pd.DataFrame:
        """case_id and score of each case a model has scored; read once for all models."""
        if "scores" not in self.__dict__:
            scored = desk.store.read(
                "shadow_scores", columns=["case_id", "model_version", "score"], as_of=self.as_of
            )
            by_model = scored.groupby("model_version", observed=True, sort=False)
            self.__dict__["scores"] = {
                str(model): rows.drop_duplicates("case_id") for model, rows in by_model
            }
        found: dict[str, pd.DataFrame] = self.__dict__["scores"]
        return found[model_digest] if model_digest in found else _no_scores()

    def mature(self, desk: Desk, case_type: str, since: datetime | None = None) -> pd.DataFrame:
        """Mature decisions of one case type in order of time, with `bad` (null = not observed),
        `drawn` (designed to be observed), `surfaced` and `automatable`."""
        rows = self._cases.get(case_type)
        if rows is None:
            return self.decisions.iloc[:0].assign(
                drawn=False, bad=np.nan, surfaced=False, automatable=False
            )
        until = matured_before(self.as_of, desk.case_types[case_type].maturity_days)
        opened = rows["opened_at"]
        first = 0 if since is None else int(opened.searchsorted(pd.Timestamp(since)))
        return rows.iloc[first : int(opened.searchsorted(pd.Timestamp(until)))].reset_index(
            drop=True
        )


def _no_scores() -> pd.DataFrame:
    return pd.DataFrame({"case_id": pd.Series(dtype="str"), "score": pd.Series(dtype="float64")})


def in_order_of_time(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by `opened_at`; the case id settles the order of cases opened at one moment.

    Sorting by the stamp alone and then only the few ties by text takes a tenth of the time.
    """
    rows = rows.sort_values("opened_at", kind="stable", ignore_index=True)
    tied = rows["opened_at"].duplicated(keep=False).to_numpy()
    if tied.any():
        order = np.arange(len(rows))
        ties = rows.loc[tied, ["opened_at", "case_id"]].sort_values(["opened_at", "case_id"])
        order[tied] = ties.index.to_numpy()
        rows = rows.iloc[order].reset_index(drop=True)
    return rows


def load_book(desk: Desk, as_of: datetime, since: datetime | None = None) -> Book:
    """Read what had been received by `as_of`; the same moment always gives the same book.

    Args:
        since: leave out cases opened before it. A review or an outcome comes after its case was
            opened, so none that matters is left out with them.
    """
    outcomes = _read(desk, "outcomes", as_of, since, "observed_at")
    reviews = _read(desk, "reviews", as_of, since, "resolved_at")
    return Book(
        as_of=as_of,
        decisions=_read(desk, "decisions", as_of, since, "opened_at"),
        reviews=reviews,
        truth=settle(reviews, outcomes),
    )


def evidence_for(desk: Desk, book: Book, case_type: str, generation: Generation) -> pd.DataFrame:
    """The EVIDENCE table (DESIGN 7) for one model: mature cases opened since its evidence began.

    The model's word on a case is its shadow score, or the score it decided the case by. A case it
    cannot score is left out of the count of what it could decide, not of the bad cases: it is
    escalated whatever the boundary, so it enters with the score 1 and not automatable.
    """
    rows = book.mature(desk, case_type, generation.evidence_since)
    if rows.empty:
        return rows
    scored = book.shadow_scores(desk, generation.digest)
    score = looked_up(rows["case_id"], scored["score"], by=scored["case_id"])
    own = rows["score"].where(rows["model_version"] == generation.version)
    score = score.fillna(own)
    unscored = score.isna().to_numpy()
    return rows.assign(
        score=score.fillna(1.0).to_numpy(dtype=np.float64),
        automatable=rows["automatable"].to_numpy() & ~unscored,
    )


def _read(
    desk: Desk, table: str, as_of: datetime, since: datetime | None, stamp: str
) -> pd.DataFrame:
    columns = {
        "decisions": _DECISIONS,
        "reviews": _REVIEWS,
        "outcomes": ["case_id", "observed_at", "bad"],
    }[table]
    if not desk.store.counts(table)[0]:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns}).astype(
            {name: "datetime64[us, UTC]" for name in columns if name.endswith("_at")}
        )
    rows = desk.store.read(table, columns=columns, as_of=as_of, since=since, stamp=stamp)
    if table != "reviews":
        return rows
    # Of each review the highest revision counts; a stable sort lets the later arrival win a tie.
    return rows.sort_values("revision", kind="stable").drop_duplicates("review_id", keep="last")
