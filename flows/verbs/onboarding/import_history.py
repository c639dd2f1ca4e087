"""Import: fully reviewed past cases become stored evidence, a first model and a first proposal.

The road of a walk's warm-up, in the live home: what a history says is delivered as decisions that
people made (probability of review 1) and their outcomes, through the same contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import UserError
from configs.sources import SourceSettings, load_source
from data_contracts import CONTRACTS, Admission, AdmissionContext, admit, reject_report
from flows.adapters.tables.sources import read_delivery
from flows.verbs.certify.generation import newest_of_ours, scored_elsewhere
from flows.verbs.decide.decide import NO_MODEL
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.intake.admit import KEYS, AdmittedBatch
from flows.verbs.intake.deliveries import Delivery, admit_deliveries, read_as_of
from flows.verbs.learn.challenger import Challenger
from flows.verbs.learn.train import retrain
from flows.verbs.night import run_night
from flows.verbs.onboarding.past_truths import PastTruths, past_truths
from flows.verbs.ports import AdmissionServices, EvidenceStore, Ledger, TrainingServices
from flows.verbs.record.night_dossier import NightDossier
from flows.verbs.record.night_results import NightResults, not_done
from flows.verbs.walk.input_notes import told_of_history
from models.truth import matured_before
from models.vocabulary import Action, CaseType, Recommendation
from models.vocabulary.names import SCORED_HISTORY, name_of

HOLD_BACK = 0.7
"""Of the past, by time: it certifies the first model, which learns from the rest. Recall is proven by
some hundred bad cases, and a model learns from far fewer than a proof takes."""
IMPORTED = "imported history"
"""The `policy_id` of an imported case: people decided it, under no policy of ours."""


@dataclass(frozen=True)
class PastOf:
    """What became of one case type's past.

    Attributes:
        cases: stored now; `stored_before` of an earlier import; `decided_before`: in the store by
            another road, so they keep that decision and take no part.
        labels: truths stored now; `young` cases are not yet mature and were left out, `unknown` have
            no truth.
        truths: of all admitted cases of the type, how many are bad, good and not known.
        held_back_from: cases opened since certify the first model; None: there is no first model.
        held_back: the share that was held back, or would have been for a model that could not be fitted.
    """

    case_type: str
    cases: int
    stored_before: int
    decided_before: int
    labels: int
    young: int
    unknown: int
    truths: PastTruths
    held_back_from: datetime | None = None
    held_back: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        since = self.held_back_from
        return {
            **vars(self),
            "truths": asdict(self.truths),
            "held_back_from": None if since is None else since.isoformat(),
        }


@dataclass(frozen=True)
class Imported:
    """What became of a history: rows read = admitted + rejected, and what the night after it said.

    Attributes:
        night: the dossier of the night that was run at once; None where nothing changed.
        models: the first models, or why none could be fitted.
    """

    source: str
    rows: int
    rejected: pd.DataFrame
    report: str
    told: tuple[str, ...]
    past: tuple[PastOf, ...]
    models: tuple[Challenger, ...]
    night: NightDossier | None

    @property
    def changed(self) -> bool:
        return self.night is not None

    def plain(self) -> dict[str, Any]:
        """As JSON has it; no row."""
        return {
            "source": self.source,
            "rows": self.rows,
            "rejected": len(self.rejected),
            "report": self.report,
            "notes": list(self.told),
            "changed": self.changed,
            "past": [one.plain() for one in self.past],
            "models": [one.plain() for one in self.models],
            "night": None if self.night is None else self.night.plain(),
        }


def import_history(
    services: TrainingServices,
    source_file: Path,
    now: datetime,
    *,
    hold_back: float | None = None,
    at_commit: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Store a history as evidence, fit the first model on its older part, and run a night at once.

    A case is stored once: the same history again changes nothing, one that has grown brings what is
    new, and an import that was killed is finished by the next one. Truths of cases younger than the
    case type's maturity, and those cases, are left for a later import.

    Args:
        hold_back: of each past, by time: the newest share, which certifies and trains nothing.
        at_commit: what is stored is stamped when it is committed; else with `now`.
        step: is told what is done next; a long past takes minutes.

    Raises:
        UserError: the file is no history, its case type is not configured, its rows or its columns
            cannot be used; nothing was stored.
        GateRefused, ServiceUnreachable: as a night and a retrain.
    """
    source, kinds = _opened(services.case_types, source_file)
    step(f"reading {source.name}")
    reading = read_delivery(source)
    table = reading.rows
    for name in kinds:
        if scored_elsewhere(services.case_types, name):
            _refuse_unscored(source, name, table)
    admission = admit(
        table, CONTRACTS["history"], AdmissionContext(now=now, case_types=dict(kinds))
    )
    if admission.failed or not admission.admitted:
        why = " ".join(admission.failed) or reject_report(admission)
        raise UserError(f"{source.name}: {why} Nothing was stored.")
    rows = _with_scores(admission, table)
    parts = [_past(services.store, services.case_types, source, rows, name, now) for name in kinds]
    models_missing = [
        one for one in kinds if _needs_model(services.ledger, services.case_types, one)
    ]
    notes = (*map(str, reading.notes),)
    told = Imported(
        source.name, len(table), admission.rejected,
        reject_report(admission) if admission.quarantined else "",
        notes, tuple(past for past, _ in parts), (), None,
    )  # fmt: skip
    deliveries = [one for _, delivered in parts for one in delivered]
    if not deliveries and not models_missing:
        return told
    counts = {name: sum(len(one.rows) for one in deliveries if one.table == name) for name in KEYS}
    step(f"storing {counts['decisions']:,} decisions and {counts['outcomes']:,} outcomes")
    batches, moment = _stored(services, deliveries, now, at_commit=at_commit)
    step("fitting the first model" if models_missing else "no model is to be fitted")
    share = HOLD_BACK if hold_back is None else hold_back
    past, models = _first_models(services, told.past, models_missing, moment, share)
    start = min((one.held_back_from for one in past if one.held_back_from), default=moment)
    told = replace(told, told=(*notes, *told_of_history(admission, kinds, kinds, start)))
    step("running a night: certificates and proposals")
    night = run_night(services, [], moment, at_commit=at_commit)
    night = replace(night, batches=[*batches, *night.batches])
    return replace(told, past=past, models=models, night=night)


