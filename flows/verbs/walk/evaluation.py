"""Reckon: what a walk came to against the truth, and beside what else could have been done."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flows.reports.words.story_events import Event
from flows.verbs.record.night_results import State, moved, not_done, states
from flows.verbs.walk.story import story_of
from flows.verbs.walk.walk import Walk
from flows.verbs.whatif.queue_replay import desk_figures
from models.boundary.decision.decide import automatable
from models.boundary.proof.hindsight import HindsightCounts, plug_in_boundary
from models.hub import holds_of
from models.hub.record.entries import EntryKind
from models.reviewers.gates import GATES
from models.vocabulary import Action, Boundary, Targets


@dataclass(frozen=True)
class WalkEvaluation:
    """A finished walk in figures.

    summary and steps have the shape of DESIGN 7. boundaries: one row per promoted or narrowed
    policy with the truth over its life. decided: case_id, case_type, score, action, policy_id,
    step and truth, for plots. review_desk: the review desk's figures by case type, empty where nobody
    said how it is staffed; actions_by_reference: what each reference would have done. story: what
    happened, in order.
    """

    summary: dict[str, Any]
    steps: list[dict[str, Any]]
    boundaries: list[dict[str, Any]]
    decided: pd.DataFrame
    actions_by_reference: Mapping[str, pd.Series]
    review_desk: Mapping[str, Mapping[str, Any]]
    story: tuple[Event, ...] = ()


def evaluate_walk(walk: Walk, wall_seconds: float, *, staffed: bool) -> WalkEvaluation:
    """Compare every decision of a walk with the truth; nothing here flows back into the loop.

    Cases whose truth is unknown for ever count as cases and are left out of every risk.

    Args:
        staffed: whether the case types say how the review desk is staffed.
    """
    decided = _with_truth(walk)
    boundaries = _boundaries(walk, decided)
    story = story_of(walk)
    steps = _told(walk, _steps_with_truth(walk.steps, decided), decided, boundaries, story)
    references = _references(walk, decided)
    observed = observed_list(walk)
    in_violation = [row for row in boundaries if row["broken"]]
    figures = {name: _figures(decided, actions) for name, actions in references.items()}
    oracle = figures["oracle"]["automation_rate"]
    own = _figures(decided, decided["action"])
    summary = {
        **own,
        "share_of_oracle": own["automation_rate"] / oracle if oracle else None,
        "boundaries_promoted": sum(row["kind"] == EntryKind.PROMOTED.value for row in boundaries),
        "boundaries_in_violation": len(in_violation),
        "violations": [
            f"{row['case_type']} {row['policy_id'][:12]}: {row['broken']}" for row in in_violation
        ],
        "labels_used": len(observed),
        "labels_in_warm_up": int(
            len(observed) - observed["case_id"].isin(decided["case_id"]).sum()
        ),
        "cases": len(decided),
        "warm_up_cases": walk.warm_up_cases,
        **_nights(walk),
        "rows_quarantined": sum(night["rows_quarantined"] for night in walk.nights),
        "second_reviews_asked": _second_reviews(walk),
        "evidence_restarts": [one for night in walk.nights for one in night["drift"]],
        "moved": [one for night in walk.nights for one in moved(night["results"])],
        "reviewers_held": _reviewers_held(walk),
        "story": [event.plain() for event in story],
        "wall_seconds": round(wall_seconds, 1),
        "peak_mib": round(peak_mib(), 1),
        "by_case_type": _by_case_type(walk, decided, references),
        "reference": figures,
    }
    review_desk = {}
    if staffed:
        reviewed = (decided["action"] == Action.ESCALATE.value) | decided["audited"]
        review_desk = desk_figures(decided, reviewed, walk.services.case_types)
    return WalkEvaluation(summary, steps, boundaries, decided, references, review_desk, story)


def desk_table(walk: Walk, evaluation: WalkEvaluation) -> list[dict[str, Any]]:
    """Share within the SLA by case type: Ratchet, and what the references would have brought."""
    columns = {"Ratchet": evaluation.review_desk}
    names = {"all_reviewed": "review everything", "tuned_once": "tuned once", "oracle": "oracle"}
    for key, name in names.items():
        reviewed = evaluation.actions_by_reference[key] == Action.ESCALATE.value
        columns[name] = desk_figures(evaluation.decided, reviewed, walk.services.case_types)
    return [
        {"case_type": kind, **{who: told[kind]["within_sla"] for who, told in columns.items()}}
        for kind in walk.services.case_types
    ]


def observed_list(walk: Walk) -> pd.DataFrame:
    """case_id and observed_at: each truth the loop was shown, when it was first shown."""
    if not walk.observed:
        return pd.DataFrame(
            {"case_id": pd.Series(dtype="str"), "observed_at": pd.Series(dtype="str")}
        )
    every = pd.concat(walk.observed, ignore_index=True)
    first = every.sort_values("observed_at", kind="stable").drop_duplicates("case_id")
    return first.sort_values(["observed_at", "case_id"], ignore_index=True)


def peak_mib() -> float:
    """The process's largest resident memory so far, in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1024.0**2 if sys.platform == "darwin" else 1024.0)


