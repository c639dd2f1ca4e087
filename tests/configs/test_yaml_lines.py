"""Plain data and the line of every key, or a refusal with the line of what is wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.yaml_lines import parse_yaml, read_yaml

TEXT = """\
# a comment
name: mine
targets:
  recall: 0.99
features:
  - {name: a}
  - name: b
    levels: [x, "2"]
since: 2026-03-02
empty:
"""


def test_plain_values_keep_their_types() -> None:
    """Text, numbers, lists, dates and nothing."""
    assert parse_yaml(TEXT, "f.yaml").data == {
        "name": "mine",
        "targets": {"recall": 0.99},
        "features": [{"name": "a"}, {"name": "b", "levels": ["x", "2"]}],
        "since": date(2026, 3, 2),
        "empty": None,
    }


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("name",), 2),
        (("targets", "recall"), 4),
        (("features", 0, "name"), 6),
        (("features", 1, "levels", 1), 8),
        (("targets", "precision"), 3),
        (("features", 1, "kind"), 7),
    ],
)
def test_every_place_is_known_and_a_missing_key_is_placed_at_its_parent(
    location: tuple[str | int, ...], line: int
) -> None:
    """The last two are not written down: the line is that of what should have held them."""
    assert parse_yaml(TEXT, "f.yaml").place_of(location) == f"f.yaml:{line}"


def test_what_is_written_nowhere_is_placed_in_the_file() -> None:
    """A missing top-level key has no line."""
    assert parse_yaml(TEXT, "f.yaml").place_of(("absent",)) == "f.yaml"
    assert parse_yaml("", "f.yaml").data == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: !!python/name:os.system\n", 2),
        ("a: 1\nb: !!python/object:os.system {x: 1}\n", 2),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2),
        ("!!set {a, b}\n", 1),
        ("a: !local 5\n", 1),
        ("a: !!binary aGk=\n", 1),
        ("a:\n  <<: {b: 1}\n", 2),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4),
        ("a: 1\n'a': 2\n", 2),
        ("a: {b: 1, b: 2}\n", 1),
        ("a: [&x 1, *x]\n", 1),
        ("a: &x\n  b: 1\n", 1),
        ("1: one\n", 1),
        ("a: 1\nyes: 2\n", 2),
        ("? [a, b]\n: 1\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\n\tb: 2\n", 2),
    ],
)
def test_tags_anchors_repeated_keys_and_odd_keys_are_refused(text: str, line: int) -> None:
    """Each is a way to smuggle in code, a bomb or a silent override; its line is named."""
    with pytest.raises(UserError, match=f"^given:{line}: "):
        parse_yaml(text, "given")


def test_a_value_nested_without_end_is_refused_with_its_line() -> None:
    """Twenty levels are enough; a hundred thousand brackets are refused at the twenty-first."""
    deep = "x: 1\na: " + "[" * 19 + "]" * 19
    assert "a" in parse_yaml(deep, "given").data
    with pytest.raises(UserError, match=r"^given:2: nested more than 20 levels deep"):
        parse_yaml(deep.replace("[]", "[[]]"), "given")
    with pytest.raises(UserError, match=r"^given:1: nested more than 20 levels deep"):
        parse_yaml("a: " + "[" * 100_000, "given")


def test_a_file_of_more_parts_than_any_configuration_needs_is_refused_before_it_is_read() -> None:
    """Forty thousand keys took ten seconds to be parsed."""
    text = "".join(f"k{number}: 1\n" for number in range(40_000))

    with pytest.raises(UserError, match=r"mine:\d+: more than 20,000 keys and values"):
        parse_yaml(text, "mine")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or not UTF-8."""
    with pytest.raises(UserError, match=r"absent\.yaml: there is no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.yaml:1: cannot be read as UTF-8"):
        read_yaml(latin)
