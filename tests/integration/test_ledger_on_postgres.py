"""Does the ledger keep its promises on PostgreSQL as it does on SQLite?"""

import pytest

from flows.adapters.ledger.ledger import Ledger
from models.hub import Entry, Refusal
from tests.flows.adapters.ledger_scenarios import (
    EDITS,
    NOW,
    a_policy,
    an_edit_is_named_and_stops_the_ledger,
    make_live,
    propose,
    two_processes_race,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(postgres_url, tmp_path):
    return lambda: Ledger(postgres_url, tmp_path / "ledger.head", enrolled_only=False)


def test_what_was_decided_comes_back_in_another_process_and_verifies(opened):
    """Nothing is lost between the decision and the database."""
    made = make_live(opened(), 0.1)
    again = opened()
    assert again.history()[-1] == made
    assert again.live_policy("ato") == a_policy(0.1)
    assert again.head() == (3, made.own_hash)
    assert again.verify() == type(again.verify())(True)


@pytest.mark.parametrize(("statement", "named"), EDITS.values(), ids=EDITS)
def test_an_edit_behind_our_back_is_named_and_stops_the_ledger(
    opened, postgres_execute, statement, named
):
    """`verify` names the entry; nothing is decided by, or added to, a changed ledger."""
    an_edit_is_named_and_stops_the_ledger(opened(), postgres_execute, statement, named)


def test_two_processes_start_on_an_empty_database_and_race(postgres_url, tmp_path):
    """Both first starts succeed; then twenty rounds have one winner each."""
    two_processes_race(postgres_url, tmp_path / "ledger.head")


def test_a_command_delivered_twice_is_carried_out_once(opened):
    """The second delivery finds the base moved on; the policy is kept once; the refusal is kept."""
    first = propose(opened(), 0.1, base=0)
    again = propose(opened(), 0.1, base=0)
    ledger = opened()
    assert (type(first), type(again)) == (Entry, Refusal)
    assert ledger.history("ato") == (first,)
    (kept,) = ledger.refusals("ato")
    assert (kept.rule, kept.at) == ("stale_base", NOW)
    assert ledger.policy(first.policy_id) == a_policy(0.1)
