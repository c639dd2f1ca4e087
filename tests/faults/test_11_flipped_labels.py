"""A reviewer flips 5 % of labels near the boundary: the gate holds and names the reviewer's share
(FAULTS 11).

Injected: one of eight people says the opposite of the truth on cases near the cut, until one label in
twenty is false there; a senior looks again, as ever, at what would count against the boundary.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from models.vocabulary import CertificateVerdict
from tests.faults.reviewed_desk import Reviewed

NEAR = (0.02, 0.6)
"""Around where both cuts of these worlds come to lie."""


def near(cases):
    return cases["score"].between(*NEAR).to_numpy()


def flips(cases, bad, person, only=None):
    """r3's labels near the cut, at random, until 5 % of all labels there are false."""
    at = near(cases)
    mine = np.flatnonzero(at & (person == 3) & (True if only is None else bad == only))
    wrong = np.zeros(len(cases), dtype=bool)
    wanted = min(round(0.05 * at.sum()), len(mine))
    wrong[np.random.default_rng(5).choice(mine, size=wanted, replace=False)] = True
    return wrong


def test_with_honest_labels_the_boundary_widens(tmp_path: Path) -> None:
    """The holds below could not fail otherwise."""
    honest = Reviewed.of(tmp_path).judged()
    assert honest.certificate.verdict is CertificateVerdict.CERTIFIED
    assert honest.may_propose


def test_one_label_in_twenty_flipped_holds_the_boundary_and_names_the_person_and_the_share(
    tmp_path: Path,
) -> None:
    services = Reviewed.of(tmp_path, mistaken=flips)
    judged = services.judged()
    assert judged.certificate.verdict is not CertificateVerdict.CERTIFIED
    named = [one for one in judged.certificate.reasons if "no_reviewer_labels_unlike" in one]
    assert len(named) == 1
    assert re.search(r"reviewer 'r3' gave \d+% of the decisive labels", named[0]), named
    assert not any(
        f"'r{other}'" in one
        for one in judged.certificate.reasons
        for other in (0, 1, 2, 4, 5, 6, 7)
    )
    assert services.widened() == []


@pytest.mark.parametrize("bad", [True, False], ids=["hidden", "invented"])
def test_so_does_a_person_who_flips_one_way_only(tmp_path: Path, bad: bool) -> None:
    """Bad cases called good, or good ones called bad: that a senior undoes it changes nothing."""
    services = Reviewed.of(tmp_path, mistaken=lambda *given: flips(*given, only=bad))
    judged = services.judged()
    assert judged.certificate.verdict is not CertificateVerdict.CERTIFIED
    assert any("'r3' gave" in one for one in judged.certificate.reasons)
    assert services.widened() == []
