"""A served case that `decide` would refuse (id, future stamp, negative amount, duplicate): the same
rule, `escalate` with its name; one wrong row never fails a batch; served decisions have a road into
the evidence, a halt reaches the server.

Injected: wrong cells drawn into served cases and held against the contract of `decide`; a halt, a
promotion, a cut, a rewritten and a vanished ledger while the folder answers; its answers delivered as
JSON, CSV and Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from configs.sources import SourceSettings
from data_contracts import CASES, AdmissionContext, admit
from flows.adapters.mlflow import served_policy
from flows.adapters.mlflow.served_policy import LedgerWatch, ServedPolicy, read_pinned, watch_of
from flows.adapters.sql.database import open_database, writing
from flows.adapters.tables.sources import read_source
from flows.verbs.decide.decide_once import decide_once
from flows.verbs.decide.export_serving import export_serving
from flows.verbs.govern.brakes import halt
from flows.verbs.intake.admit import admit_batch
from flows.verbs.record.explain import explain
from flows.verbs.services import Services
from models.hub import AuditPlan
from models.hub.policies.case_rules import broken_rules, opened_stamps
from models.risk.cells import read_cells
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised, advised_desk
from tests.flows.verbs.live_desk import live_desk, new_cases, promoted

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(tmp_path: Path, request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    (tmp_path / "home" / "live").mkdir(parents=True)
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def services(advised: Advised, tmp_path: Path, url: str | None) -> Services:
    services = live_desk(advised, tmp_path / "home", url)
    promoted(services, advised, NOW - timedelta(hours=2))
    return services


@pytest.fixture
def served(
    services: Services, tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> ServedPolicy:
    """The exported folder as MLflow would load it, asking the ledger with every request."""
    monkeypatch.setattr(served_policy, "POLL_SECONDS", 0.0)
    told = export_serving(services, CASE_TYPE, tmp_path / "served", NOW - timedelta(hours=1))
    address = url or told.ledger
    assert address is not None
    environment = {"RATCHET_AUDIT_KEY": services.secrets.in_force(), "RATCHET_LEDGER": address}
    policy = ServedPolicy()
    policy._pinned = read_pinned(told.folder / "pinned", environment)
    policy._watch = watch_of(told.folder / "pinned", environment)
    return policy


def answers(served: ServedPolicy, cases: pd.DataFrame) -> pd.DataFrame:
    sent = json.loads(cases.to_json(orient="records", date_format="iso", double_precision=15))
    return pd.DataFrame(json.loads(json.dumps(served.predict(None, pd.DataFrame(sent)))))


WRONG: dict[str, st.SearchStrategy[object]] = {
    "case_id": st.sampled_from(["../x", "", "a..b", "n0", "n1", "a" * 65, "x y", None]),
    "opened_at": st.sampled_from([NOW + timedelta(days=1), NOW + timedelta(minutes=4), pd.NaT]),
    "priority": st.sampled_from([-1, 101, 100, 75, None]),
    "amount_usd": st.sampled_from([-0.01, 0.0, 1e9, None]),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(WRONG)), st.integers(0, 4), st.data())))
@settings(max_examples=40, deadline=None)
def test_a_server_and_decide_have_the_same_rules(
    advised: Advised, wrong: list[tuple[str, int, st.DataObject]]
) -> None:
    """Whatever cells are spoilt: refused there means escalated here, by a rule that it broke there."""
    cases = new_cases(advised, NOW, 5).assign(case_id=[f"n{row}" for row in range(5)])
    cases = cases.astype({"priority": "Int64", "case_id": object})
    for name, row, data in wrong:
        cases.loc[row, name] = data.draw(WRONG[name])
    kinds = {CASE_TYPE: advised.services.case_types[CASE_TYPE]}
    judged = admit(cases, CASES, AdmissionContext(now=NOW, case_types=kinds))
    assert not judged.failed
    read = read_cells(cases, kinds[CASE_TYPE].features)
    nothing = np.full(5, "", dtype="U24")
    told = broken_rules(read.cases, opened_stamps(cases), read.unreadable, nothing, CASE_TYPE, NOW)
    broken = judged.rejected["broken_rules"].reindex(range(5), fill_value="")
    for rule, rules in zip(told, broken, strict=True):
        assert (rule == "") == (rules == ""), (rule, rules)
        assert rule in rules.split("; ")


def test_one_wrong_row_fails_no_other(served: ServedPolicy, advised: Advised) -> None:
    """Five wrong cases among a hundred good ones: these are decided as if alone."""
    cases = new_cases(advised, NOW, 105).astype({"battery_level": object, "case_id": object})
    cases.loc[0, "case_id"] = "'; DROP TABLE decisions"
    cases.loc[1, "opened_at"] = pd.Timestamp(NOW + timedelta(days=400))
    cases.loc[2, "amount_usd"] = -5.0
    cases.loc[3, "case_id"] = cases.loc[4, "case_id"]
    cases.loc[5, "battery_level"] = "half full"
    told = answers(served, cases)
    assert told["override"].head(6).tolist() == [
        "case_id_is_plain", "no_stamp_from_the_future", "amount_is_not_negative",
        "case_id_appears_once", "case_id_appears_once", "cells_are_readable",
    ]  # fmt: skip
    assert set(told["action"].head(6)) == {"escalate"}
    good = cases.tail(99)
    alone = answers(served, good).drop(columns="decided_at")
    pd.testing.assert_frame_equal(
        told.tail(99).drop(columns="decided_at").reset_index(drop=True), alone, check_dtype=False
    )
    assert set(alone["action"]) == {"auto_pass", "auto_block", "escalate"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_served_decisions_come_home(
    served: ServedPolicy, services: Services, advised: Advised, tmp_path: Path, ending: str
) -> None:
    """An answer is a row of decisions: as a file of answers they are admitted, and explained."""
    cases = new_cases(advised, NOW, 100)
    told = answers(served, cases)
    file = tmp_path / f"answers.{ending}"
    told.to_csv(file, index=False) if ending == "csv" else told.to_parquet(file)
    source = SourceSettings.model_validate(
        {"name": "answers", "kind": "decisions", "path": str(file)}
    )
    batch = admit_batch(
        services, "decisions", read_source(source), datetime.now(UTC), source="home"
    )
    assert (batch.admitted, batch.quarantined) == (100, 0), batch.report
    one = explain(services, str(cases["case_id"].iloc[0]))
    assert one["again"]["agrees_in_all"]


def test_a_halt_reaches_the_server_and_its_escalations_come_home(
    served: ServedPolicy, services: Services, advised: Advised
) -> None:
    """From the next look at the ledger on."""
    cases = new_cases(advised, NOW, 60)
    assert "halted" not in set(answers(served, cases)["override"])
    halt(services.ledger, services.case_types, CASE_TYPE, "olga", "a wave of takeovers", NOW)
    told = answers(served, cases)
    assert (set(told["override"]), set(told["action"])) == ({"halted"}, {"escalate"})
    told["opened_at"], told["decided_at"] = (
        pd.to_datetime(told[name]) for name in ("opened_at", "decided_at")
    )
    batch = admit_batch(services, "decisions", told, datetime.now(UTC), source="home")
    assert (batch.admitted, batch.quarantined) == (60, 0), batch.report


def test_a_server_left_behind_decides_nothing(
    served: ServedPolicy, services: Services, advised: Advised
) -> None:
    """Another policy is live: what it would have passed goes to people, and comes home as such."""
    cases = new_cases(advised, NOW, 60)
    promoted(services, advised, NOW, audit=AuditPlan(0.5))
    told = answers(served, cases)
    assert (set(told["override"]), set(told["action"])) == ({"policy_superseded"}, {"escalate"})
    told["opened_at"], told["decided_at"] = (
        pd.to_datetime(told[name]) for name in ("opened_at", "decided_at")
    )
    batch = admit_batch(services, "decisions", told, datetime.now(UTC), source="home")
    assert (batch.admitted, batch.quarantined) == (60, 0), batch.report
    passed = told.assign(action="auto_pass", propensity=0.25, recommendation="pass", override="")
    passed["case_id"] = "x" + passed["case_id"]
    batch = admit_batch(services, "decisions", passed, datetime.now(UTC), source="forged")
    assert batch.admitted == 0


def sql(statement: str) -> Callable[[str], None]:
    def execute(url: str) -> None:
        with writing(open_database(url)) as connection:
            connection.execute(text(statement))

    return execute


DAMAGE = {
    "a table that is gone": sql("ALTER TABLE ledger_entries RENAME TO elsewhere"),
    "a cut tail": sql(
        "DELETE FROM ledger_entries WHERE seq = (SELECT max(seq) FROM ledger_entries)"
    ),
    "an edited entry": sql("UPDATE ledger_entries SET actor = 'somebody' WHERE seq = 1"),
    "another ledger": sql("DELETE FROM ledger_entries"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_ledger_that_cannot_be_trusted_withholds_everything(
    served: ServedPolicy,
    services: Services,
    advised: Advised,
    tmp_path: Path,
    url: str | None,
    damage: str,
) -> None:
    """Cut, edited before the server started, emptied, gone."""
    address = url or f"sqlite:///{services.home / 'ledger.db'}"
    if damage != "an edited entry":  # what was read intact is not read again
        assert "ledger_unreadable" not in set(
            answers(served, new_cases(advised, NOW, 9))["override"]
        )
    DAMAGE[damage](address)
    told = answers(served, new_cases(advised, NOW, 60))
    assert (set(told["override"]), set(told["action"])) == ({"ledger_unreadable"}, {"escalate"})
    assert set(told["propensity"]) == {1.0}


def test_without_the_ledgers_file_nothing_is_decided_and_no_file_is_made(
    advised: Advised, tmp_path: Path
) -> None:
    """Nor does a server start that is told no address, or none that can be understood."""
    watch = LedgerWatch(f"sqlite:///{tmp_path / 'none.db'}", CASE_TYPE, "p", NOW, 1, "h")
    assert watch.why_withheld() == "ledger_unreadable"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="RATCHET_LEDGER is not set"):
        watch_of(tmp_path, {})
    with pytest.raises(ValueError, match="RATCHET_LEDGER cannot be understood") as refused:
        LedgerWatch("nothing://ana:canary@host", CASE_TYPE, "p", NOW, 1, "h")
    assert "canary" not in str(refused.value)


def test_a_halted_case_is_escalated_by_decide_though_it_was_served_before(
    served: ServedPolicy, services: Services, advised: Advised
) -> None:
    """What a server said is evidence, and no decision of `ratchet decide`."""
    cases = new_cases(advised, NOW, 30)
    told = answers(served, cases)
    told["opened_at"], told["decided_at"] = (
        pd.to_datetime(told[name]) for name in ("opened_at", "decided_at")
    )
    batch = admit_batch(services, "decisions", told, datetime.now(UTC), source="home")
    assert batch.admitted == 30, batch.report
    halt(
        services.ledger,
        services.case_types,
        CASE_TYPE,
        "olga",
        "a wave of takeovers",
        datetime.now(UTC),
    )
    once = decide_once(services, CASE_TYPE, cases, None, source="file")
    assert (once.decided, set(once.decisions["override"])) == (30, {"halted"})
