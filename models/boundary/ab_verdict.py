"""What may an A/B test say at a look?"""

from enum import StrEnum


class AbVerdict(StrEnum):
    """`promote`: proven. `stop`: it ends without a promotion. `continue`: not proven so far."""

    CONTINUE = "continue"
    PROMOTE = "promote"
    STOP = "stop"
