"""Is this a case type that somebody configured?"""

from __future__ import annotations

from collections.abc import Mapping

from configs.errors import UserError
from models.vocabulary import CaseType


def known_case_type(case_types: Mapping[str, CaseType], case_type: str) -> str:
    """The same name.

    Raises:
        UserError: no such case type is configured; those that are, are named.
    """
    if case_type in case_types:
        return case_type
    raise UserError(
        f"there is no case type {case_type!r}; the case types are {', '.join(case_types)}."
    )
