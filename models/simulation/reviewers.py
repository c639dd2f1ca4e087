"""What would human reviewers, each with known error rates, answer about simulated cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.simulation.case_models import RECIPES
from models.simulation.faults import Fault, ProcedureFault, ThresholdFault, WeightFault, misread
from models.simulation.keyed_draws import KeyedDraws, generator
from models.simulation.recipe import CaseRecipe
from models.simulation.review_notes import root_causes, written_notes

REVIEW_COLUMNS = (
    "review_id",
    "case_id",
    "revision",
    "reviewer_id",
    "team",
    "kind",
    "blind",
    "queued_at",
    "resolved_at",
    "verdict",
    "label",
    "feedback_path",
    "root_cause",
    "feature_ref",
    "sop_clause",
    "annotation",
    "language",
)
ESCALATION_SHARE = 0.005
"""Share of reviews, a senior's excepted, that end in "escalate" and leave the case open."""
SENIOR_ACCURACY = 0.9995

Values = pd.Series | NDArray[Any]


class ReviewerPool:
    """Six to ten reviewers a case type, in house and at a contractor, and two seniors.

    A reviewer blocks a bad case with probability `sensitivity` and passes a good one with
    probability `specificity`, whatever the agent recommended (no automation bias). Every draw is
    tied to the case id and the kind of review: any chunking of the cases gives the same reviews.

    Args:
        seed: of people and their answers.
        case_types: whom to employ for.
        faults: the mistakes planted in the agent. Reviewers name a planted cause in most of the
            errors it makes; without faults their marks are what people would guess.
        exchange_seed: of the exchange whose procedure faults reviewers recognise (default: seed).

    Attributes:
        reviewers: reviewer_id, case_type, team in_house|bpo, language en|zh, sensitivity,
            specificity; one row a reviewer.
        seniors: the same columns, for those who settle disagreements.

    Raises:
        ValueError: an unknown case type.
    """

    def __init__(
        self,
        seed: int,
        case_types: Sequence[str],
        *,
        faults: Sequence[Fault] = (),
        exchange_seed: int | None = None,
    ) -> None:
        unknown = [name for name in case_types if name not in RECIPES]
        if unknown:
            raise ValueError(
                f"the simulated exchange has no case types {', '.join(map(repr, unknown))}; "
                f"it has: {', '.join(RECIPES)}"
            )
        self.seed = seed
        self.faults = tuple(faults)
        self._exchange_seed = seed if exchange_seed is None else exchange_seed
        self.reviewers = pd.concat(
            [_reviewers(seed, RECIPES[name]) for name in case_types], ignore_index=True
        )
        self.seniors = pd.concat(
            [_seniors(RECIPES[name]) for name in case_types], ignore_index=True
        )

    def review(
        self,
        cases: pd.DataFrame,
        *,
        recommendation: Values,
        score: Values,
        kind: str | Values,
        queued_at: Values | pd.DatetimeIndex,
        resolved_at: Values | pd.DatetimeIndex,
    ) -> pd.DataFrame:
        """One review a case, by contract `reviews`, in the cases' order; index 0 .. n - 1.

        Args:
            cases: as the exchange returned them, hidden truth included.
            recommendation: the agent's pass|block, null where it could not score the case (such a
                review carries no label); score: its P(bad). One value a case, in the cases' order
                (so for the rest).
            kind: escalation|audit|senior|gold (second reviews: `second_review`); a `senior` review
                is done by a senior, all others by reviewers.
            queued_at, resolved_at: UTC stamps.

        Raises:
            ValueError: an argument does not hold one value a case, or the pool has nobody for a
                case type.
        """
        kinds = np.full(len(cases), kind, dtype=object) if isinstance(kind, str) else kind
        asked = _Asked(
            cases.reset_index(drop=True),
            _one_each(recommendation, cases, "recommendation"),
            _one_each(score, cases, "score").astype(np.float64),
            _one_each(kinds, cases, "kind"),
            _stamps(queued_at, cases, "queued_at"),
            _stamps(resolved_at, cases, "resolved_at"),
        )
        return self._answers(asked, not_by=None)

    def second_review(
        self,
        cases: pd.DataFrame,
        first: pd.DataFrame,
        *,
        recommendation: Values,
        score: Values,
        handling_minutes: float = 10.0,
        asked: NDArray[np.bool_] | None = None,
        asked_at: pd.Timestamp | None = None,
    ) -> pd.DataFrame:
        """Another person judges a case again, and a senior where the two disagree.

        By themselves a desk's people look again at every contradiction, a verdict against the
        recommendation, as soon as it is there. Second reviews are blind and by a colleague of the
        first reviewer; where the colleague disagrees (or escalates), a `senior` review decides. Returns second reviews, then senior ones, by contract `reviews`; index
        0 .. m - 1.

        Args:
            cases, recommendation, score: as in `review`.
            first: the first reviews of these cases, in the same order.
            handling_minutes: mean time from one resolution to the next; times spread around it.
            asked: which cases somebody asks to see again, and asked_at: when; None: nobody asks,
                and the desk's own practice is followed.

        Raises:
            ValueError: `first` is not about these cases in this order.
        """
        if not np.array_equal(
            first["case_id"].to_numpy(dtype=object), cases["case_id"].to_numpy(dtype=object)
        ):
            raise ValueError("`first` must hold one review of each case, in the order of `cases`")
        advice = _one_each(recommendation, cases, "recommendation")
        scores = _one_each(score, cases, "score").astype(np.float64)
        rows, first = cases.reset_index(drop=True), first.reset_index(drop=True)
        draws = KeyedDraws(self.seed, rows["case_id"])

        verdict = first["verdict"].to_numpy(dtype=object)
        contradicted = (verdict != advice) & (verdict != "escalate") & ~pd.isna(advice)
        again = contradicted if asked is None else asked
        since = first["resolved_at"]
        if asked_at is not None:
            since = pd.Series(asked_at, index=since.index).astype(since.dtype)
        wait = _minutes(handling_minutes, draws.uniform("second_minutes"))
        question = _Asked(
            rows, advice, scores, np.full(len(rows), "second", dtype=object), since, since + wait
        )
        second = self._answers(question.only(again), not_by=first["reviewer_id"][again])

        differs = np.zeros(len(rows), dtype=np.bool_)
        differs[again] = second["verdict"].to_numpy(dtype=object) != verdict[again]
        later = question.resolved_at + _minutes(handling_minutes, draws.uniform("senior_minutes"))
        settled = _Asked(
            rows,
            advice,
            scores,
            np.full(len(rows), "senior", dtype=object),
            question.resolved_at,
            later,
        )
        senior = self._answers(settled.only(differs), not_by=None)
        return pd.concat([second, senior], ignore_index=True)

    def _answers(self, asked: _Asked, *, not_by: pd.Series | None) -> pd.DataFrame:
        draws = _Draws(self.seed, asked)
        people = self._assigned(asked, draws, not_by)
        bad = asked.cases["bad"].to_numpy(dtype=np.bool_)
        verdict = _verdicts(asked, people, bad, draws)
        label = _labels(asked.recommendation, verdict)
        path, feature, clause = self._marks(asked, label, draws)
        # A case the agent could not score has no label; its note reads as if they agreed.
        agreed = np.where(verdict == "block", "TP", "TN")
        shown_label = np.where(label == None, agreed, label).astype(object)  # noqa: E711
        shown_label[verdict == "escalate"] = ""
        language = people["language"].to_numpy(dtype=object)
        case_id = asked.cases["case_id"].astype("str")
        table = pd.DataFrame(
            {
                "review_id": case_id + "-" + pd.Series(asked.kind, dtype="str"),
                "case_id": case_id,
                "revision": np.zeros(len(case_id), dtype=np.int64),
                "reviewer_id": _text(people["reviewer_id"]),
                "team": _text(people["team"]),
                "kind": _text(asked.kind),
                "blind": _blind(asked.kind, draws),
                "queued_at": asked.queued_at,
                "resolved_at": asked.resolved_at,
                "verdict": _text(verdict),
                "label": _text(label),
                "feedback_path": _text(path),
                "root_cause": _text(root_causes(path, shown_label)),
                "feature_ref": _text(feature),
                "sop_clause": _text(clause),
                "annotation": _text(written_notes(path, shown_label, language, feature, clause)),
                "language": _text(language),
            }
        )
        return table[list(REVIEW_COLUMNS)]

    def _assigned(self, asked: _Asked, draws: _Draws, not_by: pd.Series | None) -> pd.DataFrame:
        """The person for each case, one row a case: its id picks among those of its case type."""
        case_type = asked.cases["case_type"].to_numpy(dtype=object)
        is_senior = asked.kind == "senior"
        people = pd.concat([self.reviewers, self.seniors], ignore_index=True)
        chosen = np.full(len(case_type), -1, dtype=np.int64)
        everybody = people["case_type"].to_numpy(dtype=object)
        senior_row = np.arange(len(people)) >= len(self.reviewers)
        for name in pd.unique(case_type):
            for senior in (False, True):
                mask = (case_type == name) & (is_senior == senior)
                staff = np.flatnonzero((everybody == name) & (senior_row == senior))
                if mask.any() and not len(staff):
                    raise ValueError(f"this pool employs nobody for case type {name!r}")
                if mask.any():
                    chosen[mask] = staff[self._places(people, staff, mask, draws, not_by)]
        return people.take(chosen).reset_index(drop=True)

    def _places(
        self,
        people: pd.DataFrame,
        staff: NDArray[np.int64],
        mask: NDArray[np.bool_],
        draws: _Draws,
        not_by: pd.Series | None,
    ) -> NDArray[np.int64]:
        uniform = draws.uniform("reviewer")[mask]
        if not_by is None:
            return np.floor(uniform * len(staff)).astype(np.int64)
        # A colleague is anybody but the first: count on from the first reviewer, never full circle.
        identities = pd.Index(people["reviewer_id"].to_numpy(dtype=object)[staff])
        first = identities.get_indexer(pd.Index(not_by.to_numpy(dtype=object)[mask]))
        step = 1 + np.floor(uniform * (len(staff) - 1)).astype(np.int64)
        return np.asarray((first + step) % len(staff), dtype=np.int64)

    def _marks(
        self, asked: _Asked, label: NDArray[np.object_], draws: _Draws
    ) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.object_]]:
        """Feedback path, feature and SOP clause of each review; a right agent gets no path."""
        size = len(label)
        path = np.full(size, "none", dtype=object)
        feature = np.full(size, None, dtype=object)
        clause = np.full(size, None, dtype=object)
        case_type = asked.cases["case_type"].to_numpy(dtype=object)
        wrong = (label == "FP") | (label == "FN")
        for name in pd.unique(case_type):
            recipe, here = RECIPES[str(name)], case_type == name
            cited = np.array([*recipe.sop_clauses, None], dtype=object)
            pick = np.floor(draws.uniform("clause") * len(cited)).astype(np.int64)
            clause[here] = cited[pick[here]]
            at = np.flatnonzero(here & wrong)
            if len(at):
                path[at], feature[at], clause[at] = self._error_marks(
                    recipe, asked, label, draws, at, clause[at]
                )
        return path, feature, clause

    def _error_marks(
        self,
        recipe: CaseRecipe,
        asked: _Asked,
        label: NDArray[np.object_],
        draws: _Draws,
        at: NDArray[np.int64],
        clause: NDArray[np.object_],
    ) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.object_]]:
        """How people explain an error: close calls are the threshold's, sure ones a feature's.

        A planted cause that acts on the case is named four times in five; the rest is opinion.
        """
        rows, score = asked.cases.iloc[at], asked.score[at]
        opinion, attentive = draws.uniform("opinion")[at], draws.uniform("attentive")[at] < 0.8
        phi = pd.DataFrame(recipe.contributions(recipe.encoded(rows)), index=rows.index)
        misled = phi.to_numpy() * np.where(label[at] == "FP", 1.0, -1.0)[:, None]
        blamed = np.array(recipe.feature_names, dtype=object)[misled.argmax(axis=1)]
        close = np.abs(score - 0.5) < 0.3
        path = np.select(
            [opinion < 0.1, np.where(close, opinion < 0.75, opinion < 0.3)], ["C", "B"], "A"
        ).astype(object)
        clause[(path == "C") & (opinion < 0.05)] = None

        for fault in self.faults:
            if fault.case_type != recipe.name:
                continue
            if isinstance(fault, ThresholdFault):
                path[attentive] = "B"
            elif isinstance(fault, WeightFault):
                spoilt = np.abs((fault.factor - 1.0) * phi[fault.feature].to_numpy()) > 0.3
                seen = attentive & fault.applies(rows) & spoilt
                path[seen], blamed[seen] = "A", fault.feature
        for fault in self.faults:
            if isinstance(fault, ProcedureFault) and fault.case_type == recipe.name:
                seen = attentive & misread(fault, rows, self._exchange_seed)
                path[seen], clause[seen] = "C", fault.sop_clause
        blamed[path != "A"] = None
        return path, blamed, clause


