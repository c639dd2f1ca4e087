"""How does a source write its numbers: in one way throughout, or each column in its own?"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)


class NumberStyle(BaseModel):
    """How numbers are written.

    `unit` stands before or after a number and is dropped: "$", "USD", "%" (then 12 % is 12).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "\u00a0", "\u202f", "\u2019"] = ""
    unit: str = ""

    @field_validator("unit", mode="before")
    @classmethod
    def _is_one(cls, unit: Any) -> Any:
        if isinstance(unit, list | tuple):
            raise ValueError(
                "a column has one `unit`, and several were given; columns of different units are each "
                'named: `numbers: {amount: {unit: "€"}, share: {unit: "%"}}`'
            )
        return unit

    @model_validator(mode="after")
    def _differ(self) -> NumberStyle:
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same sign; a number needs two")
        if re.search(r"[\d.,+-]", self.unit):
            raise ValueError("a `unit` holds no digit, sign, point or comma")
        return self


class Numbers(NumberStyle):
    """One way for a whole source; `columns` (our names) limits it."""

    columns: tuple[str, ...] | None = None


def _form_of(said: Any) -> str:
    if isinstance(said, dict) and any(isinstance(one, dict | NumberStyle) for one in said.values()):
        return "by_column"
    return "whole_source"


StatedNumbers = Annotated[
    Annotated[Numbers, Tag("whole_source")]
    | Annotated[dict[str, NumberStyle], Field(min_length=1), Tag("by_column")],
    Discriminator(_form_of),
]
"""`numbers:` of a source file: one style (of all columns, or of those it lists), or a style for each
column by our name."""


def style_of(said: StatedNumbers | None, name: str) -> NumberStyle | None:
    """How the column of our name `name` is written; None: plainly."""
    if said is None:
        return None
    if isinstance(said, Numbers):
        return said if said.columns is None or name in said.columns else None
    return said.get(name)


def named_in(said: StatedNumbers | None) -> tuple[str, ...]:
    """The columns that `numbers:` names."""
    if said is None:
        return ()
    return said.columns or () if isinstance(said, Numbers) else tuple(said)
