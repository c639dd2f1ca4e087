"""What does a walk's page say, verdict first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.reports.pages.page import Section, page
from flows.reports.pages.plots import (
    automation_by_night,
    boundary_by_night,
    limits_against_targets,
    reliability,
    sla_by_type,
)
from flows.reports.pages.story_chart import story_chart
from flows.reports.words.tickets import tickets_sentence, tickets_table
from models.vocabulary import Boundary, Targets

if TYPE_CHECKING:
    from flows.verbs.walk.evaluation import WalkEvaluation

SHARES = {
    "automation_rate": ".1%", "true_precision": ".2%", "true_recall": ".2%",
    "true_false_omission": ".3%", "share_of_oracle": ".0%", "within_sla": ".1%",
    "oracle automation": ".1%", "tuned-once recall": ".2%",
}  # fmt: skip


def walk_page(
    title: str,
    evaluation: WalkEvaluation,
    *,
    facts: Sequence[str],
    simulated: bool,
    targets: Mapping[str, Targets],
    last_night: Mapping[str, Any],
    not_done: Sequence[str],
    desk_table: list[dict[str, Any]] | None = None,
) -> str:
    """One self-contained page: the verdict, who would have done what, the boundaries, the nights."""
    word = (
        "Simulated: every figure on this page comes from a simulated exchange." if simulated else ""
    )
    told = evaluation.summary.get("told", [])
    sections = [
        *(
            _opening(evaluation, word, facts)
            if simulated
            else [Section("Verdict", "\n\n".join([*_verdict(evaluation), *facts]).strip())]
        ),
        *([Section("Lost, altered or guessed", "\n\n".join(told))] if told else []),
        Section(
            "Against what else could have been done",
            table=compared(evaluation),
            formats={**SHARES, "labels_used": ",.0f"},
            note="Oracle: the best single boundary in hindsight on the same scores. Tuned once: the "
            "first model's boundary that met the targets on its own validation slice, kept for ever. "
            "Precision: bad share of the auto-blocked. Recall: share of bad cases not auto-passed.",
        ),
    ]
    if desk_table:
        sections.append(
            Section(
                "The review desk",
                "Share of reviews resolved in less than the SLA of four hours, by case type.",
                table=desk_table,
                formats={name: ".1%" for name in desk_table[0] if name != "case_type"},
            )
        )
        rows = [{"case_type": name, **figures} for name, figures in evaluation.review_desk.items()]
        sections.append(Section("Resolution times", svg=sla_by_type(rows, {"SLA": 4.0})))
    open_tickets = last_night["tickets"]
    sections += [
        Section("By case type", table=_by_case_type(evaluation), formats=SHARES),
        *(
            []  # the page opens with it
            if simulated
            else [Section("Automation by night", svg=automation_by_night(evaluation.steps))]
        ),
        Section("Boundaries by night", svg=boundary_by_night(evaluation.steps)),
        Section(
            "Boundaries that went live, against the truth of their whole life",
            _violations(evaluation),
            table=_boundaries(evaluation) or None,
            formats={**SHARES, "pass_at_or_below": ".4g", "block_at_or_above": ".4g"},
        ),
        Section(
            "What was proven when each live boundary was promoted",
            "Limits at the confidence of the look that proved them.",
            svg=limits_against_targets(_limits(evaluation, targets)),
        ),
        Section(
            "Labels and cases the proofs could not rest on",
            _second_reviews(evaluation),
            table=_held_back(evaluation) or None,
        ),
        Section(
            "What moved and ended no evidence",
            "\n\n".join(evaluation.summary["moved"]) or "Nothing.",
        ),
        *_reliabilities(evaluation),
        Section(
            "Why the agent erred",
            "\n\n".join(
                [tickets_sentence(open_tickets), *(one["sentence"] for one in open_tickets)]
            ),
            table=tickets_table(open_tickets) or None,
        ),
        Section("The last night", table=_last_night(last_night, not_done)),
    ]
    return page(title, sections)


def _opening(evaluation: WalkEvaluation, word: str, facts: Sequence[str]) -> list[Section]:
    """The verdict with the whole story in one chart, and the same story as a table."""
    references = {
        name: {key: figures[key]["automation_rate"] for key in ("oracle", "tuned_once")}
        for name, figures in evaluation.summary["by_case_type"].items()
    }
    drawn = (evaluation.steps, evaluation.story, references)
    rows = [
        {"night": one.step, "date": one.date, "case_type": one.case_type, "what": one.what}
        for one in evaluation.story
    ]
    told = _verdict(evaluation)
    return [
        Section(
            "Verdict",
            " ".join([word, *told[-2:], *_by_the_wave(evaluation)]),
            svg=story_chart(*drawn),
            narrow_svg=story_chart(*drawn, narrow=True),
            note="A lane a case type. Oracle: the best single boundary in hindsight on the same scores; it "
            "keeps its promises over the whole walk, a wave included, so a lane may lie above it for a "
            "time. Tuned once: the first model's boundary that met the targets on its own validation slice, "
            "kept for ever. A cross: the night's truth rejects a promise of a boundary whose whole life "
            "broke it.",
        ),
        Section(
            "The story, night by night", "\n\n".join([*facts, *told[:-2]]), table=rows or None,
            note="Simulated.",
        ),
    ]  # fmt: skip


def _by_the_wave(evaluation: WalkEvaluation) -> list[str]:
    """Whether all that the truth broke, it broke while something was planted."""
    nights = {
        (event.case_type, event.step + day)
        for event in evaluation.story
        for day in range(event.days)
    }
    marked = {
        (step["case_type"], step["step"]) for step in evaluation.steps if step.get("violation")
    }
    return ["It did so on nights of the planted wave alone."] if marked and marked <= nights else []


def compared(evaluation: WalkEvaluation) -> list[dict[str, Any]]:
    """Ratchet beside the three references, one row each."""
    summary = evaluation.summary
    own = {
        key: summary[key]
        for key in ("automation_rate", "true_precision", "true_recall", "true_false_omission")
    }
    rows = [{"who": "Ratchet", **own, "labels_used": summary["labels_used"]}]
    names = {
        "all_reviewed": "review everything",
        "tuned_once": "threshold tuned once",
        "oracle": "oracle",
    }
    for key, name in names.items():
        labels = summary["cases"] + summary["warm_up_cases"] if key == "all_reviewed" else None
        rows.append({"who": name, **summary["reference"][key], "labels_used": labels})
    return rows


def _verdict(evaluation: WalkEvaluation) -> list[str]:
    summary = evaluation.summary
    share = summary["share_of_oracle"]
    oracle = f", {share:.0%} of what the oracle could" if share is not None else ""
    sentences = [
        *nights_sentences(summary),
        f"{summary['automation_rate']:.1%} of {summary['cases']:,} cases were decided automatically"
        f"{oracle}. It cost {summary['labels_used']:,} labels, {summary['labels_in_warm_up']:,} of "
        "them in the fully reviewed warm-up.",
        f"{summary['boundaries_promoted']} boundaries were promoted; "
        f"{summary['boundaries_in_violation'] or 'none'} broke a promise in truth.",
    ]
    return sentences


def nights_sentences(summary: Mapping[str, Any]) -> list[str]:
    """What the nights of a walk held or failed at; none where everything was done."""
    if not summary["nights_failed"] and not summary["nights_held"]:
        return []
    told = (
        f"Of {summary['nights']} nights {summary['nights_failed']} failed at something and "
        f"{summary['nights_held']} held labels back."
    )
    unjudged = summary["guard_not_judged"]
    guard = (
        f"The guard could not judge a live boundary {unjudged} times."
        if unjudged
        else "The guard judged every live boundary every night."
    )
    return [f"{told} {guard}"]


def _violations(evaluation: WalkEvaluation) -> str:
    broken = evaluation.summary["violations"]
    if broken:
        return "In violation (exact test at 95 %): " + "; ".join(broken)
    return "No boundary's truth rejects a target at 95 % (exact test over its whole life)."


def _by_case_type(evaluation: WalkEvaluation) -> list[dict[str, Any]]:
    return [
        {
            "case_type": name,
            **{key: value for key, value in figures.items() if not isinstance(value, dict)},
            "oracle automation": figures["oracle"]["automation_rate"],
            "tuned-once recall": figures["tuned_once"]["true_recall"],
        }
        for name, figures in evaluation.summary["by_case_type"].items()
    ]


def _boundaries(evaluation: WalkEvaluation) -> list[dict[str, Any]]:
    return [
        {
            # Names of policies and models stand in the JSON; here they would push the truth off the page.
            **{key: row[key] for key in row if key not in ("limits", "policy_id", "model_version")},
            "broken": row["broken"] or "none",
        }
        for row in evaluation.boundaries
    ]


def _second_reviews(evaluation: WalkEvaluation) -> str:
    words = {
        "contradicts": "labels that contradicted a boundary",
        "audit_said_good": "good labels of the audit",
        "drawn_bad": "bad labels above the pass cut",
    }
    asked = evaluation.summary["second_reviews_asked"]
    told = ", ".join(f"{asked[why]:,} {words[why]}" for why in words if asked.get(why))
    held = (
        ""
        if _held_back(evaluation)
        else " No evidence started again and no reviewer held a boundary."
    )
    return (
        f"Second reviews were asked for of {told}." if told else "All labels are outcomes."
    ) + held


def _held_back(evaluation: WalkEvaluation) -> list[dict[str, Any]]:
    summary = evaluation.summary
    holds = [
        {
            "from": one["since"],
            "case_type": one["case_type"],
            "why": f"{one['why']} {one['state']}{' ' + one['ended'] if one['ended'] else ''}.",
        }
        for one in summary["holds"]
    ]
    restarts = [
        {"from": one["since"][:10], "case_type": one["case_type"], "why": one["why"]}
        for one in summary["evidence_restarts"]
    ]
    named = [
        {"from": one["night"], "case_type": one["case_type"], "why": one["why"]}
        for one in summary["reviewers_held"]
    ]
    return [*holds, *restarts, *named]


def _limits(evaluation: WalkEvaluation, targets: Mapping[str, Targets]) -> list[dict[str, Any]]:
    found = {row["case_type"]: row["limits"] for row in evaluation.boundaries if row["limits"]}
    return [
        {"case_type": name, "risk": risk, "limit": found.get(name, {}).get(risk), "target": target}
        for name, promised in targets.items()
        for risk, target in promised.named().items()
    ]


def _reliabilities(evaluation: WalkEvaluation) -> list[Section]:
    """Calibration of the scores the loop decided by, against the truth (reports only)."""
    sections = []
    for case_type, rows in evaluation.decided.groupby("case_type", observed=True):
        known = rows[rows["bad"].notna() & rows["score"].notna()]
        if not len(known):
            continue
        last = [step for step in evaluation.steps if step["case_type"] == case_type][-1]
        boundary = Boundary(last["pass_at_or_below"], last["block_at_or_above"])
        svg = reliability(
            known["score"].to_numpy(np.float64),
            known["bad"].to_numpy(np.float64),
            boundary,
            bins=20,
        )
        note = "Against the whole truth, of which the loop saw only what it was shown."
        sections.append(Section(f"Reliability: {case_type}", svg=svg, note=note))
    return sections


def _last_night(night: Mapping[str, Any], not_done: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "case_type": c["case_type"],
            "verdict": c["verdict"],
            "why": " ".join(c["reasons"]),
            "labelled": c["labelled"],
            "bad": c["bad"],
        }
        for c in night["certificates"]
    ] or [{"verdict": "failed", "why": " ".join(not_done)}]
