"""Fault 56: a score from 0 to 100 or in log-odds, or an amount with a currency, refuses the batch
with the question that settles it; never "admitted, minus the risky rows".

Injected: the scores and amounts of a sound delivery written in percent, in log-odds, with thousands,
a decimal comma or a currency, in decisions that are admitted and in evidence that is certified or
triaged; and one stray cell among many, which is its row's fault.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from configs.errors import UserError
from configs.sources import SourceSettings
from data_contracts import CONTRACTS, admit
from data_contracts.contract import CELLS_CAN_BE_READ
from flows.adapters.tables.sources import read_source
from flows.verbs.causes.triage_file import triage_file
from flows.verbs.certify.certify_file import certify_file
from models.triage import TriagePlan
from models.vocabulary import Costs, Targets
from tests.data_contracts.builders import context, decisions

ROWS = 300
SCORES = np.linspace(0.01, 0.99, ROWS)


def a_delivery(**columns: object) -> pd.DataFrame:
    return decisions(ROWS).assign(**columns)


@pytest.mark.parametrize(
    ("scores", "question"),
    [
        (SCORES * 100, "are these percentages?"),
        (np.where(SCORES > 0.98, SCORES * 100, SCORES / 100), "are these percentages?"),
        (logit(SCORES), "are these log-odds?"),
        (SCORES * 1_000, "on which scale"),
    ],
)
def test_scores_on_another_scale_refuse_the_batch(scores: np.ndarray, question: str) -> None:
    """Also where only the riskiest few show it."""
    judged = admit(a_delivery(score=scores), CONTRACTS["decisions"], context())
    assert (judged.admitted, judged.quarantined) == (0, ROWS)
    assert "'score' must be a probability" in judged.failed[0]
    assert question in judged.failed[0]


def test_one_stray_score_is_its_rows_fault() -> None:
    """The others go on."""
    stray = np.where(np.arange(ROWS) == 7, 1.2, SCORES)
    judged = admit(a_delivery(score=stray), CONTRACTS["decisions"], context())
    assert (judged.admitted, dict(judged.rejections)) == (ROWS - 1, {"score_is_a_probability": 1})


@pytest.mark.parametrize(
    "written", ["1,320.50", "1.320,50", "1320,50", "$1320.50", "1320.50 USD", "EUR 1320", "12%"]
)
@pytest.mark.parametrize("few", [False, True])
def test_amounts_in_another_format_refuse_the_batch(written: str, few: bool) -> None:
    """Large amounts are few, and the risky ones: three of them are enough to ask."""
    amounts = np.where(np.arange(ROWS) < (3 if few else ROWS), written, "12.5").astype(object)
    judged = admit(a_delivery(amount_usd=amounts), CONTRACTS["decisions"], context())
    assert (judged.admitted, judged.quarantined) == (0, ROWS)
    assert "thousands, a decimal comma, a currency or a percent sign: which?" in judged.failed[0]
    assert written not in judged.failed[0]


def test_one_word_for_an_amount_is_its_rows_fault() -> None:
    """It is quarantined by name, and not read as an amount of nothing."""
    amounts = np.where(np.arange(ROWS) == 7, "much", "12.5").astype(object)
    judged = admit(a_delivery(amount_usd=amounts), CONTRACTS["decisions"], context())
    assert (judged.admitted, dict(judged.rejections)) == (ROWS - 1, {CELLS_CAN_BE_READ: 1})
    assert judged.rejected.index.tolist() == [7]


def evidence(path: Path, scores: object) -> Path:
    bad = np.arange(ROWS) % 5 == 0
    pd.DataFrame({"score": scores, "bad": bad, "propensity": 1.0}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (SCORES * 100, "are these percentages?"),
        (logit(SCORES), "are these log-odds?"),
        ([f"{one:.3f}".replace(".", ",") for one in SCORES], "a decimal comma"),
        ([f"{one:.1%}" for one in SCORES], "a unit"),
    ],
)
def test_evidence_on_another_scale_proves_nothing(
    tmp_path: Path, scores: object, said: str
) -> None:
    """Neither a certificate nor a cause."""
    file = evidence(tmp_path / "evidence.csv", scores)
    with pytest.raises(UserError, match=said):
        certify_file(file, Targets(0.95, 0.99), None)
    with pytest.raises(UserError, match=said):
        triage_file(file, TriagePlan(), Costs())


@pytest.mark.parametrize(
    ("said", "scores"),
    [({"score": "percent"}, SCORES * 100), ({"score": "log_odds"}, logit(SCORES))],
)
def test_the_source_settles_it(tmp_path: Path, said: dict[str, str], scores: np.ndarray) -> None:
    """What `scales:` says is applied; said wrongly, it is refused, too."""
    file = tmp_path / "decisions.csv"
    pd.DataFrame({"case_id": range(ROWS), "score": scores}).to_csv(file, index=False)
    source = SourceSettings(name="desk", kind="decisions", path=str(file), scales=said)
    np.testing.assert_allclose(read_source(source)["score"], SCORES)
    wrong = source.model_copy(update={"scales": {"case_id": "percent"}})
    with pytest.raises(UserError, match="does not hold numbers"):
        read_source(wrong)
