"""Another agent's score is certified, approved, given back to it and guarded like one of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from configs.errors import GateRefused, UserError
from flows.adapters.ledger.ledger import Ledger
from flows.verbs.certify.generation import champion_generation, current_generation, newest_of_ours
from flows.verbs.decide.decide_once import decide_once
from flows.verbs.decide.export_policy import export_policy
from flows.verbs.decide.export_serving import export_serving
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.brakes import halt
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.propose import waiting
from flows.verbs.house.reconcile import reconcile
from flows.verbs.intake.deliveries import Delivery
from flows.verbs.learn.train import retrain
from flows.verbs.live import file_dossier
from flows.verbs.night import run_night
from flows.verbs.record.last_night import last_night
from flows.verbs.services import Services
from flows.verbs.whatif.whatif import replay_move
from models.hub.policies.exported import document_digest
from models.hub.policies.external import external_digest
from tests.builders import START, small_case_type, small_history, small_settings, with_mlflow

pytestmark = pytest.mark.slow

NAME = "small_case"
DAY = timedelta(days=1)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """A live desk whose one case type is another agent's; who may act is not these tests' affair."""
    kinds = {NAME: replace(small_case_type(), scorer="external")}
    services = Services.at(with_mlflow(tmp_path / "live"), small_settings(), kinds)
    url = f"sqlite:///{services.home / 'ledger.db'}"
    return replace(services, ledger=Ledger(url, services.home / "ledger.head", enrolled_only=False))


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    rows = small_history(days=40)
    score = expit(-3.2 + 3.0 * rows["signal"] + np.where(rows["channel"] == "web", 1.0, 0.0))
    return rows.assign(score=score)


def decided(
    cases: pd.DataFrame,
    first: int,
    last: int,
    document: dict | None = None,
    *,
    version: str = "v1",
    careless: bool = False,
) -> pd.DataFrame:
    """What an agent did on some days that knows nothing but a document, or passes all it may."""
    at = (cases["opened_at"] >= START + first * DAY) & (cases["opened_at"] < START + last * DAY)
    rows = cases[at].reset_index(drop=True)
    action = np.full(len(rows), "escalate", dtype=object)
    rate = np.ones(len(rows))
    boundary = (document or {}).get("boundary")
    if boundary:
        free = (rows["priority"] < document["overrides"]["key_user_priority"]).to_numpy()
        low, high = boundary["pass_at_or_below"], boundary["block_at_or_above"]
        if low is not None:
            action[free & (rows["score"] <= low).to_numpy()] = "auto_pass"
        if high is not None:
            action[free & (rows["score"] >= high).to_numpy()] = "auto_block"
    if careless:
        action[(rows["priority"] < 75).to_numpy()] = "auto_pass"
    automatic = action != "escalate"
    rate[automatic] = document["audit"]["rate"] if document else 0.1
    uniform = np.random.default_rng([first, last]).random(len(rows))
    return rows.assign(
        decided_at=rows["opened_at"],
        recommendation=np.where(rows["score"] >= 0.5, "block", "pass"),
        action=action,
        propensity=rate,
        audited=automatic & (uniform < rate),
        arm="control",
        policy_id="somebody else's",
        model_version=version,
    )


def night(services: Services, day: int, *frames: pd.DataFrame) -> dict:
    """A night on what an agent decided, with the truth of what was drawn and is mature by then."""
    at = START + day * DAY
    deliveries = [Delivery("decisions", rows.drop(columns="bad"), "agent") for rows in frames]
    for rows in frames:
        seen = (rows["action"] == "escalate") | rows["audited"]
        told = rows[seen].assign(observed_at=rows["opened_at"] + 2 * DAY, source="reverification")
        told = told[told["observed_at"] <= at]
        deliveries.append(
            Delivery("outcomes", told[["case_id", "case_type", "observed_at", "bad", "source"]], "truth")
        )  # fmt: skip
    return run_night(services, deliveries, at).plain()


def test_the_first_night_starts_a_generation_and_proposes(
    services: Services, cases: pd.DataFrame
) -> None:
    """Its score is certified without any model file, and nothing asks MLflow for one."""
    told = night(services, 20, decided(cases, 0, 20))
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation is not None
    assert generation.external
    assert (generation.version, generation.digest) == ("v1", external_digest(NAME, "v1"))
    assert told["certificates"][0]["verdict"] == "certified", told["certificates"]
    assert [one.policy_id for one in waiting(services.ledger, NAME)] == [
        told["waiting"][0]["policy_id"]
    ]
    with pytest.raises(GateRefused, match="another agent's"):
        generation.load(services.registry)
    seen = replay_move(services, NAME, 0.05, 0.95, START + 20 * DAY)
    assert seen["replay"] is not None
    assert seen["certificate"]["model_version"] == "v1"
    approve_and_promote(services, NAME, None, "ana", START + 20 * DAY)
    assert services.ledger.live_policy(NAME).model_version == "v1"
    assert reconcile(services, START + 20 * DAY)["alarms"] == []


def live(services: Services, cases: pd.DataFrame) -> dict:
    """Certified, promoted, and exported; the document."""
    night(services, 20, decided(cases, 0, 20))
    approve_and_promote(services, NAME, None, "ana", START + 20 * DAY)
    return export_policy(services.ledger, services.case_types, NAME, START + 20 * DAY)


def test_an_agent_that_obeys_is_guarded_and_one_that_does_not_is_told(
    services: Services, cases: pd.DataFrame
) -> None:
    document = live(services, cases)
    assert document["digest"] == document_digest(document)
    assert document == export_policy(services.ledger, services.case_types, NAME, START + 21 * DAY)
    told = night(services, 28, decided(cases, 20, 28, document))
    assert champion_generation(services.ledger, services.case_types, NAME).version == "v1"
    assert told["results"]["case_types"][NAME]["guard"] == "holds", told["results"]
    (watched,) = told["agents"]
    assert watched["automatic"] > 0
    assert (watched["beyond"], watched["audited_less"]) == (0, 0)
    assert told["results"]["case_types"][NAME]["state"] == "done"

    told = night(services, 32, decided(cases, 28, 32, document, careless=True))
    (watched,) = told["agents"]
    assert watched["beyond"] > 0
    assert told["results"]["case_types"][NAME]["state"] == "failed"
    assert "would have sent to people" in " ".join(told["results"]["case_types"][NAME]["why"])


def test_harm_beyond_the_promise_rolls_the_boundary_back(
    services: Services, cases: pd.DataFrame
) -> None:
    """The boundary is judged on every delivered score, by whoever it was carried out."""
    document = live(services, cases)
    turned = cases.assign(bad=cases["bad"] | (cases["score"] < 0.02) & (cases.index % 2 == 0))
    told = night(services, 36, decided(turned, 20, 36, document))
    assert told["results"]["case_types"][NAME]["guard"] == "tripped"
    assert (
        export_policy(services.ledger, services.case_types, NAME, START + 36 * DAY)["boundary"]
        != document["boundary"]
    )


def test_a_halt_reaches_the_document_and_its_digest(
    services: Services, cases: pd.DataFrame
) -> None:
    document = live(services, cases)
    halt(services.ledger, services.case_types, NAME, "ola", "an attack", START + 21 * DAY)
    halted = export_policy(services.ledger, services.case_types, NAME, START + 21 * DAY)
    assert (halted["halted"], halted["boundary"], halted["state"]) == (True, None, "halted")
    assert halted["digest"] not in ("", document["digest"])
    told = night(services, 24, decided(cases, 20, 24, document))
    assert told["agents"][0]["beyond"] == told["agents"][0]["automatic"] > 0


def test_a_new_version_starts_anew(services: Services, cases: pd.DataFrame) -> None:
    """What was proven of v1 says nothing about v2, and v1's boundary decides none of its cases."""
    document = live(services, cases)
    told = night(services, 28, decided(cases, 20, 28, document, version="v2"))
    newest = current_generation(services.ledger, services.case_types, NAME)
    # Its first look is number one, at the full share of a first look.
    assert (newest.version, newest.looks, newest.promoted) == ("v2", 1, False)
    assert told["certificates"][-1]["model_version"] == "v2"
    assert told["certificates"][-1]["rows"] < 8 * 120  # v2's own, mature
    assert told["agents"][0]["beyond"] == told["agents"][0]["automatic"] > 0


