"""Cases are decided by what the ledger says: live, halted, expired, refused, or on trial."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import GateRefused
from flows.verbs.decide.decide import AB_CASES, decide_cases
from flows.verbs.govern.brakes import halt
from flows.verbs.intake.admit import admit_batch
from flows.verbs.record.recompute import COMPARED, recompute, recomputed, stored_case
from flows.verbs.services import Services
from models.boundary.decision.arms import assign_arm
from models.hub import Policy
from models.hub.rules.sprints import sprint_of
from models.vocabulary import AbPlan, Boundary, Targets
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised
from tests.flows.verbs.own_desk import go_live, own_desk, policy_of

PASS, BLOCK = 0.03, 0.6


@pytest.fixture
def services(advised: Advised, tmp_path: Path) -> Services:
    return own_desk(advised, tmp_path)


def later_cases(advised: Advised, prefix: str = "n") -> pd.DataFrame:
    """The shared desk's new cases once more, as if they had been opened a week later."""
    opened = advised.cases["opened_at"] + pd.Timedelta(days=7)
    return advised.cases.drop(columns="bad", errors="ignore").assign(
        case_id=prefix + advised.cases["case_id"], opened_at=opened
    )


def live_from(advised: Advised) -> datetime:
    return advised.now + timedelta(hours=1)


def test_the_live_policy_decides_and_names_queue_and_rule(
    advised: Advised, services: Services
) -> None:
    """A second road: sides, key users and the pattern by hand from the model's own scores."""
    policy = policy_of(advised, PASS, BLOCK)
    go_live(services, policy, live_from(advised))
    cases = later_cases(advised)
    decided = decide_cases(services, CASE_TYPE, cases, live_from(advised))
    scores = advised.model.score(cases)[0]
    changed = cases["hours_since_credential_change"]
    pattern = (cases["network_type"] == "tor") & ~(changed > 24)
    senior = (cases["priority"] >= 75) | pattern
    by_hand = np.select(
        [senior, scores <= PASS, scores >= BLOCK], ["escalate", "auto_pass", "auto_block"], "escalate"
    )  # fmt: skip
    assert decided["action"].tolist() == by_hand.tolist()
    assert (decided["queue"] == "senior").tolist() == senior.tolist()
    assert set(decided.loc[pattern & (cases["priority"] < 75), "override"]) <= {
        "anonymous_network_after_new_credentials"
    }
    assert set(decided["policy_id"]) == {policy.policy_id}
    assert set(decided["arm"]) == {"control"}
    assert (decided["decided_at"] == cases["opened_at"]).all()


def test_override_and_queue_reach_the_store(advised: Advised, services: Services) -> None:
    """What sent a case to whom can be asked later."""
    cases = later_cases(advised)
    decided = decide_cases(services, CASE_TYPE, cases, live_from(advised))
    late = cases["opened_at"].max().to_pydatetime()
    batch = admit_batch(services, "decisions", decided, late, source="here", ours=True)
    assert (batch.admitted, batch.quarantined) == (len(cases), 0)
    stored = services.store.read("decisions", filters={"case_id": cases["case_id"].tolist()})
    told = stored.set_index("case_id").loc[decided["case_id"]]
    assert told["override"].tolist() == decided["override"].tolist()
    assert told["queue"].tolist() == decided["queue"].tolist()


def test_a_halted_case_type_sends_everything_to_people(
    advised: Advised, services: Services
) -> None:
    """One person's halt is enough; the scores are still there to be read."""
    go_live(services, policy_of(advised, PASS, BLOCK), live_from(advised))
    halt(
        services.ledger,
        services.case_types,
        CASE_TYPE,
        "ops",
        "the model looks wrong",
        live_from(advised),
    )
    decided = decide_cases(services, CASE_TYPE, later_cases(advised), live_from(advised))
    assert set(decided["action"]) == {"escalate"}
    assert set(decided["override"]) == {"halted"}
    assert set(decided["propensity"]) == {1.0}
    assert decided["score"].notna().all()


