"""Does the ledger keep what was decided, let one of two racers win, and notice every edit?"""

import signal
import sqlite3
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from configs.errors import GateRefused, ServiceUnreachable, UserError
from flows.adapters.ledger.ledger import Ledger
from models.hub import Approve, Promote, Propose, Refusal, RollBack, dossier_digest
from tests.flows.adapters.killing import killed_at
from tests.flows.adapters.ledger_scenarios import (
    EDITS,
    NOW,
    a_policy,
    an_edit_is_named_and_stops_the_ledger,
    make_live,
    propose,
    two_processes_race,
)

PROJECT = Path(__file__).resolve().parents[4]


def opened(home, **settings):
    return Ledger(
        f"sqlite:///{home / 'ledger.db'}", home / "ledger.head", enrolled_only=False, **settings
    )


def sql(home, statement):
    with sqlite3.connect(home / "ledger.db") as connection:
        connection.execute(statement)


def test_the_live_policy_comes_back_now_and_as_of_then(tmp_path):
    """Every moment has its policy, and a second process reads the same."""
    ledger = opened(tmp_path)
    assert ledger.live_policy("ato") is None
    make_live(ledger, 0.1, NOW)
    make_live(ledger, 0.2, NOW + timedelta(days=1))
    again = opened(tmp_path)
    assert again.live_policy("ato") == a_policy(0.2)
    assert again.live_policy("ato", as_of=NOW + timedelta(hours=1)) == a_policy(0.1)
    assert again.live_policy("ato", as_of=NOW - timedelta(hours=1)) is None
    rolled = again.submit(RollBack(case_type="ato", actor="ben", base_version=6), NOW)
    assert rolled.policy_id == a_policy(0.1).policy_id
    assert again.verify().ok
    assert again.head() == (7, rolled.own_hash)


def test_an_entry_comes_back_as_it_was_decided(tmp_path):
    """Nothing is lost between the decision and the database."""
    ledger = opened(tmp_path)
    made = make_live(ledger, 0.1)
    assert ledger.history()[-1] == made
    assert ledger.history("kyc_audit") == ()


def test_the_proposers_own_approval_is_refused_and_the_refusal_kept(tmp_path):
    """Who tried, when, which rule said no, and what was asked."""
    ledger = opened(tmp_path)
    said = propose(ledger, actor="ana")
    approve = Approve(
        case_type="ato",
        proposal_policy_id=said.policy_id,
        actor="ana",
        base_version=1,
        evidence_digest="e",
        dossier_digest=dossier_digest(said),
    )
    answer = ledger.submit(approve, NOW)
    assert isinstance(answer, Refusal)
    (kept,) = opened(tmp_path).refusals("ato")
    assert (kept.rule, kept.actor, kept.at) == ("proposer_is_not_approver", "ana", NOW)
    assert kept.command["proposal_policy_id"] == said.policy_id
    assert len(ledger.history()) == 1


def test_a_policy_that_is_not_kept_cannot_be_promoted(tmp_path):
    """Nor one that is kept for another case type, nor can that one be proposed."""
    ledger = opened(tmp_path)
    known = ledger.record_policy(a_policy(0.1))
    common = {"actor": "ana", "base_version": 0}
    for case_type, policy_id in [("ato", "f" * 64), ("kyc_audit", known)]:
        command = Promote(case_type=case_type, policy_id=policy_id, **common)
        assert ledger.submit(command, NOW).rule == "policy_is_known"
    other = Propose(case_type="kyc_audit", policy=a_policy(0.1), evidence_digest="e", **common)
    assert ledger.submit(other, NOW).rule == "policy_is_known"


@pytest.mark.parametrize(("statement", "named"), EDITS.values(), ids=EDITS)
def test_an_edit_behind_our_back_is_named_and_stops_the_ledger(tmp_path, statement, named):
    """`verify` names the entry; nothing is decided by, or added to, a changed ledger."""
    an_edit_is_named_and_stops_the_ledger(
        opened(tmp_path), partial(sql, tmp_path), statement, named
    )


def test_an_edited_policy_is_not_read(tmp_path):
    """The document must have the hash that names it."""
    ledger = opened(tmp_path)
    make_live(ledger, 0.1)
    sql(tmp_path, "UPDATE policies SET document=replace(document, '0.1,', '0.8,')")
    sql(tmp_path, "UPDATE policies SET document=replace(document, ':0.1}', ':0.8}')")
    with pytest.raises(GateRefused, match="was edited"):
        ledger.live_policy("ato")
    assert "Policy" in ledger.verify().problems[0]


