"""What may an A/B test say at a look?"""

from enum import StrEnum


class AbVerdict(StrEnum):
    """`promote`: proven. `stop`: it ends without a promotion. `continue`: not proven so far."""

    CONTINUE = "continue"
    PROMOTE = "promote"
    STOP = "stop"


class AbEnd(StrEnum):
    """Why a test stopped: a broken `split`, a promise that is refuted (`harm`), decisions about which
    nothing is promised (`promise`), or its `horizon`."""

    SPLIT = "split"
    HARM = "harm"
    PROMISE = "promise"
    HORIZON = "horizon"
