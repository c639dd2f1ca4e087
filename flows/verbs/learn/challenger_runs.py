"""Log a retrain: one MLflow run with a child for each candidate and for the present model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from configs.errors import ServiceUnreachable
from flows.reports.pages.comparison_page import comparison_page
from flows.reports.pages.comparison_plots import (
    contributions_before_and_after,
    differences,
    rank_and_reliability,
    slice_differences,
)
from flows.reports.pages.page import Section, markdown, page
from flows.verbs.learn.challenge import Challenge
from flows.verbs.learn.challenger import Fitted, correction_table
from flows.verbs.learn.training_rows import PresentModel, TrainingRows
from flows.verbs.ports import Alerts, ModelRegistry
from flows.verbs.record.headlines import compared_headlines, headlines, scored_headlines
from models.risk import Candidate
from models.vocabulary import EVERYWHERE

EXPERIMENT = "retrain"


def log_challenger(
    registry: ModelRegistry,
    alerts: Alerts,
    rows: TrainingRows,
    fitted: Fitted,
    lineage: Mapping[str, Any],
    *,
    thorough: bool,
) -> tuple[str, str | None]:
    """Register the model and log all there is to know about it; its version, and its report.

    A model that is registered stays so when MLflow falls silent afterwards: an alert names the run
    that lacks figures.

    Args:
        thorough: with the report, its figures and each child's data set; else numbers only.

    Raises:
        GateRefused: what MLflow stored is not what was fitted.
        ServiceUnreachable: MLflow does not answer, and nothing was registered.
    """
    trained = fitted.choice.trained
    told = fitted.challenge if isinstance(fitted.challenge, Challenge) else None
    tags = {"case_type": rows.case_type, "digest": trained.model.digest, "verdict": fitted.verdict}
    version = report = None
    try:
        with registry.run(EXPERIMENT, rows.case_type, _note(fitted, told), tags=tags):
            version = registry.add_version(rows.case_type, trained.model).version
            report = _page(rows, fitted, version) if thorough else None
            _log_run(registry, rows, fitted, lineage, report)
            _log_children(registry, rows, fitted, lineage, thorough)
    except ServiceUnreachable as silent:
        if version is None:
            raise
        alerts.send(
            "run_not_logged",
            rows.case_type,
            f"{rows.case_type}: version {version} is registered, and its run in MLflow lacks figures. "
            f"{silent}",
            datetime.now(UTC),
            model_version=version,
        )
    return version, report


def _log_run(
    registry: ModelRegistry,
    rows: TrainingRows,
    fitted: Fitted,
    lineage: Mapping[str, Any],
    report: str | None,
) -> None:
    trained = fitted.choice.trained
    told = fitted.challenge if isinstance(fitted.challenge, Challenge) else None
    tables: dict[str, Any] = {"lineage.json": dict(lineage)}
    if told is not None:
        tables["comparison.json"] = {
            **told.comparison.plain(),
            "gate": told.gate.plain(),
            "corrections": [one.plain() for one in told.corrections],
        }
    registry.log(
        metrics=_candidate_metrics(fitted, fitted.choice.chosen, rows) | _corrections(told),
        parameters=_varied(fitted.choice.chosen),
        texts={"report.html": report, **_figures(told)} if report else None,
        tables=tables,
        dataset=(f"{rows.case_type} evidence", lineage["rows"]["learned"], trained.rows),
    )


def _log_children(
    registry: ModelRegistry,
    rows: TrainingRows,
    fitted: Fitted,
    lineage: Mapping[str, Any],
    thorough: bool,
) -> None:
    name, digest = f"{rows.case_type} compared", lineage["rows"]["compared"]
    dataset = (name, digest, len(rows.compared)) if thorough and len(rows.compared) else None
    for one in fitted.choice.candidates:
        registry.child(
            one.name,
            _candidate_note(fitted, one),
            _candidate_metrics(fitted, one, rows),
            tags={"case_type": rows.case_type},
            parameters=_varied(one),
            dataset=dataset,
        )
    if rows.present is not None and isinstance(fitted.challenge, Challenge):
        registry.child(
            f"present model, version {rows.present.version}",
            fitted.sentence(),
            _compared(fitted.challenge, rows, rows.present),
            tags={"case_type": rows.case_type, "digest": rows.present.digest},
            dataset=dataset,
        )


def _candidate_metrics(fitted: Fitted, one: Candidate, rows: TrainingRows) -> dict[str, float]:
    """On the compared rows where there are any, else on the later slice; that slice's own figures
    (flattering: it chose) stand beside them as `later/...`."""
    trained, told = one.trained, fitted.challenge
    if trained is None:
        return headlines()
    later = {"later/auc": trained.later_auc, "later/log_loss": trained.later_log_loss}
    if not isinstance(told, Challenge):
        seen = headlines(auc=trained.later_auc, log_loss=trained.later_log_loss, rows=trained.rows)
    elif one is fitted.choice.chosen:
        seen = _compared(told, rows, None, trained.rows)
    else:
        seen = scored_headlines(
            trained.model.score(told.rows)[0],
            told.rows["bad"].to_numpy(dtype=np.bool_),
            1.0 / told.rows["propensity"].to_numpy(dtype=np.float64),
            trained.rows,
        )
    return seen | later


def _compared(
    told: Challenge, rows: TrainingRows, present: PresentModel | None, learned: int | None = None
) -> dict[str, float]:
    opened = told.rows["opened_at"]
    days = max((opened.iloc[-1] - opened.iloc[0]).total_seconds() / 86_400, 1.0)
    population = float((1.0 / told.rows["propensity"]).sum())
    return compared_headlines(told.comparison, present is None, days, population, learned)


def _corrections(told: Challenge | None) -> dict[str, float]:
    found = told.corrections if told is not None else ()
    metrics = {}
    for one in found:
        metrics[f"contribution/{one.feature}/before"] = one.mean_before
        metrics[f"contribution/{one.feature}/after"] = one.mean_after
        if one.slope is not None:
            metrics[f"contribution/{one.feature}/slope"] = one.slope
    return metrics


def _varied(one: Candidate) -> dict[str, Any]:
    """What differs between the runs of one retrain; everything else is in lineage.json."""
    if one.trained is None:
        return {"candidate": one.name}
    return {
        "candidate": one.name,
        "trees": one.trained.trees,
        "parent": (one.parent_digest or "none")[:12],
    }


def _candidate_note(fitted: Fitted, one: Candidate) -> str:
    if one.trained is None:
        return f"Not fitted: {one.why_not}."
    if one is fitted.choice.chosen:
        return f"Chosen. {fitted.sentence()}"
    return f"Not chosen. {fitted.choice.sentence}"


def _note(fitted: Fitted, told: Challenge | None) -> str:
    verdict = f"{fitted.sentence()} {fitted.choice.sentence}"
    if told is None or not told.corrections:
        return verdict
    table = correction_table([one.plain() for one in told.corrections])
    section = Section("Corrected features", table=table)
    return f"{verdict}\n\n{markdown('Retrain', [section])}"


def _page(rows: TrainingRows, fitted: Fitted, version: str) -> str:
    """The comparison's page; without a comparison, what there is to say."""
    told, present = fitted.challenge, rows.present
    if not isinstance(told, Challenge) or present is None:
        title = f"Retrain: {rows.case_type}, version {version}"
        verdict = f"{fitted.sentence()}\n\n{fitted.choice.sentence}"
        return page(title, [Section("Verdict", verdict)])
    return comparison_page(
        told.comparison,
        told.gate,
        case_type=rows.case_type,
        champion=f"version {present.version}",
        challenger=f"version {version}",
        contributions=_before_and_after(told),
    )


def _figures(told: Challenge | None) -> dict[str, str]:
    """The page's figures, each as a file of its own."""
    if told is None:
        return {}
    found = {"differences": differences(told.comparison)}
    if any(one.metrics for one in told.comparison.slices):
        found["slices"] = slice_differences(told.comparison)
    champion, challenger = told.comparison.champion_curves, told.comparison.challenger_curves
    if champion is not None and challenger is not None:
        found["ranking_and_reliability"] = rank_and_reliability(champion, challenger)
    if told.corrections:
        found["contributions"] = contributions_before_and_after(_before_and_after(told))
    return {f"figures/{name}.svg": svg for name, svg in found.items()}


def _before_and_after(told: Challenge) -> list[dict[str, Any]]:
    """Weights relative to the present model's, so that .67 is a fall by a third."""
    return [
        {
            "feature": one.feature,
            "slice": EVERYWHERE,
            "mean_before": one.mean_before,
            "mean_after": one.mean_after,
            "weight_before": None if one.slope is None else 1.0,
            "weight_after": one.slope,
        }
        for one in told.corrections
    ]
