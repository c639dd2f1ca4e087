"""What the ledger says when it is asked, and what it says after somebody changed it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.flows.commands.live_home import LiveHome


def test_an_edited_entry_is_named_and_nothing_more_is_added(manned: LiveHome) -> None:
    """By SQL, past us: exit 3, the entry by its number, in `verify`, `reconcile` and any command."""
    assert manned.ask("halt", "ato", "--reason", "odd blocks", by="ola").code == 0
    whole = manned.ask("ledger", "verify", "--json")
    assert json.loads(whole.out) == {"ok": True, "problems": [], "notes": []}
    with sqlite3.connect(manned.home / "live" / "ledger.db") as database:
        database.execute("UPDATE ledger_entries SET actor='ana' WHERE kind='halted'")
    database.close()

    found = manned.ask("ledger", "verify")
    assert found.code == 3
    assert found.out.startswith("The ledger was changed:\n")
    assert "ntry 5" in found.out
    assert json.loads(manned.ask("ledger", "verify", "--json").out)["ok"] is False
    for arguments in (("history",), ("status",), ("resume", "ato", "--reason", "x")):
        refused = manned.ask(*arguments, by="ola")
        assert (refused.code, "ntry 5" in refused.out + refused.err) == (3, True), refused.err
    alarmed = manned.ask("reconcile")
    assert alarmed.code == 3
    assert alarmed.out.startswith("The ledger does not verify, and no alias was touched.")


def test_history_names_who_was_enrolled_as_what(manned: LiveHome) -> None:
    """In a line each; no digest of a token, and stamps to the second."""
    said = manned.ask("history")
    assert "ana as approver" in said.out
    assert "audrey as auditor" in said.out
    stamp = said.out.splitlines()[5].split()[1]
    assert (len(stamp), stamp[-1]) == (20, "Z")
    assert "audrey as auditor" in manned.ask("history", "--as-of", stamp).out
    assert "token" not in manned.ask("history", "--json").out
    told = json.loads(manned.ask("history", "--json").out)["entries"][0]
    assert "ana as approver" in manned.ask("history", "--as-of", told["at"]).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as-of", "2026-05-04"], "has no time zone; write it as 2026-05-04T00:00:00Z"),
        (["--as-of", "2026-05-04T10:00:00"], "no time zone; write it as 2026-05-04T10:00:00Z"),
        (["--as-of", "yesterday"], "'yesterday' is no moment; write it like 2026-05-04T02:00:00Z"),
        (["--as-of", "2999-01-01T00:00:00Z"], "lies in the future"),
        (["--as-of", "0001-01-01T00:00:00+14:00"], "lies before the first year there is in UTC"),
        (["atoo"], "there is no case type 'atoo'"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(
    manned: LiveHome, arguments: list[str], said: str
) -> None:
    """Exit 2 and what would work."""
    answer = manned.ask("history", *arguments)
    assert (answer.code, said in answer.err) == (2, True), answer.err


@pytest.mark.parametrize("arguments", [("status",), ("people", "list"), ("ledger", "verify")])
def test_a_home_that_cannot_be_a_folder_is_named(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Exit 4, the place and what is wrong with it, and nothing is made there."""
    (tmp_path / "file").write_text("kept", encoding="ascii")
    said = LiveHome(tmp_path / "file" / "home").ask(*arguments)
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith(f"ratchet: {tmp_path / 'file'}")
    assert "cannot be used: Not a directory." in said.err
    assert (tmp_path / "file").read_text(encoding="ascii") == "kept"


def test_before_the_first_entry_there_was_none(manned: LiveHome) -> None:
    said = manned.ask("history", "--as-of", "2020-01-01T00:00:00+00:00")
    assert said.out.startswith("The ledger had no entry then.\n\nLive then:\n")


def test_status_repeats_the_last_alerts(manned: LiveHome) -> None:
    """A sentence each, newest first, beside the machine's version."""
    services = manned.home / "live"
    (services / "alerts.jsonl").write_text(
        '{"at": "2026-05-04T02:00:00.123456+00:00", "kind": "k", "sentence": "Look at ato."}\n',
        encoding="ascii",
    )
    assert "Alert 2026-05-04T02:00:00Z: Look at ato." in manned.ask("status").out
    told = json.loads(manned.ask("status", "--json").out)
    assert [one["kind"] for one in told["alerts"]] == ["k"]
    assert [one["state"] for one in told["case_types"]] == ["shadow"] * 5


def test_without_its_head_nothing_is_added_until_a_copy_is_put_back(manned: LiveHome) -> None:
    """An older copy does: it is behind, and the next entry brings it up to date."""
    head = manned.home / "live" / "ledger.head"
    older = head.read_bytes()
    assert manned.ask("halt", "ato", "--reason", "odd blocks", by="ola").code == 0
    head.unlink()
    refused = manned.ask("halt", "kyc_audit", "--reason", "odd blocks", by="ola")
    assert refused.code == 3
    assert "starts with a copy of another machine's" in refused.err
    status = manned.ask("status")
    assert (status.code, "not to be trusted, and takes no change: The head" in status.out) == (
        3,
        True,
    )
    assert json.loads(manned.ask("status", "--json").out)["ledger"]["ok"] is False
    head.write_bytes(older)
    assert manned.ask("halt", "kyc_audit", "--reason", "odd blocks", by="ola").code == 0
    assert manned.ask("ledger", "verify").out == "The ledger is whole.\n"


@pytest.mark.parametrize("content", [b"no database at all, " * 99, None])
def test_a_damaged_ledger_is_named(manned: LiveHome, content: bytes | None) -> None:
    """Overwritten, or cut in the middle: exit 4, and what helps."""
    file = manned.home / "live" / "ledger.db"
    file.write_bytes(content or file.read_bytes()[:5_000])
    for left in file.parent.glob("ledger.db-*"):
        left.unlink()
    for arguments in (("ledger", "verify"), ("status",), ("people", "list")):
        said = manned.ask(*arguments)
        assert (said.code, "is damaged" in said.err) == (4, True), said.err
        assert "restore it from a copy" in said.err


def test_what_a_note_holds_moves_no_cursor_and_makes_no_row(manned: LiveHome) -> None:
    """Control characters and line breaks are blanks in a table; the entry keeps them."""
    reason = "odd\x1b[31m blocks\x07\n10 2026-05-04T00:00:00Z ato promoted"
    assert manned.ask("halt", "ato", "--reason", reason, by="ola").code == 0
    for arguments in (("history", "ato"), ("status",)):
        said = manned.ask(*arguments).out
        assert "odd [31m blocks  10 2026-05-04T00:00:00Z ato promoted" in said
        assert "\x1b" not in said
    told = json.loads(manned.ask("history", "ato", "--json").out)["entries"][-1]
    assert told["dossier"]["reason"] == reason


def test_an_empty_audit_secret_is_none(manned: LiveHome) -> None:
    """Whoever knows a case's id could tell from it whether the case is audited."""
    (manned.home / "live" / "audit.key").write_bytes(b"")
    said = manned.ask("status")
    assert (said.code, "audit.key is empty" in said.out) == (3, True), said.out
