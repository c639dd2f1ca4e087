"""`ratchet certify`: a table of evidence in, a boundary or its price out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from flows.cli import main
from flows.verbs.certify.certify_file import all_certified, certify_file
from models.boundary import certify
from models.vocabulary import Boundary, Targets
from tests.models.boundary.worlds import world

TARGETS = Targets(precision=0.95, recall=0.99)


def two_types(folder: Path) -> Path:
    """30,000 simulated cases of one type, 3,000 of another."""
    many = world(np.random.default_rng(1), 30_000).assign(case_type="ato")
    few = world(np.random.default_rng(2), 3_000).assign(case_type="kyc_audit")
    path = folder / "evidence.parquet"
    pd.concat([many, few]).to_parquet(path, index=False)
    return path


def test_each_case_type_gets_its_certificate_at_its_share_of_delta(tmp_path: Path) -> None:
    """Two types share delta, so each is judged as the library judges it at half of it."""
    told = certify_file(two_types(tmp_path), TARGETS, None)
    assert list(told) == ["ato", "kyc_audit"]
    alone = certify(world(np.random.default_rng(1), 30_000), Targets(0.95, 0.99, delta=0.025))
    assert told["ato"]["verdict"] == "certified"
    assert told["ato"]["pass_at_or_below"] == alone.boundary.pass_at_or_below
    assert told["kyc_audit"]["verdict"] == "insufficient_evidence"
    assert set(told["kyc_audit"]["labels_needed"]) == {"pass", "block"}
    assert not all_certified(told)


def test_the_command_exits_with_3_until_every_type_is_certified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 for a table whose one type is certified, 3 where one of two is not."""
    path = two_types(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["certify", str(path), "--json"])
    assert stopped.value.code == 3
    assert json.loads(capsys.readouterr().out)["ato"]["verdict"] == "certified"
    one = tmp_path / "one.csv"
    world(np.random.default_rng(1), 30_000).to_csv(one, index=False)
    main(["certify", str(one), "--incumbent", "-,0.97"])
    assert "certified" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("score,bad,propensity\n", "is empty"),
        ("score,bad\n0.5,1\n", "has no column 'propensity'"),
        ("score,bad,propensity\n1.5,1,1\n", "'score'"),
        ("score,bad,propensity\n0.5,maybe,1\n", "bad"),
        ("score,bad,propensity\n0.5,1,0\n", "'propensity'"),
        ("case_type,score,bad,propensity\nato,0.5,1,1\n,0.5,1,1\n", "no case_type"),
    ],
)
def test_evidence_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, content: str, said: str
) -> None:
    """Each names what is wrong; none is a traceback."""
    path = tmp_path / "evidence.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        certify_file(path, TARGETS, Boundary(None, 0.9))


@pytest.mark.parametrize("text", ["0.9,0.1", "0.1", "low,high", "0.1,0.5,0.9"])
def test_an_incumbent_that_is_no_boundary_is_refused(tmp_path: Path, text: str) -> None:
    """Two scores, the pass side first."""
    with pytest.raises(SystemExit) as stopped:
        main(["certify", str(two_types(tmp_path)), "--incumbent", text])
    assert stopped.value.code == 2


def test_missing_labels_have_a_price_in_days_where_the_table_tells_its_days(tmp_path: Path) -> None:
    """From `opened_at`, or from the caller; without either there is none."""
    few = world(np.random.default_rng(2), 3_000)
    opened = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.linspace(0, 6, 3_000), "D")
    path = tmp_path / "evidence.parquet"
    few.to_parquet(path, index=False)
    told = certify_file(path, TARGETS, None)["all cases"]
    assert told["days_needed"] == []
    asked = certify_file(path, TARGETS, None, days=6.0)["all cases"]
    few.assign(opened_at=opened).to_parquet(path, index=False)
    dated = certify_file(path, TARGETS, None)["all cases"]
    assert dated["days_needed"] == asked["days_needed"]
    labels, days = told["labels_needed"]["pass"], asked["days_needed"][0]["days"]
    assert days == pytest.approx(labels / (3_000 / 6.0))
    assert "with every case reviewed" in asked["reasons"][1]
