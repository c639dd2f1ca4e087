"""What does a YAML file say, and on which line does it say it?"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml
import yaml.reader

from configs.errors import UserError

Location = tuple[str | int, ...]

DEEPEST = 20
"""No setting needs more levels than this."""

LARGEST_BYTES = 1_000_000
MOST_PARTS = 20_000
"""Keys, values, lists: a file of so many takes most of a second to parse; the largest of ours has 400."""


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
    each is a way to smuggle in code, a bomb or a silent override (FAULTS 28). So is a value that
    YAML reads as something else than what stands there (`010`, `1:30`, `2026-13-45`).

    Raises:
        UserError: the file is missing, is not UTF-8 YAML, or holds what is refused; with its line.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST_BYTES else b""
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file. Name an existing YAML file.") from None
    except (OSError, ValueError) as problem:
        raise UserError(
            f"{path}: cannot be read ({type(problem).__name__}). Name a YAML file that this user may "
            "read."
        ) from None
    if size > LARGEST_BYTES:
        raise UserError(
            f"{path}: has {size:,} bytes, and no configuration needs more than "
            f"{LARGEST_BYTES:,}; is it the table itself? Name a YAML file."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise UserError(
            f"{path}:{line}: cannot be read as UTF-8 text; save the file as UTF-8."
        ) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Document:
    """Parse one mapping; `name` is what errors call the text. Raises as `read_yaml` does."""
    depth = 0
    try:
        for part, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            if part > MOST_PARTS:
                why = (
                    f"more than {MOST_PARTS:,} keys and values, and no configuration needs so many"
                )
                raise _refused(name, event.start_mark, why)
            # Counted while parsing: thousands of brackets would exhaust the stack, and take long.
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise _refused(name, event.start_mark, f"nested more than {DEEPEST} levels deep")
            if getattr(event, "anchor", None) is not None:
                raise _refused(name, event.start_mark, _ANCHORS)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        raise _refused(name, problem.problem_mark, _why_not_yaml(problem)) from None
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        raise UserError(
            f"{name}:{line}: holds a sign that YAML does not allow (number {problem.character}); "
            "remove it, and save the file as UTF-8 text."
        ) from None
    except yaml.YAMLError:
        raise UserError(f"{name}: not valid YAML; write `key: value` lines.") from None
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


_ANCHORS = (
    "anchors and aliases are not allowed; write the value out, and put text that begins with * or & "
    'in quotes, like "*.parquet"'
)
_TAGS = (
    "a tag (a word that begins with !) is not allowed; only plain values are. Put text that begins "
    "with ! in quotes"
)
_QUOTES = "Put text that holds one of * & ! % @ ` [ ] { } : # in quotes"
_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    f"{_TAG}{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
}
_NUMBERS = {
    f"{_TAG}int": re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})"),
    f"{_TAG}float": re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
}
"""How a number is written so that everybody reads the same one: not 010 (8 in YAML), not 1:30 (90),
not .inf."""


def _why_not_yaml(problem: yaml.MarkedYAMLError) -> str:
    """What the parser met, without the text it met (which may be a password)."""
    if "alias" in (problem.context or "") or "anchor" in (problem.context or ""):
        return _ANCHORS
    if "tag" in (problem.problem or "") or "tag" in (problem.context or ""):
        return _TAGS
    met = re.sub(r"(?<=')[^']{3,}(?=')", "...", problem.problem or "not valid YAML")
    return f"{met}. {_QUOTES}"


def _build(node: yaml.Node, location: Location, name: str, places: dict[Location, str]) -> Any:
    if node.tag not in _PLAIN:
        raise _refused(name, node.start_mark, _TAGS)
    if isinstance(node, yaml.MappingNode):
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node, name)
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


def _key(node: yaml.Node, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}str":
        merge = node.tag == f"{_TAG}merge"
        why = "`<<` is not allowed; write the keys out" if merge else "a key is not text"
        raise _refused(name, node.start_mark, why if merge else f"{why}; put it in quotes")
    key: str = _scalar(node, name)
    return key


def _scalar(node: yaml.Node, name: str) -> Any:
    written = node.value
    if any(
        (ord(sign) < 32 and sign not in "\n\t") or "\ud800" <= sign <= "\udfff" for sign in written
    ):
        why = "a value holds a control sign (an escape such as \\0?); write it without"
        raise _refused(name, node.start_mark, why)
    kind = node.tag.removeprefix(_TAG)
    usual = _NUMBERS.get(node.tag)
    if usual is not None and not usual.fullmatch(written):
        why = "a number must be finite, and written plainly like 30 or 0.95; text belongs in quotes"
        raise _refused(name, node.start_mark, why)
    constructor = yaml.SafeLoader("")
    try:
        value = constructor.construct_object(node, deep=True)
    except yaml.MarkedYAMLError:
        raise _refused(name, node.start_mark, _TAGS) from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        word = {"timestamp": "a date that there is not"}.get(kind, f"a value that is no {kind}")
        raise _refused(
            name, node.start_mark, f"{word}; correct it, or put it in quotes if it is text"
        ) from None
    finally:
        constructor.dispose()
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused(name, node.start_mark, "a number must be finite")
    return value


def _refused(name: str, mark: Any, why: str) -> UserError:
    line = f":{mark.line + 1}" if mark is not None else ""
    return UserError(f"{name}{line}: {why}.")
