"""A boundary's life by commands: proposed, read, approved, promoted, asked about, rolled back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from configs.settings import CONFIGS
from models.vocabulary import AbPlan, Targets
from tests.flows.commands.conftest import Staffed
from tests.flows.commands.live_home import NARROW, WIDE, LiveHome, proposed


def test_the_whole_life_of_a_boundary(staffed: Staffed) -> None:
    """Two policies by two people; the auditor asks for the first one's day; the second one is rolled
    back. Every answer is a sentence or a table."""
    home, services = staffed.home, staffed.home.services()
    first = proposed(services, staffed.models["ato"], "ato")
    short = first.policy_id[:12]

    waits = home.ask("proposals")
    assert (waits.code, waits.err) == (0, "")
    assert waits.out.splitlines()[0].split() == [
        "case_type", "policy_id", "waits_for", "proposer", "since",
        "pass_at_or_below", "block_at_or_above", "automation_rate",
    ]  # fmt: skip
    (line,) = [one for one in waits.out.splitlines() if one.startswith("ato ")]
    assert line.split()[1:4] == [short, "approval", "nightly_calibration"]
    assert line.endswith("61.80%")

    ids = home.ask("proposals", "--ids")
    assert (ids.code, ids.out, ids.err) == (0, f"{short}\n", "")
    assert home.ask("proposals", "--ids", "--json").code == 2

    approved = home.ask("approve", "--yes", short, "--note", "read it", by="ana")
    assert approved.code == 0, approved.err
    assert "| auto-pass at or below | 0.1 |" in approved.out
    assert "| cases | 20,000 |" in approved.out
    assert "| A/B test | none: approval is enough |" in approved.out
    assert f"Approved by ana. It decides nothing yet: `ratchet promote {short}`" in approved.out
    assert "0.9612345678" not in approved.out

    promoted = home.ask("promote", short, by="ola")
    assert promoted.code == 0, promoted.err
    assert promoted.out.startswith("It decides from now on. (ledger entry ")
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.05)  # a stamp is asked for by the second

    second = proposed(services, staffed.models["ato"], "ato", WIDE)
    assert home.ask("approve", "--yes", second.policy_id, "--json", by="ben").code == 0
    told = json.loads(home.ask("promote", second.policy_id, "--json", by="ben").out)
    assert (told["kind"], told["actor"], told["policy_id"]) == ("promoted", "ben", second.policy_id)

    asked = home.ask("history", "ato", "--as-of", then)
    assert asked.code == 0, asked.err
    entries, standing = asked.out.split("\nLive then:\n")
    assert [line.split()[3] for line in entries.splitlines()[2:]] == [
        "generation_started", "proposed", "approved", "promoted",
    ]  # fmt: skip
    assert "read it" in entries
    assert standing.splitlines()[2].split()[:7] == ["ato", "live", short, "1", "0.1", "0.9", "ana"]
    now = json.loads(home.ask("history", "ato", "--json").out)["live"][0]
    assert (now["policy_id"], now["approved_by"]) == (second.policy_id, ["ben"])
    assert now["previous_policy_id"] == first.policy_id

    back = home.ask("rollback", "ato", "--reason", "too wide", by="ola")
    assert (back.code, back.out.startswith("ato is rolled back. (ledger entry ")) == (0, True)
    status = home.ask("status")
    (line,) = [one for one in status.out.splitlines() if one.startswith("ato ")]
    assert line.split()[1:3] == ["live", short]
    assert "rolled_back" in home.ask("history", "ato").out
    assert home.ask("proposals").out.find("ato ") == -1
    nothing = home.ask("proposals", "--ids")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "Nothing waits.\n")
    assert home.ask("ledger", "verify").out == "The ledger is whole.\n"
    agreed = home.ask("reconcile")
    assert agreed.code == 0, agreed.out
    assert agreed.out.startswith("The ledger verifies, and MLflow agrees with it.")


def test_silence_is_no_approval(staffed: Staffed) -> None:
    """Where nobody can be asked back the word --yes is asked for (exit code 2), and nothing is kept."""
    home = staffed.home
    policy = proposed(home.services(), staffed.models["reset_2fa"], "reset_2fa")
    short = policy.policy_id[:12]
    before = len(home.services().ledger.history())
    unasked = home.ask("approve", short, by="ana")
    assert (unasked.code, "say that you did: the same command with --yes" in unasked.err) == (
        2,
        True,
    )
    assert len(home.services().ledger.history()) == before

    # What approve shows can be read beforehand, by the policy's id or its case type.
    for named in (short, "reset_2fa"):
        read = home.ask("proposals", named, "--dossier")
        assert (read.code, read.err) == (0, "")
        assert read.out.strip() == unasked.out.strip()
        assert "Digest that an approval binds to: " in read.out
    assert home.ask("proposals", "reset_2fa", "--ids").out == f"{short}\n"
    none = home.ask("proposals", "zzz", "--dossier")
    assert (none.code, "waiting or approved" in none.err) == (2, True)
    assert home.ask("proposals", "--dossier", "--json").code == 2
    assert home.ask("refuse", short, "--reason", "only read", by="ben").code == 0


def test_who_may_not_approve_is_told_why(staffed: Staffed) -> None:
    """A wrong token and one's own proposal are refused (3); an unknown id is answered with what
    waits (2), and so is a command without a token."""
    home = staffed.home
    policy = proposed(home.services(), staffed.models["reset_2fa"], "reset_2fa")
    short = policy.policy_id[:12]
    for arguments, by, token, code, said in [
        ((short,), "ana", "wrong", 3, "The token given for ana is not theirs"),
        ((short,), "ana", "", 2, "ana asks without a token"),
        ((short,), "", "", 2, "nobody says who asks"),
        ((short,), "ola", None, 3, "to approve takes the role approver"),
        (("zzz",), "ana", None, 2, f"and none fits; waiting for approval: reset_2fa {short}"),
    ]:
        answer = home.ask("approve", "--yes", *arguments, by=by, token=token)
        assert (answer.code, said in answer.err) == (code, True), answer.err
        assert len(answer.err.splitlines()) == 1
    refused = home.ask("refuse", short, "--reason", "not now", by="ben")
    assert (refused.code, refused.out.startswith("Refused by ben.")) == (0, True)
    again = home.ask("promote", short, by="ben")
    assert (again.code, "approved: none" in again.err) == (2, True)


def test_a_token_alone_for_a_shell(manned: LiveHome) -> None:
    """The output is the token and nothing else, and it opens what it should; a name that is taken
    brings none."""
    said = manned.ask("people", "add", "cem", "--role", "approver", "--token-only", by="ana")
    assert (said.code, "cem is enrolled as approver." in said.err) == (0, True)
    assert "shown only this once" in said.err
    manned.tokens["cem"] = said.out.strip()
    assert "\n" not in manned.tokens["cem"]
    assert manned.ask("people", "revoke", "ben", by="cem").code == 0
    again = manned.ask("people", "add", "cem", "--role", "approver", "--token-only", by="ana")
    assert (again.code, again.out) == (3, "")
    both = manned.ask(
        "people", "add", "dee", "--role", "auditor", "--token-only", "--json", by="ana"
    )
    assert (both.code, "give one of them" in both.err) == (2, True)


def test_a_proposer_does_not_approve_their_own(manned: LiveHome) -> None:
    """Not even an approver who is a proposer as well."""
    home = manned
    said = home.ask("people", "add", "pia", "--role", "proposer", "--role", "approver", by="ana")
    home.tokens["pia"] = said.out.split("\n\n  ")[1].split("\n")[0]
    policy = home.proposal_without_a_model("ato", "pia")
    answer = home.ask("approve", "--yes", policy, by="pia")
    assert (answer.code, "somebody else must approve it" in answer.err) == (3, True)
    assert home.ask("approve", "--yes", policy, by="ana").code == 0


def test_forcing_takes_two_and_is_marked_for_ever(staffed: Staffed) -> None:
    """Without a reason it is a typing error; the first approver changes nothing; the mark stands in
    `status`."""
    home = staffed.home
    policy = proposed(home.services(), staffed.models["reset_2fa"], "reset_2fa", WIDE)
    short = policy.policy_id[:12]
    assert home.ask("promote", short, "--force", by="ana").code == 2
    mixed = home.ask("promote", short, "--reason", "an attack", by="ana")
    assert (mixed.code, "--reason goes with --force" in mixed.err) == (2, True)
    force = ("promote", short, "--force", "--reason", "an attack")
    first = home.ask(*force, by="ana")
    assert first.out.startswith("Nothing changed yet: a second approver gives the same command.")
    same = home.ask(*force, by="ana")
    assert (same.code, "a second approver must agree" in same.err) == (3, True)
    second = home.ask(*force, by="ben")
    assert "the ledger marks it as forced for ever" in second.out
    (line,) = [o for o in home.ask("status").out.splitlines() if o.startswith("reset_2fa ")]
    assert "ana and ben" in line
    assert line.endswith("forced: an attack")


def test_a_policy_with_a_plan_is_tried_and_the_test_is_judged(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`promote` starts it; `validate-ab` says what is lacking, or that it could not be judged;
    `status` and `proposals` show it."""
    home = staffed.home
    plan = AbPlan(targets=Targets(precision=0.9, recall=0.9))
    policy = proposed(home.services(), staffed.models["kyc_audit"], "kyc_audit", NARROW, plan)
    shown = home.ask("approve", "--yes", policy.policy_id[:12], by="ana").out
    assert "| A/B test | betting, 28 days, 50% treated |" in shown
    started = home.ask("promote", policy.policy_id[:12], by="ana")
    assert started.out.startswith("Its A/B test runs from now on; `ratchet validate-ab` judges it")
    judged = home.ask("validate-ab")
    assert judged.code == 0, judged.err
    lines = judged.out.splitlines()
    assert lines[0].startswith("kyc_audit: continue. Not proven: that the new boundary automates")
    assert " ".join(lines[1].split()) == "the new boundary state chance if it were untrue proven at"
    told = judged.out
    assert not any(raw in told for raw in ("True", "False", "e+", "automation  "))
    assert json.loads(home.ask("validate-ab", "--json").out)[0]["verdict"] == "continue"
    (line,) = [o for o in home.ask("status").out.splitlines() if o.startswith("kyc_audit ")]
    assert f"A/B of {policy.policy_id[:12]} since " in line
    (line,) = [o for o in home.ask("proposals").out.splitlines() if o.startswith("kyc_audit ")]
    assert "A/B test runs" in line

    def refuse(*_: object) -> None:
        raise ValueError("the column 'day' holds text that is no number")

    monkeypatch.setattr("flows.verbs.ab.validate_ab.judge_ab", refuse)
    spoilt = home.ask("validate-ab")
    assert spoilt.code == 3
    assert spoilt.out.startswith(
        "kyc_audit: not judged. The A/B test could not be judged: the column"
    )
    assert home.ask("validate-ab", "--json").code == 3


