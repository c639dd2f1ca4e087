"""May a certificate be promoted as far as the people behind its labels are concerned? (METHODS 6)"""

from __future__ import annotations

from dataclasses import dataclass

from models.boundary.proof.certificate import certify
from models.boundary.proof.evidence import BoolArray, Evidence
from models.reviewers.decisive_labels import ReviewerArray, names, over_cap
from models.reviewers.disagreement import Disagreement, disagreeing_reviewers
from models.reviewers.influence import Decide, ReviewerInfluence, leave_one_reviewer_out
from models.vocabulary import Boundary, Targets

CARRIES = "no_reviewer_carries_a_certificate"
ABOVE_CAP = "no_reviewer_above_cap"
DISAGREES = "no_reviewer_labels_unlike_the_others"
GATES = (CARRIES, ABOVE_CAP, DISAGREES)


@dataclass(frozen=True, slots=True)
class BrokenGate:
    """One gate that said no.

    Attributes:
        gate: its name; reviewer: because of whom.
        share: of the decisive labels, theirs.
        why: what was found, for people.
    """

    gate: str
    reviewer: str
    share: float
    why: str

    @property
    def sentence(self) -> str:
        return (
            f"{self.gate}: reviewer {self.reviewer!r} gave {self.share:.0%} of the decisive labels. "
            f"{self.why}"
        )


@dataclass(frozen=True, eq=False)
class ReviewerJudgement:
    """What each gate on the reviewers said.

    Attributes:
        gates: those that said no, most serious first; empty when all hold.
        influence: the certificate with everybody and without each person.
        disagreements: whose labels stand out, and where.
    """

    gates: tuple[BrokenGate, ...]
    influence: ReviewerInfluence
    disagreements: tuple[Disagreement, ...]

    @property
    def holds(self) -> bool:
        """Whether the certificate may go on to promotion."""
        return not self.gates

    @property
    def broken(self) -> tuple[str, ...]:
        """A sentence for each gate that said no, with its name, the reviewer and the share."""
        return tuple(gate.sentence for gate in self.gates)


def judge_reviewers(
    evidence: Evidence,
    reviewer: ReviewerArray,
    targets: Targets,
    incumbent: Boundary | None = None,
    decide: Decide = certify,
    *,
    first_bad: BoolArray | None = None,
    candidate: Boundary | None = None,
    cap: float = 0.25,
    alpha: float = 0.01,
) -> ReviewerJudgement:
    """All gates on the people behind one certificate.

    Leaving a person out finds who carries a certificate, by number. It does not find who spoils
    one: a careless person's labels are few, and without them the evidence is only smaller. So each
    person is also compared with the others on like cases, see `disagreeing_reviewers`.

    Args:
        evidence: as the certificate was made from.
        reviewer: who reviewed each case first, shape (cases,); "" or missing: nobody did.
        decide: makes a certificate of evidence, targets and incumbent.
        first_bad: the first reviewer's own word on each case, shape (cases,), where `evidence.bad`
            is settled by second reviews; None: nobody's words were reviewed again.
        candidate: the cuts around which people are compared; None: the certificate's own. Give the
            cuts hoped for, so that somebody whose labels spoil the certificate is named all the same.
        cap: largest share of the decisive labels that one person may have.
        alpha: false alarm rate of the comparison between reviewers, all of them together.

    Raises:
        ValueError: not one reviewer or first word a case, or cap or alpha out of range.
    """
    people = names(evidence, reviewer)
    influence = leave_one_reviewer_out(evidence, people, targets, incumbent, decide, cap=cap)
    shares = influence.shares
    odd = disagreeing_reviewers(
        evidence,
        people,
        candidate or influence.certificate.boundary,
        first_bad=first_bad,
        alpha=alpha,
    )
    gates = [
        BrokenGate(
            CARRIES,
            name,
            share,
            "Without them the wider boundary is not proven; it waits for labels by others.",
        )
        for name, share in influence.flipped_by
    ]
    gates += [
        BrokenGate(
            ABOVE_CAP,
            name,
            share,
            f"One person may give {cap:.0%}; let others review cases of this type.",
        )
        for name, share in over_cap(shares, cap)
    ]
    gates += [
        BrokenGate(DISAGREES, one.reviewer, float(shares.get(one.reviewer, 0.0)), one.sentence)
        for one in odd
    ]
    return ReviewerJudgement(tuple(gates), influence, odd)
