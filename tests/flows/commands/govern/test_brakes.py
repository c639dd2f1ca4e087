"""Halt by one, resume by two, each by a proven name."""

from __future__ import annotations

import json

from tests.flows.commands.live_home import LiveHome


def test_one_halts_and_one_and_the_same_cannot_resume(manned: LiveHome) -> None:
    """The second person's same command does; `status` shows it in between."""
    nobody = manned.ask("halt", "ato", "--reason", "odd blocks", by="eve", token="x")
    assert nobody.code == 3
    halted = manned.ask("halt", "ato", "--reason", "odd blocks", by="ola")
    assert halted.code == 0, halted.err
    assert halted.out.startswith("ato is halted by ola: every case is reviewed from now on.")
    assert "`ratchet resume ato`. (ledger entry " in halted.out
    (line,) = [one for one in manned.ask("status").out.splitlines() if one.startswith("ato ")]
    assert line.split()[1] == "halted"
    assert line.endswith("halted by ola: odd blocks")

    resume = ("resume", "ato", "--reason", "mended")
    asked = manned.ask(*resume, by="ola")
    assert asked.out.startswith("ola asked; ato stays halted until a second person agrees.")
    again = manned.ask(*resume, by="ola")
    assert (again.code, "a second person must agree" in again.err) == (3, True)
    agreed = json.loads(manned.ask(*resume, "--json", by="ana").out)
    assert (agreed["kind"], agreed["actor"]) == ("resumed", "ana")
    over = manned.ask(*resume, by="ana")
    assert (over.code, "ato is not halted" in over.err) == (3, True)


def test_a_halt_needs_a_reason_a_role_and_a_case_type(manned: LiveHome) -> None:
    """Each answer in one line."""
    for arguments, by, code, said in [
        (("halt", "ato"), "ola", 2, "--reason"),
        (("halt", "ato", "--reason", " "), "ola", 2, "a halt needs a reason"),
        (("halt", "ato", "--reason", "x"), "audrey", 3, "to halt takes the role"),
        (("halt", "atoo", "--reason", "x"), "ola", 2, "there is no case type 'atoo'"),
        (("resume", "ato", "--reason", "x"), "ola", 3, "nothing to resume"),
    ]:
        answer = manned.ask(*arguments, by=by)
        assert (answer.code, said in answer.err) == (code, True), answer.err
        assert len(answer.err.splitlines()) == 1