def test_two_people_approve_where_that_is_set(
    manned: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first word changes nothing and ends with 3; the same person twice is refused; the second
    person's completes it. `proposals` says who is lacking, and the proposal's own word counts where
    the setting was loosened since."""
    home = manned
    monkeypatch.setenv("RATCHET_FOUR_EYES", "two_people")
    policy = home.proposal_without_a_model("ato")
    monkeypatch.setenv("RATCHET_FOUR_EYES", "one_person")
    one = home.proposal_without_a_model("kyc_audit")  # filed by hand: it asks for one
    assert home.ask("approve", "--yes", one, by="ana").code == 0
    monkeypatch.setenv("RATCHET_FOUR_EYES", "two_people")
    waits = home.ask("proposals").out
    assert f"{policy[:12]} (ato):" in waits
    assert (
        "  No ticket is open for this case type.\n  It takes two people: two of ana, ben." in waits
    )
    first = home.ask("approve", "--yes", policy, "--note", "read it", by="ana")
    assert first.code == 3
    assert "Approved by ana; one more is needed: ben, by the same command." in first.out
    again = home.ask("approve", "--yes", policy, by="ana")
    assert (again.code, "another person must agree" in again.err) == (3, True)
    early = home.ask("promote", policy, by="ana")
    assert (early.code, "approved: kyc_audit" in early.err) == (2, True)
    waits = home.ask("proposals").out
    assert "second approval" in waits
    assert "Approved by ana; one more is needed: ben." in waits
    told = json.loads(home.ask("proposals", "--json").out)
    row = next(row for row in told if row["case_type"] == "ato")
    assert (row["approved_by"], row["may_approve"], row["approvers_needed"]) == (
        ["ana"],
        ["ben"],
        2,
    )
    second = home.ask("approve", "--yes", policy, by="ben")
    assert second.code == 0, second.err
    assert "Approved by ana and ben. It decides nothing yet" in second.out


def test_a_case_type_may_ask_for_two_by_itself(
    manned: LiveHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file wins over the settings, either way."""
    own = tmp_path / "config" / "case_types"
    own.mkdir(parents=True)
    here = (CONFIGS / "case_types" / "ato.yaml").read_text(encoding="utf-8")
    (own / "ato.yaml").write_text(f"{here}\nfour_eyes: two_people\n", encoding="utf-8")
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path / "config"))
    policy = manned.proposal_without_a_model("ato")
    assert manned.ask("approve", "--yes", policy, by="ana").code == 3
    other = manned.proposal_without_a_model("kyc_audit")
    assert manned.ask("approve", "--yes", other, by="ana").code == 0
    other_folder = tmp_path / "wrong" / "case_types"
    other_folder.mkdir(parents=True)
    (other_folder / "ato.yaml").write_text(f"{here}\nfour_eyes: three\n", encoding="utf-8")
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path / "wrong"))
    wrong = manned.ask("proposals")
    assert (wrong.code, "four_eyes" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rollback", "ato"], 2, "--reason"),
        (["rollback", "ato", "--reason", " "], 2, "a rollback needs a reason"),
        (["rollback", "ato", "--reason", "x"], 3, "no policy promoted before the live one"),
        (["rollback", "atoo", "--reason", "x"], 2, "no case type 'atoo'; the case types are kyc_"),
        (["refuse", "abc"], 2, "--reason"),
        (["refuse", "abc", "--reason", "x"], 2, "waiting or approved: none"),
        (["promote", "abc"], 2, "approved: none"),
        (["promote", "abc", "--force", "--reason", "x"], 2, "the ledger names none like it"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    manned: LiveHome, arguments: list[str], code: int, said: str
) -> None:
    """On a home where nothing was proposed."""
    answer = manned.ask(*arguments, by="ana")
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_an_empty_home_has_nothing_to_say_and_says_so(bare: LiveHome) -> None:
    """No entry, no proposal, no test; every case type is in shadow."""
    assert bare.ask("proposals").out == "Nothing waits.\n"
    assert bare.ask("proposals", "--json").out == "[]\n"
    assert bare.ask("validate-ab").out == "No A/B test runs.\n"
    assert bare.ask("validate-ab", "--json").out == "[]\n"
    told = bare.ask("history").out
    assert told.startswith("The ledger has no entry.\n\nLive now:\n")
    assert told.count(" shadow ") == 5
    early = bare.ask("approve", "--yes", "abc", by="ana")
    assert (early.code, "waiting for approval: none" in early.err) == (2, True)
