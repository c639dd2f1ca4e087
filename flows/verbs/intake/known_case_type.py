"""Is this a case type that somebody configured?"""

from __future__ import annotations

from configs.errors import UserError
from flows.verbs.desk import Desk


def known_case_type(desk: Desk, case_type: str) -> str:
    """The same name.

    Raises:
        UserError: no such case type is configured; those that are, are named.
    """
    if case_type in desk.case_types:
        return case_type
    raise UserError(
        f"there is no case type {case_type!r}; the case types are {', '.join(desk.case_types)}."
    )
