"""`numbers:` says how a source writes its numbers, throughout or column by column."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.number_styles import Numbers, NumberStyle, style_of
from configs.sources import SourceSettings, load_source

CASES = """\
name: mine
kind: cases
path: cases.csv
case_type: loan
columns: {amount_usd: amount}
numbers:
"""


def written(folder: Path, numbers: str) -> SourceSettings:
    file = folder / "mine.yaml"
    file.write_text(CASES + numbers, encoding="utf-8")
    return load_source(file)


@pytest.mark.parametrize(
    ("numbers", "amount_usd", "share"),
    [
        ("  unit: USD", "USD", "USD"),  # as every file up to now says it
        ("  {unit: USD, columns: [amount_usd]}", "USD", None),
        ('  {amount_usd: {unit: USD, thousands: ","}}', "USD", None),
        ('  {amount_usd: {unit: USD}, share: {unit: "%"}}', "USD", "%"),
        ('  {unit: {unit: "%"}, share: {unit: "%"}}', None, "%"),  # a column may be called `unit`
    ],
)
def test_one_way_for_all_or_one_for_each_column(
    tmp_path: Path, numbers: str, amount_usd: str | None, share: str | None
) -> None:
    """A currency and a percent sign stand in one file; who is not named is written plainly."""
    said = written(tmp_path, numbers).numbers
    found = [style_of(said, name) for name in ("amount_usd", "share")]
    assert [one and one.unit for one in found] == [amount_usd, share]


def test_both_forms_survive_a_round_trip() -> None:
    """Settings are dumped and read again while a project is written."""
    for said in (Numbers(unit="$"), {"share": NumberStyle(unit="%")}):
        source = SourceSettings(name="x", kind="cases", path="t.csv", numbers=said)
        again = SourceSettings.model_validate(source.model_dump(exclude_unset=True))
        assert again.numbers == source.numbers == said


@pytest.mark.parametrize(
    ("numbers", "line", "said"),
    [
        ('  unit: ["EUR", "%"]', 7, "columns of different units are each named"),
        ('  amount_usd:\n    unit: ["EUR", "%"]', 8, "columns of different units are each named"),
        ("  amount_usd:\n    units: EUR", 8, "unknown key 'numbers.amount_usd.units'"),
        ('  amount_usd:\n    decimal: ","\n    thousands: ","', 7, "are the same sign"),
        ('  decimal: ","\n  share: {unit: "%"}', 7, "numbers.decimal: expected `key: value` pairs"),
        ("  share: 3\n  unit: EUR", 7, "unknown key 'numbers.share'"),
        ("  [EUR]", 6, "numbers: expected `key: value` pairs"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, numbers: str, line: int, said: str
) -> None:
    """By the key as it is written, and no word of ours stands in it."""
    with pytest.raises(UserError) as refused:
        written(tmp_path, numbers)
    assert f"mine.yaml:{line}: " in str(refused.value)
    assert said in str(refused.value)
    assert "by_column" not in str(refused.value)
    assert "whole_source" not in str(refused.value)


@pytest.mark.parametrize(
    "numbers", ["{fraud: {unit: USD}, amnt: {unit: USD}}", "{unit: USD, columns: [fraud, amnt]}"]
)
def test_a_history_names_what_it_reads(tmp_path: Path, numbers: str) -> None:
    """Their names are not ours, and a misspelt one has a neighbour; the line is said."""
    history = (
        "name: mine\nkind: history\npath: t.csv\ncase_type: loan\n"
        "columns: {case_id: id, opened_at: t, bad: fraud, amount_usd: eur}\n"
        f"features: [amount]\nnumbers: {numbers}\n"
    )
    file = tmp_path / "mine.yaml"
    file.write_text(history, encoding="utf-8")
    with pytest.raises(UserError) as refused:
        load_source(file)
    first, second = str(refused.value).split("\n")
    assert "mine.yaml:7: `numbers:` names 'fraud', which this history does not read." in first
    assert "'amnt'" in second
    assert "Did you mean 'amount'?" in second
