"""A retrain: candidates, held-out comparison, gate, lineage, and nothing live that moves."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from configs.errors import GateRefused, UserError
from flows.verbs import live
from flows.verbs.causes.tickets import file_findings
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.decide.decide import decide_cases
from flows.verbs.evidence.cohort_rows import cohort_for
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.govern.proposed_policy import advised_policy
from flows.verbs.learn.challenger import Challenger
from flows.verbs.learn.lineage import reproduced
from flows.verbs.learn.train import retrain, retrain_all
from flows.verbs.learn.training_rows import training_rows
from flows.verbs.record.headlines import HEADLINES
from flows.verbs.services import Services
from flows.verbs.walk.walk import Walk
from models.hub import Propose
from models.hub.record.entries import EntryKind
from models.risk.candidates import FRESH, WARM
from models.simulation import RevealedHistory
from models.vocabulary import Boundary, CaseType
from tests.builders import small_case_type, small_history, small_settings, with_mlflow
from tests.findings import a_finding

DAYS, PER_DAY = 60, 150
FIRST_DAYS = 20
"""What the first model learned from; of what came since, the half that is not set aside is new."""
NAME = "small_case"
FOUND = a_finding("signal", case_type=NAME)
Changed: TypeAlias = tuple[Services, datetime, Challenger, Challenger]


def kind_of(features: int = 2) -> CaseType:
    kind = small_case_type()
    return replace(kind, features=kind.features[-features:], segments=("channel",))


def changing_history() -> pd.DataFrame:
    """Simulated: `channel=web` is risky in the first third and `signal` weighs 3; from then on the
    channel says nothing and `signal` weighs 2."""
    cases = small_history(DAYS, PER_DAY)
    later = np.arange(len(cases)) >= FIRST_DAYS * PER_DAY
    weight = np.where(later, 2.0, 3.0)
    web = np.where(later, 0.0, 2.0) * (cases["channel"] == "web")
    chance = expit(-2.8 + weight * cases["signal"] + web)
    return cases.assign(bad=np.random.default_rng(6).random(len(cases)) < chance)


def opened(home: Path, cases: pd.DataFrame, days: int = FIRST_DAYS) -> tuple[Services, datetime]:
    """A desk that holds a fully reviewed past of so many days and no model, and the moment it is
    known at; a first model learns from all of it."""
    settings = small_settings()
    training = settings.training.model_copy(update={"hold_back_share": 0.0})
    settings = settings.model_copy(update={"training": training})
    services = Services.at(with_mlflow(home), settings, {NAME: kind_of()}, seed=3)
    return services, arrived(services, cases, days)


def arrived(services: Services, cases: pd.DataFrame, days: int = DAYS - 1) -> datetime:
    """Store what came up to a day and is not stored yet, all of it reviewed; the moment after it."""
    upstream = RevealedHistory(cases, services.case_types, days, step_days=1)
    now = upstream.start
    for rows in upstream.warm_up():
        new = rows[~known(services, "decisions", rows)].reset_index(drop=True)
        decided = decide_cases(services, NAME, new, now)
        stored(services, "decisions", decided, ["case_id"], now)
        upstream.note(decide_cases(services, NAME, rows, now))
    outcomes = upstream.deliveries(now)["outcomes"]
    outcomes = outcomes[~known(services, "outcomes", outcomes)].reset_index(drop=True)
    stored(services, "outcomes", outcomes, ["case_id", "observed_at"], now)
    return now


def known(services: Services, table: str, rows: pd.DataFrame) -> np.ndarray:
    if not services.store.counts(table)[0]:
        return np.zeros(len(rows), dtype=np.bool_)
    return (
        rows["case_id"].isin(services.store.read(table, columns=["case_id"])["case_id"]).to_numpy()
    )


def opened_and_grown(
    home: Path, cases: pd.DataFrame, days: int = FIRST_DAYS
) -> tuple[Services, datetime, Challenger]:
    """A desk with a first model, and what came since; and that model."""
    services, then = opened(home, cases, days)
    first = again(services, then)
    return services, arrived(services, cases), first


def stored(
    services: Services, table: str, rows: pd.DataFrame, key: list[str], now: datetime
) -> None:
    """Without admission, whose rules are tested elsewhere."""
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    services.store.append(table, rows, nothing, key=key, source="past", received_at=now)


def again(services: Services, now: datetime, **asked: Any) -> Challenger:
    return retrain(services, load_snapshot(services, now), NAME, **asked)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """A first model of the first half, and the retrain that answers the change."""
    services, now, first = opened_and_grown(tmp_path_factory.mktemp("changed"), changing_history())
    file_findings(services.store, [FOUND], now)
    second = again(services, now, answers=[FOUND.pattern_id], features=["channel", "signal"])
    return services, now, first, second


def dossiers(services: Services) -> list[dict[str, Any]]:
    entries = services.ledger.history(NAME)
    return [dict(e.dossier) for e in entries if e.kind is EntryKind.GENERATION_STARTED]


def test_the_first_model_is_filed_without_a_comparison(
    changed: Changed,
) -> None:
    """There is nothing to compare it with, and the note says so."""
    first = changed[2]
    assert first.filed
    assert first.verdict == "not compared"
    assert "Not compared: this is the first model." in first.note


def test_a_retrain_that_answers_a_change_is_better_and_its_correction_is_seen(
    changed: Changed,
) -> None:
    """The interval of the log loss excludes zero. `channel` keeps less than half of what it said
    (the truth: nothing), `signal` some two thirds (2 of 3; within .25 on a few thousand cases)."""
    second = changed[3]
    assert second.filed
    assert second.verdict == "better"
    assert second.comparison["metrics"]["log_loss"]["difference"]["high"] < 0
    channel, signal = second.corrections
    assert channel["feature"] == "channel"
    assert abs(channel["slope"]) < 0.5
    assert channel["mean_after"] < channel["mean_before"]
    assert signal["slope"] == pytest.approx(2 / 3, abs=0.25)


def test_the_compared_rows_are_the_newest_and_lie_before_any_certificate(
    changed: Changed,
) -> None:
    """A fifth of the rows new to the first model; learning ends before them, evidence begins after."""
    services, _, _, second = changed
    before, after = dossiers(services)
    new = second.rows + second.comparison["cases"]  # a warm start learns from what is new
    assert second.comparison["cases"] == pytest.approx(0.2 * new, abs=2)
    assert before["learned_before"] == before["trained_before"]
    assert after["learned_before"] < after["trained_before"]
    generation = current_generation(services.ledger, services.case_types, NAME)
    assert generation.trained_before.isoformat() == after["trained_before"]
    assert generation.learned_before.isoformat() == after["learned_before"]
    assert generation.evidence_since >= generation.trained_before


def test_what_is_set_aside_teaches_no_model_and_certifies_the_next(changed: Changed) -> None:
    """Of what came since the first model half is in the reserve, by a keyed draw: the second model
    saw none of it, and its cohort begins with it."""
    services, now, first, second = changed
    snapshot = load_snapshot(services, now)
    rows = training_rows(services, snapshot, NAME)
    seen = set(rows.learning["case_id"]) | set(rows.compared["case_id"])
    assert len(seen) == first.rows + second.rows + second.comparison["cases"]
    generation = current_generation(services.ledger, services.case_types, NAME)
    cohort = cohort_for(services, snapshot, NAME, generation)
    assert not seen & set(cohort["case_id"])
    before = cohort[cohort["opened_at"] < generation.trained_before]
    opened = snapshot.known(NAME)["opened_at"]
    first_cut = datetime.fromisoformat(dossiers(services)[0]["trained_before"])
    between = (opened >= first_cut) & (opened < generation.trained_before)
    # A fair coin a case: five standard deviations of 5,000 tosses are .035.
    assert len(before) / between.sum() == pytest.approx(0.5, abs=0.035)
    assert (before["score"][before["automatable"]] < 1.0).all()


def test_rows_once_compared_on_are_never_compared_on_again(
    changed: Changed,
) -> None:
    """They spoke for the present model. The next retrain may learn from them, so they count as new
    to it, but no row is left to compare on."""
    services, now, _, second = changed
    rows = training_rows(services, load_snapshot(services, now), NAME)
    assert rows.compared.empty
    assert "leaves 0 labelled cases to compare on" in rows.not_compared
    assert len(rows.learning) - rows.new_from == second.comparison["cases"]


def test_the_truth_of_the_compared_rows_reaches_no_model(changed: Changed, tmp_path: Path) -> None:
    """Flipping a third of it changes the comparison, and not one byte of either candidate."""
    services, now, _, second = changed
    rows = training_rows(services, load_snapshot(services, now), NAME)
    compared = rows.learning["case_id"].iloc[rows.new_from :]
    history = changing_history()
    flips = history["case_id"].isin(compared.iloc[::3])
    other, then, _ = opened_and_grown(tmp_path, history.assign(bad=history["bad"] ^ flips))
    told = again(other, then)
    assert [one["digest"] for one in told.candidates] == [
        one["digest"] for one in second.candidates
    ]
    assert told.comparison["metrics"] != second.comparison["metrics"]


def test_any_version_is_fitted_again_from_its_lineage_bit_for_bit(
    changed: Changed,
) -> None:
    """Read from the ledger alone, after other models came; and a store that changed is noticed."""
    services = changed[0]
    for told, challenger in zip(dossiers(services), changed[2:], strict=True):
        assert reproduced(services, NAME, told["lineage"]).digest == challenger.digest
    lineage = dossiers(services)[1]["lineage"]
    assert lineage["answers"] == [FOUND.pattern_id]
    assert lineage["code"].startswith(("git ", "ratchet"))
    assert set(lineage["data"]) == {"decisions", "reviews", "outcomes"}
    wrong = {**lineage, "rows": {**lineage["rows"], "learned": "0" * 64}}
    with pytest.raises(GateRefused, match="no longer gives the rows"):
        reproduced(services, NAME, wrong)


def test_mlflow_shows_a_parent_with_a_child_for_each_candidate_and_the_present_model(
    changed: Changed,
) -> None:
    """Ten headlines in every run, a verdict with the gate's word, lineage, report and comparison."""
    services, _, _, second = changed
    client = mlflow.MlflowClient(tracking_uri=services.registry.tracking_uri)
    experiment = client.get_experiment_by_name("retrain")
    runs = client.search_runs([experiment.experiment_id])
    parent = next(run for run in runs if run.data.tags.get("digest") == second.digest)
    mine = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.info.run_name for run in mine) == [FRESH, "present model, version 1", WARM]
    for run in (parent, *mine):
        assert set(HEADLINES) <= set(run.data.metrics)
        assert run.data.tags["mlflow.note.content"]
        assert not math.isnan(run.data.metrics["val/log_loss"])
        assert run.inputs.dataset_inputs
    assert set(parent.data.params) == {"candidate", "trees", "parent"}
    assert parent.data.metrics["contribution/signal/slope"] == second.corrections[1]["slope"]
    assert "signal" in parent.data.tags["mlflow.note.content"]
    files = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert {"lineage.json", "comparison.json", "report.html", "figures"} <= files
    lineage = json.loads(
        Path(client.download_artifacts(parent.info.run_id, "lineage.json")).read_text()
    )
    assert lineage == dossiers(services)[1]["lineage"]


