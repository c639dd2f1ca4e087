"""What somebody may do to a ledger's tables past the ledger, and what `ratchet ledger verify` says."""

import json

import pytest

from flows.cli import main
from tests.flows.adapters.ledger_scenarios import EDITS
from tests.hub import MIDDLE, THIN, Hub

POLICY_EDITS = {
    "policy edited": (
        "UPDATE policies SET document=replace(document, '0.05', '0.01')",
        "was edited: its document has another hash",
    ),
    "policy removed": ("DELETE FROM policies", "named by entry 1, was removed"),
}
REFUSAL_EDITS = {
    "refusal edited": (
        "UPDATE ledger_refusals SET actor='eve' WHERE id=1",
        "A refusal among the first 2 was edited",
    ),
    "refusal removed": ("DELETE FROM ledger_refusals WHERE id=1", "Refusal 1 was removed"),
    "last refusal removed": ("DELETE FROM ledger_refusals WHERE id=2", "Refusal 2 was removed"),
    "all refusals removed": ("DELETE FROM ledger_refusals", "Refusal 1 was removed"),
}
ALL = {**EDITS, **POLICY_EDITS, **REFUSAL_EDITS}


def filled(ledger) -> Hub:
    """Three entries and two refusals."""
    hub = Hub(ledger)
    hub.make_live(THIN)
    hub.promote(THIN)
    hub.approve(MIDDLE)
    return hub


def is_named(ledger, execute, statement, named):
    """Before the edit all is well; afterwards `verify` says what was done."""
    filled(ledger)
    assert ledger.verify() == type(ledger.verify())(True)
    execute(statement)
    verified = ledger.verify()
    assert not verified.ok
    assert any(named in problem for problem in verified.problems), verified.problems


def the_command_names(named, capsys):
    """Exit code 3, the sentence for people, and the same for machines."""
    for arguments in (["ledger", "verify"], ["ledger", "verify", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 3
        said = capsys.readouterr().out
        assert named in said
    assert json.loads(said)["ok"] is False
