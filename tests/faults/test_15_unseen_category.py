"""An unseen category or reordered columns: named and refused, never a silent missing value (FAULTS 15).

Injected: new cases with a word that no level has, in another spelling, and empty; a file whose columns
stand in another order, or under each other's names, or are not there; decided through the command.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.services import Services
from models.vocabulary import Boundary
from tests.builders import with_mlflow
from tests.faults.upstream import Upstream
from tests.flows.commands.live_home import proposed, with_a_model

NAME = "ato"
EVERYTHING = Boundary(0.999, None)
"""Every case that can be scored passes, so an escalation is one that could not be."""

UNSEEN = ["quantum", "TOR", "tor ", " tor", "t\u043er", "0", "nan", "None", "True"]


@pytest.fixture(scope="module")
def upstream(upstream_template: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """A live policy by a model that reads a category; a test's cases have ids of their own."""
    upstream = upstream_template.copied(tmp_path_factory.mktemp("live"))
    with_mlflow(upstream.home.home / "live")
    upstream.home.people()
    services = upstream.services()
    policy = proposed(services, with_a_model(services, NAME), NAME, EVERYTHING)
    approved = upstream.home.ask("approve", "--yes", policy.policy_id, by="ana")
    assert approved.code == 0, approved.err
    promoted = upstream.home.ask("promote", policy.policy_id, by="ana")
    assert promoted.code == 0, promoted.err
    assert services.ledger.live_policy(NAME).boundary == EVERYTHING
    return upstream


@pytest.fixture
def live(upstream: Upstream) -> Services:
    return upstream.services()


def new_cases(upstream: Upstream, prefix: str) -> pd.DataFrame:
    """Sound cases that nobody's override or priority keeps from being decided."""
    rows = upstream.read("decisions")
    features = list(upstream.services().case_types[NAME].feature_names)
    cases = rows.loc[
        rows["case_type"] == NAME, ["case_id", "opened_at", "priority", "amount_usd", *features]
    ]
    cases = cases.assign(case_id=prefix + cases["case_id"], priority=10, network_type="home")
    return cases.reset_index(drop=True)


def decided(upstream: Upstream, cases: pd.DataFrame, folder: Path) -> tuple[dict, pd.DataFrame]:
    """What the command says, and each case's decision, in the cases' order."""
    name = cases["case_id"].iloc[0]
    file, out = folder / f"{name}.csv", folder / f"{name}-out.parquet"
    cases.to_csv(file, index=False)
    said = upstream.ask("decide", str(file), "--case-type", NAME, "--to", str(out), "--json")
    assert said.code == 0, said.err
    return json.loads(said.out), pd.read_parquet(out).set_index("case_id").loc[cases["case_id"]]


def test_a_word_that_no_level_has_is_named_and_decided_by_a_person(
    upstream: Upstream, live: Services, tmp_path: Path
) -> None:
    """Beside it the same cases with known words all pass; none of the odd ones was scored."""
    cases = new_cases(upstream, "n-")
    levels = {one.name: one.levels for one in live.case_types[NAME].features}["network_type"]
    assert not set(UNSEEN) & set(levels)
    sound = len(cases) - len(UNSEEN)
    cases.loc[sound:, "network_type"] = UNSEEN
    told, rows = decided(upstream, cases, tmp_path)
    assert (rows["action"].iloc[:sound] == "auto_pass").all()
    odd = rows.iloc[sound:]
    assert (odd["action"] == "escalate").all()
    named = odd["override"].tolist()
    # "nan" and "None" are read as empty in a CSV: that is another rule, and a name all the same.
    assert set(named) <= {"known_category", "features_are_present"}
    assert named.count("known_category") >= len(UNSEEN) - 2
    assert told["overrides"]["known_category"] == named.count("known_category")


def test_an_empty_word_is_named_as_well(upstream: Upstream, live: Services, tmp_path: Path) -> None:
    cases = new_cases(upstream, "e-")
    cases.loc[0, "network_type"] = None
    _, rows = decided(upstream, cases, tmp_path)
    assert rows["action"].iloc[0] == "escalate"
    assert rows["override"].iloc[0] == "features_are_present"
    assert (rows["action"].iloc[1:] == "auto_pass").all()


def test_the_order_of_columns_changes_no_bit_of_a_score(
    upstream: Upstream, live: Services, tmp_path: Path
) -> None:
    """Columns are read by name: backwards, and shuffled."""
    _, plain = decided(upstream, new_cases(upstream, "a-"), tmp_path)
    backwards = new_cases(upstream, "b-").iloc[:, ::-1]
    _, other = decided(upstream, backwards, tmp_path)
    assert plain["score"].notna().all()
    assert other["score"].to_numpy().tobytes() == plain["score"].to_numpy().tobytes()
    shuffled = new_cases(upstream, "c-").sample(frac=1.0, axis=1, random_state=3)
    _, third = decided(upstream, shuffled, tmp_path)
    assert third["score"].to_numpy().tobytes() == plain["score"].to_numpy().tobytes()


def test_a_column_that_is_not_there_or_holds_anothers_values_is_named_and_nothing_decided(
    upstream: Upstream, live: Services, tmp_path: Path
) -> None:
    cases = new_cases(upstream, "m-")
    features = live.case_types[NAME].features
    number = next(one.name for one in features if one.kind == "numeric")
    before = upstream.services().store.counts("decisions")
    swapped = cases.rename(columns={"network_type": number, number: "network_type"})
    for name, odd in {"gone": cases.drop(columns="network_type"), "swapped": swapped}.items():
        odd.to_csv(tmp_path / f"{name}.csv", index=False)
        said = upstream.ask("decide", str(tmp_path / f"{name}.csv"), "--case-type", NAME, "--json")
        if said.code == 0:  # read row by row: every one of them is named, none is scored
            told = json.loads(said.out)
            assert told["actions"].get("auto_pass", 0) == 0
            assert told["decided"] + told["refused"] == len(cases)
            assert sum(told["overrides"].values()) + told["refused"] >= len(cases)
        else:
            assert (said.code, "network_type" in said.err or number in said.err) == (2, True)
            assert upstream.services().store.counts("decisions") == before


def test_the_model_itself_says_which_case_it_cannot_score(live: Services) -> None:
    """Past the command, too: no score, and the rule's name."""
    generation = live.ledger.live_policy(NAME)
    model = live.registry.load(NAME, generation.model_version, generation.model_digest)
    features = live.case_types[NAME].features
    odd = pd.DataFrame({one.name: [1.0] if one.kind == "numeric" else [True] for one in features})
    odd["network_type"] = "quantum"
    scores, why = model.score(odd)
    assert np.isnan(scores).all()
    assert list(why) == ["known_category"]