def _with_truth(walk: Walk) -> pd.DataFrame:
    """All decisions after the warm-up with the truth beside them and the step they fell in."""
    truth = walk.upstream.truth()
    if not walk.decisions:
        raise ValueError("the walk decided nothing; it had no step")
    decided = pd.concat(walk.decisions, ignore_index=True)
    bad = decided["case_id"].map(truth.set_index("case_id")["bad"])
    step = (decided["opened_at"] - pd.Timestamp(walk.upstream.start)) // walk.upstream.step
    return decided.assign(
        bad=bad.to_numpy(dtype=np.float64, na_value=np.nan),
        step=step.astype(np.int64),
        automatable=automatable(decided) & decided["score"].notna().to_numpy(),
    )


def _nights(walk: Walk) -> dict[str, Any]:
    """How many nights failed at something or held something, what, and whether the guard judged
    every live boundary on every night."""
    told = [night["results"] for night in walk.nights]
    failed = [bool(states(one)[State.FAILED.value]) for one in told]
    held = [bool(states(one)[State.HELD.value]) for one in told]
    guards = [one["guard"] for night in told for one in night["case_types"].values()]
    holds = [
        hold
        for case_type in walk.services.case_types
        for hold in holds_of(walk.services.ledger.history(case_type), case_type)
    ]
    return {
        "nights": len(told),
        "nights_failed": sum(failed),
        "nights_held": sum(held),
        "not_done": list(dict.fromkeys(why for one in told for why in not_done(one))),
        "guard_not_judged": guards.count("not judged"),
        "guard_judged": sum(word in ("holds", "tripped") for word in guards),
        "holds": [
            {
                "hold_id": one.hold_id,
                "case_type": one.case_type,
                "table": one.table,
                "rule": one.rule,
                "since": one.since.date().isoformat(),
                "state": one.state.value,
                "ended": None if one.ended_at is None else one.ended_at.date().isoformat(),
                "why": one.reason,
            }
            for one in holds
        ],
    }


def _second_reviews(walk: Walk) -> dict[str, int]:
    """How many second reviews the nights asked for, by why."""
    asked = [night["second_reviews"] for night in walk.nights if night["second_reviews"]]
    return {
        str(why): int(count) for why, count in pd.DataFrame(asked, dtype="float64").sum().items()
    }


def _reviewers_held(walk: Walk) -> list[dict[str, str]]:
    """What the gates on reviewers said, each sentence with the night it was first said."""
    said: dict[tuple[str, str], str] = {}
    for night in walk.nights:
        for judged in night["certificates"]:
            for reason in judged["reasons"]:
                if reason.startswith(GATES):
                    said.setdefault((judged["case_type"], reason), night["as_of"][:10])
    return [{"night": at, "case_type": name, "why": why} for (name, why), at in said.items()]


