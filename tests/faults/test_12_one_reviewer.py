"""One reviewer supplies most labels: capped and reported (FAULTS 12).

Injected: one of eight people reviews 60 % of the cases, without a mistake; delivered to a night, and
stored already when a certificate is made.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.verbs.certify.certify import Judged
from flows.verbs.evidence.truth import evidence_for, load_snapshot
from models.boundary import Evidence
from models.reviewers.decisive_labels import decisive_shares
from models.vocabulary import CertificateVerdict
from tests.faults.reviewed_desk import LATER, Reviewed
from tests.faults.upstream import Upstream
from tests.flows.verbs.hub_desk import NAME

CAP = 0.25


def largest_share(services: Reviewed, judged: Judged) -> float:
    """Of the decisive labels behind the certificate, the largest that one person gave."""
    frame = evidence_for(
        services.services, load_snapshot(services.services, LATER), NAME, judged.generation
    )
    people = frame["reviewer"].to_numpy(dtype=object)
    targets, boundary = services.services.case_types[NAME].targets, judged.certificate.boundary
    return float(decisive_shares(Evidence.from_frame(frame), people, targets, boundary).iloc[0])


def test_with_the_work_spread_evenly_a_boundary_is_proven(tmp_path: Path) -> None:
    services = Reviewed.of(tmp_path)
    judged = services.judged()
    assert judged.certificate.verdict is CertificateVerdict.CERTIFIED
    assert largest_share(services, judged) < CAP


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_no_proof_rests_on_one_person(tmp_path: Path, share: float) -> None:
    """However right they are: the boundary waits, or it is proven by no more of them than the cap."""
    services = Reviewed.of(tmp_path, share_of_first=share)
    judged = services.judged()
    if judged.certificate.verdict is CertificateVerdict.CERTIFIED:
        assert largest_share(services, judged) <= CAP
    else:
        assert services.widened() == []
    told = " ".join(judged.certificate.reasons)
    found = re.search(r"reviewer 'r0' gave (\d+)% of the decisive labels", told)
    assert found, told
    assert float(found[1]) / 100 == pytest.approx(share, abs=0.05)


def test_a_night_that_is_delivered_such_reviews_tells_the_share_and_learns_nothing_from_them(
    upstream: Upstream,
) -> None:
    """Of some 700 reviews one person gave 60 %."""
    reviews = upstream.read("reviews")
    reviews.loc[: int(0.6 * len(reviews)) - 1, "reviewer_id"] = "p-busy"
    upstream.write("reviews", reviews)
    said = upstream.night()
    assert re.search(r"\b60 ?%", said.out + said.err), said.out + said.err
    assert upstream.learned() == []
