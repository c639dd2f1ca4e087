"""The second machine of a team: evidence, models, key, head and alerts are shared by settings, checked at
the start, and what is missing is named; a model file on another machine is said to be there.

Injected: a new home on the same database, and each shared thing taken away from it in turn: the address
of the store, the store itself (an unmounted folder, another team's), head, audit secret, a part of the
evidence, a model, the token; and a machine that joins a team whose files lie in one home alone.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from flows.adapters.evidence.evidence_erasure import tokens_of
from flows.verbs import live
from flows.verbs.record import dossier_files
from tests.faults.house import NAME, built, everything_escalates
from tests.faults.team import Team, beside, shares, team
from tests.faults.test_50_audit_secret import all_agree, drawn
from tests.flows.adapters.killing import killed_at

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str | None) -> Team:
    return team(tmp_path, monkeypatch, database_url)


def missing(two: Team, *arguments: str, by: str = "ben") -> dict[str, str]:
    """What `join` finds wrong on the second machine, by check."""
    said = two.second.ask("join", "--json", *arguments, by=by)
    told = json.loads(said.out)
    assert said.code == (0 if told["ok"] else 3), said.err
    return {one["check"]: one["problem"] for one in told["checks"] if not one["ok"]}


def test_two_machines_decide_by_one_policy_secret_head_and_model(two: Team) -> None:
    """Not 300 of 300 to review: the second machine finds the model, and draws the same audits."""
    before = drawn(two.first, 0)
    lacks = missing(two)
    assert list(lacks) == ["audit secret"]
    assert "ratchet audit-key export" in lacks["audit secret"]
    assert "lost for good" not in lacks["audit secret"]
    said = two.hands_over_the_secret()
    assert said.code == 0, said.out
    assert "This machine is one of the team's." in said.out
    assert (two.second.home / "audit.key").stat().st_mode & 0o777 == 0o600
    all_agree(two.second, before)
    there = drawn(two.second, 1000)
    all_agree(two.first, there)
    assert two.first.services().store.digest("decisions") == two.second.services().store.digest(
        "decisions"
    )
    assert two.first.services().store.counts("decisions") == (400, 400, 0)
    assert two.first.ask("ledger", "verify").code == two.second.ask("ledger", "verify").code == 0
    assert not (two.second.home / "ledger.head").exists()
    assert (two.share / "ledger.head").exists()


def examined(two: Team) -> dict[str, str]:
    """What the doctor finds wrong on the second machine, by what was looked at."""
    told = json.loads(two.second.ask("doctor", "--json").out)
    return {one["check"]: one["problem"] for one in told["checks"]}


def stands_in(place: Path, case_id: str) -> list[str]:
    """The files below a folder that hold a case's id: parts by their rows, others by their bytes."""
    found, named = [], tokens_of([case_id])
    for path in sorted(one for one in place.rglob("*") if one.is_file()):
        if path.suffix == ".parquet":
            ids = pd.read_parquet(path, columns=["case_id"])["case_id"].astype("str")
            held = bool((ids == case_id).any())
        else:
            held = named.search(path.read_bytes().decode("latin-1")) is not None
        found += [str(path.relative_to(place))] if held else []
    return found


def test_an_erasure_on_one_machine_reaches_the_store_and_no_other_machine_undoes_it(
    two: Team,
) -> None:
    """Rows, parts, alerts and dossiers of all; the other machine's copies are named, never read, and
    removed by its `join`; what only its own home says is cleaned by the same command there."""
    case_id, now = "case-000001", datetime.now(UTC)
    drawn(two.first, 0)
    assert two.hands_over_the_secret().code == 0
    before = two.second.services().store.read("decisions")  # a copy, and a decoded one
    two.second.services().alerts.send("tried", NAME, f"About {case_id}.", now)
    dossier = {"as_of": now.isoformat(), "results": {}, "cases": [case_id, f"{case_id}1"]}
    live.file_dossier(two.first.services(), dossier)
    assert len(stands_in(two.share, case_id)) == 4  # decisions, contributions, an alert, a dossier
    said = two.first.ask("erase", case_id, "--reason", "Asked for.", "--yes", by="ana")
    assert said.code == 0, said.err
    assert "Other machines of the team" in said.out
    assert stands_in(two.share, case_id) == [] == stands_in(two.first.home, case_id)
    told = dossier_files.last_dossier(two.second.services().home, two.second.services().shared)
    assert told is not None
    assert told["cases"] == ["(erased)", f"{case_id}1"]
    rows = two.second.services().store.read("decisions")
    assert len(rows) == len(before) == 200
    assert set(before["case_id"]) - set(rows["case_id"]) == {case_id}
    # The other machine: the old part and its own alert are left, and come back nowhere.
    assert len(stands_in(two.second.home, case_id)) == 2
    assert two.second.ask("explain", case_id).code == 2
    said = two.second.ask("join", "--publish", by="ben")
    assert (said.code, "what was erased were removed" in said.out) == (0, True), said.out
    assert stands_in(two.second.home, case_id) == ["alerts.jsonl"]
    assert stands_in(two.share, case_id) == []
    said = two.second.ask("erase", case_id, "--reason", "Asked for.", "--yes", by="ben")
    assert said.code == 0, said.err
    assert stands_in(two.second.home, case_id) == []
    assert two.first.ask("ledger", "verify").code == two.second.ask("ledger", "verify").code == 0