def _opened(
    case_types: Mapping[str, CaseType], file: Path
) -> tuple[SourceSettings, dict[str, CaseType]]:
    source = load_source(file)
    if source.kind != "history":
        raise UserError(
            f"{file}: past cases come from a source of kind `history`; this one holds {source.kind}."
        )
    named = [source.case_type] if source.case_type is not None else list(source.case_types)
    unknown = [str(name) for name in named if name not in case_types]
    if unknown:
        raise UserError(
            f"{source.name}: {', '.join(unknown)} is no configured case type, and the nights after "
            f"an import would not know it; the case types are {', '.join(case_types)}. Write a "
            "file for it in case_types/ of RATCHET_CONFIG, and name it under `case_types:`."
        )
    kinds = {str(name): case_types[str(name)] for name in named}
    wanted = dict.fromkeys(name_of(one) for kind in kinds.values() for one in kind.feature_names)
    # What is read is what the live nights read: the case type's own features.
    words = [name_of(f.name) for k in kinds.values() for f in k.features if f.kind == "categorical"]
    layers = {name: said.model_copy(update={"features": None}) for name, said in source.case_types.items()}  # fmt: skip
    read = {"features": tuple(wanted), "categorical": tuple(dict.fromkeys(words))}
    return source.model_copy(update={**read, "case_types": layers}), kinds


def _refuse_unscored(source: SourceSettings, case_type: str, table: pd.DataFrame) -> None:
    missing = [name for name in SCORED_HISTORY if name not in table]
    if missing:
        raise UserError(
            f"{source.name}: {case_type} is scored by another agent (scorer: external), so its past "
            f"needs that agent's scores: map {' and '.join(f'`{one}`' for one in missing)} under "
            "`columns:` (the score as it was given when the case was decided, and which version of "
            "the model gave it). Nothing was stored."
        )


def _with_scores(admission: Admission, table: pd.DataFrame) -> pd.DataFrame:
    """The admitted rows, with what another agent said of them where the history has it."""
    names = [name for name in SCORED_HISTORY if name in table]
    if not names:
        return admission.rows
    said = table.drop(index=admission.rejected.index)[["case_id", *names]]
    said = said.assign(case_id=said["case_id"].astype("str"))
    return admission.rows.drop(columns=names, errors="ignore").merge(
        said, on="case_id", how="left", validate="one_to_one"
    )


def _past(
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    source: SourceSettings,
    rows: pd.DataFrame,
    case_type: str,
    now: datetime,
) -> tuple[PastOf, list[Delivery]]:
    """One case type's past as decisions and outcomes that are not stored yet."""
    mine = rows[(rows["case_type"] == case_type).to_numpy(dtype=np.bool_)]
    mine = mine.sort_values(["opened_at", "case_id"], kind="stable", ignore_index=True)
    imported, others = _known(store, mine)
    maturity = timedelta(days=case_types[case_type].maturity_days)
    until = matured_before(now, case_types[case_type].maturity_days)
    unknown = mine["bad"].isna().to_numpy(dtype=np.bool_)
    mature = (mine["opened_at"] < pd.Timestamp(until)).to_numpy(dtype=np.bool_)
    # A young case would count as drawn and without its truth; it comes in with its truth, later.
    decisions = mine[mature & ~imported & ~others]
    outcomes = _outcomes(mine[mature & ~unknown & ~others], maturity)
    if len(outcomes) and store.counts("outcomes")[0]:
        known = store.holds("outcomes", outcomes[list(KEYS["outcomes"])])
        outcomes = outcomes[~known].reset_index(drop=True)
    told = PastOf(
        case_type=case_type,
        cases=len(decisions),
        stored_before=int(imported.sum()),
        decided_before=int(others.sum()),
        labels=len(outcomes),
        young=int((~mature & ~others).sum()),
        unknown=int((unknown & ~others).sum()),
        truths=past_truths(mine, until),
    )
    delivered = []
    if len(decisions):
        frame = _decisions(case_types, case_type, decisions)
        delivered.append(Delivery("decisions", frame, f"history {source.name}"))
    if len(outcomes):
        delivered.append(Delivery("outcomes", outcomes, f"history {source.name}"))
    return told, delivered


