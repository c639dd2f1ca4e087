"""A case id `../../x`, with NUL, or `'; DROP`: no path escapes, nothing is executed, quarantined by name
(FAULTS 27).

Injected: such ids in decisions, reviews, outcomes and new cases, and asked for on the command line.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import with_mlflow
from tests.faults.upstream import TABLES, Upstream
from tests.flows.commands.live_home import NARROW, proposed, with_a_model

IDS = [
    "../../x",
    "..",
    "/etc/passwd",
    "a/../../b",
    "a\x00b",
    "'; DROP TABLE evidence_batches; --",
    "x' OR '1'='1",
    "$(touch it_ran)",
    "`touch it_ran`",
    "{{7*7}}",
    "a\nb",
    "\x1b[2J",
    "file:///etc/passwd",
    "",
    "a" * 10_000,
]


def files_of(folder: Path) -> set[str]:
    """Everything below, but for what lies inside the home itself."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if "home" not in path.relative_to(folder).parts[:1]
    }


def test_it_is_put_aside_by_name_and_everything_else_is_admitted(
    upstream_on_either: Upstream, tmp_path: Path
) -> None:
    """In all three tables of a night; nothing lies outside the home, and every table still answers."""
    upstream = upstream_on_either
    sound = {table: upstream.read(table) for table in TABLES}
    for table in TABLES:
        rows = sound[table].copy()
        odd = IDS if len(rows) > len(IDS) else IDS[:1]
        rows.loc[rows.index[: len(odd)], "case_id"] = odd
        upstream.write(table, rows)
    before = files_of(tmp_path)
    said = upstream.night()
    assert "Traceback" not in said.err
    for table, least in (("decisions", len(IDS)), ("reviews", len(IDS)), ("outcomes", 1)):
        aside = upstream.rejected(table)
        named = aside["broken_rules"].str.contains("case_id_is_plain")
        assert named.sum() == least
        rows_in, admitted, put_aside = upstream.services().store.counts(table)
        assert (rows_in, len(aside)) == (admitted + put_aside, put_aside)
        assert not set(IDS) & set(upstream.stored(table).get("case_id", []))
    assert files_of(tmp_path) == before
    assert upstream.ask("ledger", "verify").code == 0
    for case_id in IDS[5:7]:
        assert case_id not in said.out + said.err


@pytest.mark.parametrize("case_id", [one for one in IDS if "\x00" not in one])
def test_asked_about_it_the_command_says_there_is_no_such_case(
    upstream: Upstream, tmp_path: Path, case_id: str
) -> None:
    """Exit code 2 and a sentence; nothing is looked up by path."""
    before = files_of(tmp_path)
    said = upstream.ask("explain", "--", case_id)
    assert said.code == 2, said.out + said.err
    assert files_of(tmp_path) == before


def test_a_new_case_of_such_a_name_is_not_decided(upstream: Upstream, tmp_path: Path) -> None:
    """The file's other cases are, each by the live policy."""
    with_mlflow(upstream.home.home / "live")
    upstream.home.people()
    services = upstream.services()
    policy = proposed(services, with_a_model(services, "ato"), "ato", NARROW)
    approved = upstream.home.ask("approve", "--yes", policy.policy_id, by="ana")
    assert approved.code == 0, approved.err
    assert upstream.home.ask("promote", policy.policy_id, by="ana").code == 0
    rows = upstream.read("decisions")
    cases = rows[rows["case_type"] == "ato"].copy().reset_index(drop=True)
    cases.loc[: len(IDS) - 1, "case_id"] = IDS
    given = ["case_id", "opened_at", "priority", "amount_usd"]
    features = list(services.case_types["ato"].feature_names)
    cases[[*given, *features]].to_parquet(tmp_path / "cases.parquet", index=False)
    before = files_of(tmp_path)
    said = upstream.ask("decide", str(tmp_path / "cases.parquet"), "--case-type", "ato", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["refused"], told["decided"]) == (len(IDS), len(cases) - len(IDS))
    assert told["rejections"]["case_id_is_plain"] == len(IDS)
    assert files_of(tmp_path) == before
