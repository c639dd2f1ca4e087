"""One case type's certification sequence on a night: which looks are due, and what may come of them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import GateRefused
from flows.verbs.certify.generation import SEQUENCE, last_version
from flows.verbs.certify.inputs import CertificationInputs
from flows.verbs.evidence.cohort_rows import what_is_waited_for
from flows.verbs.evidence.label_trust import held, past_the_gates
from flows.verbs.govern.submit import answered
from models.boundary import CertificationSequence, certify
from models.boundary.price.notch_price import NOTCH
from models.hub import Refusal, TakeLook, looks_taken
from models.hub.rules.people import NIGHT
from models.truth import contradictions
from models.vocabulary import Boundary, Certificate, CertificateVerdict


def sequence_of(given: CertificationInputs) -> tuple[CertificationSequence, str]:
    """The generation's sequence after every look that is due now, and what is to be said of cases
    that are no longer as they were, or ""."""
    kept = given.generation.looked
    if kept is None:
        # Fixed before any truth: the model's own scores, or the cohort's as soon as there are enough.
        reference = given.generation.reference_scores(given.services.registry)
        return (
            CertificationSequence.start(
                given.targets, given.frame, reference_scores=reference if len(reference) else None
            ),
            "",
        )
    try:
        return CertificationSequence.from_plain(kept, given.frame), ""
    except ValueError:
        gone = int(kept["cases"]) - len(given.frame)
        told = f"{gone:,} fewer" if gone > 0 else "some"
        return (
            CertificationSequence.from_plain(kept, given.frame, may_have_changed=True),
            f"The cohort's cases are not those of the last look ({told}: erased, or scored anew); looks "
            "that were taken stay taken, and the next ones count in the cohort as it is.",
        )


def look(given: CertificationInputs) -> tuple[Certificate, CertificationSequence, bool]:
    """Tonight's certificate, the sequence it comes from, and whether it may be acted on.

    The looks that were taken are in the ledger before anything rests on them.
    """
    sequence, told = sequence_of(given)
    _record(given, sequence)
    certificate = given.certificate(sequence)
    more = [one for one in (what_is_waited_for(given.frame), told) if one]
    certificate = replace(certificate, reasons=(*certificate.reasons, *more))
    certificate = _worth_a_notch(certificate, sequence, given.incumbent)
    if certificate.verdict is CertificateVerdict.CERTIFIED:
        questions = contradictions(_countable(given.frame), certificate.boundary)
        if questions.hold:
            return held(certificate, given.incumbent, [questions.sentence]), sequence, False
    certificate = _past_the_gates(given, sequence, certificate)
    return certificate, sequence, True


def _record(given: CertificationInputs, sequence: CertificationSequence) -> None:
    """The looks taken since the ledger's last entry about this sequence; nothing where there is none."""
    plain, kept = sequence.plain(), given.generation.looked
    if kept is not None and _state(plain) == _state(kept):
        return
    first = kept is None
    said = answered(
        given.services.ledger,
        TakeLook(
            case_type=given.case_type,
            actor=NIGHT,
            base_version=last_version(given.services.ledger, given.case_type),
            evidence_digest=given.digest,
            look_index=looks_taken(given.services.ledger.history(), given.case_type) + 1,
            delta_spent=given.targets.delta if first else 0.0,
            effective_sample=float(len(sequence.bad_places)),
            # Looks of another agent's model are told from those of ours in shadow beside it.
            dossier={
                "test": "cohort",
                "model_digest": given.generation.digest,
                SEQUENCE: plain,
            },
        ),
        given.snapshot.as_of,
    )
    if isinstance(said, Refusal):
        raise GateRefused(f"The look at {given.case_type} was not recorded: {said.reason}")


def _state(plain: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of a stored sequence, what changes with a look."""
    looks = [list(look) for look in plain["looks"]]
    ladders = [(one["proven"], one["taken"], len(one["steps"])) for one in plain["ladders"]]
    return looks, ladders


def _worth_a_notch(
    certificate: Certificate, sequence: CertificationSequence, incumbent: Boundary | None
) -> Certificate:
    """A wider boundary is proposed once it automates a notch more than today's; the proof keeps."""
    if certificate.verdict is not CertificateVerdict.CERTIFIED:
        return certificate
    today = incumbent or Boundary.everything_reviewed()
    gain = certificate.automation_rate - sequence.automation(today)
    if gain >= NOTCH or "cheapest" in certificate.choices:
        return certificate
    why = (
        f"{100.0 * gain:.2f} points more automation are proven; a boundary is proposed from "
        f"{100.0 * NOTCH:g} points on, and what is proven stays so."
    )
    return replace(
        certificate,
        verdict=CertificateVerdict.HOLD,
        boundary=today,
        automation_rate=sequence.automation(today),
        reasons=(why, *certificate.reasons[1:]),
    )


def _past_the_gates(
    given: CertificationInputs, sequence: CertificationSequence, certificate: Certificate
) -> Certificate:
    """Nobody's labels may carry it. Without a person's cases the sequence is another one, so both
    sides are judged by the one exact test at the sequence's delta, which is never the stricter."""
    labels = given.frame[given.frame["in_cohort"].to_numpy(dtype=np.bool_)].reset_index(drop=True)
    return past_the_gates(
        certificate,
        sequence.evidence,
        labels,
        sequence.targets,
        given.incumbent,
        partial(certify, cheapest_at=given.costs),
        hoped=given.hoped,
        cap=given.services.reviewer_share_cap,
    )


def _countable(frame: pd.DataFrame) -> pd.DataFrame:
    """Labels that could be misses or false blocks: a person decides the others anyway."""
    return frame[frame["automatable"].to_numpy(dtype=np.bool_)].drop_duplicates("case_id")
