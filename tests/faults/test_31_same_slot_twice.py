"""The same slot scheduled twice has one effect (FAULTS 31).

Injected: the flow's verb is run twice on one slot, the second time under another live policy.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml

from configs.errors import UserError
from flows.verbs.decide.decide_source import decide_new_cases
from flows.verbs.services import Services
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised, advised_desk
from tests.flows.verbs.decide.test_decide import BLOCK, PASS, later_cases, live_from
from tests.flows.verbs.own_desk import go_live, own_desk, policy_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))


@pytest.fixture
def services(advised: Advised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A live policy, and a source of cases whose first rows are delivered."""
    (tmp_path / "cases.yaml").write_text(
        f"name: desk_cases\nkind: cases\npath: cases.parquet\ncase_type: {CASE_TYPE}\n"
        "watermark: opened_at\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("RATCHET_SOURCES__CASES", str(tmp_path / "cases.yaml"))
    services = own_desk(advised, tmp_path)
    go_live(services, policy_of(advised, PASS, BLOCK), live_from(advised))
    return services


def test_a_slot_decided_twice_decides_each_case_once(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """The second run, under another policy, leaves every decision; later ones see only new cases."""
    cases = later_cases(advised).sort_values("opened_at")
    cases.head(80).to_parquet(tmp_path / "cases.parquet")
    slot = advised.now + timedelta(days=30)
    told = decide_new_cases(services, slot)[CASE_TYPE]
    assert (told["rows_in"], told["decided"], told["refused"]) == (80, 80, 0)
    digest = services.store.digest("decisions")
    go_live(services, policy_of(advised, PASS * 2, BLOCK), slot)
    again = decide_new_cases(services, slot)[CASE_TYPE]
    assert again["decided"] == 0  # what lies within the overlap was read again
    assert again["rows_in"] == again["already_decided"] > 0
    assert services.store.digest("decisions") == digest
    assert services.store.watermark("desk_cases") == cases["opened_at"].iloc[79]
    cases.head(100).to_parquet(tmp_path / "cases.parquet")
    later = decide_new_cases(services, slot + timedelta(minutes=15))[CASE_TYPE]
    assert later["decided"] == 20
    stored = services.store.read("decisions", filters={"case_id": cases["case_id"].tolist()})
    assert stored["case_id"].is_unique
    assert len(stored) == 100


def test_cases_of_no_known_type_are_quarantined_and_hold_up_no_other(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """A new kind of case is somebody's decision to configure: people are told, once."""
    cases = later_cases(advised).sort_values("opened_at").head(3)
    cases.assign(case_type=["loan", CASE_TYPE, "loan"]).to_parquet(tmp_path / "cases.parquet")
    slot = advised.now + timedelta(days=30)
    told = decide_new_cases(services, slot)
    assert (told[CASE_TYPE]["decided"], told[CASE_TYPE]["refused"]) == (1, 0)
    assert told["known_case_type"] == {
        "rows_in": 2, "refused": 2, "rejections": {"known_case_type": 2},
    }  # fmt: skip
    put_aside = pd.read_parquet(services.home / "evidence" / "cases" / "quarantine")
    assert set(put_aside["case_id"]) == set(cases["case_id"].iloc[[0, 2]])
    assert set(put_aside["broken_rules"]) == {"known_case_type"}
    decide_new_cases(services, slot + timedelta(minutes=15))
    (alert,) = [one for one in services.alerts.recent(9) if one["kind"] == "unknown_case_type"]
    assert "2 cases are of no configured type (loan)" in alert["sentence"]


def test_a_source_of_strangers_alone_is_mapped_wrongly_and_stops(
    advised: Advised, services: Services, tmp_path: Path
) -> None:
    """Nothing is stored, so the same rows are read again once the names are mapped."""
    later_cases(advised).head(3).assign(case_type="loan").to_parquet(tmp_path / "cases.parquet")
    before = services.store.digest("decisions")
    with pytest.raises(UserError, match=r"3 cases are of no configured type \(loan\)"):
        decide_new_cases(services, advised.now + timedelta(days=30))
    assert services.store.digest("decisions") == before
    assert services.store.watermark("desk_cases") is None


def test_the_deployment_runs_one_at_a_time() -> None:
    """A slow run is not joined by the next slot's: every 15 minutes, in UTC, concurrency 1."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    mine = [one for one in deployments if one["entrypoint"].endswith(":decide_cases")]
    assert [one["concurrency_limit"] for one in mine] == [1]
    (schedule,) = mine[0]["schedules"]
    assert (schedule["cron"], schedule["timezone"]) == ("*/15 * * * *", "UTC")