def _known(store: EvidenceStore, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which cases an earlier import stored, and which are stored by another road."""
    if rows.empty or not store.counts("decisions")[0]:
        return np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.bool_)
    held = store.holds("decisions", rows[["case_id"]])
    if not held.any():
        return held, held
    ids = rows["case_id"][held].tolist()
    stored = store.read("decisions", columns=["case_id", "policy_id"], filters={"case_id": ids})
    ours = stored["case_id"][(stored["policy_id"] == IMPORTED).to_numpy(dtype=np.bool_)]
    imported = held & rows["case_id"].isin(ours).to_numpy(dtype=np.bool_)
    return imported, held & ~imported


def _decisions(
    case_types: Mapping[str, CaseType], case_type: str, rows: pd.DataFrame
) -> pd.DataFrame:
    """Decisions by contract: every case went to a person, whatever a model may have said of it."""
    kind = case_types[case_type]
    scored = scored_elsewhere(case_types, case_type)
    carried = [one for one in (*kind.feature_names, *kind.segments) if one in rows]
    frame = rows[["case_id", "case_type", "opened_at", "priority", "amount_usd"]].assign(
        decided_at=rows["opened_at"],
        score=rows["score"] if scored else np.nan,
        recommendation=None,
        action=Action.ESCALATE.value,
        propensity=1.0,
        audited=False,
        arm="control",
        policy_id=IMPORTED,
        model_version=rows["model_version"] if scored else NO_MODEL,
    )
    if scored:
        costs = kind.costs
        leaning = costs.false_positive_usd / max(
            costs.false_positive_usd + costs.false_negative_usd, 1e-9
        )
        score = pd.to_numeric(frame["score"], errors="coerce")
        lean = np.where(score >= leaning, Recommendation.BLOCK.value, Recommendation.PASS.value)
        frame["recommendation"] = pd.Series(lean, index=frame.index).where(score.notna(), None)
    features = rows[list(dict.fromkeys(carried))]
    return pd.concat([frame, features], axis="columns").reset_index(drop=True)


def _outcomes(rows: pd.DataFrame, maturity: timedelta) -> pd.DataFrame:
    """Outcomes by contract; a truth counts as observed when its case became mature."""
    return pd.DataFrame(
        {
            "case_id": rows["case_id"],
            "case_type": rows["case_type"],
            "observed_at": rows["opened_at"] + maturity,
            "bad": rows["bad"].astype(np.bool_),
            "source": "reverification",
        }
    ).reset_index(drop=True)


def _stored(
    services: AdmissionServices, deliveries: list[Delivery], now: datetime, *, at_commit: bool
) -> tuple[list[AdmittedBatch], datetime]:
    results = NightResults()
    batches = admit_deliveries(services, deliveries, now, results, at_commit=at_commit)
    failed = [sentence for one in results.tables.values() for sentence in one.failed]
    if failed:
        told = " ".join(failed or not_done(results.plain()))
        raise UserError(f"The history was not stored whole. {told} Mend it, and import it again.")
    return batches, read_as_of(batches, now)


def _needs_model(ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str) -> bool:
    return not scored_elsewhere(case_types, case_type) and newest_of_ours(ledger, case_type) is None


def _first_models(
    services: TrainingServices,
    past: tuple[PastOf, ...],
    names: list[str],
    moment: datetime,
    hold_back: float,
) -> tuple[tuple[PastOf, ...], tuple[Challenger, ...]]:
    """The first model of each case type that has none, fitted on the older part of its past."""
    if not names:
        return past, ()
    held = services.with_training(hold_back_share=hold_back)
    models = {name: retrain(held, load_snapshot(services, moment), name) for name in names}
    found = []
    for one in past:
        if one.case_type in models:
            one = replace(one, held_back=hold_back)
        generation = (
            newest_of_ours(services.ledger, one.case_type) if one.case_type in models else None
        )
        if generation is not None:
            one = replace(one, held_back_from=generation.trained_before)
        found.append(one)
    return tuple(found), tuple(models.values())
