"""File: write a walk's result where people look for it: JSON, one page, a list, and MLflow."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from configs.errors import ServiceUnreachable
from flows.adapters.files.files import write_atomically
from flows.adapters.files.private_home import modes_for
from flows.reports.pages.walk_page import compared, nights_sentences, walk_page
from flows.reports.progress import tracked
from flows.verbs.night import Run, plainly
from flows.verbs.record.headlines import HEADLINES
from flows.verbs.record.night_results import not_done
from flows.verbs.walk.evaluation import WalkEvaluation, desk_table, evaluate_walk, observed_list
from flows.verbs.walk.input_notes import told_of_walk
from flows.verbs.walk.open_walk import OpenedWalk
from flows.verbs.walk.walk import Walk


@dataclass(frozen=True, slots=True)
class Filed:
    """Where the result of a walk can be read."""

    report: Path
    json: Path
    observed: Path
    decisions: Path


@dataclass(frozen=True)
class Concluded:
    """What a command prints at the end of a walk."""

    verdict: str
    table: list[dict[str, Any]]
    review_desk: list[dict[str, Any]] | None
    summary: dict[str, Any]
    filed: Filed
    told: tuple[str, ...] = ()
    story: tuple[str, ...] = ()


def file_walk(
    walk: Walk,
    evaluation: WalkEvaluation,
    *,
    title: str,
    facts: list[str],
    simulated: bool,
    review_desk: list[dict[str, Any]] | None = None,
    json_file: Path | None = None,
    report: Path | None = None,
    observed: Path | None = None,
) -> Filed:
    """Write everything below the walk's home, and again wherever a path is given."""
    home = walk.services.home
    filed = Filed(
        report=report or home / "report.html",
        json=json_file or home / "result.json",
        observed=observed or home / "observed.parquet",
        decisions=home / "decisions.parquet",
    )
    _write(filed.json, json.dumps(_plain(as_json(evaluation)), indent=1, allow_nan=False))
    html = walk_page(
        title, evaluation, facts=facts, simulated=simulated, desk_table=review_desk,
        targets={name: kind.targets for name, kind in walk.services.case_types.items()},
        last_night=walk.nights[-1], not_done=not_done(walk.nights[-1]["results"]),
    )  # fmt: skip
    _write(filed.report, html)
    for path, frame in (
        (filed.observed, observed_list(walk)),
        (filed.decisions, evaluation.decided.drop(columns=["bad"])),
    ):
        with modes_for(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path, index=False)
    try:
        _log_to_mlflow(walk, evaluation, title, html)
    except ServiceUnreachable as silent:
        why = f"The walk is not in MLflow; its page and figures are in {home}. {silent}"
        walk.services.alerts.send("run_not_logged", None, why, datetime.now(UTC))
    return filed


def as_json(evaluation: WalkEvaluation) -> dict[str, Any]:
    """The stable shape of `backtest --json` (DESIGN 7)."""
    return {
        "summary": evaluation.summary,
        "steps": evaluation.steps,
        "boundaries": evaluation.boundaries,
    }


def verdict_of(evaluation: WalkEvaluation) -> str:
    """The walk in a few sentences; what its nights held or failed at comes first."""
    summary = evaluation.summary
    share = summary["share_of_oracle"]
    oracle = f" ({share:.0%} of the oracle's)" if share is not None else ""
    nights = "".join(f"{sentence} " for sentence in nights_sentences(summary))
    return (
        f"{nights}{summary['automation_rate']:.1%} of {summary['cases']:,} cases were decided "
        f"automatically{oracle}, for {summary['labels_used']:,} labels. "
        f"{summary['boundaries_promoted']} boundaries were promoted, "
        f"{summary['boundaries_in_violation']} in violation of a promise."
    )


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def _log_to_mlflow(walk: Walk, evaluation: WalkEvaluation, title: str, html: str) -> None:
    registry = walk.services.registry
    verdict = verdict_of(evaluation)
    with registry.run("backtest", title, verdict):
        registry.log(
            metrics=_headlines(walk, evaluation, None),
            texts={"report.html": html},
            tables={"result.json": _plain(as_json(evaluation))},
        )
        for case_type in walk.services.case_types:
            figures = evaluation.summary["by_case_type"][case_type]
            note = f"{case_type}: {figures['automation_rate']:.1%} automatic."
            with registry.run("backtest", case_type, note, tags={"case_type": case_type}):
                registry.log(metrics=_headlines(walk, evaluation, case_type))


