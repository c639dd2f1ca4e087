"""What do another agent, its reviewers and late chargebacks deliver, and what of it is there by a moment?

An upstream for live homes: past cases whose truth is known, decided by an agent that is not ours, are
written as growing tables (Parquet and SQLite) behind source files. Reviews have wrong labels and later
corrections, undetected bad cases come back as chargebacks, and a table may be empty, or hold every
row twice, for a night. Whatever is drawn depends on the seed and on the case's place alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from data_contracts.decisions import SCHEMA as DECISIONS
from data_contracts.reviews import SCHEMA as REVIEWS
from data_contracts.reviews import derived_label

TABLES = ("decisions", "reviews", "outcomes")
_CASE = ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
_NOTES = {
    "": "Nothing unusual in this case.",
    "A": "The agent gave too little weight to what stands here.",
    "B": "A borderline score, and the agent was wrong.",
}


@dataclass(frozen=True)
class Agent:
    """Another agent's policy: its name, its two thresholds and its audit of what it decides itself."""

    policy_id: str
    model_version: str
    pass_at_or_below: float
    block_at_or_above: float
    audit_rate: float = 0.05

    def decide(self, cases: pd.DataFrame, uniform: npt.NDArray[np.float64]) -> pd.DataFrame:
        """Decisions by contract, features included; an audit is drawn where `uniform` is below its rate."""
        score = cases["score"].to_numpy(dtype=np.float64)
        action = np.select(
            [score <= self.pass_at_or_below, score >= self.block_at_or_above],
            ["auto_pass", "auto_block"],
            "escalate",
        )
        automatic = action != "escalate"
        return cases.drop(columns=["bad"]).assign(
            decided_at=cases["opened_at"] + pd.Timedelta(seconds=2),
            recommendation=np.where(score >= 0.5, "block", "pass"),
            action=action,
            propensity=np.where(automatic, self.audit_rate, 1.0),
            audited=automatic & (uniform < self.audit_rate),
            arm="control",
            policy_id=self.policy_id,
            model_version=self.model_version,
        )


@dataclass(frozen=True)
class Habits:
    """How reviewers and chargebacks behave: how often they err, correct themselves and come late.

    late_chargebacks: so many rows appear in their table 6 to 15 days after their own stamp.
    """

    reviewers: int = 10
    wrong: float = 0.01
    corrected: float = 0.6
    correction_days: tuple[float, float] = (2.0, 6.0)
    chargeback_days: tuple[float, float] = (2.0, 6.0)
    late_chargebacks: int = 50
    late_days: tuple[float, float] = (6.0, 15.0)