@dataclass(frozen=True, slots=True)
class _Asked:
    """What reviewers are asked about: row i of everything belongs to case i; index 0 .. n - 1."""

    cases: pd.DataFrame
    recommendation: NDArray[np.object_]
    score: NDArray[np.float64]
    kind: NDArray[np.object_]
    queued_at: pd.Series
    resolved_at: pd.Series

    def only(self, mask: NDArray[np.bool_]) -> _Asked:
        return _Asked(
            self.cases[mask].reset_index(drop=True),
            self.recommendation[mask],
            self.score[mask],
            self.kind[mask],
            self.queued_at[mask].reset_index(drop=True),
            self.resolved_at[mask].reset_index(drop=True),
        )


class _Draws:
    """Uniform draws tied to case id and kind of review."""

    def __init__(self, seed: int, asked: _Asked) -> None:
        identity = asked.cases["case_id"].astype("str") + "/" + pd.Series(asked.kind, dtype="str")
        self._keyed = KeyedDraws(seed, identity)

    def uniform(self, purpose: str) -> NDArray[np.float64]:
        return self._keyed.uniform("review", purpose)


def _verdicts(
    asked: _Asked, people: pd.DataFrame, bad: NDArray[np.bool_], draws: _Draws
) -> NDArray[np.object_]:
    right = draws.uniform("answer") < np.where(bad, people["sensitivity"], people["specificity"])
    verdict = np.where(bad == right, "block", "pass").astype(object)
    unsure = (draws.uniform("unsure") < ESCALATION_SHARE) & (asked.kind != "senior")
    return np.where(unsure, "escalate", verdict).astype(object)


