"""The proposer approves, or an approval is replayed: refused, and the refusal kept (FAULTS 10).

Injected: seven spellings of the proposer's name, and nine approvals that were right for something else.
"""

from functools import partial

import pytest

from flows.adapters.ledger.ledger import Ledger
from tests.faults.approvals import REPLAYS, SPELLINGS, is_refused_and_kept, own_approval
from tests.hub import open_ledger


@pytest.mark.parametrize("name", SPELLINGS)
def test_nobody_approves_their_own_proposal(tmp_path, name):
    """However they spell their name; the refusal keeps the spelling."""
    ledger = open_ledger(tmp_path, enrolled_only=True)
    attempt = partial(own_approval, name=name)
    kept = is_refused_and_kept(ledger, attempt, "proposer_is_not_approver")
    assert kept.actor == name


@pytest.mark.parametrize(("attempt", "named"), REPLAYS.items(), ids=[a.__name__ for a in REPLAYS])
def test_an_approval_counts_once_for_what_was_read(tmp_path, attempt, named):
    """Other evidence, another dossier, another or a later proposal, a rollback, another's role."""
    is_refused_and_kept(open_ledger(tmp_path, enrolled_only=True), attempt, named)


@pytest.mark.slow
@pytest.mark.parametrize(("attempt", "named"), REPLAYS.items(), ids=[a.__name__ for a in REPLAYS])
def test_on_postgres_too(postgres_url, tmp_path, attempt, named):
    """The same rules, kept in the other database."""
    is_refused_and_kept(Ledger(postgres_url, tmp_path / "ledger.head"), attempt, named)


@pytest.mark.slow
def test_on_postgres_nobody_approves_their_own_proposal(postgres_url, tmp_path):
    """Under a spelling that looks the same."""
    ledger = Ledger(postgres_url, tmp_path / "ledger.head")
    attempt = partial(own_approval, name=SPELLINGS[-1])
    is_refused_and_kept(ledger, attempt, "proposer_is_not_approver")