@dataclass
class Feed:
    """The upstream of one case type.

    Args:
        cases: case_id, case_type, opened_at (UTC), priority, amount_usd, score (the other agent's),
            bad and the features; one row a case, in order of time.
        ours: which cases the other agent leaves to us (boolean, shape (cases,)): they enter its
            tables as reviews and outcomes once `decided_here` has said what we did with them.
    """

    cases: pd.DataFrame
    agent: Agent
    seed: int
    habits: Habits = field(default_factory=Habits)
    ours: npt.NDArray[np.bool_] | None = None
    _tables: dict[str, list[pd.DataFrame]] = field(default_factory=dict, repr=False)
    _draws: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 12])
        names = (
            "audit",
            "reviewer",
            "wrong",
            "minutes",
            "corrected",
            "correction",
            "path",
            "again",
        )
        self._draws = {name: rng.random(len(self.cases)) for name in (*names, "chargeback", "late")}
        self._place = pd.Series(np.arange(len(self.cases)), index=self.cases["case_id"])
        self._tables = {table: [] for table in TABLES}
        theirs = np.ones(len(self.cases), dtype=np.bool_) if self.ours is None else ~self.ours
        decided = self.agent.decide(self.cases[theirs], self._draws["audit"][theirs])
        self._tables["decisions"].append(decided.assign(there_at=decided["decided_at"]))
        self._follow(decided)
        self._delay_some_chargebacks()

    def decided_here(self, decisions: pd.DataFrame) -> None:
        """Reviews and chargebacks of cases that we decided; the decisions themselves are ours already."""
        self._follow(decisions)

    def decided_by_agent(self, decisions: pd.DataFrame) -> None:
        """Decisions that the other agent made by another policy than its first, on cases of `ours`:
        they enter its table, and their reviews and chargebacks follow."""
        self._tables["decisions"].append(decisions.assign(there_at=decisions["decided_at"]))
        self._follow(decisions)

    def second_reviews(self, case_ids: Collection[str], asked_at: pd.Timestamp) -> None:
        """Another person's blind word on these cases, and a senior's where the two disagree."""
        asked = pd.Index(sorted(case_ids))
        first = pd.concat(self._tables["reviews"]).set_index("case_id")
        first = first[first["kind"].isin(["escalation", "audit"])]
        first = first[~first.index.duplicated()].reindex(asked.intersection(first.index))
        done = set(pd.concat(self._tables["reviews"])["review_id"])
        first = first[~("second-" + first.index.to_series()).isin(done).to_numpy()]
        if first.empty:
            return
        at = self._place[first.index].to_numpy()
        bad = self.cases["bad"].to_numpy(dtype=np.bool_)[at]
        said = np.where(bad == (self._draws["again"][at] >= self.habits.wrong), "block", "pass")
        person = (
            self._people(at) + 1 + (self._draws["path"][at] * 3).astype(int)
        ) % self.habits.reviewers
        second = self._review(
            at, "second", said, person, pd.Series(asked_at, index=range(len(at))),
            (20 + 40 * self._draws["minutes"][at]) * 10, first["recommendation"].to_numpy(),
        )  # fmt: skip
        differs = said != first["verdict"].to_numpy()
        senior = self._review(
            at[differs], "senior", np.where(bad[differs], "block", "pass"),
            np.full(int(differs.sum()), self.habits.reviewers),
            second["resolved_at"][differs].reset_index(drop=True), np.full(int(differs.sum()), 30.0),
            first["recommendation"].to_numpy()[differs],
        )  # fmt: skip
        self._tables["reviews"] += [second, senior]

    def there(self, table: str, as_of: pd.Timestamp) -> pd.DataFrame:
        """The rows of a table that exist by a moment, by contract, in order of their arrival."""
        rows = pd.concat(self._tables[table], ignore_index=True)
        rows = rows[(rows["there_at"] <= as_of).to_numpy()]
        rows = rows.sort_values("there_at", kind="stable", ignore_index=True)
        return rows.drop(
            columns=["there_at", "recommendation"] if table == "reviews" else "there_at"
        )

    def late_chargebacks(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Those that exist by a moment and came a day or more behind their own stamp."""
        rows = pd.concat(self._tables["outcomes"], ignore_index=True)
        late = rows["there_at"] - rows["observed_at"] > pd.Timedelta(days=1)
        return rows[(late & (rows["there_at"] <= as_of)).to_numpy()].reset_index(drop=True)

    def to_decide(self, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """New cases that are ours, opened in [since, until), as `ratchet decide` wants them."""
        opened = self.cases["opened_at"]
        mine = self.ours & ((opened >= since) & (opened < until)).to_numpy()
        return self.cases[mine].drop(columns=["bad", "score", "case_type"])

    def write(
        self,
        folder: Path,
        as_of: pd.Timestamp,
        *,
        empty: Collection[str] = (),
        doubled: Collection[str] = (),
    ) -> dict[str, int]:
        """Write the tables as they are at a moment; how many rows each holds."""
        held = {}
        for table in TABLES:
            rows = self.there(table, as_of)
            if table in empty:
                rows = rows.iloc[:0]
            if table in doubled:
                rows = pd.concat([rows, rows], ignore_index=True)
            held[table] = len(rows)
            if table == "reviews":
                _write_sqlite(folder / "desk.db", rows)
            else:
                rows.to_parquet(folder / f"{table}.parquet", index=False)
        return held

    def _follow(self, decided: pd.DataFrame) -> None:
        """What comes of decisions: first reviews, their corrections, and chargebacks."""
        decided = decided[decided["case_id"].isin(self._place.index).to_numpy()]
        at = self._place[decided["case_id"]].to_numpy()
        bad = self.cases["bad"].to_numpy(dtype=np.bool_)[at]
        action = decided["action"].to_numpy(dtype=object)
        drawn = (action == "escalate") | decided["audited"].to_numpy(dtype=np.bool_)
        right = self._draws["wrong"][at] >= self.habits.wrong
        said = np.where(bad == right, "block", "pass")
        kind = np.where(action == "escalate", "escalation", "audit")
        asked = decided.reset_index(drop=True)
        minutes = 5.0 + 400.0 * self._draws["minutes"][at]
        first = self._review(
            at[drawn], kind[drawn], said[drawn], self._people(at[drawn]),
            asked["decided_at"][drawn].reset_index(drop=True), minutes[drawn],
            asked["recommendation"].to_numpy(dtype=object)[drawn],
        )  # fmt: skip
        mended = (~right & (self._draws["corrected"][at] < self.habits.corrected))[drawn]
        low, high = self.habits.correction_days
        days = low + (high - low) * self._draws["correction"][at[drawn][mended]]
        again = self._with_verdict(
            first[mended].reset_index(drop=True), np.where(bad[drawn][mended], "block", "pass")
        )
        again["revision"] = 1
        again["resolved_at"] += _microseconds(days * 86_400)
        again["there_at"] = again["resolved_at"]
        self._tables["reviews"] += [first, again]

        stopped = (action == "auto_block") | (drawn & (said == "block"))
        undetected = bad & ~stopped
        low, high = self.habits.chargeback_days
        days = low + (high - low) * self._draws["chargeback"][at[undetected]]
        observed = asked["decided_at"][undetected].reset_index(drop=True) + _microseconds(
            days * 86_400
        )
        self._tables["outcomes"].append(
            pd.DataFrame(
                {
                    "case_id": asked["case_id"][undetected].to_numpy(),
                    "observed_at": observed,
                    "bad": True,
                    "source": "chargeback",
                    "there_at": observed,
                }
            )
        )

    def _delay_some_chargebacks(self) -> None:
        """The late ones are drawn among those of the middle of the feed, so that all of them arrive."""
        rows = self._tables["outcomes"][0]
        at = self._place[rows["case_id"]].to_numpy()
        share = at / max(len(self.cases), 1)
        drawn = np.where((share > 0.1) & (share < 0.65), self._draws["late"][at], np.inf)
        late = np.argsort(drawn, kind="stable")[: self.habits.late_chargebacks]
        late = late[np.isfinite(drawn[late])]
        low, high = self.habits.late_days
        days = np.zeros(len(rows))
        days[late] = low + (high - low) * self._draws["minutes"][at[late]]
        self._tables["outcomes"][0] = rows.assign(
            there_at=rows["there_at"] + _microseconds(days * 86_400)
        )

    def _people(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (self._draws["reviewer"][at] * self.habits.reviewers).astype(np.int64)

    def _review(
        self,
        at: npt.NDArray[np.int64],
        kind: str | npt.NDArray[Any],
        verdict: npt.NDArray[Any],
        person: npt.NDArray[np.int64],
        queued_at: pd.Series,
        minutes: npt.NDArray[np.float64],
        recommendation: npt.NDArray[Any],
    ) -> pd.DataFrame:
        case_id = self.cases["case_id"].to_numpy(dtype=object)[at]
        kinds = np.broadcast_to(np.asarray(kind, dtype=object), at.shape)
        prefix = np.where(np.isin(kinds, ["escalation", "audit"]), "first", kinds).astype(object)
        rows = pd.DataFrame(
            {
                "review_id": prefix + "-" + case_id,
                "case_id": case_id,
                "revision": 0,
                "reviewer_id": [f"reviewer-{one:02d}" for one in person],
                "team": np.where(person % 2 == 0, "in_house", "bpo"),
                "kind": kinds,
                "blind": kinds == "second",
                "queued_at": queued_at,
                "resolved_at": queued_at + _microseconds(minutes * 60),
                "recommendation": recommendation,
                "language": "en",
            }
        ).astype({"review_id": "str", "case_id": "str"})
        rows = self._with_verdict(rows, verdict)
        return rows.assign(there_at=rows["resolved_at"])

    def _with_verdict(self, rows: pd.DataFrame, verdict: npt.NDArray[Any]) -> pd.DataFrame:
        """The verdict, and what follows from it: the label, the path and the note."""
        rows = rows.assign(verdict=verdict)
        label = derived_label(rows["recommendation"], rows["verdict"])
        at = self._place[rows["case_id"]].to_numpy()
        path = np.where(self._draws["path"][at] < 0.5, "A", "B").astype(object)
        wrong = label.isin(["FP", "FN"]).to_numpy()
        path[~wrong] = "none"
        return rows.assign(
            label=label,
            feedback_path=path,
            root_cause=np.where(wrong, "agent_was_wrong", "none"),
            feature_ref=None,
            sop_clause=None,
            annotation=pd.Series(np.where(wrong, path, "")).map(_NOTES).to_numpy(),
        )


def write_config(
    folder: Path,
    case_type: dict[str, Any],
    tables: Path,
    *,
    without_watermark: Sequence[str] = ("reviews",),
) -> dict[str, str]:
    """A user's own folder (RATCHET_CONFIG) for a feed: its case type and its three sources.

    Returns:
        the environment variables that make a home use it.
    """
    for name in ("case_types", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    name = case_type["name"]
    (folder / "case_types" / f"{name}.yaml").write_text(
        yaml.safe_dump(case_type, sort_keys=False), encoding="utf-8"
    )
    marks = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
    for table, mark in marks.items():
        source = {"name": f"{name}_{table}", "kind": table}
        if table == "reviews":
            source |= {"url": f"sqlite:///{tables / 'desk.db'}", "query": "SELECT * FROM reviews"}
        else:
            source |= {"path": str(tables / f"{table}.parquet")}
        if table not in without_watermark:
            source["watermark"] = mark
        (folder / "sources" / f"{table}.yaml").write_text(
            yaml.safe_dump(source, sort_keys=False), encoding="utf-8"
        )
    sources = {f"RATCHET_SOURCES__{one.upper()}": f"sources/{one}.yaml" for one in marks}
    return {"RATCHET_CONFIG": str(folder), "RATCHET_CASE_TYPES": f"[{name}]", **sources}


def decision_columns(features: Sequence[str]) -> list[str]:
    """What a decisions table of this feed holds, as its contract names it."""
    told = [one for one in DECISIONS.names if one not in ("override", "queue", "reasoning")]
    return [*told, *features]


def _write_sqlite(file: Path, rows: pd.DataFrame) -> None:
    """SQLite has no stamps and no booleans: text in UTC, and 0 or 1."""
    stamps = ["queued_at", "resolved_at"]
    written = rows.assign(**{one: rows[one].dt.strftime("%Y-%m-%d %H:%M:%S.%f") for one in stamps})
    file.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(file) as connection:
        written[list(REVIEWS.names)].to_sql("reviews", connection, if_exists="replace", index=False)
    connection.close()


def _microseconds(seconds: npt.NDArray[np.float64]) -> pd.Series:
    whole = np.round(np.asarray(seconds, dtype=np.float64) * 1e6).astype(np.int64)
    return pd.Series(whole.astype("timedelta64[us]"))
