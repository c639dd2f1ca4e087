"""`ratchet triage`: a table in, causes out; bad tables are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import main
from tests.models.triage.worlds import scored


def table(size: int = 12_000, **planted: object) -> pd.DataFrame:
    phi, margin, bad, raw, rings = scored(81, size, **planted)  # type: ignore[arg-type]
    return pd.concat([phi.add_prefix("phi_"), raw.add_prefix("x_")], axis="columns").assign(
        case_type="small", margin=margin, bad=bad, propensity=1.0, x_ring=rings
    )


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = 0
    try:
        main(["triage", *arguments])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_biased_weight_is_told_with_its_counterfactual(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.parquet"
    table(wrong={"age": 1.8}).to_parquet(file)
    code, out, _ = asked([str(file), "--json", "--slice", "ring"], capsys)
    told = json.loads(out)["small"]
    assert code == 0
    assert told["cause"] == "A"
    (finding,) = told["findings"]
    assert (finding["subject"], finding["path"]) == ("age", "A")
    assert finding["fires"]
    assert finding["counterfactual"]["errors_after"] < finding["counterfactual"]["errors_before"]


def test_people_read_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evidence.csv"
    table(4_000, wrong={"age": 2.0}).to_csv(file, index=False)
    code, out, _ = asked([str(file)], capsys)
    assert code == 0
    assert out.startswith("small: A. ")
    assert "the weight of age is" in out


def test_a_case_that_was_not_drawn_does_not_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outcomes that came by themselves are bad by selection; with `drawn` false they are left out."""
    rows = table(6_000)
    loud = rows.assign(bad=True, drawn=False)
    file = tmp_path / "evidence.parquet"
    pd.concat([rows.assign(drawn=True), loud], ignore_index=True).to_parquet(file)
    _, out, _ = asked([str(file), "--json"], capsys)
    assert json.loads(out)["small"]["cases"] == 6_000
    assert json.loads(out)["small"]["cause"] == "none"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="bad"), "no column bad"),
        (lambda rows: rows.drop(columns="margin"), "margin (or score)"),
        (lambda rows: rows.assign(margin=float("nan")), "a margin is missing"),
        (lambda rows: rows.assign(bad=2), "'bad' are neither yes nor no"),
        (lambda rows: rows.assign(phi_age=float("inf")), "'age'"),
        (lambda rows: rows.assign(case_type=None), "no case_type"),
        (lambda rows: rows.drop(columns="margin").assign(score=1.5), "outside [0, 1]"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_name(
    change: object, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.parquet"
    change(table(400)).to_parquet(file)  # type: ignore[operator]
    code, _, err = asked([str(file)], capsys)
    assert code == 2
    assert said in err


def test_an_unknown_slice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evidence.parquet"
    table(400).to_parquet(file)
    code, _, err = asked([str(file), "--slice", "moon"], capsys)
    assert code == 2
    assert "no such column" in err


def test_one_class_only_is_said_and_not_crashed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.parquet"
    table(400).assign(bad=False).to_parquet(file)
    code, out, _ = asked([str(file), "--json"], capsys)
    assert code == 0
    assert "labelled cases" in json.loads(out)["small"]["not_judged"][0]["why"]
