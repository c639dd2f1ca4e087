"""Does a configuration say only what may be said, and where does it not?"""

from __future__ import annotations

import difflib
import json
from datetime import date, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from configs.errors import UserError
from configs.yaml_lines import Document, Location

Value = TypeVar("Value")
_MOST_SENTENCES = 20


def validated(schema: type[Value], document: Document) -> Value:
    """Build `schema` from a document, strictly: no unknown key, no text where a number belongs.

    Raises:
        UserError: everything that is wrong, each with its line and, for an unknown key, the
            nearest known one.
    """
    try:
        # JSON mode is strict about types and still reads lists as tuples.
        return TypeAdapter(schema).validate_json(
            json.dumps(document.data, default=_plain), strict=True
        )
    except ValidationError as problem:
        errors = problem.errors()
        sentences = [_sentence(error, document, schema) for error in errors[:_MOST_SENTENCES]]
        if len(errors) > _MOST_SENTENCES:
            sentences.append(f"and {len(errors) - _MOST_SENTENCES:,} more mistakes.")
        raise UserError("\n".join(dict.fromkeys(sentences))) from None


def _sentence(error: Any, document: Document, schema: type[Any]) -> str:
    location = _as_written(tuple(error["loc"]), document.data)
    where = document.place_of(location)
    dotted = ".".join(str(part) for part in location)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches(str(location[-1]), _known_keys(schema, location), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{where}: unknown key {dotted!r}.{hint}"
    if error["type"] in ("missing", "missing_argument"):
        return f"{where}: {dotted!r} is missing; it has no default."
    message = str(error["msg"]).removeprefix("Value error, ")
    due = _DUE.get(error["type"])
    if due is not None:
        message = f"expected {due}, found {_found(error['input'])}"
    return f"{where}: {dotted}: {message}" if dotted else f"{where}: {message}"


def _as_written(location: Location, data: Any) -> Location:
    """A place without the names of a value's forms, which pydantic sets among its steps."""
    steps: list[str | int] = []
    for step in location:
        written = isinstance(data, dict) and step in data
        if step in _FORMS and not written:
            continue
        data = data[step] if written else None
        steps.append(step)
    return tuple(steps)


_FORMS = frozenset({"whole_source", "by_column"})
"""The forms of `numbers:`."""

_DUE = {
    "string_type": "text",
    "int_type": "a whole number (integer)",
    "int_from_float": "a whole number (integer)",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "`key: value` pairs",
    "model_type": "`key: value` pairs",
    "model_attributes_type": "`key: value` pairs",
    "dataclass_type": "`key: value` pairs",
    "dataclass_exact_type": "`key: value` pairs",
}
"""What had to stand there, by pydantic's kind of error."""


def _found(value: Any) -> str:
    """What stands there instead, in words: the value itself may be a password."""
    if isinstance(value, bool):
        return "yes or no (YAML reads yes, no, on, off, true and false so); text belongs in quotes"
    if value is None:
        return "nothing (an empty value, null and ~ say nothing)"
    if isinstance(value, int | float):
        return "a number; text belongs in quotes"
    if isinstance(value, list):
        return "a list; text that begins with [ belongs in quotes"
    if isinstance(value, dict):
        return "`key: value` pairs; text that begins with { belongs in quotes"
    return "text"


def _known_keys(schema: type[Any], location: Location) -> list[str]:
    definition = TypeAdapter(schema).json_schema()
    names: list[str] = list(definition.get("properties", {}))
    for part in definition.get("$defs", {}).values():
        names += list(part.get("properties", {}))
    return names


def _plain(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot stand in a configuration file")
