"""When may a certificate end in a promotion, and what of delta may it spend?"""

from __future__ import annotations

import math


def delta_of_look(delta: float, case_types: int, look: int) -> float:
    """Share of delta that look `look` (1, 2, ...) of one case type's model may spend.

    `delta / case_types * 6 / (pi^2 look^2)`: the shares of all looks sum to at most delta / case_types
    (Basel series), so every boundary promoted for one model generation holds with 1 - delta.

    Raises:
        ValueError: `look` or `case_types` is below 1.
    """
    if look < 1 or case_types < 1:
        raise ValueError(
            f"looks and case types count from 1, got look {look} of {case_types} case types"
        )
    return delta / case_types * 6.0 / (math.pi**2 * look**2)


FIRST_SEQUENCE_SHARE = 0.8
"""Of delta, for the first sequence; those after it share the rest."""


def delta_of_sequence(delta: float, sequence: int) -> float:
    """What sequence 0, 1, 2, ... of one generation may spend where its law may move (METHODS 1.2).

    `.8 delta` for the first and `.2 delta * 6 / (pi^2 j^2)` for the j-th after it: a sequence ends
    where the law under test may have moved or its evidence is too old, and all of them together
    spend at most delta. Where no drift is expected the one sequence spends all of it.

    Raises:
        ValueError: `sequence` is below 0.
    """
    if sequence < 0:
        raise ValueError(f"sequences count from 0, got {sequence}")
    if sequence == 0:
        return FIRST_SEQUENCE_SHARE * delta
    return delta_of_look((1.0 - FIRST_SEQUENCE_SHARE) * delta, 1, sequence)