@pytest.mark.parametrize("point", ["parts_written", "swapped", "removed", "texts", "entered"])
def test_killed_in_an_erasure_the_same_command_goes_on_at_the_store(
    tmp_path: Path, monkeypatch, point: str
) -> None:
    two, case_id = team(tmp_path, monkeypatch, None), "case-000001"
    drawn(two.first, 0)
    two.first.services().alerts.send("tried", NAME, f"About {case_id}.", datetime.now(UTC))

    def erase():
        return two.first.ask("erase", case_id, "--reason", "Asked for.", "--yes", by="ana")

    assert killed_at(f"erase.{point}", erase) == 9
    said = erase()
    assert said.code == (2 if point == "entered" and "Nothing is kept" in said.err else 0), said.err
    assert stands_in(two.share, case_id) == [] == stands_in(two.first.home, case_id)
    assert two.first.services().store.eraser.unfinished() == []
    assert len(two.first.services().store.read("decisions")) == 200


def test_alerts_and_dossiers_are_of_all_machines(two: Team) -> None:
    now = datetime.now(UTC)
    two.first.services().alerts.send("first", NAME, "From the first machine.", now)
    two.second.services().alerts.send("second", NAME, "From the second machine.", now)
    for one in (two.first, two.second):
        assert [alert["kind"] for alert in one.services().alerts.recent(2)] == ["second", "first"]
    live.file_dossier(
        two.first.services(), {"as_of": now.isoformat(), "results": {}, "by": "first"}
    )
    told = dossier_files.last_dossier(two.second.services().home, two.second.services().shared)
    assert told is not None
    assert told["by"] == "first"
    live.file_dossier(
        two.second.services(), {"as_of": now.isoformat(), "results": {}, "by": "second"}
    )
    assert (
        dossier_files.last_dossier(two.first.services().home, two.first.services().shared) or {}
    )["by"] == "second"


def test_a_step_of_one_machine_is_seen_by_the_other(two: Team) -> None:
    """A halt on the one stops the other; a rollback that widens is asked on one, agreed on the other."""
    assert two.hands_over_the_secret().code == 0
    assert two.second.ask("halt", NAME, "--reason", "Trying.", by="ola").code == 0
    said, decisions = two.first.decide(0)
    everything_escalates(decisions, "halted")
    for house, person in ((two.first, "ana"), (two.second, "ben")):
        said = house.ask("resume", NAME, "--reason", "Tried.", by=person)
    assert said.code == 0, said.err
    assert two.first.ask("rollback", NAME, "--reason", "Back.", by="ana").code == 3
    said = two.second.ask("rollback", NAME, "--reason", "Back.", by="ben")
    assert said.code == 0, said.err
    assert two.first.live_id() == two.second.live_id() == two.first.wide.policy_id


def test_without_the_stores_address_nothing_is_opened(two: Team, monkeypatch) -> None:
    monkeypatch.delenv("RATCHET_STORE_URL")
    said = two.second.ask("status")
    assert (said.code, "RATCHET_STORE_URL" in said.err) == (3, True), said.err
    assert "where it was first used" in said.err
    lacks = missing(two)
    assert "Not set: store_url" in lacks["settings"]
    assert "RATCHET_STORE_URL" in lacks["home"]


def test_a_folder_that_is_not_mounted_is_no_empty_store(two: Team) -> None:
    two.share.rename(two.share.with_name("elsewhere"))
    two.share.mkdir(mode=0o700)
    lacks = missing(two)
    assert "Is the folder mounted" in lacks["shared store"]
    assert list(two.share.iterdir()) == []
    said = two.second.ask("status")
    assert (said.code, "Is the folder mounted" in said.err) == (3, True)


def test_another_teams_store_is_refused(two: Team) -> None:
    (two.share / "ratchet-store.json").write_text('{"mark": "0123456789abcdef"}')
    assert "another team's" in missing(two)["shared store"]


def test_without_the_head_everything_escalates_and_join_names_it(two: Team) -> None:
    assert two.hands_over_the_secret().code == 0
    (two.share / "ledger.head").unlink()
    said, decisions = two.second.decide(0)
    assert said.code == 3
    everything_escalates(decisions, "ledger_broken")
    assert "ratchet join --publish" in missing(two)["head"]


def test_a_secret_of_another_team_changes_nothing(two: Team, tmp_path: Path) -> None:
    assert two.first.ask("join", by="ana").code == 0
    (tmp_path / "wrong.json").write_text(json.dumps({"audit_secrets": ["f" * 64]}))
    for command in (("join", "--audit-key"), ("audit-key", "import")):
        said = two.second.ask(*command, str(tmp_path / "wrong.json"), by="ben")
        assert said.code == 3
        assert "never in force on this ledger" in said.err
        assert "ffff" not in said.err + said.out
    assert not (two.second.home / "audit.key").exists()