def test_our_challenger_scores_every_delivered_decision_and_ends_no_trial(
    services: Services, cases: pd.DataFrame
) -> None:
    night(services, 20, decided(cases, 0, 20))
    before = current_generation(services.ledger, services.case_types, NAME)
    fitted = retrain(services, load_snapshot(services, START + 20 * DAY), NAME)
    assert fitted.filed, fitted.note
    assert newest_of_ours(services.ledger, NAME).version == fitted.version
    told = night(services, 24, decided(cases, 20, 24))
    (shadow,) = told["shadow"]
    assert shadow["scored"] == shadow["decisions"]
    assert shadow["new"] == 4 * 120
    again = night(services, 25, decided(cases, 20, 24), decided(cases, 24, 25))
    assert again["shadow"][0]["new"] == 120
    file_dossier(services, again)
    (beside,) = last_night(services, START + 25 * DAY)["shadow"]
    assert (beside["model_version"], beside["scored"]) == (fitted.version, shadow["scored"] + 120)
    after = current_generation(services.ledger, services.case_types, NAME)
    assert after.digest == before.digest
    assert after.looks >= before.looks


def test_what_cannot_be_done_here_is_refused_in_words(
    services: Services, cases: pd.DataFrame, tmp_path: Path
) -> None:
    live(services, cases)
    rows = cases.head(3).drop(columns=["bad", "score"])
    with pytest.raises(UserError, match="export-policy small_case"):
        decide_once(services, NAME, rows, START + 21 * DAY, source="a file")
    with pytest.raises(GateRefused, match="export-policy small_case"):
        export_serving(services, NAME, tmp_path / "served", datetime.now(tz=START.tzinfo))


def test_a_delivered_row_that_bears_our_policy_is_put_aside(
    services: Services, cases: pd.DataFrame
) -> None:
    document = live(services, cases)
    rows = decided(cases, 20, 21, document).assign(policy_id=document["policy_id"])
    told = night(services, 22, rows)
    assert told["batches"][0]["rejections"] == {"policy_was_in_force": len(rows)}


def test_contributions_that_are_delivered_are_judged(
    services: Services, cases: pd.DataFrame
) -> None:
    """Without them Type A is not estimable, and that is said."""
    without = night(services, 20, decided(cases, 0, 20))
    assert "not estimable" in " ".join(without["triage"][0]["not_judged"])
    rows = decided(cases, 20, 34)
    web = np.where(rows["channel"] == "web", 1.0, 0.0)
    rows = rows.assign(phi_signal=3.0 * rows["signal"], phi_channel=web)
    told = night(services, 38, rows)
    assert "not estimable" not in " ".join(told["triage"][0]["not_judged"])
