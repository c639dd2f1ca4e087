"""Late, duplicated or undated new cases at the source of `decide_cases`: decided, decided once, or
quarantined by rule with an alert; counts in an artifact.

Injected: a Parquet file and an SQL query with `:since` that grow between two runs by rows behind the
watermark's overlap, copies, contradictions, rows without a date, from the future, and of unknown
types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine

from configs.errors import UserError
from flows.reports.words.decided import decided_table, decided_verdict
from flows.verbs.decide.decide_source import LONGEST_WAIT, WHOLE_LOOK, decide_new_cases
from flows.verbs.services import Services
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised, advised_desk
from tests.flows.verbs.live_desk import live_desk, new_cases, promoted

NOW = datetime.now(UTC).replace(microsecond=0)
Deliver = Callable[[pd.DataFrame], None]


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))


@pytest.fixture
def services(advised: Advised, tmp_path: Path) -> Services:
    services = live_desk(advised, tmp_path / "home")
    promoted(services, advised, NOW - timedelta(days=30))
    return services


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    said = ["name: desk_cases", "kind: cases", *lines]
    (folder / "cases.yaml").write_text("\n".join(said) + "\n", encoding="utf-8")
    monkeypatch.setenv("RATCHET_SOURCES__CASES", str(folder / "cases.yaml"))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    configure(tmp_path, monkeypatch, "path: cases.parquet", "watermark: opened_at")
    return lambda rows: rows.to_parquet(tmp_path / "cases.parquet", index=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Deliver:
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    asked = "SELECT * FROM cases WHERE opened_at > :since OR opened_at IS NULL"
    configure(tmp_path, monkeypatch, f"url: {url}", f"query: {asked}", "watermark: opened_at")
    engine = create_engine(url)

    def deliver(rows: pd.DataFrame) -> None:
        written = rows
        if request.param == "sqlite":  # as people write stamps there
            text = rows["opened_at"].dt.tz_convert(None).dt.strftime("%Y-%m-%d %H:%M:%S")
            written = rows.assign(opened_at=text)
        with engine.begin() as connection:
            written.to_sql("cases", connection, if_exists="replace", index=False)
        engine.dispose()

    return deliver


def whole(told: dict[str, object]) -> dict[str, object]:
    names = ("rows_in", "decided", "already_decided", "refused", "copies", "late")
    return {name: told[name] for name in names}


def alerts(services: Services, kind: str = "cases_put_aside") -> list[str]:
    return [one["sentence"] for one in services.alerts.recent(50) if one["kind"] == kind]


def test_late_cases_of_a_file_are_decided_at_the_next_look(
    services: Services, advised: Advised, file: Deliver
) -> None:
    """Forty cases twenty days behind the watermark."""
    cases = new_cases(advised, NOW, 100)
    late = cases.tail(40).assign(opened_at=cases["opened_at"].tail(40) - pd.Timedelta(days=20))
    file(cases.head(60))
    assert decide_new_cases(services, NOW)[CASE_TYPE]["decided"] == 60
    file(pd.concat([cases.head(60), late], ignore_index=True))
    told = decide_new_cases(services, NOW + timedelta(minutes=15))
    assert whole(told[CASE_TYPE]) == {
        "rows_in": 100, "decided": 40, "already_decided": 60, "refused": 0, "copies": 0, "late": 40,
    }  # fmt: skip
    assert "40 decided now (40 of them came late)" in decided_verdict(told)
    (row,) = decided_table(told)
    assert (row["decided"], row["late"]) == (40, 40)
    assert alerts(services) == []


def test_late_cases_of_a_query_are_decided_within_a_day(
    services: Services, advised: Advised, query: Deliver
) -> None:
    """The query leaves them out, until it is asked for everything once more; undated ones too."""
    cases = new_cases(advised, NOW, 100)
    late = cases.tail(40).assign(opened_at=cases["opened_at"].tail(40) - pd.Timedelta(days=20))
    query(cases.head(60))
    assert decide_new_cases(services, NOW)[CASE_TYPE]["decided"] == 60
    query(pd.concat([cases.head(60), late], ignore_index=True))
    soon = decide_new_cases(services, NOW + timedelta(minutes=15))
    assert soon[CASE_TYPE]["decided"] == 0
    told = decide_new_cases(services, NOW + WHOLE_LOOK + timedelta(minutes=15))
    assert (told[CASE_TYPE]["decided"], told[CASE_TYPE]["late"]) == (40, 40)
    undated = cases.tail(2).assign(case_id=["u1", "u2"])
    undated["opened_at"] = undated["opened_at"].where(undated["opened_at"].isna())
    query(pd.concat([cases, undated], ignore_index=True))
    told = decide_new_cases(services, NOW + WHOLE_LOOK + timedelta(minutes=30))
    assert told[CASE_TYPE]["rejections"] == {"stamps_are_present": 2}
    assert len(alerts(services)) == 1


def test_copies_are_decided_once_and_contradictions_by_nobody(
    services: Services, advised: Advised, file: Deliver
) -> None:
    """Exact copies are one case; two different rows of one id are quarantined, told once, and decided
    when the source has made up its mind."""
    cases = new_cases(advised, NOW, 10)
    two = cases.iloc[[3]].assign(amount_usd=cases["amount_usd"].iloc[3] + 1.0)
    file(pd.concat([cases, cases.iloc[[1, 2, 2]], two], ignore_index=True))
    for moment in (NOW, NOW + timedelta(minutes=15)):
        told = decide_new_cases(services, moment)[CASE_TYPE]
        first = moment == NOW
        assert whole(told) == {
            "rows_in": 14, "decided": 9 * first, "already_decided": 9 * (not first), "refused": 2,
            "copies": 3, "late": 0,
        }  # fmt: skip
        assert told["rejections"] == {"case_id_appears_once": 2}
    assert services.store.counts("cases") == (2, 0, 2)
    (said,) = alerts(services)
    assert "2 by case_id_appears_once (the rows of one id differ)" in said
    file(cases)
    assert decide_new_cases(services, NOW + timedelta(hours=1))[CASE_TYPE]["decided"] == 1


def test_an_undated_case_is_quarantined_and_told_once(
    services: Services,
    advised: Advised,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: Deliver,
) -> None:
    """No opening, or no watermark where that is another column; the rest is decided."""
    cases = new_cases(advised, NOW, 10)
    file(cases)
    decide_new_cases(services, NOW)
    more = new_cases(advised, NOW, 10, prefix="m")
    more["opened_at"] = more["opened_at"].mask(more.index < 2)
    file(pd.concat([cases, more], ignore_index=True))
    for minutes, decided in ((15, 8), (30, 0)):
        told = decide_new_cases(services, NOW + timedelta(minutes=minutes))[CASE_TYPE]
        assert (told["decided"], told["refused"]) == (decided, 2)
        assert told["rejections"] == {"stamps_are_present": 2}
    assert len(alerts(services)) == 1
    configure(tmp_path, monkeypatch, "path: cases.parquet", "watermark: loaded_at")
    third = new_cases(advised, NOW, 4, prefix="w")
    stamps = third["opened_at"].mask(third.index == 0)
    file(pd.concat([cases.assign(loaded_at=cases["opened_at"]), third.assign(loaded_at=stamps)]))
    told = decide_new_cases(services, NOW + timedelta(minutes=45))[CASE_TYPE]
    assert (told["decided"], told["rejections"]) == (3, {"watermark_is_present": 1})
    assert "1 by watermark_is_present" in alerts(services)[0]


def test_a_case_from_the_future_moves_no_watermark(
    services: Services, advised: Advised, file: Deliver
) -> None:
    """It is quarantined by name, told, and decided when its time has come."""
    cases = new_cases(advised, NOW, 10)
    cases.loc[4, "opened_at"] = pd.Timestamp(NOW + timedelta(days=2))
    file(cases)
    told = decide_new_cases(services, NOW)[CASE_TYPE]
    assert (told["decided"], told["rejections"]) == (9, {"no_stamp_from_the_future": 1})
    assert services.store.watermark("desk_cases") == cases["opened_at"].drop(4).max()
    assert "1 by no_stamp_from_the_future" in alerts(services)[0]
    assert decide_new_cases(services, NOW + timedelta(days=3))[CASE_TYPE]["decided"] == 1


def test_a_source_without_a_watermark_works(
    services: Services,
    advised: Advised,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: Deliver,
) -> None:
    """Everything is looked at each time; an emptied table is nothing new."""
    configure(tmp_path, monkeypatch, "path: cases.parquet")
    cases = new_cases(advised, NOW, 10)
    file(cases.head(6))
    assert decide_new_cases(services, NOW)[CASE_TYPE]["decided"] == 6
    file(cases)
    told = decide_new_cases(services, NOW + timedelta(minutes=15))[CASE_TYPE]
    assert (told["decided"], told["already_decided"]) == (4, 6)
    file(cases.head(0))
    assert decide_new_cases(services, NOW + timedelta(minutes=30)) == {}


def test_cases_of_a_type_configured_later_are_decided_then(
    services: Services, advised: Advised, query: Deliver
) -> None:
    """The watermark waits for them, a stated time at most."""
    cases = new_cases(advised, NOW, 20)
    opened = cases["opened_at"].mask(cases.index == 5, pd.Timestamp(NOW - timedelta(days=3)))
    cases = cases.assign(opened_at=opened)
    strange = cases.assign(case_type=cases["case_type"].mask(cases.index == 5, "loan"))
    query(strange)
    told = decide_new_cases(services, NOW)
    assert told["known_case_type"]["refused"] == 1
    mark = services.store.watermark("desk_cases")
    assert mark == (cases["opened_at"][5] - pd.Timedelta(microseconds=1)).to_pydatetime()
    configured = {
        **services.case_types,
        "loan": replace(services.case_types[CASE_TYPE], name="loan"),
    }
    later = replace(services, case_types=configured)
    told = decide_new_cases(later, NOW + timedelta(minutes=15))
    assert told["loan"]["decided"] == 1
    assert len(alerts(services, "unknown_case_type")) == 1
    query(strange.assign(case_type=strange["case_type"].replace("loan", "lease")))
    far = NOW + LONGEST_WAIT * 2
    more = cases.assign(case_id="f" + cases["case_id"], opened_at=pd.Timestamp(far))
    query(pd.concat([strange.replace({"case_type": {"loan": "lease"}}), more]))
    decide_new_cases(services, far)
    assert services.store.watermark("desk_cases") == far - LONGEST_WAIT


def test_what_cannot_be_read_of_one_type_holds_up_no_other(
    services: Services, advised: Advised, file: Deliver
) -> None:
    """The run fails in the end, and its watermark stays before those rows."""
    cases = new_cases(advised, NOW, 60)
    configured = {
        **services.case_types,
        "loan": replace(services.case_types[CASE_TYPE], name="loan"),
    }
    both = replace(services, case_types=configured)
    wrong = cases.assign(case_type="loan", case_id="l" + cases["case_id"], battery_level="n-a-n")
    file(pd.concat([cases.astype({"battery_level": str}), wrong], ignore_index=True))
    with pytest.raises(UserError, match="Not one cell of 'battery_level' can be read"):
        decide_new_cases(both, NOW)
    assert services.store.holds("decisions", cases[["case_id"]], decided_here=True).all()
    assert services.store.watermark("desk_cases") is None
    assert "cases were not decided" in alerts(services)[0]
    one = wrong.assign(battery_level=[*["n-a-n"] * 1, *cases["battery_level"].astype(str)[1:]])
    file(pd.concat([cases.astype({"battery_level": str}), one], ignore_index=True))
    told = decide_new_cases(both, NOW + timedelta(minutes=15))["loan"]
    assert (told["decided"], told["overrides"]["cells_are_readable"]) == (60, 1)
