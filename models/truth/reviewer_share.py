"""Which labels of one reviewer are more than one person may supply? (METHODS 6, FAULTS 12)"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

REVIEWER_CAP = "no_reviewer_above_cap"
"""The rule's name: on rows it holds only what is beyond the cap."""


def share_limit(reviewers: int, cap: float) -> float:
    """The largest share of a delivery's labels that one of so many reviewers may supply.

    The cap where the team is large enough to keep it, else halfway from an even share to all: a
    team of 1/cap people or fewer breaks the cap however evenly it works; there the limit only finds
    the one who supplies far more than the others.
    """
    if reviewers >= math.ceil(1.0 / cap) + 1:
        return cap
    return max(cap, (1.0 + 1.0 / reviewers) / 2.0)


def beyond_the_cap(
    reviewers: npt.NDArray[np.intp], uniform: npt.NDArray[np.float64], cap: float
) -> npt.NDArray[np.bool_]:
    """Which labels must wait so that nobody supplies more than the limit of what is left.

    Args:
        reviewers: a number for each person, shape (labels,).
        uniform: a keyed draw a label in [0, 1): of somebody's labels those with the largest wait, so
            that which ones wait says nothing about what they say.
        cap: the largest share one person may have (`share_limit`).

    Returns:
        one boolean a label.
    """
    waits = np.zeros(len(reviewers), dtype=np.bool_)
    people, counts = np.unique(reviewers, return_counts=True)
    if len(people) == 1:  # nobody else's labels stand beside them
        return ~waits
    limit = share_limit(len(people), cap)
    for person in people[counts > limit * counts.sum()]:
        mine = np.flatnonzero(reviewers == person)
        others = len(reviewers) - len(mine)
        kept = math.floor(limit / (1.0 - limit) * others)
        waits[mine[np.argsort(uniform[mine], kind="stable")][kept:]] = True
    return waits
