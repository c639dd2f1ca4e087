"""What comes after an A/B test that proved nothing, and how does the next one split its cases?

A test takes no look: the proof of a boundary stands in its certification sequence whatever became of
its test (METHODS 1.2, 5), so a new test may begin on it, on new cases (docs/adr/0034).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.verbs.ports import Ledger
from models.boundary.proof.certificate import RISKS_OF
from models.hub import Entry, EntryKind, Policy, approval_of, halt_of, open_proposals
from models.hub.record.readers import of, stopped_ab
from models.vocabulary import AbPlan, Boundary, CaseType

ENDED_BY = "ended_by"
"""In a conclusion's dossier: "split", "harm", "promise" (it promises nothing of what it does) or
"horizon"."""

HARM = "harm"

REFUTED = "refuted"
"""In a conclusion's dossier: the promises that the test refuted, by their names in `Targets`."""


def fresh_plan(ledger: Ledger, case_types: Mapping[str, CaseType], case_type: str) -> AbPlan | None:
    """The case type's A/B plan, with a salt that none of its tests has had; None: it has no plan.

    Who was treated in one test is then treated in the next one by chance alone.
    """
    plan = case_types[case_type].ab_plan
    if plan is None:
        return None
    history = ledger.history(case_type)
    begun = sum(entry.kind is EntryKind.AB_STARTED for entry in history)
    return plan if begun == 0 else replace(plan, salt=f"{plan.salt}.{begun + 1}")


def next_steps(ledger: Ledger, case_types: Mapping[str, CaseType]) -> list[str]:
    """`next_step` of every case type where there is something to say."""
    found = [next_step(ledger, name) for name in case_types]
    return [sentence for sentence in found if sentence]


def next_step(ledger: Ledger, case_type: str) -> str:
    """What became of the latest A/B test where it ended without a proof, and what comes next; "": it
    goes on, it was proven, or the live policy is another one since.

    Raises:
        GateRefused: the ledger or a policy in it is not as it was written.
    """
    history = ledger.history()
    ended = stopped_ab(history, case_type)
    if ended is None:
        return ""
    started, end = ended
    tried = ledger.policy(str(started.policy_id))
    return (
        f"{case_type}: the A/B test of {tried.policy_id[:12]} ended on {end.at:%Y-%m-%d} without a proof "
        f"({_why(end)}). It took no look, so what its boundary was proven by stands as it was. Next: "
        f"{_next(ledger, history, tried, end)}"
    )


def contradicted(ledger: Ledger, case_type: str, model_digest: str, boundary: Boundary) -> str:
    """Why a boundary of a model is not proposed again by itself, or "": an A/B test of the model refuted
    a promise at the same cut or a narrower one, and no look was taken since that proves it once more.

    Two proofs that contradict each other are settled by later cases, not by a second test.
    """
    mine = of(ledger.history(), case_type)
    harmed = [
        entry
        for entry in mine
        if entry.kind is EntryKind.AB_CONCLUDED and entry.dossier.get(ENDED_BY) == HARM
    ]
    for entry in reversed(harmed):
        tried = ledger.policy(str(entry.policy_id))
        if tried.model_digest != model_digest or not _reaches(
            boundary, tried.boundary, entry.dossier.get(REFUTED, ())
        ):
            continue
        looked = any(
            one.kind is EntryKind.LOOK_TAKEN
            and one.version > entry.version
            and one.dossier.get("model_digest") == model_digest
            for one in mine
        )
        if looked:
            return ""
        return (
            f"A boundary is proven on its cohort, and its A/B test refuted a promise of "
            f"it on {entry.at:%Y-%m-%d}. It is proposed again once a later look proves it, with the cases "
            "that came since; a narrower one, or another model's, is not held up."
        )
    return ""


def _reaches(boundary: Boundary, tried: Boundary, refuted: Sequence[str]) -> bool:
    """Whether a boundary decides at least what another one does on a side that was refuted."""
    low, high = tried.pass_at_or_below, tried.block_at_or_above
    passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
    as_wide = {
        "pass": None not in (low, passes) and float(passes or 0.0) >= float(low or 0.0),
        "block": None not in (high, blocks) and float(blocks or 0.0) <= float(high or 0.0),
    }
    return any(as_wide[side] for side, risks in RISKS_OF.items() if risks & set(refuted))


def _why(end: Entry) -> str:
    if end.kind is EntryKind.HALTED:
        return f"{end.actor} halted the case type: {end.dossier['reason']}"
    if end.kind is EntryKind.REFUSED:
        return f"{end.actor} withdrew its approval"
    if end.kind is EntryKind.REVOKED:
        return f"{end.dossier['name']}, who approved it, was revoked"
    reasons = [str(one).rstrip(".") for one in end.dossier.get("reasons", ())]
    return reasons[0] if reasons else "it was stopped"


def _next(ledger: Ledger, history: tuple[Entry, ...], tried: Policy, end: Entry) -> str:
    name = tried.case_type
    if halt_of(history, name) is not None:
        return (
            f"two people end the halt (`ratchet resume {name} --reason R`); `ratchet promote "
            f"{tried.policy_id[:12]}` then begins a test of new cases."
        )
    if approval_of(history, name, tried.policy_id) is not None:
        return f"it is still approved: `ratchet promote {tried.policy_id[:12]}` begins a test of new cases."
    for proposal in reversed(open_proposals(history, name)):
        waits = ledger.policy(str(proposal.policy_id))
        if waits.ab_plan is not None and waits.model_digest == tried.model_digest:
            return (
                f"{waits.policy_id[:12]} waits to be approved (`ratchet approve {waits.policy_id[:12]}`); its "
                "test splits new cases by a salt of its own."
            )
    held = contradicted(ledger, name, str(tried.model_digest), tried.boundary)
    if held and end.dossier.get(ENDED_BY) == HARM:
        return f"nothing for now. {held}"
    if end.dossier.get(ENDED_BY) == "split":
        return (
            "find out which cases were lost or assigned twice; a night proposes the boundary anew, as long "
            "as its proof stands."
        )
    return (
        "a night proposes the boundary anew for a test of new cases, as long as its proof stands."
    )
