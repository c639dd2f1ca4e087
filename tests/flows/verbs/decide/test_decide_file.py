"""A file of cases is decided piece by piece, each case exactly once, and no row is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import ServiceUnreachable, UserError
from flows.verbs.decide.decide_file import decide_file
from flows.verbs.record.explain import explain
from flows.verbs.services import Services
from models.hub.policies.canonical import utc_stamp
from tests.builders import small_settings
from tests.flows.adapters.racing import answers_of_two_processes
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised
from tests.flows.verbs.decide.test_decide import BLOCK, PASS, later_cases, live_from
from tests.flows.verbs.own_desk import go_live, own_desk, policy_of


@pytest.fixture
def services(advised: Advised, tmp_path: Path) -> Services:
    services = own_desk(advised, tmp_path)
    go_live(services, policy_of(advised, PASS, BLOCK), live_from(advised))
    return services


def asked_at(advised: Advised) -> datetime:
    return advised.now + timedelta(days=30)


def stored(services: Services, prefix: str = "n") -> pd.DataFrame:
    rows = services.store.read("decisions")
    return rows[rows["case_id"].str.startswith(prefix)].reset_index(drop=True)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_rows_in_are_decided_already_decided_or_refused(
    advised: Advised, services: Services, tmp_path: Path, ending: str
) -> None:
    """Bad ids, a stamp from the future and a repeated id are refused by name; an odd feature is
    escalated by name; the file handed back holds every other case in order."""
    cases = later_cases(advised).head(120).reset_index(drop=True)
    cases["network_type"] = cases["network_type"].mask(cases.index == 7, "carrier_pigeon")
    cases["travel_speed_kmh"] = cases["travel_speed_kmh"].mask(cases.index == 8)
    cases.loc[0, "case_id"], cases.loc[1, "case_id"] = "../../x", "'; DROP TABLE decisions; --"
    cases.loc[110, "case_id"] = cases.loc[3, "case_id"]  # in another piece of the file
    cases.loc[4, "opened_at"] += pd.Timedelta(days=4000)
    cases["priority"] = cases["priority"].astype("Int64").mask(cases.index == 9)
    file, out = tmp_path / f"cases.{ending}", tmp_path / f"decided.{ending}"
    cases.to_parquet(file) if ending == "parquet" else cases.to_csv(file, index=False)
    seen: list[int] = []
    told = decide_file(
        services, file, CASE_TYPE, out, asked_at(advised), lambda done, _: seen.append(done),
        piece_rows=50,
    )  # fmt: skip
    assert seen == [50, 100, 120]
    assert (told.rows_in, told.decided, told.already_decided, told.refused) == (120, 115, 0, 5)
    assert told.rejections == {
        "case_id_is_plain": 2, "case_id_appears_once": 2, "no_stamp_from_the_future": 1,
    }  # fmt: skip
    back = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
    refused = [0, 1, 3, 4, 110]
    assert back["case_id"].tolist() == cases["case_id"].drop(refused).tolist()
    by_id = back.set_index("case_id")
    assert by_id.loc[cases["case_id"][7], "override"] == "known_category"
    assert by_id.loc[cases["case_id"][8], "override"] == "features_are_present"
    assert by_id.loc[cases["case_id"][9], "queue"] == "senior"
    assert (pd.to_datetime(back["decided_at"], utc=True) == pd.Timestamp(asked_at(advised))).all()
    assert len(stored(services)) == 115
    assert services.store.counts("cases") == (5, 0, 5)


def test_a_case_keeps_its_decision_whatever_is_live_now(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """The same file again changes nothing; another live policy decides only what is new."""
    cases = later_cases(advised)
    first, both = tmp_path / "first.parquet", tmp_path / "both.parquet"
    cases.head(100).to_parquet(first)
    cases.head(160).to_parquet(both)
    out = tmp_path / "out.parquet"
    decide_file(services, first, CASE_TYPE, out, asked_at(advised))
    before, digest = pd.read_parquet(out), services.store.digest("decisions")
    later = asked_at(advised) + timedelta(hours=2)
    again = decide_file(services, first, CASE_TYPE, out, later)
    assert (again.decided, again.already_decided) == (0, 100)
    assert services.store.digest("decisions") == digest
    pd.testing.assert_frame_equal(pd.read_parquet(out), before)
    wider = policy_of(advised, PASS * 2, BLOCK)
    go_live(services, wider, later)
    more = decide_file(services, both, CASE_TYPE, out, later)
    assert (more.decided, more.already_decided) == (60, 100)
    after = pd.read_parquet(out)
    pd.testing.assert_frame_equal(after.head(100), before)
    assert set(after["policy_id"].tail(60)) == {wider.policy_id}


def test_cells_of_a_csv_are_neutralised(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """An id may start with a minus; in a spreadsheet it must stay text."""
    cases = later_cases(advised).head(3).assign(case_id=["-1+1", "-a", "b"])
    file, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    cases.to_csv(file, index=False)
    told = decide_file(services, file, CASE_TYPE, out, asked_at(advised))
    assert told.refused == 1  # a plus is not plain
    assert pd.read_csv(out)["case_id"].tolist() == ["'-a", "b"]


@pytest.mark.parametrize(
    ("said", "spoil"),
    [
        ("2 columns are missing: 'amount_usd', 'battery_level'", ["amount_usd", "battery_level"]),
        ("1 column is missing: 'case_id'", ["case_id"]),
    ],
)
def test_a_missing_column_is_named_and_nothing_is_decided(
    advised: Advised, services: Services, tmp_path: Path, said: str, spoil: list[str]
) -> None:
    """Reordered columns are no matter; absent ones are, and no file is left behind."""
    file, out = tmp_path / "cases.parquet", tmp_path / "out.parquet"
    later_cases(advised).head(5).drop(columns=spoil).to_parquet(file)
    with pytest.raises(UserError, match=said):
        decide_file(services, file, CASE_TYPE, out, asked_at(advised))
    assert stored(services).empty
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))


def test_an_unknown_case_type_or_ending_is_refused(services: Services, tmp_path: Path) -> None:
    """The message names what there is."""
    with pytest.raises(UserError, match="the case types are ato"):
        decide_file(services, tmp_path / "x.csv", "kyc", None, datetime.now())
    with pytest.raises(UserError, match=r"neither \.parquet nor \.csv"):
        decide_file(services, tmp_path / "x.xlsx", CASE_TYPE, None, datetime.now())


def decide_in_process(home: Path, file: Path, at: datetime, who: int, wait: object) -> list[object]:
    settings = small_settings()
    kinds = {CASE_TYPE: settings.load_case_types()[CASE_TYPE]}
    services = Services.at(home / "live", settings, kinds, seed=3)
    wait()  # type: ignore[operator]
    # Another moment of decision, so that the two decisions on a case differ.
    moment = at + timedelta(minutes=who)
    told = decide_file(services, file, CASE_TYPE, home / f"{who}.parquet", moment, piece_rows=40)
    return [(told.rows_in, told.decided, told.already_decided, told.refused)]


@pytest.mark.parametrize("written", ["1 and 0", "nothing"])
def test_a_file_that_writes_yes_and_no_otherwise_is_read_beside_the_others(
    advised: Advised, services: Services, tmp_path: Path, written: str
) -> None:
    """After a file with true and false: every case is found again, and the numbers are the same."""
    cases, now = later_cases(advised).head(6).reset_index(drop=True), asked_at(advised)
    kind = services.case_types[CASE_TYPE]
    name = next(one.name for one in kind.features if one.kind == "boolean")
    other = cases.tail(3).assign(**{name: cases[name].tail(3).astype("int64")})
    if written == "nothing":
        other[name] = float("nan")
    for number, rows in enumerate((cases.head(3), other)):
        file = tmp_path / f"{number}.csv"
        rows.to_csv(file, index=False)
        assert decide_file(services, file, CASE_TYPE, None, now).counts()["decided"] == 3
    found = services.store.read("decisions", filters={"case_id": cases["case_id"].tolist()})
    told = found.set_index("case_id").loc[cases["case_id"], name].astype("float64")
    wanted = cases[name].astype("float64").tolist()
    assert told.head(3).tolist() == wanted[:3]
    if written == "nothing":
        assert told.tail(3).isna().all()
    else:
        assert told.tail(3).tolist() == wanted[3:]
    again = explain(services, cases["case_id"].iloc[0])["again"]
    assert all(again["agrees"].values()), again


def test_what_was_altered_while_the_file_was_read_is_told_once_with_its_count(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Three cells say NA, in three pieces of the file."""
    cases = later_cases(advised).head(60).reset_index(drop=True)
    cases["travel_speed_kmh"] = cases["travel_speed_kmh"].astype("str")
    cases.loc[[3, 30, 50], "travel_speed_kmh"] = "NA"
    file = tmp_path / "cases.csv"
    cases.to_csv(file, index=False)
    told: list[str] = []
    found = decide_file(
        services, file, CASE_TYPE, None, asked_at(advised), piece_rows=20,
        tell=lambda note: told.append(str(note)),
    )  # fmt: skip
    assert (found.rows_in, found.refused) == (60, 0)
    assert told == [
        "Source 'cases.csv': cells of travel_speed_kmh with a word for missing (such as NA), read so: 3."
    ]