def test_a_significantly_worse_challenger_is_registered_and_not_filed(
    changed: Changed, tmp_path: Path
) -> None:
    """It may not look at `signal` any more, so no warm start is possible and the fresh fit is worse:
    a version in the registry, no entry in the ledger, no shadow score."""
    services, now, _ = opened_and_grown(tmp_path, small_history(DAYS, PER_DAY))
    blind = replace(services, case_types={NAME: kind_of(features=1)})
    head, scored = services.ledger.head(), services.store.counts("shadow_scores")
    told = again(blind, now)
    assert (told.filed, told.verdict, told.version) == (False, "worse", "2")
    assert not told.gate["passed"]
    assert "Registered, but not filed: the gate said no" in told.note
    assert told.candidates[1]["why_not"] == "the features are not those of the present model"
    assert services.ledger.head() == head
    assert services.store.counts("shadow_scores") == scored
    assert current_generation(services.ledger, services.case_types, NAME).version == "1"


def test_a_retrain_without_cause_is_no_difference_and_filed(tmp_path: Path) -> None:
    """Nothing changed in the world (simulated), so nothing is proven, and a newer model may serve. (A
    quarter of what it learns from is new; twice as many rows would be a cause.)"""
    services, now, _ = opened_and_grown(tmp_path, small_history(DAYS, PER_DAY), 40)
    told = again(services, now)
    assert (told.filed, told.verdict) == (True, "no_difference")


