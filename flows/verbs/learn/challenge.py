"""Challenge: is the new model better than the present one on later cases that neither learned from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from flows.verbs.evidence.truth import EvidenceSnapshot
from flows.verbs.learn.training_rows import (
    PresentModel,
    TrainingRows,
    why_not_compared,
    with_features,
)
from flows.verbs.ports import TrainingServices
from models.boundary import Evidence, certify, delta_of_look, sequential
from models.comparison import Comparison, GateVerdict, ScoredRows, compare, gate
from models.risk import RiskModel
from models.risk.correction import Correction, corrections
from models.vocabulary import Boundary, CaseType, CertificateVerdict, Targets

_EVIDENCE = ["case_id", "opened_at", "propensity", "automatable", "bad", "drawn", "surfaced"]
DRAWS, DRAWS_IN_A_WALK = 1_000, 200


@dataclass(frozen=True)
class Terms:
    """What a challenge needs besides the models and the rows; gathered before any fit.

    Attributes:
        boundary: the live one, or the one that reviews everything while nothing is live.
        window: every mature case opened since the first compared one, labelled or not, with the
            features, for the boundaries that the window certifies; None: not asked for.
        targets: the promises at the delta of one look, for the same.
    """

    case_type: CaseType
    boundary: Boundary
    targets: Targets
    features: tuple[str, ...]
    draws: int
    seed: int
    window: pd.DataFrame | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Challenge:
    """A comparison, the gate's word on it, and what became of the features in question; `rows` are
    the labelled cases that both models can score."""

    comparison: Comparison
    gate: GateVerdict
    corrections: tuple[Correction, ...]
    rows: pd.DataFrame = field(repr=False)


def terms_of(
    services: TrainingServices,
    snapshot: EvidenceSnapshot,
    rows: TrainingRows,
    features: Sequence[str],
    *,
    thorough: bool,
) -> Terms:
    """Read what the comparison is held on, as of the book; `thorough` takes more draws and asks
    which boundaries the compared window would certify."""
    kind = services.case_types[rows.case_type]
    live = services.ledger.live_policy(rows.case_type)
    decides = live is not None and rows.present and live.model_digest == rows.present.digest
    window = None
    if thorough and len(rows.compared):
        since = rows.compared["opened_at"].iloc[0].to_pydatetime()
        mature = snapshot.mature(services, rows.case_type, since)[_EVIDENCE]
        window = with_features(
            services.store,
            services.case_types,
            snapshot,
            rows.case_type,
            mature,
            rows.present,
            since,
        )
    return Terms(
        case_type=kind,
        boundary=live.boundary if decides and live else Boundary.everything_reviewed(),
        targets=replace(kind.targets, delta=delta_of_look(kind.targets.delta, len(services.case_types), 1)),
        features=tuple(features),
        draws=DRAWS if thorough else DRAWS_IN_A_WALK,
        seed=services.seed,
        window=window,
    )  # fmt: skip


def challenge(
    terms: Terms, rows: TrainingRows, present: PresentModel, challenger: RiskModel
) -> Challenge | str:
    """Both models on the compared rows and the gate's verdict; or why they cannot be compared."""
    old, new = present.model.score(rows.compared)[0], challenger.score(rows.compared)[0]
    known = ~(np.isnan(old) | np.isnan(new))
    compared, old, new = rows.compared[known], old[known], new[known]
    bad = compared["bad"].to_numpy(dtype=np.bool_)
    too_few = why_not_compared(bad)
    if too_few:
        return too_few
    scored = ScoredRows(
        champion=old,
        challenger=new,
        bad=bad,
        weight=1.0 / compared["propensity"].to_numpy(dtype=np.float64),
        automatable=compared["automatable"].to_numpy(dtype=np.bool_),
    )
    shared = [one for one in terms.features if one in present.model.feature_names]
    told = compare(
        scored,
        champion_boundary=terms.boundary,
        champion_certified=_certified(terms, present.model),
        challenger_certified=_certified(terms, challenger),
        costs=terms.case_type.costs,
        slices={
            name: compared[name].astype("str").to_numpy(dtype=object)
            for name in terms.case_type.segments
            if name in compared
        },
        draws=terms.draws,
        seed=terms.seed,
    )
    if told.verdict == "not_estimable":
        return told.why_not
    return Challenge(
        comparison=told,
        gate=gate(told),
        corrections=tuple(corrections(present.model, challenger, compared, shared)),
        rows=compared,
    )


def _certified(terms: Terms, model: RiskModel) -> Boundary | None:
    """The widest boundary that the compared window certifies for a model; None where it certifies
    none, or was not asked. For reading only: no look is taken, and nothing rests on it."""
    if terms.window is None:
        return None
    scores = model.score(terms.window)[0]
    unscored = np.isnan(scores)
    frame = terms.window.assign(
        score=np.where(unscored, 1.0, scores),
        automatable=terms.window["automatable"].to_numpy() & ~unscored,
    )
    evidence = Evidence.from_frame(frame)
    reference = np.asarray(model.reference_scores) if sequential(evidence, None) else None
    found = certify(evidence, terms.targets, None, reference)
    return found.boundary if found.verdict is CertificateVerdict.CERTIFIED else None