def _tally(rows: pd.DataFrame, actions: pd.Series) -> HindsightCounts:
    known = rows["bad"].notna().to_numpy()
    action = actions.to_numpy()[known]
    return HindsightCounts.of(
        action == Action.AUTO_PASS.value,
        action == Action.AUTO_BLOCK.value,
        rows["bad"].to_numpy()[known] == 1.0,
    )


def _figures(rows: pd.DataFrame, actions: pd.Series) -> dict[str, Any]:
    rates = _tally(rows, actions).rates()
    # Automation counts every case, whether its truth ever comes to light or not.
    rates["automation_rate"] = (
        float((actions != Action.ESCALATE.value).mean()) if len(rows) else None
    )
    return rates


def _steps_with_truth(steps: list[dict[str, Any]], decided: pd.DataFrame) -> list[dict[str, Any]]:
    groups = dict(iter(decided.groupby(["step", "case_type"], observed=True)))
    filled = []
    for step in steps:
        rows = groups.get((step["step"], step["case_type"]))
        if rows is None:
            filled.append(step)
            continue
        tally = _tally(rows, rows["action"])
        rates = tally.rates()
        rates.pop("automation_rate")
        filled.append({**step, "bad": tally.bad, **rates})
    return filled


def _told(
    walk: Walk,
    steps: list[dict[str, Any]],
    decided: pd.DataFrame,
    boundaries: list[dict[str, Any]],
    story: Sequence[Event],
) -> list[dict[str, Any]]:
    """Steps with the share that was automated, what stands proven of the boundary in force, what
    happened, and which promise the night's truth broke."""
    proven = {row["policy_id"]: row["limits"] for row in boundaries}
    happened: dict[tuple[int, str], list[str]] = {}
    for event in story:
        happened.setdefault((event.step, event.case_type), []).append(event.kind)
    broken = _broken_on(walk, decided, boundaries)
    return [
        {
            **step,
            "automation_rate": (step["auto_passed"] + step["auto_blocked"]) / step["cases"]
            if step["cases"]
            else None,
            "proven": dict(proven.get(step["policy_id"], {})),
            "events": happened.get((step["step"], step["case_type"]), []),
            "violation": broken.get((step["step"], step["case_type"]), ""),
        }
        for step in steps
    ]


def _broken_on(
    walk: Walk, decided: pd.DataFrame, boundaries: list[dict[str, Any]]
) -> dict[tuple[int, str], str]:
    """On which nights the boundaries in violation broke what they promised: where a night's own truth
    rejects the promise at 95 %, and where none does, since its life's truth up to that night does.

    Single nights of a boundary that kept its promise over its life are noise and are not named.
    """
    found: dict[tuple[int, str], str] = {}
    for row in boundaries:
        if not row["broken"]:
            continue
        name, promised = row["case_type"], row["broken"].split(", ")
        targets = walk.services.case_types[name].targets
        life = decided[
            (decided["case_type"] == name) & (decided["policy_id"] == row["policy_id"])
        ].sort_values("step", kind="stable")
        nights = {
            int(step): _tally(rows, rows["action"]).broken_promises(targets)
            for step, rows in life.groupby("step")
        }
        if not any(set(said) & set(promised) for said in nights.values()):
            upto = {step: life[(life["step"] <= step).to_numpy()] for step in nights}
            nights = {
                step: _tally(rows, rows["action"]).broken_promises(targets)
                for step, rows in upto.items()
            }
        for step, said in nights.items():
            if mine := [one for one in said if one in promised]:
                found[step, name] = ", ".join(mine)
    return found