def test_too_few_new_rows_are_learned_from_and_not_compared_on(tmp_path: Path) -> None:
    """A week is new: some 100 rows to compare on are too few, so all teach."""
    services, now, _ = opened_and_grown(tmp_path, small_history(DAYS, PER_DAY), 52)
    known = len(training_rows(services, load_snapshot(services, now), NAME).learning)
    told = again(services, now)
    assert told.filed
    assert "Not compared: the present model leaves" in told.note
    fresh = next(one for one in told.candidates if one["name"] == FRESH)
    assert fresh["rows"] == known
    lineage = dossiers(services)[1]
    assert lineage["learned_before"] == lineage["trained_before"]


def test_a_champion_whose_file_is_damaged_does_not_stop_a_retrain(tmp_path: Path) -> None:
    """A new model is just what helps then; it is not compared, and says why."""
    services, now, _ = opened_and_grown(tmp_path, small_history(DAYS, PER_DAY))
    for file in (*tmp_path.rglob("model.ubj"), *services.registry.copies.folder.iterdir()):
        file.write_bytes(b"not a model")
    reopened = replace(services, registry=type(services.registry).in_home(tmp_path))
    told = again(reopened, now)
    assert told.filed
    assert "the present model cannot be used" in told.note


def test_what_is_not_configured_is_refused_by_name(
    changed: Changed,
) -> None:
    """A case type, a feature and a ticket, with what there is instead."""
    services, now = changed[:2]
    snapshot = load_snapshot(services, now)
    with pytest.raises(UserError, match="no case type 'nothing'; the case types are small_case"):
        retrain(services, snapshot, "nothing")
    with pytest.raises(UserError, match="small_case has no feature colour; it has signal, channel"):
        retrain(services, snapshot, NAME, features=["colour"])
    with pytest.raises(UserError, match="has no ticket 'nope'; `ratchet tickets --json` lists"):
        retrain(services, snapshot, NAME, answers=["nope"])