def test_an_expired_certificate_decides_nothing_from_its_last_moment_on(
    advised: Advised, services: Services
) -> None:
    """Before it as ever, at it and after it everything is reviewed."""
    cases = later_cases(advised).sort_values("opened_at", ignore_index=True)
    until = cases["opened_at"].iloc[100].to_pydatetime()
    policy = policy_of(advised, PASS, BLOCK, valid_until=until)
    go_live(services, policy, live_from(advised))
    decided = decide_cases(services, CASE_TYPE, cases, live_from(advised))
    assert (decided["action"].iloc[:100] != "escalate").any()
    assert set(decided["action"].iloc[100:]) == {"escalate"}
    ordinary = cases["priority"].iloc[100:] < 75
    assert set(decided["override"].iloc[100:]) == {"certificate_expired"}, ordinary.sum()
    assert "certificate_expired" not in set(decided["override"].iloc[:100])


def test_a_case_is_audited_at_the_rate_of_its_own_moment_and_so_again_later(
    advised: Advised, services: Services
) -> None:
    """Everything automatic within a sprint, one in four after it; nothing else differs, and each case
    comes out the same when it is decided again."""
    cases = later_cases(advised).sort_values("opened_at", ignore_index=True)
    until = cases["opened_at"].iloc[100].to_pydatetime()
    plain = policy_of(advised, PASS, BLOCK)
    policy = sprint_of(plain, 1.0, until)
    go_live(services, policy, live_from(advised))
    decided = decide_cases(services, CASE_TYPE, cases, live_from(advised))
    automatic = (decided["action"] != "escalate").to_numpy()
    within = (decided["decided_at"] < until).to_numpy()
    assert (automatic & within).any()
    assert (automatic & ~within).any()
    expected = np.where(automatic & ~within, 0.25, 1.0)
    np.testing.assert_array_equal(decided["propensity"].to_numpy(), expected)
    assert decided["audited"].to_numpy()[automatic & within].all()
    again = recomputed(services, policy, decided)
    for name in ("action", "propensity", "audited", "queue"):
        assert again[name].tolist() == decided[name].tolist()


class _Refusing:
    """A registry whose files are not what the ledger names."""

    def load(self, *_: str) -> None:
        raise GateRefused("ato version 1: its file has another digest. It was not loaded.")


def test_a_refused_model_sends_everything_to_people_and_says_so(
    advised: Advised, services: Services
) -> None:
    """Before the first promotion and after it."""
    broken = replace(services, registry=_Refusing())
    for live in (False, True):
        if live:
            go_live(services, policy_of(advised, PASS, BLOCK), live_from(advised))
        decided = decide_cases(broken, CASE_TYPE, later_cases(advised), live_from(advised))
        assert set(decided["action"]) == {"escalate"}
        assert set(decided["override"]) == {"model_refused"}
        assert decided["score"].isna().all()
        told = services.alerts.recent(1)[0]
        assert (told["kind"], told["case_type"]) == ("model_refused", CASE_TYPE)
        assert "another digest" in told["sentence"]


PLAN = AbPlan(Targets(precision=0.9), moved_audit=((0.0, 1.0), (8.0, 0.5)), salt="first try")


def on_trial(services: Services, advised: Advised) -> tuple[Policy, Policy]:
    """A narrow live policy, and a wider one tried against it."""
    live = policy_of(advised, PASS / 3)
    tried = policy_of(advised, PASS, BLOCK, ab_plan=PLAN)
    go_live(services, live, live_from(advised))
    assert go_live(services, tried, live_from(advised)).kind == "ab_started"
    return live, tried


