"""What is lost, altered or guessed is said: on the console, on the page and in the summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.commands.output import conclude as say_the_end
from flows.verbs.walk.file import Concluded, conclude
from flows.verbs.walk.open_walk import open_backtest
from tests.builders import small_history, small_settings, with_mlflow

pytestmark = pytest.mark.slow

SOURCE = """\
name: small
kind: history
path: cases.csv
case_type: small_case
columns: {case_id: case_id, opened_at: opened_at, bad: bad, amount_usd: amount_usd, priority: priority}
features: [signal, channel, flag, hint, score]
label_delay_days: 2
warm_up_days: 8
step_days: 4
retrain_days: 4
audit_rate: 0.2
targets: {precision: 0.6, recall: 0.8, delta: 0.2}
"""


@pytest.fixture(scope="module")
def concluded(tmp_path_factory: pytest.TempPathFactory) -> Concluded:
    """A walk in which no fit can succeed: 30 cases are bad, and 20 are needed in either slice. One
    row has a negative amount, 5 have no truth, `flag` never changes, `hint` is the truth."""
    folder = tmp_path_factory.mktemp("told")
    rows = small_history(days=16, per_day=80, seed=5).drop(columns="case_type")
    rows["bad"] = np.arange(len(rows)) % 21 == 0
    rows.loc[rows.index[700:], "bad"] = False
    rows = rows.assign(flag=1, score=rows["signal"], hint=np.where(rows["bad"], "late", "in time"))
    rows.loc[7, "amount_usd"] = -1.0
    rows["bad"] = rows["bad"].astype("boolean")
    rows.loc[rows.index[10:15], "bad"] = pd.NA
    rows.to_csv(folder / "cases.csv", index=False)
    (folder / "small.yaml").write_text(SOURCE, encoding="utf-8")
    home = with_mlflow(folder / "home")
    opened = open_backtest(small_settings(), folder / "small.yaml", home)
    opened.walk.warm_up()
    for step in range(opened.walk.upstream.steps):
        opened.walk.night_and_day(step)
    opened.walk.last_night()
    return conclude(opened, 1.0)


SAID = [
    "1 of 1,280 rows of the history were put aside and take no part: 1 row: amount_is_not_negative",
    "5 of 1,279 rows do not say whether they were bad",
    "small_case: 2 features hold text, so read as categories: 'channel', 'hint'",
    "small_case: 1 feature holds one value in all 639 warm-up rows",
    "small_case: the feature 'hint' alone tells good from bad in",
    "small_case: No model was ever fitted. ",
    "training needs at least 20 bad",
    "small_case: nothing was decided automatically; the last night said: ",
]


@pytest.mark.parametrize("sentence", SAID)
def test_each_thing_is_said_everywhere_and_once(
    sentence: str, concluded: Concluded, capsys: pytest.CaptureFixture[str]
) -> None:
    say_the_end(concluded, as_json=False, simulated=False)
    assert capsys.readouterr().out.count(sentence) == 1
    assert sum(sentence in one for one in concluded.summary["told"]) == 1
    page = concluded.filed.report.read_text(encoding="utf-8")
    assert "Lost, altered or guessed" in page
    assert sentence.replace("'", "&#x27;") in page


def test_files_are_not_written_over_what_is_read(tmp_path: Path) -> None:
    """Nor one over another, nor below what is no folder; it is said before the walk begins."""
    import click

    from flows.commands.output import refuse_outputs

    source = tmp_path / "s [1]?#%.yaml"
    source.write_text("x", encoding="utf-8")
    fine = tmp_path / "new folder" / "r [1]?#%.html"
    refuse_outputs([source], {"--report": fine, "--json": None})
    for path, other, why in [
        (source, None, "is read"),
        (fine, fine, "is written by --json"),
        (source / "r.html", None, "cannot be written below"),
        (tmp_path, None, "is a folder"),
    ]:
        with pytest.raises(click.UsageError, match=f"--report: .*{why}"):
            refuse_outputs([source], {"--json": other, "--report": path})
