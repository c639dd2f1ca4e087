"""Which high-risk pattern sends a case to a senior whatever its score says?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Operator = Literal["at_least", "at_most", "is"]
Value = float | str | bool


@dataclass(frozen=True, slots=True)
class PatternCondition:
    """One column compared with one value: `at_least` and `at_most` a number, or `is` exactly it.

    A missing value meets every condition: it may be any value.

    Raises:
        ValueError: the column has no name, or the value does not fit the comparison.
    """

    column: str
    operator: Operator
    value: Value

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (isinstance(self.column, str) and self.column):
            raise ValueError("a pattern's condition must name a column")
        if self.operator not in ("at_least", "at_most", "is"):
            raise ValueError(f"a condition is at_least, at_most or is, got {self.operator!r}")
        number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if self.operator != "is" and not number:
            raise ValueError(f"{self.column} {self.operator} needs a number, got {self.value!r}")
        if number and not math.isfinite(self.value):  # type: ignore[arg-type]
            raise ValueError(f"{self.column} {self.operator} needs a finite number")
        if number:
            object.__setattr__(self, "value", float(self.value) + 0.0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A named high-risk pattern: a case that meets all its conditions goes to a senior.

    Raises:
        ValueError: it has no name or no condition.
    """

    name: str
    conditions: tuple[PatternCondition, ...]

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name):
            raise ValueError("a high-risk pattern must have a name")
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if not self.conditions:
            raise ValueError(
                f"the pattern {self.name!r} has no condition and would meet every case"
            )

    def document(self) -> dict[str, Any]:
        """The pattern as plain JSON values."""
        return {
            "name": self.name,
            "conditions": [
                {"column": one.column, "operator": one.operator, "value": one.value}
                for one in self.conditions
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Pattern:
        """The pattern a document describes.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
        """
        try:
            conditions = tuple(PatternCondition(**one) for one in document["conditions"])
            return cls(**{**document, "conditions": conditions})
        except (TypeError, KeyError) as wrong:
            raise ValueError(f"policy senior pattern: {wrong}") from None