def _headlines(walk: Walk, evaluation: WalkEvaluation, case_type: str | None) -> dict[str, float]:
    """The ten numbers every run has; NaN where one cannot be estimated."""
    rows = evaluation.decided
    names = [case_type] if case_type else list(walk.services.case_types)
    rows = rows[rows["case_type"].isin(names)]
    known = rows[rows["bad"].notna() & rows["score"].notna()]
    bad = known["bad"].to_numpy() == 1.0
    both = len(known) > 0 and bad.any() and not bad.all()
    days = max(walk.upstream.steps * walk.upstream.step.days, 1)
    escalated = int((rows["action"] == "escalate").sum())
    certificates = [c for c in walk.nights[-1]["certificates"] if c["case_type"] in names]
    within = [
        evaluation.review_desk[name]["within_sla"]
        for name in names
        if evaluation.review_desk.get(name)
    ]
    values = (
        float(roc_auc_score(bad, known["score"])) if both else math.nan,
        float(log_loss(bad, known["score"].clip(1e-7, 1 - 1e-7))) if both else math.nan,
        _lowest(certificates, "precision"),
        _lowest(certificates, "recall"),
        float((rows["action"] != "escalate").mean()) if len(rows) else math.nan,
        escalated / days,
        min((share for share in within if share is not None), default=math.nan),
        _expected_loss(walk, rows),
        float(len(rows)),
        float(evaluation.summary["rows_quarantined"]) if case_type is None else math.nan,
    )
    return dict(zip(HEADLINES, values, strict=True))


def _expected_loss(walk: Walk, rows: Any) -> float:
    """US dollars over the walk, with the truth: misses, false blocks and reviews."""
    total = 0.0
    for case_type, mine in rows.groupby("case_type", observed=True):
        costs = walk.services.case_types[str(case_type)].costs
        bad = mine["bad"].to_numpy() == 1.0
        action = mine["action"].to_numpy()
        reviewed = (action == "escalate") | mine["audited"].to_numpy()
        total += costs.false_negative_usd * float((bad & (action == "auto_pass")).sum())
        total += costs.false_positive_usd * float((~bad & (action == "auto_block")).sum())
        total += costs.review_usd * float(reviewed.sum())
    return total


def _lowest(certificates: list[dict[str, Any]], risk: str) -> float:
    return min((c["limits"][risk] for c in certificates if risk in c["limits"]), default=math.nan)


def _plain(value: Any) -> Any:
    """JSON's own types: undefined is null, and nothing is NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def walk_through(
    opened: OpenedWalk, began: float, nights: str, *, run: Run = plainly, **paths: Path | None
) -> Concluded:
    """Walk what was opened to its end and file it: a demo and a backtest are the same walk.

    Args:
        began: `time.monotonic()` when the command began.
        nights: what the progress bar counts.
        run: what calls each verb, a night a task.
        paths: where to write the result too (`file_walk`).
    """
    walk = opened.walk
    run(Walk.warm_up, walk)
    for step in tracked(range(walk.upstream.steps), nights):
        run(Walk.night_and_day, walk, step)
    run(Walk.last_night, walk)
    return run(conclude, opened, time.monotonic() - began, **paths)


def conclude(opened: OpenedWalk, seconds: float, **paths: Path | None) -> Concluded:
    """Reckon a finished walk and file it; the task that ends a demo or a backtest."""
    evaluation = evaluate_walk(opened.walk, seconds, staffed=opened.staffed)
    told = (*opened.told, *told_of_walk(opened.walk))
    evaluation.summary["told"] = list(told)
    table = desk_table(opened.walk, evaluation) if opened.staffed else None
    filed = file_walk(
        opened.walk,
        evaluation,
        title=opened.title,
        facts=list(opened.facts),
        simulated=opened.simulated,
        review_desk=table,
        **paths,
    )
    summary = evaluation.summary
    story = tuple(event.line for event in evaluation.story) if opened.simulated else ()
    return Concluded(
        verdict_of(evaluation), compared(evaluation), table, summary, filed, told, story
    )
