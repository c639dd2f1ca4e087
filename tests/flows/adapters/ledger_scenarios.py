"""What is tried on a ledger, whichever database keeps it?"""

from datetime import UTC, datetime

import pytest

from configs.errors import GateRefused
from flows.adapters.ledger.ledger import Ledger
from models.hub import Approve, AuditPlan, Entry, Policy, Promote, Propose, RollBack, dossier_digest
from models.vocabulary import Boundary
from tests.flows.adapters.racing import answers_of_two_processes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 20

EDITS = {
    "actor": ("UPDATE ledger_entries SET actor='eve' WHERE seq=2", "Entry 2 was edited"),
    "dossier": ("UPDATE ledger_entries SET dossier='{\"night\": 1}' WHERE seq=2", "Entry 2 was"),
    "not json": ("UPDATE ledger_entries SET dossier='{' WHERE seq=2", "Entry 2 was edited"),
    "hash": (
        f"UPDATE ledger_entries SET own_hash='{'0' * 64}' WHERE seq=2",
        "Entry 3 does not follow entry 2",
    ),
    "removed": ("DELETE FROM ledger_entries WHERE seq=2", "Entry 2 was removed"),
    "first removed": ("DELETE FROM ledger_entries WHERE seq=1", "Entry 1 was removed"),
    "tail cut": ("DELETE FROM ledger_entries WHERE seq=3", "entry 3 is missing after entry 2"),
    "long tail cut": ("DELETE FROM ledger_entries WHERE seq>1", "entries 2 to 3 are missing"),
    "all cut": ("DELETE FROM ledger_entries", "entries 1 to 3 are missing"),
}
"""Edits behind the ledger's back after `make_live`, and what `verify` says of them."""


def a_policy(low):
    return Policy("ato", "risk", "1", "a" * 64, AuditPlan(0.05), boundary=Boundary(low, 0.9))


def propose(ledger, low=0.1, actor="ana", base=None, at=NOW):
    policy = a_policy(low)
    ledger.record_policy(policy)
    base = len(ledger.history("ato")) if base is None else base
    command = Propose(
        case_type="ato",
        policy=policy,
        actor=actor,
        base_version=base,
        evidence_digest="e",
        evidence_since=at,
        evidence_until=at,
    )
    return ledger.submit(command, at)


def make_live(ledger, low, at=NOW):
    said = propose(ledger, low, at=at)
    common = {"case_type": "ato", "dossier": {"night": 1}}
    ledger.submit(
        Approve(
            **common,
            proposal_policy_id=said.policy_id,
            actor="ben",
            base_version=said.version,
            evidence_digest="e",
            dossier_digest=dossier_digest(said),
        ),
        at,
    )
    promote = Promote(
        **common, policy_id=said.policy_id, actor="ana", base_version=said.version + 1
    )
    return ledger.submit(promote, at)


def an_edit_is_named_and_stops_the_ledger(ledger, execute, statement, named):
    """`execute` runs a statement on the ledger's database past the ledger."""
    make_live(ledger, 0.1)
    before = ledger.history()
    execute(statement)
    verification = ledger.verify()
    assert not verification.ok
    assert any(named in problem for problem in verification.problems), verification.problems
    command = RollBack(case_type="ato", actor="ana", base_version=before[-1].version)
    with pytest.raises(GateRefused, match="not as it was written"):
        ledger.submit(command, NOW)


def first_start(url, head_file, who, wait):
    wait()
    ledger = Ledger(url, head_file, enrolled_only=False)
    for base in range(ROUNDS):
        wait()
        answer = propose(ledger, 0.01 * (2 * base + who + 1), base=base)
        yield "won" if isinstance(answer, Entry) else str(answer.rule)


def two_processes_race(url, head_file):
    """Both open a ledger that is not there yet; every round has one winner and one stale base."""
    answers = answers_of_two_processes(first_start, url, head_file)
    assert (answers.count("won"), answers.count("stale_base")) == (ROUNDS, ROUNDS)
    ledger = Ledger(url, head_file, enrolled_only=False)
    assert len(ledger.history("ato")) == ROUNDS
    assert ledger.verify() == type(ledger.verify())(True)
