"""One case explained: on the command line, from what was kept or from the model that decided it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from configs.errors import GateRefused, UserError
from flows.reports.words.explanation import explanation, largest_first
from flows.verbs.record.explain import explain
from flows.verbs.services import Services
from tests.builders import small_settings
from tests.flows.command_line import Ratchet
from tests.flows.verbs.advised_desk import Advised


def without_what_was_kept(advised: Advised, home: Path) -> Services:
    """The same desk, as if no contribution had ever been kept."""
    shutil.copytree(advised.home, home, dirs_exist_ok=True)
    services = Services.at(home / "live", small_settings(), advised.services.case_types, seed=3)
    return Services(
        **{
            **vars(services),
            "store": _Forgetful(services.store),
            "registry": advised.services.registry,
        }
    )


class _Forgetful:
    """An evidence store without the table `contributions`."""

    def __init__(self, store) -> None:
        self._store = store

    def read(self, table: str, **asked):
        return self._store.read(table if table != "contributions" else "nothing", **asked)

    def columns(self, table: str):
        return self._store.columns(table if table != "contributions" else "nothing")


def test_the_command_tells_the_decision_and_the_kept_contributions(
    ratchet_here: Ratchet, advised: Advised
) -> None:
    """As JSON: largest first, adding up to the log-odds."""
    row = advised.decided.iloc[5]
    done = ratchet_here(advised.home, "explain", row["case_id"], "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["case_type"], told["action"], told["drawn"]) == ("ato", "escalate", True)
    assert told["score"] == pytest.approx(row["score"], abs=1e-12)
    assert (told["policy_id"], told["model_version"]) == (row["policy_id"], row["model_version"])
    assert told["propensity"] == 1.0
    said = told["contributions"]
    assert said["source"] == "kept"
    sizes = [abs(one["contribution"]) for one in said["by_feature"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == len(advised.model.features)
    added = sum(one["contribution"] for one in said["by_feature"])
    assert said["bias"] + added == pytest.approx(said["margin"])


def test_a_person_reads_the_same_in_a_few_sentences(advised: Advised) -> None:
    """Who decided, whether it was drawn, where the contributions are from, and a table of them."""
    row = advised.decided.iloc[5]
    told = explain(advised.services, row["case_id"])
    text = explanation(told)
    opened, decided = (f"{row[name]:%Y-%m-%dT%H:%M:%SZ}" for name in ("opened_at", "decided_at"))
    assert text.startswith(f"{row['case_id']} (ato), opened {opened}, decided {decided}: escalate")
    assert f"Policy {row['policy_id']}, model version 1." in text
    assert "probability 1; it was drawn for review" in text
    assert "kept with the case" in text
    first = told["contributions"]["by_feature"][0]
    assert largest_first(told)[0] == {
        "feature": first["feature"],
        "value": first["value"],
        "contribution": f"{first['contribution']:+.4f}",
    }


def test_a_case_nobody_knows_exits_2_with_a_sentence(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """No traceback, even in a home where nothing was ever decided."""
    done = ratchet_here(tmp_path, "explain", "ato-000000-99999")
    assert done.returncode == 2, done.stderr
    assert "no decision on case 'ato-000000-99999' was admitted" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_not_kept_is_computed_by_the_model_that_decided(
    advised: Advised, tmp_path: Path
) -> None:
    """The same numbers, to float32, and the answer says where they are from."""
    case_id = advised.decided["case_id"].iloc[5]
    kept = explain(advised.services, case_id)["contributions"]
    computed = explain(without_what_was_kept(advised, tmp_path), case_id)["contributions"]
    assert (kept["source"], computed["source"]) == ("kept", "computed")
    assert computed["margin"] == pytest.approx(kept["margin"], abs=1e-6)
    values = [{one["feature"]: one for one in said["by_feature"]} for said in (kept, computed)]
    for name, one in values[0].items():
        assert values[1][name]["contribution"] == pytest.approx(one["contribution"], abs=1e-6)
        assert values[1][name]["value"] == one["value"]


def test_a_model_whose_bytes_were_changed_explains_nothing(
    advised: Advised, tmp_path: Path
) -> None:
    """The digest in the policy is what counts."""
    services = without_what_was_kept(advised, tmp_path)
    changed = Services.at(tmp_path / "live", small_settings(), services.case_types, seed=3).registry
    changed.copies.path(advised.model.digest).write_bytes(advised.model.ubj + b" ")
    changed._stored_bytes = lambda *_: advised.model.ubj + b" "
    with pytest.raises(GateRefused, match="was not loaded"):
        explain(
            Services(**{**vars(services), "registry": changed}), advised.decided["case_id"].iloc[5]
        )


def test_a_case_from_before_the_first_model_has_a_decision_and_no_contributions(
    advised: Advised,
) -> None:
    """What is missing is said in a sentence, not left out."""
    told = explain(advised.services, advised.past["case_id"].iloc[0])
    assert (told["action"], told["score"], told["model_version"]) == ("escalate", None, "none")
    assert told["contributions"]["source"] == "none"
    assert "No contributions: no model of this registry scored the case." in explanation(told)
    assert largest_first(told) == []


def test_an_unknown_case_is_the_users_error(advised: Advised) -> None:
    """Ids are compared to the letter."""
    with pytest.raises(UserError, match="Ids are compared to the letter"):
        explain(advised.services, advised.decided["case_id"].iloc[0].upper())