def test_a_lost_part_of_the_evidence_is_named_and_published_again(two: Team) -> None:
    drawn(two.first, 0)
    assert two.hands_over_the_secret().code == 0
    (part,) = (two.share / "evidence" / "decisions" / "parts").glob("*.parquet")
    part.unlink()
    assert "1 of decisions (part)" in missing(two)["evidence"]
    assert "1 of decisions (part)" in examined(two)["team"]
    said = two.second.ask("explain", "case-000001")
    assert said.code == 4
    assert "ratchet join --publish" in said.err
    said = two.first.ask("join", "--publish", by="ana")
    assert (said.code, "evidence parts: 1, models: 0" in said.out) == (0, True), said.out
    assert missing(two) == {}
    assert examined(two)["team"] == ""
    assert two.second.ask("explain", "case-000001").code == 0


def test_a_changed_part_is_not_read(two: Team) -> None:
    drawn(two.first, 0)
    (part,) = (two.share / "evidence" / "decisions" / "parts").glob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    said = two.second.ask("explain", "case-000001")
    assert (said.code, "was changed or cut" in said.err) == (4, True), said.err
    assert not list(two.second.home.glob("evidence/**/*.parquet"))


def test_a_token_that_is_not_theirs_is_named(two: Team) -> None:
    assert two.hands_over_the_secret().code == 0
    two.second.live.tokens["ben"] = "not-the-token-of-ben"
    assert "is not theirs" in missing(two)["who asks"]
    assert missing(two, by="") == {}


def alone_in_one_home(folder: Path, monkeypatch, database_url: str | None = None) -> Team:
    """As a team was before it had a store: one database, and everything else in the first home."""
    share = shares(folder, monkeypatch, database_url)
    monkeypatch.setenv("RATCHET_MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    with monkeypatch.context() as before:
        before.delenv("RATCHET_STORE_URL")
        first = built(folder / "first")
        drawn(first, 0)
    return Team(first, beside(first, folder / "second"), share)


def test_what_lies_in_one_home_alone_is_named_and_then_shared(
    tmp_path: Path, monkeypatch, database_url: str | None
) -> None:
    """The second machine names the first one's head, evidence and models; `--publish` puts them there."""
    two = alone_in_one_home(tmp_path, monkeypatch, database_url)
    lacks = missing(two)
    assert "Run `ratchet join --publish` on the machine that began this ledger" in lacks["head"]
    said = two.first.ask("join", "--publish", by="ana")
    assert said.code == 0, said.out
    assert "evidence parts: 2, models: 1" in said.out
    assert two.hands_over_the_secret().code == 0
    all_agree(two.second, two.first.services().store.read("decisions"))
    drawn(two.second, 1000)


def test_a_head_of_another_ledger_is_not_put_there(tmp_path: Path, monkeypatch) -> None:
    """A home that began elsewhere joins with `--publish`: the team's store stays without its head."""
    two = alone_in_one_home(tmp_path, monkeypatch)
    two.second.home.mkdir(parents=True)
    (two.second.home / "ledger.head").write_text(json.dumps({"seq": 3, "hash": "a" * 64}))
    assert "does not belong to this ledger" in missing(two, "--publish")["head put there"]
    assert not (two.share / "ledger.head").exists()


def test_a_model_file_on_another_machine_is_said_to_be_there(tmp_path: Path, monkeypatch) -> None:
    """Without a store: the first home's folder does not exist on the second machine."""
    two = alone_in_one_home(tmp_path, monkeypatch)
    monkeypatch.delenv("RATCHET_STORE_URL")
    two.second.home.mkdir(parents=True)
    for name in ("ledger.head", "audit.key"):
        shutil.copy2(two.first.home / name, two.second.home)
    two.first.live.home.rename(tmp_path / "on-another-machine")
    lacks = missing(two)
    assert "on another machine" in lacks["models"]
    assert "train again" not in lacks["models"]
    assert "ratchet join --publish" in lacks["models"]


def test_whoever_runs_the_night_is_named(two: Team, monkeypatch) -> None:
    """By the second machine's night, which waits in vain and does nothing; and by `join`, which is in
    order."""
    from flows.verbs.house import one_night as lease
    from flows.verbs.house.one_night import one_night

    monkeypatch.setattr(lease, "WAITS_SECONDS", 1.0)

    assert two.hands_over_the_secret().code == 0
    with one_night():
        said = two.second.ask("night")
        assert said.code == 3
        assert "is being run by" in said.err
        assert "since" in said.err
        assert "run by" in two.second.ask("join", by="ben").out
    said = two.second.ask("night")  # no source is configured, and nobody is in the way
    assert (said.code, "no source is configured" in said.err) == (2, True), said.err
