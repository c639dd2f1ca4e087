"""Look-alike names ("ɑna", "@people"), unknown database drivers, `!!int x`, damaged Parquet: exit 2 with a sentence.

Injected: here the names: people are enrolled, case types configured and asked for, under names that
could be taken for others. (`!!int x` and its like are fault 28's; what cannot be read at all has a
file of its own.)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import load_case_type
from configs.sources import load_source
from models.vocabulary.names import why_mistakable
from tests.flows.command_line import ratchet

LOOK_ALIKES = {
    "\u0251na": "drawn like another",  # Latin alpha
    "\u0430na": "mixes letters of Cyrillic and Latin",
    "\u03bfmar": "mixes letters of Greek and Latin",
    "ana\u0131": "drawn like another",  # dotless i
    "@people": "must begin with a letter or a digit",
    "-ana": "must begin with a letter or a digit",
    "ana\u202egnp": "cannot be seen",
    "an\u200ba": "cannot be seen",
    "ana\0": "cannot be seen",
    "   ": "is empty",
    "ana/../x": "the sign '/'",
    "ana;b": "the sign ';'",
    "\U0001f600": "must begin with",
}
GOOD = ["ana", "Zoë", "Łukasz", "O'Brien", "Jean-Luc", "A. Smith", "王小明", "ひろし", "Ольга", "Δήμητρα",
        "my_case", "kyc2"]  # fmt: skip


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_could_be_taken_for_another_says_why(name: str) -> None:
    assert LOOK_ALIKES[name] in why_mistakable(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_name_in_letters_of_one_alphabet_is_a_name(name: str) -> None:
    """Of whichever alphabet; accents and marks are letters' own."""
    assert why_mistakable(name) == ""


@pytest.mark.parametrize("name", ["\u0251na", "@people", "\u0430na"])
def test_nobody_is_enrolled_under_a_look_alike(name: str, tmp_path: Path) -> None:
    """Two people who agree must be two: exit 2, one sentence, and nobody is enrolled."""
    said = ratchet(tmp_path, "people", "add", name, "--role", "approver")
    assert said.returncode == 2, said.stderr
    assert "ratchet: The name of a person " in said.stderr
    assert "Traceback" not in said.stderr
    assert ratchet(tmp_path, "people", "list").stdout == "Nobody is enrolled yet.\n"


@pytest.mark.parametrize("command", [["retrain"], ["whatif", "--pass-below", "0.1"]])
def test_a_command_about_a_look_alike_case_type_ends_with_2(
    command: list[str], tmp_path: Path
) -> None:
    said = ratchet(tmp_path, command[0], "\u0251to", *command[1:])
    assert (said.returncode, "there is no case type" in said.stderr) == (2, True), said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("name", ["\u0251to", "@people", "a/b", "..", "an\u200bo"])
def test_a_case_type_of_such_a_name_is_refused_where_it_is_configured(
    name: str, tmp_path: Path
) -> None:
    """In a case type file and in a history, with the line."""
    kind = tmp_path / "kind.yaml"
    kind.write_text(
        f'name: "{name}"\nfeatures: [{{name: amount}}]\nmaturity_days: 1\n'
        "targets: {precision: 0.9, recall: 0.9}\n",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"kind\.yaml:1: the name of a case type "):
        load_case_type(kind)
    source = tmp_path / "source.yaml"
    source.write_text(
        "name: s\nkind: history\npath: x.csv\ncolumns: {case_id: i, opened_at: t, bad: b}\n"
        f'case_type: "{name}"\nfeatures: [amount]\ntargets: {{precision: 0.9, recall: 0.9}}\n',
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"source\.yaml:5: the name of a case type "):
        load_source(source)
