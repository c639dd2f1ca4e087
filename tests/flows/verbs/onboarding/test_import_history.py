"""Past cases become evidence, a first model and a first proposal, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from configs.errors import UserError
from flows.adapters.ledger.ledger import Ledger
from flows.verbs.certify.generation import current_generation, newest_of_ours
from flows.verbs.decide.decide_once import decide_once
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.propose import waiting
from flows.verbs.onboarding.import_history import IMPORTED, import_history
from flows.verbs.services import Services
from flows.verbs.whatif.whatif import replay_move
from tests.builders import START, small_case_type, small_history, small_settings, with_mlflow

pytestmark = pytest.mark.slow

NAME = "small_case"
NOW = START + pd.Timedelta(days=60)


def a_desk(home: Path, scorer: str = "internal") -> Services:
    kinds = {NAME: replace(small_case_type(), scorer=scorer)}
    services = Services.at(with_mlflow(home / "live"), small_settings(), kinds)
    url = f"sqlite:///{services.home / 'ledger.db'}"
    return replace(services, ledger=Ledger(url, services.home / "ledger.head", enrolled_only=False))


def a_source(folder: Path, rows: pd.DataFrame, **said: object) -> Path:
    rows.to_parquet(folder / "past.parquet", index=False)
    columns = {name: name for name in ("case_id", "opened_at", "bad", "amount_usd", "priority")} | {
        name: name for name in ("score", "model_version") if name in rows
    }
    told = {"name": "past", "kind": "history", "path": "past.parquet", "case_type": NAME, "columns": columns}  # fmt: skip
    (folder / "past.yaml").write_text(yaml.safe_dump({**told, **said}), encoding="utf-8")
    return folder / "past.yaml"


def test_a_past_brings_a_proposal_the_first_night(tmp_path: Path) -> None:
    services, past = a_desk(tmp_path), small_history(days=45)
    broken = past.assign(opened_at=past["opened_at"].where(past.index != 7))
    source = a_source(tmp_path, broken)
    told = import_history(services, source, NOW)
    assert (told.rows, len(told.rejected)) == (5400, 1)
    assert "stamps_are_present" in told.report
    (one,) = told.past
    assert (one.cases, one.labels, one.young, one.unknown) == (5399, 5399, 0, 0)
    # The newest 70 % of the rows certify, and the model learned from none of them.
    held = (past["opened_at"] >= one.held_back_from).mean()
    assert held == pytest.approx(0.7, abs=0.01)
    assert (
        current_generation(services.ledger, services.case_types, NAME).evidence_since
        == one.held_back_from
    )
    (proposal,) = waiting(services.ledger, NAME)
    assert proposal.dossier["verdict"] == "certified"
    stored = services.store.read("decisions", columns=["policy_id", "propensity", "action"])
    assert set(stored["policy_id"]) == {IMPORTED}
    assert set(stored["propensity"]) == {1.0}

    again = import_history(services, source, NOW)
    assert not again.changed
    assert again.past[0].stored_before == 5399
    assert len(waiting(services.ledger, NAME)) == 1
    assert services.store.counts("decisions")[1] == 5399

    # A move is replayed on the cases that the model scored in shadow, before and after it decides.
    mature = past[(past["opened_at"] >= one.held_back_from) & (past["opened_at"] >= NOW - pd.Timedelta(days=60 + 7))]  # fmt: skip
    before = replay_move(services, NAME, 0.1, 0.9, NOW, days=60)
    approve_and_promote(services, NAME, None, "ana", NOW)
    after = replay_move(services, NAME, 0.1, 0.9, NOW, days=60)
    assert before["cases"] == after["cases"] == len(mature)
    assert before["automation_rate"]["current"] == 0.0
    assert after["automation_rate"]["current"] > 0.1
    assert before["automation_rate"]["moved"] == after["automation_rate"]["moved"] > 0.1
    new = past.head(200).drop(columns="bad")
    new = new.assign(case_id="n" + new["case_id"], opened_at=new["opened_at"] + pd.Timedelta(days=60))  # fmt: skip
    decided = decide_once(services, NAME, new, NOW + pd.Timedelta(days=2), source="a file")
    assert decided.counts()["actions"].get("auto_pass", 0) > 0


def test_young_truths_wait_and_a_grown_past_brings_what_is_new(tmp_path: Path) -> None:
    services, past = a_desk(tmp_path), small_history(days=30)
    now = START + pd.Timedelta(days=20)
    first = import_history(services, a_source(tmp_path, past[past["opened_at"] < now]), now)
    assert first.past[0].young == 3 * 120
    assert first.past[0].labels == 17 * 120
    model = newest_of_ours(services.ledger, NAME).digest
    later = START + pd.Timedelta(days=33, seconds=1)
    second = import_history(services, a_source(tmp_path, past), later)
    assert (second.past[0].cases, second.past[0].labels) == (13 * 120, 13 * 120)
    assert newest_of_ours(services.ledger, NAME).digest == model
    assert second.models == ()


def test_a_past_scored_by_another_agent_needs_its_scores_and_no_model(tmp_path: Path) -> None:
    services, past = a_desk(tmp_path, "external"), small_history(days=30)
    with pytest.raises(UserError, match="map `score` and `model_version`"):
        import_history(services, a_source(tmp_path, past), NOW)
    assert services.store.counts("decisions")[0] == 0
    score = 1.0 / (1.0 + 2.718281828 ** (3.2 - 3.0 * past["signal"]))
    source = a_source(tmp_path, past.assign(score=score, model_version="v7"))
    told = import_history(services, source, NOW)
    assert told.models == ()
    assert current_generation(services.ledger, services.case_types, NAME).version == "v7"
    assert len(waiting(services.ledger, NAME)) == 1
    assert not import_history(services, source, NOW).changed


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"case_type": "nobody's", "features": ["signal"], "targets": {"precision": 0.9}}, "no configured case type"),
        ({"kind": "cases", "columns": {"case_id": "case_id"}}, "kind `history`"),
    ],
)  # fmt: skip
def test_what_is_no_past_of_ours_is_refused(tmp_path: Path, said: dict, why: str) -> None:
    services = a_desk(tmp_path)
    with pytest.raises(UserError, match=why):
        import_history(services, a_source(tmp_path, small_history(days=3), **said), NOW)
    assert services.store.counts("decisions")[0] == 0


def test_too_small_a_past_names_what_is_missing(tmp_path: Path) -> None:
    """It is stored; no model can be fitted yet, and a grown past is imported again."""
    services = a_desk(tmp_path)
    told = import_history(services, a_source(tmp_path, small_history(days=1)), NOW)
    assert told.changed
    assert not told.models[0].filed
    assert "No model was fitted" in told.models[0].note
    grown = import_history(services, a_source(tmp_path, small_history(days=30)), NOW)
    assert grown.models[0].filed
    assert grown.past[0].stored_before == 120