def test_a_trial_splits_the_cases_and_audits_what_moved(
    advised: Advised, services: Services
) -> None:
    """Arms by the salted hash, key users and earlier cases in neither; moved ones at their rate."""
    live, tried = on_trial(services, advised)
    cases = later_cases(advised)
    early = cases["opened_at"] < cases["opened_at"].median()
    cases.loc[early, "opened_at"] -= pd.Timedelta(days=60)
    decided = decide_cases(services, CASE_TYPE, cases, live_from(advised))
    tested = ~early & (cases["priority"] < 75)
    arms = pd.Series(assign_arm(cases["case_id"], PLAN.salt, 0.5), index=cases.index)
    treated = tested & (arms == "treatment")
    assert 0.3 < treated[tested].mean() < 0.7
    assert (decided["arm"] == "treatment").tolist() == treated.tolist()
    assert (decided["policy_id"] == tried.policy_id).tolist() == treated.tolist()
    assert set(decided.loc[~treated, "policy_id"]) == {live.policy_id}
    kept = services.store.read(AB_CASES).set_index("case_id").loc[cases.loc[tested, "case_id"]]
    assert len(kept) == tested.sum() == services.store.counts(AB_CASES)[0]
    moved = (kept["control_action"] != kept["treatment_action"]).to_numpy()
    mine = decided[tested]
    automatic = (mine["action"] != "escalate").to_numpy()
    there = (mine["arm"] == "treatment").to_numpy()
    days = (mine["decided_at"] - pd.Timestamp(live_from(advised))) / pd.Timedelta(days=1)
    rates = np.where(days >= 8, 0.5, 1.0)
    by_hand = np.where(~automatic, 1.0, np.where(there & moved, rates, 0.25))
    assert mine["propensity"].tolist() == by_hand.tolist()
    assert (moved & there & automatic).sum() > 20


@pytest.mark.parametrize("state", ["advised", "live", "trial", "expired", "halted"])
def test_a_stored_decision_is_recomputed_to_the_bit(
    advised: Advised, services: Services, state: str
) -> None:
    """From the stored case alone, one case at a time, also after the policy has changed."""
    at = live_from(advised)
    cases = later_cases(advised).iloc[::12].reset_index(drop=True)
    if state == "live":
        go_live(services, policy_of(advised, PASS, BLOCK), at)
    elif state == "trial":
        on_trial(services, advised)
    elif state == "expired":
        half = cases["opened_at"].iloc[len(cases) // 2].to_pydatetime()
        go_live(services, policy_of(advised, PASS, BLOCK, valid_until=half), at)
    elif state == "halted":
        go_live(services, policy_of(advised, PASS, BLOCK), at)
        halt(services.ledger, services.case_types, CASE_TYPE, "ops", "a look at the model", at)
    decided = decide_cases(services, CASE_TYPE, cases, at)
    late = cases["opened_at"].max().to_pydatetime() + timedelta(days=1)
    admit_batch(services, "decisions", decided, late, source="here", ours=True)
    if state != "halted":
        go_live(services, policy_of(advised, PASS / 2, 0.9), late)
    for case_id in cases["case_id"]:
        told = recompute(services, stored_case(services.store, case_id))
        assert told["agrees"] == dict.fromkeys(COMPARED, True), (state, told)
        assert told["agrees_in_all"]


def test_a_changed_row_does_not_agree(advised: Advised, services: Services) -> None:
    """A score off by one bit and another action are both named."""
    go_live(services, policy_of(advised, PASS, BLOCK), live_from(advised))
    decided = decide_cases(services, CASE_TYPE, later_cases(advised).head(1), live_from(advised))
    row = decided.assign(score=np.nextafter(decided["score"].iloc[0], 1.0), action="auto_block")
    told = recompute(services, row)
    assert [name for name, same in told["agrees"].items() if not same] == ["score", "action"]
    assert not told["agrees_in_all"]


def test_nothing_is_automatic_before_the_first_promotion(advised: Advised) -> None:
    """The newest model advises only."""
    assert set(advised.decided["action"]) == {"escalate"}
    assert Boundary.everything_reviewed().automates_nothing
