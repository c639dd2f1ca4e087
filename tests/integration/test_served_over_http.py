"""A served folder over HTTP: the third road to an answer, and the same bits."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import serving
from benchmarks.serving import ledger_of, records, running_server, without_stamp
from flows.adapters.ledger.ledger import Ledger
from flows.adapters.mlflow.served_policy import POLL_SECONDS
from flows.adapters.mlflow.serving_folder import write_serving_folder
from models.hub import Entry, Halt, Resume, version_of
from models.hub.policies.pinned import PinnedPolicy
from tests.pinned_policies import NOW, SECRET, pinned_policy, simulated_cases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pinned() -> PinnedPolicy:
    return pinned_policy(simulated_cases(days=8))


@pytest.fixture(scope="module")
def folder(pinned: PinnedPolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("serving") / "ato"
    ledger = ledger_of(pinned.policy, to.parent / "ledger", NOW)
    write_serving_folder(to, pinned, SECRET, ledger.head(), NOW)
    return to


def ledger_url(folder: Path) -> str:
    return f"sqlite:///{folder.parent / 'ledger' / 'ledger.db'}"


@pytest.fixture(scope="module")
def server(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[http.client.HTTPConnection]:
    logs = tmp_path_factory.mktemp("logs")
    with running_server(folder, SECRET, logs, ledger_url(folder)) as port:
        yield http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def ask(server: http.client.HTTPConnection, content: Any) -> tuple[int, Any]:
    return serving.ask(server, json.dumps(content).encode())


def test_three_roads_give_the_same_bits(
    server: http.client.HTTPConnection, pinned: PinnedPolicy
) -> None:
    """The decisions, the answers in process, and those over HTTP: together and one at a time."""
    cases = simulated_cases(days=1, first_day=8).drop(columns=["bad", "true_logit", "matures_at"])
    sent = records(cases)
    status, told = ask(server, {"dataframe_records": sent})
    assert status == 200, told
    over_http = without_stamp(told["predictions"])
    # What JSON made of the numbers is what every road is given.
    read_back = pd.DataFrame(json.loads(json.dumps(sent)))
    assert over_http == without_stamp(pinned.answers(read_back, NOW))
    decided = pinned.decisions(read_back, NOW)
    assert {each["action"] for each in over_http} == {"auto_pass", "auto_block", "escalate"}
    for name, column in decided.items():
        assert [each[str(name)] for each in over_http] == column.tolist(), name
    for row in range(0, len(sent), 29):
        status, one = ask(server, {"dataframe_records": [sent[row]]})
        assert (status, without_stamp(one["predictions"])) == (200, [over_http[row]])


def test_a_case_that_cannot_be_scored_is_escalated_over_http(
    server: http.client.HTTPConnection,
) -> None:
    """A case of which next to nothing was sent still gets a decision."""
    status, told = ask(server, {"dataframe_records": [{"case_id": "c1", "battery_level": None}]})
    (one,) = told["predictions"]
    assert (status, one["action"], one["override"]) == (200, "escalate", "features_are_present")
    assert (one["score"], one["propensity"], one["top_contributions"]) == (None, 1.0, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"dataframe_records": [{"priority": "canary"}]}, "no column 'case_id'"),
        ({"inputs": [[1.0]]}, "send the cases as a table"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_a_bad_request(
    server: http.client.HTTPConnection, content: Any, said: str
) -> None:
    """Status 400 and one sentence, without a value of the case."""
    status, told = ask(server, content)
    assert status == 400
    assert said in told["message"]
    assert "canary" not in json.dumps(told)


def test_a_halt_reaches_the_server(
    server: http.client.HTTPConnection, pinned: PinnedPolicy, folder: Path
) -> None:
    """Within seconds everything goes to a person, and after two people's resumption no more."""
    ledger = Ledger(
        ledger_url(folder), folder.parent / "ledger" / "ledger.head", enrolled_only=False
    )
    sent = records(simulated_cases(days=1, first_day=9).drop(columns=["bad", "matures_at"]))

    def overrides() -> set[str]:
        time.sleep(POLL_SECONDS + 0.2)
        status, told = ask(server, {"dataframe_records": sent})
        assert status == 200
        return {each["override"] for each in told["predictions"]}

    def submitted(command: type, actor: str) -> None:
        base = version_of(ledger.history(), "ato")
        said = ledger.submit(
            command(case_type="ato", reason="why", actor=actor, base_version=base), NOW
        )
        assert isinstance(said, Entry), said

    assert "halted" not in overrides()
    submitted(Halt, "olga")
    assert overrides() == {"halted"}
    submitted(Resume, "olga")
    submitted(Resume, "ben")
    assert "halted" not in overrides()


def test_what_is_no_json_is_a_bad_request(server: http.client.HTTPConnection) -> None:
    """MLflow says so itself."""
    assert serving.ask(server, b"{nonsense")[0] == 400


def test_with_another_secret_the_server_does_not_start(folder: Path, tmp_path: Path) -> None:
    """It ends by itself, and its log says why."""
    said = "RATCHET_AUDIT_KEY is not the secret of the home"
    started = running_server(folder, "canary", tmp_path, ledger_url(folder))
    with pytest.raises(RuntimeError, match=said), started:
        pass
    assert "canary" not in (tmp_path / "server.log").read_text()