def test_a_retrain_moves_no_live_decision(tmp_path: Path) -> None:
    """A live boundary decides the same cases the same way before and after; the new generation
    only adds shadow scores."""
    cases = small_history(DAYS, PER_DAY)
    services, now, _ = opened_and_grown(tmp_path, cases)
    promoted(services, now, Boundary(0.02, 0.9))
    live = services.ledger.live_policy(NAME)
    new = cases.tail(600).drop(columns=["bad"])
    before = decide_cases(services, NAME, new, now)
    assert set(before["action"]) == {"auto_pass", "auto_block", "escalate"}
    scored = services.store.counts("shadow_scores")[0]

    (told,) = retrain_all(services, load_snapshot(services, now), [NAME])

    assert told.filed
    assert told.comparison["boundaries"]["live"] == {
        "pass_at_or_below": 0.02,
        "block_at_or_above": 0.9,
    }
    assert services.ledger.live_policy(NAME) == live
    after = decide_cases(services, NAME, new, now + timedelta(days=1))
    pd.testing.assert_frame_equal(after, before)
    assert services.store.counts("shadow_scores")[0] > scored


def promoted(services: Services, now: datetime, boundary: Boundary) -> None:
    """Make a boundary of the newest model the live one, by a proposal and a second person."""
    generation = current_generation(services.ledger, services.case_types, NAME)
    policy = advised_policy(services.registry, services.case_types, generation, boundary)
    services.ledger.submit(
        Propose(
            case_type=NAME, policy=policy, actor="somebody",
            base_version=last_version(services.ledger, NAME), evidence_digest="0" * 64,
            evidence_since=generation.cohort_since, evidence_until=now,
        ),
        now,
    )  # fmt: skip
    approve_and_promote(services, NAME, policy.policy_id, "somebody else", now)


def test_a_walk_does_not_try_a_refused_challenger_again_the_next_night(tmp_path: Path) -> None:
    """The gate left no generation behind, so the walk itself remembers when it last tried."""
    services, now, _ = opened_and_grown(tmp_path, small_history(DAYS, PER_DAY))
    walk = Walk(
        services, RevealedHistory(small_history(DAYS, PER_DAY), services.case_types, 20, 1), 14
    )
    promoted(services, now, Boundary(0.02, 0.9))
    later = now + timedelta(days=14)
    assert walk._retrain_is_due(NAME, later)
    walk._tried[NAME] = later
    assert not walk._retrain_is_due(NAME, later + timedelta(days=1))
    assert walk._retrain_is_due(NAME, later + timedelta(days=14))


def test_an_events_payload_fits_the_flow() -> None:
    """`case_type`, `pattern_id` and `feature` are parameters, beside lists for a person's form, and
    only the first is required. (Read, not imported: Prefect takes seconds.)"""
    text = Path(live.__file__).parents[1].joinpath("retrain.py").read_text(encoding="utf-8")
    flow = next(one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef))
    names = [argument.arg for argument in flow.args.args]
    assert {"pattern_id", "feature", "answers", "features"} <= set(names)
    assert names[: len(names) - len(flow.args.defaults)] == ["case_type"]
