"""The hub's flows on an empty home, run as Prefect runs them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from configs.errors import GateRefused, ServiceUnreachable, UserError
from flows.orchestration import approvals
from flows.promote_boundary import promote_boundary
from flows.reconcile import reconcile
from flows.roll_back import roll_back
from flows.validate_ab import validate_ab

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as here:
        for name in [one for one in os.environ if one.startswith("RATCHET_")]:
            here.delenv(name)
        here.setenv("RATCHET_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def test_with_no_test_running_there_is_nothing_to_judge() -> None:
    assert validate_ab() == []


def test_a_test_that_could_not_be_judged_turns_the_run_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; whatever else ran was judged and published before."""
    told = {"case_type": "ato", "verdict": "not_judged", "reasons": ["No number."], "proofs": []}
    monkeypatch.setattr("flows.validate_ab.run", lambda *_: [told])
    with pytest.raises(GateRefused, match=r"^No number\.$"):
        validate_ab()


def test_an_empty_home_agrees_with_itself() -> None:
    """No entry, no alias, no model."""
    told = reconcile()
    assert (told["alarms"], told["models"], told["aliases"]) == ([], [], [])


def test_nothing_is_rolled_back_where_nothing_was_promoted() -> None:
    """The run fails with the ledger's own sentence, or with the case types there are."""
    with pytest.raises(GateRefused, match="no policy promoted before the live one"):
        roll_back("ato", "a test")
    with pytest.raises(UserError, match="no case type 'atoo'"):
        roll_back("atoo", "a test")
    with pytest.raises(UserError, match="a rollback needs a reason"):
        roll_back("ato", " ")


def test_nothing_is_promoted_that_was_not_proposed() -> None:
    """It does not pause for what nobody can approve."""
    with pytest.raises(UserError, match="of ato was asked for, and none fits; waiting or approved"):
        promote_boundary("ato", "abc")


def test_no_run_waits_so_none_is_told() -> None:
    assert approvals.resume_promotions("ab" * 32) == []


def test_a_silent_server_is_said_in_time() -> None:
    """The approval stands, and the sentence says what to do by hand."""
    began = time.monotonic()
    said = r"approval stands in the ledger.*`ratchet promote abababababab`"
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(ServiceUnreachable, match=said),
    ):
        approvals.resume_promotions("ab" * 32)
    assert time.monotonic() - began < 30.0
