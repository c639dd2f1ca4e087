"""What would bring a proof nearer where an import brought too little evidence?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.verbs.onboarding.import_history import PastOf
from models.vocabulary import CertificateVerdict, Targets

LARGEST_HOLD_BACK = 0.9
"""A model that learns from less than a tenth of the past is worth no proof."""


def what_to_do_now(
    past: PastOf,
    certificate: Mapping[str, Any],
    targets: Targets,
    *,
    not_fitted: str = "",
    restarted: str = "",
) -> list[str]:
    """What would bring a proof nearer, in sentences, what weighs most first.

    Args:
        certificate: of the night after the import, as the dossier has it.
        targets: the promises of the case type.
        not_fitted: why there is no first model, or "".
        restarted: why that night let the evidence start again, or "".
    """
    if certificate["verdict"] != CertificateVerdict.INSUFFICIENT_EVIDENCE.value:
        return []
    found = []
    if not_fitted:
        found.append(
            f"Give the model more of the past: `--hold-back` below {past.held_back:g}, by the same command in "
            "the same home. The model learns from what is not held back, by time: most of it grows the "
            "trees, and its newest part (the later slice) says when to stop and calibrates the score. Each "
            "of the two needs bad and good cases."
        )
    if restarted:
        found.append(
            f"See why most of the past does not count: {restarted} Where what moved only follows the "
            "calendar, say `turns_with_calendar: true` at that feature in the case type; where a column "
            "began or changed its meaning, leave it out of `features:`; both before an import into a "
            "RATCHET_HOME of its own. Where the cases did change, only those since then can prove "
            "anything, and more of them come with time."
        )
    missing = certificate.get("drawn_and_missing") or past.truths.unknown_and_mature
    if missing:
        found.append(
            f"Find out how the open cases ended: {missing:,} mature cases have no truth, and each counts as "
            "the worst case. Raise `maturity_days` where they are merely young, or end the table at an "
            "opening date before which all are settled."
        )
    found.append(
        "Import a longer past: the same command takes in what is new of a table that has grown."
    )
    if past.young:
        found.append(
            f"Wait, or see whether `maturity_days` is right: {past.young:,} cases are younger, and come in "
            "by a later import. Lower it only if no case turned out bad after fewer days."
        )
    if past.held_back_from is not None and past.held_back < LARGEST_HOLD_BACK and not not_fitted:
        found.append(
            f"Give the proof more of the past: `--hold-back` above {past.held_back:g}, in a RATCHET_HOME "
            "of its own, as a model that is there stays. The model then learns from fewer cases."
        )
    if targets.recall is not None:
        found.append(
            "Promise otherwise in `targets`: recall is proven by bad cases alone; a `false_omission_rate` "
            "(the share of bad cases among those passed) counts every passed case. Both are yours to set, "
            "before the next look."
        )
    found.append(
        "Name your reviewers' answers (sources/reviews.yaml): each night then counts the new ones."
    )
    return found
