"""When may a restored ledger be taken for whole, and what does an erasure have to name?"""

from dataclasses import replace

import pytest

from models.hub import (
    LEDGER,
    AcceptRestored,
    Entry,
    Halt,
    RecordErasure,
    accepted_restores,
    handle_command,
)
from models.hub.record.readers import version_of
from tests.hub import NOW, a_team, rule

ASKED = AcceptRestored(
    reason="the disk burned", actor="ana", base_version=0, why="The tail was cut.",
    lost={"head": [9, "a" * 64], "seen": [9, "a" * 64]},
)  # fmt: skip


def said(history, actor, **changed):
    base = version_of(history, LEDGER)
    return handle_command(history, replace(ASKED, actor=actor, base_version=base, **changed), NOW)


def test_one_approver_asks_and_another_agrees():
    """Both entries name the head that was lost; the second one also who asked."""
    history = a_team().history
    ends = history[-1].seq
    first = said(history, "ana")
    assert (first.kind, first.dossier["restored"]["seq"]) == ("restore_requested", ends)
    history = (*history, first)
    assert rule(said(history, "\uff21na")) == "two_approvers_accept"
    second = said(history, "ben")
    assert (second.kind, second.dossier["requested_by"]) == ("restore_accepted", "ana")
    assert second.dossier["restored"] == first.dossier["restored"]
    assert second.dossier["lost"]["head"] == [9, "a" * 64]
    assert accepted_restores((*history, second)) == (second,)


@pytest.mark.parametrize("changed", [{"lost": {"head": [], "seen": []}}, {"lost": {"head": [8, "b" * 64]}}])  # fmt: skip
def test_a_wish_about_another_head_is_another_wish(changed):
    history = a_team().history
    history = (*history, said(history, "ana"))
    assert said(history, "ben", **changed).kind == "restore_requested"


def test_whatever_came_in_between_ends_the_wish():
    hub = a_team()
    history = (*hub.history, said(hub.history, "ana"))
    halt = Halt(case_type="ato", actor="ben", reason="odd", base_version=version_of(history, "ato"))
    between = handle_command(history, halt, NOW)
    assert isinstance(between, Entry)
    assert said((*history, between), "ben").kind == "restore_requested"


def test_a_ledger_that_fits_its_head_is_no_restored_one():
    assert rule(said(a_team().history, "ana", why="")) == "nothing_to_accept"
    assert rule(said(a_team().history, "ana", reason=" ")) == "reason_is_given"


def test_nothing_else_stands_in_the_ledgers_own_history():
    halt = Halt(case_type=LEDGER, actor="ana", reason="odd", base_version=0)
    assert rule(handle_command((), halt, NOW)) == "ledger_stands_apart"
    elsewhere = replace(ASKED, case_type="ato")
    assert rule(handle_command((), elsewhere, NOW)) == "ledger_stands_apart"


def test_an_erasure_names_digests_and_a_reason():
    told = RecordErasure(reason="asked", case_digests=("c" * 64,), actor="ana", base_version=0)
    entry = handle_command((), told, NOW)
    assert (entry.kind, entry.dossier["case_digests"]) == ("person_erased", ["c" * 64])
    assert (
        rule(handle_command((), replace(told, case_digests=("case-7",)), NOW)) == "erasure_is_named"
    )
    assert rule(handle_command((), replace(told, case_digests=()), NOW)) == "erasure_is_named"
    assert rule(handle_command((), replace(told, reason=""), NOW)) == "reason_is_given"
