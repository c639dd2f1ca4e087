"""One stamp in the repeated hour, one outcome of an unknown case, one empty outcomes table: those rows wait by name, the rest goes on.

Injected: each of them in a live source, through the command.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.flows.commands.live_home import LiveHome
from tests.live_sources import write_live_sources


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    for name, value in write_live_sources(tmp_path / "up", days=3, scale=0.02).items():
        monkeypatch.setenv(name, value)
    return LiveHome(tmp_path / "home")


def test_one_outcome_of_an_unknown_case_is_quarantined_and_the_night_goes_on(
    home: LiveHome,
) -> None:
    """By the rule's name; nothing says that a rule raised, also where all outcomes are strangers."""
    file = home.home.parent / "up" / "outcomes.parquet"
    rows = pd.read_parquet(file)
    stranger = rows.tail(1).assign(case_id="nobody-decided-this")
    for table in (pd.concat([rows, stranger], ignore_index=True), stranger):
        table.to_parquet(file, index=False)
        said = home.ask("night", "--json")
        assert said.code == 0, said.out
        assert '"decision_is_known": 1' in said.out
        assert "raised" not in said.out


def test_an_empty_outcomes_table_holds_up_nothing(home: LiveHome) -> None:
    """A header and no row: on the first night, and on the second."""
    file = home.home.parent / "up" / "outcomes.parquet"
    pd.read_parquet(file).iloc[:0].to_parquet(file, index=False)
    for _ in range(2):
        said = home.ask("night")
        assert said.code == 0, said.out
    assert home.services().store.counts("reviews")[1] > 0


def test_a_stamp_in_the_repeated_hour_costs_its_row_only(home: LiveHome) -> None:
    """Local time without an offset, in the night the clocks go back: that review is put aside."""
    folder = home.home.parent / "up"
    reviews = pd.read_parquet(folder / "reviews.parquet")
    local = reviews.assign(
        **{
            name: reviews[name].dt.tz_convert("Europe/Berlin").dt.tz_localize(None).astype("str")
            for name in ("queued_at", "resolved_at")
        }
    )
    local.loc[local.index[-1], ["queued_at", "resolved_at"]] = "2025-10-26 02:30:00"
    local.to_csv(folder / "reviews.csv", index=False)
    source = folder / "reviews.yaml"
    text = source.read_text().replace("reviews.parquet", "reviews.csv")
    source.write_text(text + "timezone: Europe/Berlin\n", encoding="utf-8")
    said = home.ask("night", "--json")
    assert said.code == 0, said.out
    assert '"stamps_are_present": 1' in said.out
    assert home.services().store.counts("reviews")[1] > 0
