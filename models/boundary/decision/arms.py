"""Which policy decides a case while two are tried, and did the split come out as designed?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats

SPLIT_BROKEN_BELOW = 0.001
"""The p-value under which the arms are no random split of the cases (METHODS 5)."""


class Arm(StrEnum):
    """Control is decided by the live policy, treatment by the one on trial."""

    CONTROL = "control"
    TREATMENT = "treatment"


def assign_arm(case_ids: Iterable[str], salt: str, treatment_share: float) -> npt.NDArray[np.str_]:
    """The arm of each case, "control" or "treatment", shape (cases,).

    A salted SHA-256 of the case id decides, so a case has the same arm whenever and in whatever
    order it is asked, and a new salt splits afresh (METHODS 5). The digests are a loop over ids:
    SHA-256 has no vectorised form, and a million take a few seconds.

    Args:
        case_ids: text, shape (cases,).
        salt: text that belongs to this test alone.
        treatment_share: probability of treatment, in (0, 1).

    Raises:
        ValueError: the salt is empty, the share is outside (0, 1), or an id is no text.
    """
    if not salt:
        raise ValueError("assignment needs a salt, so that two tests split the cases differently")
    _check_share(treatment_share)
    ids = list(case_ids)
    if not all(isinstance(one, str) for one in ids):
        raise ValueError("case ids must be text; a missing or numeric id cannot be assigned an arm")
    # The length keeps ("a", "bc") and ("ab", "c") apart.
    salted = hashlib.sha256(f"{len(salt)}:{salt}:".encode())
    digests = b"".join([_digest(salted, one) for one in ids])
    words = np.frombuffer(digests, dtype=">u8").astype(np.uint64)
    # 53 bits, so that the quotient is an exact float64 below 1.
    uniform = (words >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return np.where(uniform < treatment_share, Arm.TREATMENT.value, Arm.CONTROL.value)


def sample_ratio_p_value(control: int, treatment: int, share: float) -> float:
    """How likely is a split at least this uneven, if `share` of the cases were treated by chance?

    The exact binomial test (all outcomes no more probable than this one), at every size: a
    chi-square's tail near .001 is up to twice too small for the arms of a small test, and the exact
    one takes milliseconds for a billion cases. Below `SPLIT_BROKEN_BELOW` the arms are not comparable, and nothing is proven.

    Args:
        control, treatment: cases in each arm.
        share: designed share of treatment, in (0, 1).

    Raises:
        ValueError: a count is negative or the share is outside (0, 1).
    """
    _check_share(share)
    if control < 0 or treatment < 0:
        raise ValueError(f"arms cannot hold {control} and {treatment} cases; give two counts")
    cases = control + treatment
    return float(stats.binomtest(treatment, cases, share).pvalue) if cases else 1.0


def _digest(salted: hashlib._Hash, case_id: str) -> bytes:
    mixed = salted.copy()
    mixed.update(case_id.encode())
    return mixed.digest()[:8]


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"the treatment share must lie in (0, 1), got {share!r}")
