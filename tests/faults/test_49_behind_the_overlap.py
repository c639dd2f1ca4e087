"""Rows that arrive behind the watermark's overlap: stored when they can be, else counted and told; a quarantined row from the future moves no watermark. A source without a watermark works.

Injected: chargebacks of three weeks ago in tonight's file; a review stamped a year ahead; a source file
without `watermark`, read three nights in a row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.commands.live_home import LiveHome
from tests.live_sources import write_live_sources

AT = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    for name, value in write_live_sources(tmp_path / "up", days=4, scale=0.02).items():
        monkeypatch.setenv(name, value)
    return LiveHome(tmp_path / "home")


def add(home: LiveHome, table: str, **changed: object) -> pd.DataFrame:
    """Tonight's file has three rows more, like the last ones but for what is changed."""
    file = home.home.parent / "up" / f"{table}.parquet"
    rows = pd.read_parquet(file)
    more = rows.tail(3).assign(**changed)
    pd.concat([rows, more], ignore_index=True).to_parquet(file, index=False)
    return more


def test_rows_behind_the_overlap_are_found_when_the_source_is_read_whole(home: LiveHome) -> None:
    """The second night reads behind its watermark only; a week later the source is read whole, and
    says how many rows had come late."""
    assert home.ask("night").code == 0
    services = home.services()
    decisions = services.store.read("decisions", columns=["case_id", "opened_at"])
    late = decisions.sort_values("opened_at").head(3)
    add(
        home,
        "outcomes",
        case_id=late["case_id"].to_numpy(),
        observed_at=late["opened_at"].to_numpy() + pd.Timedelta(minutes=1),
        source="appeal",
    )
    before = services.store.counts("outcomes")[1]
    assert home.ask("night").code == 0
    mark = services.store.watermark("desk_outcomes (read whole)")
    assert mark is not None
    monkey = pytest.MonkeyPatch()
    monkey.setenv("RATCHET_NIGHT__WHOLE_READ_DAYS", "0.0000001")
    said = home.ask("night")
    monkey.undo()
    assert said.code == 0, said.out
    assert "3 rows of 'desk_outcomes' lay behind the overlap" in said.out
    stored = services.store.read("outcomes", columns=["source"])["source"]
    assert int((stored == "appeal").sum()) == 3
    assert services.store.counts("outcomes")[1] >= before + 3


def test_a_quarantined_row_from_the_future_moves_no_watermark(home: LiveHome) -> None:
    """It is put aside by name; the next rows are still read."""
    ahead = datetime.now(UTC) + timedelta(days=365)
    add(home, "reviews", review_id=["f-1", "f-2", "f-3"], resolved_at=pd.Timestamp(ahead))
    said = home.ask("night")
    assert said.code == 0, said.out
    services = home.services()
    assert services.store.counts("reviews")[2] == 3
    mark = services.store.watermark("desk_reviews")
    assert mark is not None
    assert mark == services.store.read("reviews", columns=["resolved_at"])["resolved_at"].max()


def test_a_source_without_a_watermark_works_every_night(home: LiveHome) -> None:
    """It is read whole each time; what is stored already changes nothing."""
    for table in ("decisions", "reviews", "outcomes"):
        file = home.home.parent / "up" / f"{table}.yaml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith("watermark")]
        file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    counts = []
    for _ in range(3):
        said = home.ask("night")
        assert said.code == 0, said.out
        counts.append(len(home.services().store.read("reviews")))
    assert counts[0] > 0
    assert counts[0] == counts[1] == counts[2]
