"""A live home's upstream: simulated decisions, reviews and outcomes as Parquet, and their source files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from models.simulation import Exchange
from models.simulation.reviewers import ReviewerPool


def write_live_sources(folder: Path, days: int = 5, scale: float = 0.1) -> dict[str, str]:
    """Write three tables and their source files; returns the RATCHET_SOURCES__* variables.

    Everything is reviewed, as before a first model; all figures are simulated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    plain = Exchange(11)
    volumes = {name: max(int(count * scale), 1) for name, count in plain.cases_per_day.items()}
    exchange = Exchange(
        11, cases_per_day=volumes, start=midnight - timedelta(days=days), burst=None
    )
    people = ReviewerPool(11, list(exchange.case_types))
    decisions, reviews, outcomes = [], [], []
    for case_type in exchange.case_types:
        cases = exchange.cases(case_type, 0, days)
        said = exchange.agent(cases)
        hidden = ["bad", "true_logit", "matures_at"]
        decisions.append(
            cases.drop(columns=hidden).assign(
                decided_at=cases["opened_at"],
                score=said["score"],
                recommendation=said["recommendation"],
                action="escalate",
                propensity=1.0,
                audited=False,
                arm="control",
                policy_id="0" * 64,
                model_version="none",
            )
        )
        reviews.append(
            people.review(
                cases,
                recommendation=said["recommendation"].to_numpy(dtype=object),
                score=said["score"].to_numpy(dtype=np.float64),
                kind="escalation",
                queued_at=cases["opened_at"],
                resolved_at=cases["opened_at"] + pd.Timedelta(minutes=30),
            )
        )
        late = exchange.outcomes(cases, np.full(len(cases), "auto_pass", dtype=object))
        outcomes.append(late[late["observed_at"] < pd.Timestamp.now(tz="UTC")])
    tables = {"decisions": decisions, "reviews": reviews, "outcomes": outcomes}
    marks = {"decisions": "decided_at", "reviews": "resolved_at", "outcomes": "observed_at"}
    variables = {}
    for table, frames in tables.items():
        rows = pd.concat(frames, ignore_index=True)
        rows = rows[rows[marks[table]] < pd.Timestamp.now(tz="UTC")]
        rows.to_parquet(folder / f"{table}.parquet", index=False)
        file = folder / f"{table}.yaml"
        file.write_text(
            f"name: desk_{table}\nkind: {table}\npath: {table}.parquet\nwatermark: {marks[table]}\n",
            encoding="utf-8",
        )
        variables[f"RATCHET_SOURCES__{table.upper()}"] = str(file)
    return variables
