"""After a boundary fell or a period closed, by commands: what is said, written and refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.services import Services
from models.boundary.decision.audit import audit_purpose
from models.hub import Policy
from tests.flows.commands.conftest import Staffed
from tests.flows.commands.live_home import NARROW, WIDE, LiveHome, proposed
from tests.portable_certificates import KEY, NOW, certificate, changed, signed

LAST_YEAR = datetime(2025, 3, 1, tzinfo=UTC)


def cases(
    services: Services, case_type: str, opened: datetime, live: Policy | None = None
) -> pd.DataFrame:
    """400 cases a minute apart: two thirds passed by their score, one in ten of them audited, the rest
    escalated and bad in half of the cases. Of those whose truth is known, it is stored."""
    count = 400
    draw = np.random.default_rng(5)
    ids = pd.Series([f"{case_type}-{opened:%y%m%d}-{number:03d}" for number in range(count)])
    score = draw.random(count)
    passed = score <= (2 / 3 if live is None else float(str(live.boundary.pass_at_or_below)))
    audited = passed & (services.draws.case_draw(audit_purpose(case_type), ids) < 0.1)
    stamps = pd.Series(pd.date_range(opened, periods=count, freq="min")).astype(
        "datetime64[us, UTC]"
    )
    rows = pd.DataFrame(
        {
            "case_id": ids,
            "case_type": case_type,
            "opened_at": stamps,
            "decided_at": stamps,
            "score": score,
            "recommendation": np.where(score > 0.5, "block", "pass"),
            "action": np.where(passed, "auto_pass", "escalate"),
            "propensity": np.where(passed, 0.1, 1.0),
            "audited": audited,
            "arm": "control",
            "policy_id": "another agent's" if live is None else live.policy_id,
            "model_version": "1",
            "priority": 10,
            "amount_usd": 100.0,
        }
    )
    stored(services, "decisions", rows, ["case_id"], opened)
    bad = ~passed & (draw.random(count) < 0.5)
    verified(services, rows[~passed | audited], bad[~passed | audited])
    return rows.assign(bad=bad)


def verified(services: Services, rows: pd.DataFrame, bad: np.ndarray) -> None:
    facts = pd.DataFrame(
        {
            "case_id": rows["case_id"].astype("str"),
            "case_type": rows["case_type"].astype("str"),
            "observed_at": rows["opened_at"] + pd.Timedelta(days=1),
            "bad": np.asarray(bad, dtype=bool),
            "source": "reverification",
        }
    )
    stored(
        services,
        "outcomes",
        facts,
        ["case_id", "observed_at"],
        rows["opened_at"].max().to_pydatetime(),
    )


def stored(
    services: Services, table: str, rows: pd.DataFrame, key: list[str], at: datetime
) -> None:
    nothing = rows.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    services.store.append(table, rows, nothing, key=key, source="by hand", received_at=at)


PERIOD = ("audit-period", "ato", "--from", "2025-03-01T00:00:00Z", "--to", "2025-04-01T00:00:00Z")


def test_a_closed_periods_audit_and_its_top_up(manned: LiveHome, tmp_path: Path) -> None:
    """Exit 3 and the next cases, then, once they are reviewed, exit 0; the file holds no decision."""
    services = manned.services()
    rows = cases(services, "ato", LAST_YEAR)
    named = tmp_path / "next.csv"
    said = manned.ask(*PERIOD, "--miss-share", "0.1", "--next", str(named))
    assert said.code == 3, said.err
    assert said.out.startswith("ato: Not yet proven: at most 10% of the bad cases of 2025-03-01 to")
    assert f"Written: {named}" in said.out
    next_cases = pd.read_csv(named)
    assert list(next_cases) == ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
    mine = rows[rows["case_id"].isin(next_cases["case_id"])]
    verified(manned.services(), mine, mine["bad"].to_numpy())
    proven = manned.ask(*PERIOD, "--miss-share", "0.1", "--json")
    told = json.loads(proven.out)
    assert (proven.code, told["verdict"], told["misses"]) == (0, "proven", 0)
    assert told["reviewed"] < told["auto_passed"]
    assert manned.ask(*PERIOD, "--miss-share", "0.1", "--rate", "1").out.startswith("ato: Proven: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*PERIOD[:3], "2025-03-01", *PERIOD[4:]), "has no time zone"),
        ((*PERIOD[:5], "2999-01-01T00:00:00Z"), "lies in the future"),
        (("audit-period", "atoo", *PERIOD[2:]), "there is no case type 'atoo'"),
        (PERIOD, "there is nothing to audit"),
        ((*PERIOD, "--next", "x.txt"), "must end in .csv or .parquet"),
        (("look-back", "atoo"), "there is no case type 'atoo'"),
        (("look-back", "ato", "--to", "x.txt"), "must end in .csv or .parquet"),
        (("certificate", "export", "atoo", "--to", "c.json"), "there is no case type 'atoo'"),
        (("certificate", "verify", "nowhere.json"), "cannot be read as a certificate"),
        (("certificate", "verify", "README.md", "--at", "2026-05-04"), "has no time zone"),
        (("certificate", "verify", "README.md", "--key", "abc"), "'abc' is no public key"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    manned: LiveHome, arguments: tuple[str, ...], said: str
) -> None:
    """Exit 2 and what would work."""
    answer = manned.ask(*arguments)
    assert (answer.code, said in answer.err) == (2, True), answer.err + answer.out


def test_without_a_fall_or_a_proof_it_says_so(manned: LiveHome, tmp_path: Path) -> None:
    """Nothing to look back at is no failure; a certificate of nothing is a gate's no."""
    said = manned.ask("look-back", "ato")
    assert (said.code, said.out) == (
        0,
        "ato: no boundary has fallen on its pass side, so there is nothing to look back at.\n",
    )
    refused = manned.ask("certificate", "export", "ato", "--to", str(tmp_path / "c.json"))
    assert refused.code == 3
    assert "nothing is automated, so there is nothing to certify" in refused.err
    assert not (tmp_path / "c.json").exists()


