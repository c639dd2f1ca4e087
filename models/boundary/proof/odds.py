"""How is the evidence of a bet said to people?

Under the hypothesis a bettor's capital ever reaches E with a probability of 1/E at most (Ville 1939), so
an e-value of E is said as '1 in E'.
"""

from __future__ import annotations

import math

MOST = 1e9
"""Beyond it a number says no more than that it is large."""


def odds(e_value: float) -> str:
    """How rarely so much evidence comes up by chance where the claim is untrue: '1 in 20'.

    Args:
        e_value: zero or more.

    Raises:
        ValueError: it is negative or no number.

    >>> odds(20.0), odds(2.54), odds(0.3), odds(1e304)
    ('1 in 20', '1 in 2.5', 'no evidence yet', 'less than 1 in a billion')
    """
    if math.isnan(e_value) or e_value < 0.0:
        raise ValueError(f"an e-value is zero or more, got {e_value!r}")
    if e_value >= MOST:
        return "less than 1 in a billion"
    if e_value <= 1.0:
        return "no evidence yet"
    # Rounded down: never said to be rarer than it is.
    if e_value < 10.0:
        return f"1 in {math.floor(10.0 * e_value + 1e-9) / 10.0:g}"
    return f"1 in {math.floor(e_value + 1e-9):,}"