def test_a_removed_policy_or_head_file_is_named(tmp_path):
    """Both belong to the record."""
    ledger = opened(tmp_path)
    make_live(ledger, 0.1)
    sql(tmp_path, "DELETE FROM policies")
    (tmp_path / "ledger.head").unlink()
    head, policy = opened(tmp_path).verify().problems
    assert "head file" in head
    assert "named by entry 1, was removed" in policy


def test_a_crash_before_the_head_is_written_is_no_tampering(tmp_path):
    """Killed after the commit: the entry stands, the head is behind, the next entry repairs it."""
    propose(opened(tmp_path), 0.1)
    assert killed_proposing(tmp_path, "ledger.after_commit") == signal.SIGKILL
    ledger = opened(tmp_path)
    verification = ledger.verify()
    assert verification.ok
    assert verification.notes[0].startswith("The head is behind by 1 entry")
    assert propose(ledger, 0.3).seq == 3
    assert ledger.verify().notes == ()


def test_a_crash_before_the_commit_leaves_nothing(tmp_path):
    """Readers see wholly the old ledger, and the same command can be made again."""
    propose(opened(tmp_path), 0.1)
    assert killed_proposing(tmp_path, "ledger.before_commit") == signal.SIGKILL
    ledger = opened(tmp_path)
    assert len(ledger.history()) == 1
    assert ledger.verify() == type(ledger.verify())(True)
    assert propose(ledger, 0.2).seq == 2


def killed_proposing(home, point):
    """What ended another process, which proposed a second policy until a kill point."""
    return killed_at(point, lambda: propose(opened(home), 0.2))


def test_of_two_threads_one_wins_every_round(tmp_path):
    """Twenty rounds on one base each: one entry, one 'stale base', never an error."""
    ledgers = [opened(tmp_path), opened(tmp_path)]
    for round_ in range(20):
        barrier, answers = threading.Barrier(2), [None, None]

        def race(who, base=round_, barrier=barrier, answers=answers):
            policy = a_policy(0.01 * (2 * base + who + 1))
            ledgers[who].record_policy(policy)
            barrier.wait()
            command = Propose(
                case_type="ato",
                policy=policy,
                actor="ana",
                base_version=base,
                evidence_digest="e",
            )
            answers[who] = ledgers[who].submit(command, NOW)

        threads = [threading.Thread(target=race, args=(who,)) for who in range(2)]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
        assert sorted(type(answer).__name__ for answer in answers) == ["Entry", "Refusal"]
        assert next(a.rule for a in answers if isinstance(a, Refusal)) == "stale_base"
    assert len(ledgers[0].history("ato")) == 20
    assert ledgers[0].verify() == type(ledgers[0].verify())(True)


def test_two_processes_start_on_an_empty_home_and_race(tmp_path):
    """Both first starts succeed; then twenty rounds have one winner each."""
    home = tmp_path / "new"
    two_processes_race(f"sqlite:///{home / 'ledger.db'}", home / "ledger.head")


def test_a_locked_database_is_a_bounded_wait_and_a_clear_message(tmp_path):
    """Readers go on; the writer gives up after the timeout and says that nothing changed."""
    ledger = opened(tmp_path, busy_timeout_seconds=0.3)
    propose(ledger)
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert len(ledger.history()) == 1
        with pytest.raises(
            ServiceUnreachable, match=r"stayed locked .* 0.3 s. Nothing was changed"
        ):
            ledger.record_policy(a_policy(0.5))
    finally:
        holder.close()
    assert ledger.record_policy(a_policy(0.5)) == a_policy(0.5).policy_id


def test_a_password_never_stands_in_a_message(tmp_path):
    """A database that does not answer is named without its secret."""
    url = "postgresql+psycopg://ana:hunter2@127.0.0.1:1/ledger"
    with pytest.raises(ServiceUnreachable) as refused:
        Ledger(url, tmp_path / "head")
    assert "hunter2" not in str(refused.value)
    assert "ana:***@127.0.0.1" in str(refused.value)


def test_an_unknown_policy_is_the_users_error(tmp_path):
    """The message says what to give."""
    with pytest.raises(UserError, match="full 64 hex digits"):
        opened(tmp_path).policy("abc")