def _labels(
    recommendation: NDArray[np.object_], verdict: NDArray[np.object_]
) -> NDArray[np.object_]:
    said_block, is_block = recommendation == "block", verdict == "block"
    label = np.select(
        [said_block & is_block, ~said_block & ~is_block, said_block], ["TP", "TN", "FP"], "FN"
    ).astype(object)
    scored = said_block | (recommendation == "pass")
    label[(verdict == "escalate") | ~scored] = None
    return label


def _blind(kind: NDArray[np.object_], draws: _Draws) -> NDArray[np.bool_]:
    """Second and gold reviews hide the score, half of the audits too; escalations show it."""
    half = (kind == "audit") & (draws.uniform("blind") < 0.5)
    return np.asarray((kind == "second") | (kind == "gold") | half, dtype=np.bool_)


def _minutes(mean: float, uniform: NDArray[np.float64]) -> pd.Series:
    """Durations between half and one and a half times the mean, in whole seconds."""
    seconds = np.maximum(1, np.round(mean * 60.0 * (0.5 + uniform))).astype(np.int64)
    return pd.Series((seconds * 1_000_000).astype("timedelta64[us]"))


def _text(values: Values) -> pd.Series:
    return pd.Series(np.asarray(values, dtype=object), dtype="str")


def _one_each(values: Values, cases: pd.DataFrame, name: str) -> NDArray[np.object_]:
    array: NDArray[np.object_] = np.array(values, dtype=object)
    if array.shape != (len(cases),):
        raise ValueError(f"{name} must hold one value a case ({len(cases)}), got {array.shape}")
    return array


