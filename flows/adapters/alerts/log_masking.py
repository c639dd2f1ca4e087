"""Does anything that this process logs, ours or a library's, show a password?"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from configs.masking import masked


def mask_logs() -> None:
    """From now on every log record of this process is masked, its traceback included; twice is as
    good as once."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _MaskedRecords):
        logging.setLogRecordFactory(_MaskedRecords(make))


class _MaskedRecords:
    """Makes records as `make` does, and masks them before any handler sees one."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **named: Any) -> logging.LogRecord:
        record = self._make(*args, **named)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record  # a wrong format string is the logger's own to complain about
        told = masked(said)
        if told != said:
            record.msg, record.args = told, ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
        return record
