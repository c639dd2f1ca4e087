"""What does a YAML file say, and on which line does it say it?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from configs.errors import UserError

Location = tuple[str | int, ...]

DEEPEST = 20
"""No setting needs more levels than this."""


class Document:
    """Plain data from one YAML file, and the place (file and line) of every key and item."""

    def __init__(self, name: str, data: dict[str, Any], places: dict[Location, str]) -> None:
        self.name = name
        self.data = data
        self.places = places

    def place_of(self, location: Location) -> str:
        """File and line of the deepest part of `location` that is written down."""
        while location:
            if location in self.places:
                return self.places[location]
            location = location[:-1]
        return self.name


def read_yaml(path: Path) -> Document:
    """Read one mapping from a file.

    Tags, anchors and repeated keys are refused: none is needed to configure anything here, and
    each is a way to smuggle in code, a bomb or a silent override (FAULTS 28).

    Raises:
        UserError: the file is missing, is not UTF-8 YAML, or holds what is refused; with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file. Name an existing YAML file.") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(
            f"{path}: cannot be read as UTF-8 text ({type(problem).__name__})."
        ) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Document:
    """Parse one mapping; `name` is what errors call the text. Raises as `read_yaml` does."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            # Counted while parsing: thousands of brackets would exhaust the stack, and take long.
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise _refused(name, event.start_mark, f"nested more than {DEEPEST} levels deep")
            if getattr(event, "anchor", None) is not None:
                raise _refused(
                    name,
                    event.start_mark,
                    "anchors and aliases are not allowed; write the value out",
                )
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        # It may quote a piece of a value, and a value may be a password.
        why = re.sub(r"'(?!<)[^']{3,}'", "'...'", problem.problem or "not valid YAML")
        raise _refused(name, problem.problem_mark, why) from None
    except yaml.YAMLError as problem:
        raise UserError(f"{name}: not valid YAML ({problem}).") from None
    except RecursionError:
        raise UserError(
            f"{name}: nested too deeply; no setting needs more than a few levels."
        ) from None
    places: dict[Location, str] = {}
    if root is None:
        return Document(name, {}, places)
    if not isinstance(root, yaml.MappingNode):
        raise _refused(name, root.start_mark, "expected `key: value` lines at the top")
    data = _build(root, (), name, places)
    return Document(name, data, places)


_PLAIN = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
}


def _build(node: yaml.Node, location: Location, name: str, places: dict[Location, str]) -> Any:
    if node.tag not in _PLAIN:
        raise _refused(name, node.start_mark, _no_tag(node))
    if isinstance(node, yaml.MappingNode):
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, name)
            if not isinstance(key, str):
                raise _refused(
                    name, key_node.start_mark, f"the key {key!r} is not text; put it in quotes"
                )
            if key in built:
                raise _refused(name, key_node.start_mark, f"{key!r} is given twice; keep one")
            places[(*location, key)] = f"{name}:{key_node.start_mark.line + 1}"
            built[key] = _build(value_node, (*location, key), name, places)
        return built
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            places[(*location, index)] = f"{name}:{item.start_mark.line + 1}"
            items.append(_build(item, (*location, index), name, places))
        return items
    return _scalar(node, name)


def _scalar(node: yaml.Node, name: str) -> Any:
    constructor = yaml.SafeLoader("")
    try:
        return constructor.construct_object(node, deep=True)
    except yaml.MarkedYAMLError:
        raise _refused(name, node.start_mark, _no_tag(node)) from None
    finally:
        constructor.dispose()


def _no_tag(node: yaml.Node) -> str:
    """A tag of YAML's own is named; another one may be a password that begins with `!`."""
    if node.tag.startswith("tag:yaml.org,2002:"):
        return f"the tag {node.tag!r} is not allowed; only plain values are"
    return "a tag is not allowed; a value that begins with `!` stands in quotes"


def _refused(name: str, mark: Any, why: str) -> UserError:
    line = f":{mark.line + 1}" if mark is not None else ""
    return UserError(f"{name}{line}: {why}.")
