"""`!!python/object`, a YAML bomb, an unknown configuration key: refused, with the line.

Injected: source files, profiles, case type files and environment variables with one wrong thing in
them each, read as the commands read them; a source file goes through the command itself, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import CONFIGS, load_case_type, load_settings
from configs.sources import load_source
from tests.flows.command_line import ratchet

SECRET = "correct-horse-battery"
SOURCE = """\
name: mine
kind: history
path: cases.csv
columns: {case_id: id, opened_at: t, bad: fraud}
case_type: my_case
features: [amount, country]
targets: {precision: 0.95, recall: 0.99}
label_delay_days: 7
"""

# What is injected in place of which line of SOURCE (counted from 1), the line that the refusal
# names, and what it says.
WRONG = {
    "python object": (3, "path: !!python/object/apply:os.system [x]", 3, "a tag"),
    "python name": (3, "path: !!python/name:os.system", 3, "a tag"),
    "a tag of one's own": (3, f"path: !{SECRET} x", 3, "a tag"),
    "an undefined handle": (3, f"path: !{SECRET}!x y", 3, "a tag"),
    "binary": (1, "name: !!binary aGk=", 1, "a tag"),
    "a bomb": (1, "name: &a [x, x]\nbomb: [*a, *a]", 1, "anchors and aliases"),
    "an unquoted glob": (3, "path: *.csv", 3, 'in quotes, like "*.parquet"'),
    "an alias that is a password": (3, f"path: *{SECRET}", 3, "in quotes"),
    "a merge": (4, "columns:\n  <<: {case_id: id}", 5, "`<<` is not allowed"),
    "an unknown key": (8, "label_delay_day: 7", 8, "Did you mean 'label_delay_days'"),
    "a key twice": (8, "seed: 1\nseed: 2", 9, "given twice"),
    "a tab": (8, "seed: 1\n\tname: x", 9, "cannot start any token"),
    "no whole number": (8, f"seed: !!int {SECRET}", 8, "plainly"),
    "no date": (1, "name: 2026-13-45", 1, "a date that there is not"),
    "no instant": (1, "name: 2026-01-01T00:00:00+99:99", 1, "a date that there is not"),
    "an octal": (8, "seed: 010", 8, "plainly"),
    "hours and minutes": (8, "label_delay_days: 1:30", 8, "plainly"),
    "too large": (8, "seed: " + "9" * 5000, 8, "plainly"),
    "larger than any seed": (8, "seed: 4294967296", 8, "less than or equal"),
    "infinite": (8, "label_delay_days: .inf", 8, "finite"),
    "infinite by its exponent": (8, "label_delay_days: 1.0e+999", 8, "finite"),
    "not a number": (8, "label_delay_days: .nan", 8, "finite"),
    "longer than any calendar": (8, "label_delay_days: 1.0e+300", 8, "less than or equal"),
    "a list for a name": (3, f"path: [{SECRET}]", 3, "expected text, found a list"),
    "pairs for a name": (3, f"path: {{a: {SECRET}}}", 3, "expected text, found `key: value` pairs"),
    "nothing for a name": (1, "name:", 1, "expected text, found nothing"),
    "a number for a name": (6, "features: [amount, 5]", 6, "found a number; text belongs in"),
    "a number for a column": (4, "columns: {case_id: 1, opened_at: t, bad: f}", 4, "a number"),
    "Norway": (6, "features: [amount, no]", 6, "YAML reads yes, no, on, off"),
    "a name for a list": (6, f"features: {SECRET}", 6, "expected a list, found text"),
    "a number for pairs": (4, "columns: 5", 4, "expected `key: value` pairs, found a number"),
    "a key that is no text": (4, "columns: {1: id}", 4, "a key is not text"),
    "a key that is a list": (4, "columns:\n  ? [a, b]\n  : id", 5, "a key is not text"),
    "a NUL": (3, 'path: "a\\0b.csv"', 3, "a control sign"),
    "half a sign": (3, 'path: "\\ud800.csv"', 3, "a control sign"),
    "a bell as it is": (3, "path: a\x07.csv", 3, "a sign that YAML does not allow"),
    "a bracket left open": (6, "features: [amount", 7, "in quotes"),
    "brackets without end": (6, "features: " + "[" * 50_000, 6, "nested more than"),
    "a second document": (8, "---\nname: x", 8, "document"),
    "no time zone": (8, "timezone: Europe/Atlantis", 8, "no time zone"),
    "a zone outside": (8, "timezone: ../../etc/passwd", 8, "no time zone"),
}  # fmt: skip


def with_line(line: int, text: str) -> str:
    lines = SOURCE.splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("what", WRONG)
def test_one_wrong_thing_in_a_source_file_is_refused_with_its_line(
    what: str, tmp_path: Path
) -> None:
    """The message names the file, the line and what would work; what stands there is not quoted."""
    line, text, at, why = WRONG[what]
    file = tmp_path / "mine.yaml"
    file.write_text(with_line(line, text), encoding="utf-8")
    with pytest.raises(UserError) as refused:
        load_source(file)
    said = str(refused.value)
    assert f"mine.yaml:{at}: " in said
    assert why in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is missing"),
        (b"# nothing\n", "is missing"),
        (b"- a\n- b\n", r":1: expected `key: value` lines"),
        (b"just words\n", r":1: expected `key: value` lines"),
        (b"5\n", r":1: expected `key: value` lines"),
        (b"name: mine\npath: caf\xe9.csv\n", r":2: cannot be read as UTF-8"),
        ("name: mine\n".encode("utf-16"), r":1: cannot be read as UTF-8"),
        (b"name: mine\npath: a\x00b\n", r":2: holds a sign"),
        (b"PAR1" + b"\x15\x04\x15" * 400_000, "is it the table itself"),
        (b"name: mine\r\nkind: histroy\r\n", r":2: kind: "),
    ],
)
def test_a_file_that_is_no_source_file_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=why):
        load_source(file)


@pytest.mark.parametrize("what", ["python object", "an unquoted glob", "no whole number", "Norway"])
def test_the_command_ends_with_2_and_one_sentence(what: str, tmp_path: Path) -> None:
    """Through the command line: exit code 2, no traceback, and nothing was started."""
    line, text, at, why = WRONG[what]
    file = tmp_path / "mine.yaml"
    file.write_text(with_line(line, text), encoding="utf-8")
    said = ratchet(tmp_path / "home", "backtest", str(file))
    assert said.returncode == 2
    assert f"mine.yaml:{at}: " in said.stderr
    assert why in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "home" / "backtests").exists()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (f"!{SECRET}", "a tag"),
        (f"!!int {SECRET}", "plainly"),
        (f"*{SECRET}", "in quotes"),
        (f"&{SECRET} x", "in quotes"),
        (f"[{SECRET}]", "found a list"),
        (f"{{user: {SECRET}}}", "pairs"),
        (f"{SECRET}: {SECRET}", "mapping values are not allowed"),
        (f"'{SECRET}", "in quotes"),
        (f"@{SECRET}", "in quotes"),
        (f"a\nb: {SECRET}", "more than one value"),
        ("2026-13-45", "a date that there is not"),
        ("yes", "YAML reads yes"),
        ("5", "found a number"),
        (f"{SECRET}\udcff", "a sign that YAML does not allow"),
    ],
)
def test_a_variable_is_read_as_strictly_and_never_shown(value: str, why: str) -> None:
    """An address may hold a password; the variable is named, its value is not."""
    with pytest.raises(UserError) as refused:
        load_settings(env={"RATCHET_DATABASE_URL": value})
    said = str(refused.value)
    assert said.startswith("RATCHET_DATABASE_URL")
    assert why in said
    assert SECRET not in said


def in_profile(folder: Path, text: str) -> None:
    (folder / "profiles" / "local.yaml").write_text(text, encoding="utf-8")
    load_settings(env={}, folder=folder)


def in_case_type(folder: Path, text: str) -> None:
    file = folder / "case_types" / "ato.yaml"
    file.write_text(text, encoding="utf-8")
    load_case_type(file)


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (in_profile, "night:\n  overlap_hour: 3\n", r"local\.yaml:2: unknown key"),
        (in_profile, "training: {rounds: !!int x}\n", r"local\.yaml:1: a number"),
        (in_profile, "training: 5\n", r"local\.yaml:1: training: expected `key: value` pairs"),
        (in_profile, "night: {overlap_hours: .inf}\n", r"local\.yaml:1: a number must be finite"),
        (in_profile, "case_types: []\n", r"local\.yaml:1: case_types: .*at least 1"),
        (in_profile, "case_types: [no]\n", r"local\.yaml:1: case_types\.0: expected text"),
        (in_profile, "- a\n", r"local\.yaml:1: expected `key: value`"),
        (in_case_type, "name: ato\nfeatures: 5\n", r"ato\.yaml:2: features: expected a list"),
        (in_case_type, "name: ato\nfeatures:\n  - {name: off}\n", r"ato\.yaml:3: .*expected text"),
        (in_case_type, "name: [ato]\n", r"ato\.yaml:1: name: expected text, found a list"),
        (in_case_type, "name: ato\nmaturity_days: 2026-13-45\n", r"ato\.yaml:2: a date"),
    ],
)
def test_profiles_and_case_types_are_read_as_strictly(
    read: Callable[[Path, str], None], text: str, why: str, tmp_path: Path
) -> None:
    for part in ("profiles", "case_types"):
        (tmp_path / part).mkdir()
    shutil.copy(CONFIGS / "defaults.yaml", tmp_path)
    with pytest.raises(UserError, match=why):
        read(tmp_path, text)