def test_the_cases_are_not_written_over(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Nor is anything decided where the decisions could not be handed back."""
    file = tmp_path / "cases.csv"
    later_cases(advised).head(3).to_csv(file, index=False)
    before = file.read_bytes()
    with pytest.raises(UserError, match="holds the cases; name another file"):
        decide_file(services, file, CASE_TYPE, file, asked_at(advised))
    with pytest.raises(ServiceUnreachable, match="Nothing was decided; name another place"):
        decide_file(services, file, CASE_TYPE, file / "below.csv", asked_at(advised))
    assert (file.read_bytes(), len(stored(services))) == (before, 0)


@pytest.mark.slow
def test_two_processes_decide_one_file_and_each_case_once(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Whoever is first with a case decides it; both hand back the same decisions."""
    cases = later_cases(advised).head(200)
    file = tmp_path / "cases.parquet"
    cases.to_parquet(file)
    answers = answers_of_two_processes(decide_in_process, tmp_path, file, asked_at(advised))
    assert [answer[0] for answer in answers] == [200, 200]
    assert sum(answer[1] for answer in answers) == 200
    rows = stored(services)
    assert sorted(rows["case_id"]) == sorted(cases["case_id"])
    one, other = (pd.read_parquet(tmp_path / f"{who}.parquet") for who in range(2))
    pd.testing.assert_frame_equal(one, other)


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from tests.flows.verbs.decide.test_decide_file import decide_in_process
home, file, at = sys.argv[1:]
decide_in_process(Path(home), Path(file), datetime.fromisoformat(at), 0, lambda: None)
"""


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_next_one(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Killed after the first of three pieces: the rest is decided, and nothing twice."""
    cases = later_cases(advised).head(100)
    file = tmp_path / "cases.parquet"
    cases.to_parquet(file)
    arguments = [str(tmp_path), str(file), utc_stamp(asked_at(advised))]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env={**os.environ, "RATCHET_KILL_POINT": "decide.piece_stored"},
        check=False,
    )
    assert done.returncode == -9
    assert len(stored(services)) == 40
    told = decide_file(services, file, CASE_TYPE, None, asked_at(advised) + timedelta(hours=1))
    assert (told.decided, told.already_decided) == (60, 40)
    assert sorted(stored(services)["case_id"]) == sorted(cases["case_id"])
