"""What did a retrain bring, in plain values and in words?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from flows.verbs.learn.challenge import Challenge
from flows.verbs.learn.training_rows import TrainingRows
from models.risk import Candidate, Choice

NOT_COMPARED = "not compared"
NOT_LIVE = "Not live: it scores in shadow until certified."


@dataclass(frozen=True)
class Fitted:
    """The chosen candidate, and how it compares with the present model, or why it does not."""

    choice: Choice
    challenge: Challenge | str

    @property
    def turned_down(self) -> bool:
        """Whether the gate said no; without a comparison nothing speaks against the model."""
        return isinstance(self.challenge, Challenge) and not self.challenge.gate.passed

    @property
    def verdict(self) -> str:
        told = self.challenge
        return told.comparison.verdict if isinstance(told, Challenge) else NOT_COMPARED

    def sentence(self) -> str:
        """The comparison and the gate's word, in a sentence each."""
        told = self.challenge
        if isinstance(told, Challenge):
            return f"{told.comparison.sentence()} {told.gate.sentence()}"
        return f"Not compared: {told}."


@dataclass(frozen=True, slots=True)
class Challenger:
    """A retrain's result as plain values; `page` is its report.

    Attributes:
        version, digest: in the registry; None: no model was fitted.
        filed: whether it is under test (a new generation in the ledger). One that the gate turned
            down is registered and not filed.
        rows, bad: learned from. later_auc: on the slice that stopped, calibrated and chose, so it
            is a flattering figure.
        verdict: of the comparison with the present model, or "not compared".
        comparison, gate, corrections: its figures; None and empty where there is none.
    """

    case_type: str
    version: str | None
    digest: str | None
    filed: bool
    rows: int
    bad: int
    later_auc: float | None
    note: str
    verdict: str = NOT_COMPARED
    comparison: dict[str, Any] | None = None
    gate: dict[str, Any] | None = None
    corrections: tuple[dict[str, Any], ...] = ()
    candidates: tuple[dict[str, Any], ...] = ()
    page: str | None = field(default=None, repr=False)

    @classmethod
    def none(cls, rows: TrainingRows, why: str) -> Challenger:
        """No model could be fitted."""
        bad = int(rows.learning["bad"].sum())
        return cls(rows.case_type, None, None, False, len(rows.learning), bad, None, why)

    @classmethod
    def of(
        cls, case_type: str, fitted: Fitted, version: str, refused: str, page: str | None
    ) -> Challenger:
        """A registered model; `refused` is why it was not filed, or ""."""
        trained = fitted.choice.trained
        told = fitted.challenge if isinstance(fitted.challenge, Challenge) else None
        return cls(
            case_type=case_type,
            version=version,
            digest=trained.model.digest,
            filed=not refused,
            rows=trained.rows,
            bad=trained.bad,
            later_auc=trained.later_auc,
            note=note_of(case_type, fitted, version, refused),
            verdict=fitted.verdict,
            comparison=told.comparison.plain() if told else None,
            gate=told.gate.plain() if told else None,
            corrections=tuple(one.plain() for one in told.corrections) if told else (),
            candidates=tuple(map(_plain_candidate, fitted.choice.candidates)),
            page=page,
        )

    def plain(self) -> dict[str, Any]:
        """For JSON; without the page."""
        told = asdict(self)
        del told["page"]
        return told


def note_of(case_type: str, fitted: Fitted, version: str, refused: str) -> str:
    """The whole retrain in a paragraph."""
    trained = fitted.choice.trained
    beyond = " beyond those of its parent" if fitted.choice.chosen.parent_digest else ""
    ending = f"Registered, but not filed: {refused}" if refused else NOT_LIVE
    return (
        f"{case_type}: version {version} learned from {trained.rows:,} labelled cases "
        f"({trained.bad:,} bad){beyond}. {fitted.choice.sentence} {fitted.sentence()} {ending}"
    )


def challenger_table(told: Challenger) -> list[dict[str, Any]]:
    """One row a figure of the comparison; one a candidate where there is no comparison."""
    if told.comparison is None:
        return [
            {
                "candidate": one["name"],
                "trees": one["trees"],
                "later log loss": one["later_log_loss"],
                "later AUC": one["later_auc"],
                "why not": one["why_not"],
            }
            for one in told.candidates
        ]
    return [_figure_row(one) for one in told.comparison["metrics"].values()]


def _figure_row(one: dict[str, Any]) -> dict[str, Any]:
    difference = one["difference"] or {}
    return {
        "figure": one["title"],
        "present": (one["champion"] or {}).get("value"),
        "challenger": (one["challenger"] or {}).get("value"),
        "difference": difference.get("value"),
        "low": difference.get("low"),
        "high": difference.get("high"),
        "change": one["change"],
    }


def correction_table(corrections: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a feature: its contribution before and after, and the slope between them."""
    return [
        {
            "feature": one["feature"],
            "mean |contribution| before": one["mean_before"],
            "after": one["mean_after"],
            "slope, after on before": one["slope"],
        }
        for one in corrections
    ]


def _plain_candidate(one: Candidate) -> dict[str, Any]:
    trained = one.trained
    return {
        "name": one.name,
        "why_not": one.why_not,
        "parent": one.parent_digest,
        "digest": trained.model.digest if trained else None,
        "trees": trained.trees if trained else None,
        "rows": trained.rows if trained else None,
        "later_auc": trained.later_auc if trained else None,
        "later_log_loss": trained.later_log_loss if trained else None,
    }
