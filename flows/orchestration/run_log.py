"""What does somebody read first who opens a run's log?"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from prefect.logging import get_run_logger

from configs.masking import masked


def tell(verdict: str, more: Sequence[str] = (), *, ok: bool = True) -> None:
    """The verdict as one line of the run's log, then what is to be known besides, a line each.

    `ratchet up` lets Prefect itself log from warnings on, so that a verdict is the first line; these
    lines have a level of their own and are kept whatever level Prefect has. A verdict that is not `ok`
    is an error, which the log of a run shows in red.
    """
    logger = get_run_logger()
    own = logging.getLogger("prefect.flow_runs.verdict")
    own.setLevel(logging.INFO)
    extra = dict(getattr(logger, "extra", None) or {})
    for place, line in enumerate((verdict, *more)):
        level = logging.INFO if ok or place else logging.ERROR
        own.log(level, "%s", masked(line), extra=extra)