def test_a_fallen_band_is_handed_out_most_harm_first(staffed: Staffed, tmp_path: Path) -> None:
    """Passed up to .3, rolled back to .1: of the $100 cases between, those that nobody drew."""
    home, name = staffed.home, "ato"
    for boundary in (NARROW, WIDE):
        policy = proposed(home.services(), staffed.models[name], name, boundary)
        assert home.ask("approve", policy.policy_id, "--yes", by="ana").code == 0
        assert home.ask("promote", policy.policy_id, by="ana").code == 0
    rows = cases(home.services(), name, datetime.now(UTC) - timedelta(hours=26), policy)
    assert home.ask("rollback", name, "--reason", "odd passes", by="ola").code == 0
    band = rows[(rows["action"] == "auto_pass") & (rows["score"] > 0.1) & ~rows["audited"]]
    file = tmp_path / "back.csv"
    said = home.ask("look-back", name, "--to", str(file))
    assert said.code == 0, said.err
    assert said.out.startswith(f"{name}: {len(band)} cases are still worth a look: ")
    handed = pd.read_csv(file)
    assert (
        handed["case_id"].tolist() == band.sort_values("score", ascending=False)["case_id"].tolist()
    )
    told = json.loads(home.ask("look-back", name, "--json").out)
    (fall,) = told["falls"]
    assert (told["waiting"], fall["kind"], fall["above"]) == (len(band), "rolled_back", 0.1)


def test_a_certificate_is_verified_by_the_command_as_by_the_file(
    bare: LiveHome, tmp_path: Path
) -> None:
    """Exit 0 and what it says; exit 3 with the reason once a count is another one."""
    file = tmp_path / "c.json"
    file.write_text(signed(certificate()), encoding="ascii")
    asked = ("certificate", "verify", str(file), "--at", NOW.isoformat())
    said = bare.ask(*asked, "--key", KEY)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("It holds.\nsmall_case: pass at or below 0.2, block at or above 0.9")
    assert "No --key was given" in bare.ask(*asked).out
    spoilt = changed(lambda told: told["proofs"][0]["steps"][0]["looks"][1].__setitem__(3, 26))
    file.write_text(signed(spoilt), encoding="ascii")
    refused = bare.ask(*asked)
    assert refused.code == 3
    assert refused.out == (
        "Not to be relied on: recall at 0.2: no look shows as few errors as it may, so it is not proven.\n"
    )