def _stamps(values: Values | pd.DatetimeIndex, cases: pd.DataFrame, name: str) -> pd.Series:
    stamps = pd.Series(pd.DatetimeIndex(values)).reset_index(drop=True)
    if len(stamps) != len(cases):
        raise ValueError(f"{name} must hold one stamp a case ({len(cases)}), got {len(stamps)}")
    if stamps.dt.tz is None:
        raise ValueError(f"{name} must hold tz-aware stamps in UTC")
    return stamps.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def _reviewers(seed: int, recipe: CaseRecipe) -> pd.DataFrame:
    rng = generator(seed, "reviewers", recipe.name)
    size = int(rng.integers(6, 11))
    bpo = np.arange(size) >= -(-size // 2)
    # Contractors draw from the lower two thirds of each range, our own people from the upper ones.
    place = (rng.random((2, size)) * 2.0 + np.where(bpo, 0.0, 1.0)) / 3.0
    return _people(
        [f"{recipe.prefix}-reviewer-{number:02d}" for number in range(1, size + 1)],
        recipe.name,
        np.where(bpo, "bpo", "in_house"),
        np.where(rng.random(size) < np.where(bpo, 0.6, 0.4), "zh", "en"),
        0.985 + 0.013 * place[0],
        0.993 + 0.0065 * place[1],
    )


def _seniors(recipe: CaseRecipe) -> pd.DataFrame:
    accuracy = np.full(2, SENIOR_ACCURACY)
    identities = [f"{recipe.prefix}-senior-{number:02d}" for number in (1, 2)]
    return _people(
        identities,
        recipe.name,
        np.full(2, "in_house"),
        np.array(["en", "zh"]),
        accuracy,
        accuracy,
    )


def _people(
    identities: list[str],
    case_type: str,
    team: NDArray[np.str_],
    language: NDArray[np.str_],
    sensitivity: NDArray[np.float64],
    specificity: NDArray[np.float64],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "reviewer_id": pd.Series(identities, dtype="str"),
            "case_type": pd.Series(case_type, index=range(len(identities)), dtype="str"),
            "team": pd.Series(team, dtype="str"),
            "language": pd.Series(language, dtype="str"),
            "sensitivity": sensitivity,
            "specificity": specificity,
        }
    )