def _boundaries(walk: Walk, decided: pd.DataFrame) -> list[dict[str, Any]]:
    """Each boundary that went live, with the truth over its whole life."""
    lives = dict(iter(decided.groupby(["case_type", "policy_id"], observed=True)))
    found = []
    proven: dict[str | None, Mapping[str, float]] = {}
    for entry in walk.services.ledger.history():
        if entry.kind is EntryKind.PROPOSED:
            proven[entry.policy_id] = entry.dossier["limits"]
        if entry.kind not in (EntryKind.PROMOTED, EntryKind.NARROWED):
            continue
        rows = lives.get((entry.case_type, entry.policy_id), decided.iloc[:0])
        policy = walk.services.ledger.policy(str(entry.policy_id))
        tally = _tally(rows, rows["action"])
        targets = walk.services.case_types[entry.case_type].targets
        found.append(
            {
                "case_type": entry.case_type,
                "policy_id": entry.policy_id,
                "kind": entry.kind.value,
                "date": entry.at.date().isoformat(),
                "model_version": policy.model_version,
                "pass_at_or_below": policy.boundary.pass_at_or_below,
                "block_at_or_above": policy.boundary.block_at_or_above,
                "cases": len(rows),
                **tally.rates(),
                "limits": dict(proven.get(entry.policy_id, {})),
                "broken": ", ".join(tally.broken_promises(targets)),
            }
        )
    return found


def _references(walk: Walk, decided: pd.DataFrame) -> dict[str, pd.Series]:
    """The actions of: reviewing everything, a threshold tuned once, and the oracle.

    tuned_once: the first model for ever, with the boundary that met the targets on its own later
    slice. oracle: the best single boundary in hindsight on the scores the loop really had.
    """
    everything = pd.Series(Action.ESCALATE.value, index=decided.index)
    tuned, oracle = everything.copy(), everything.copy()
    for case_type in walk.services.case_types:
        rows = decided[decided["case_type"] == case_type]
        targets = walk.services.case_types[case_type].targets
        oracle[rows.index] = _actions(rows["score"], rows["automatable"], _oracle(rows, targets))
        first = _first_model(walk, case_type)
        if first is not None:
            model, boundary = first
            cases = walk.upstream.cases(case_type, walk.upstream.start)
            scores = pd.Series(model.score(cases)[0], index=cases["case_id"])
            scored = rows["case_id"].map(scores)
            tuned[rows.index] = _actions(scored, rows["automatable"], boundary)
    return {"all_reviewed": everything, "tuned_once": tuned, "oracle": oracle}


def _oracle(rows: pd.DataFrame, targets: Targets) -> Boundary:
    known = (rows["bad"].notna() & rows["score"].notna()).to_numpy()
    return plug_in_boundary(
        rows["score"].to_numpy()[known],
        rows["bad"].to_numpy()[known] == 1.0,
        targets,
        rows["automatable"].to_numpy()[known],
    )


def _first_model(walk: Walk, case_type: str) -> tuple[Any, Boundary] | None:
    for entry in walk.services.ledger.history(case_type):
        if entry.kind is EntryKind.GENERATION_STARTED:
            model = walk.services.registry.load(
                case_type, entry.dossier["model_version"], str(entry.evidence_digest)
            )
            return model, Boundary(**entry.dossier["tuned_once"])
    return None


def _actions(scores: pd.Series, free: pd.Series, boundary: Boundary) -> np.ndarray:
    score, free_mask = scores.to_numpy(dtype=np.float64, na_value=np.nan), free.to_numpy()
    low, high = boundary.pass_at_or_below, boundary.block_at_or_above
    passed = free_mask & (score <= low) if low is not None else np.zeros(len(score), dtype=np.bool_)
    blocked = (
        free_mask & (score >= high) if high is not None else np.zeros(len(score), dtype=np.bool_)
    )
    return np.select(
        [passed, blocked], [Action.AUTO_PASS.value, Action.AUTO_BLOCK.value], Action.ESCALATE.value
    )


def _by_case_type(
    walk: Walk, decided: pd.DataFrame, references: Mapping[str, pd.Series]
) -> dict[str, Any]:
    found = {}
    for case_type in walk.services.case_types:
        rows = decided[decided["case_type"] == case_type]
        own = _figures(rows, rows["action"])
        others = {name: _figures(rows, actions[rows.index]) for name, actions in references.items()}
        oracle = others["oracle"]["automation_rate"]
        found[case_type] = {
            "cases": len(rows),
            **own,
            "share_of_oracle": own["automation_rate"] / oracle if oracle else None,
            "tuned_once": others["tuned_once"],
            "oracle": others["oracle"],
        }
    return found
