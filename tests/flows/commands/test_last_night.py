"""The morning after by commands: the last night on one screen, and what waits as files."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.record.last_night import last_night
from tests.flows.commands.live_home import LiveHome
from tests.live_sources import write_live_sources

pytestmark = pytest.mark.slow

EVIL = '=HYPERLINK("http://x.example","y")'


@pytest.fixture(scope="module")
def _after(tmp_path_factory: pytest.TempPathFactory) -> LiveHome:
    """Two nights: in the first one three reviews break a rule, in the second a case type is halted."""
    folder = tmp_path_factory.mktemp("after")
    home = LiveHome(folder / "home")
    with pytest.MonkeyPatch.context() as here:
        for name, value in write_live_sources(folder / "up", days=3, scale=0.03).items():
            here.setenv(name, value)
        file = folder / "up" / "reviews.parquet"
        reviews = pd.read_parquet(file)
        then = datetime.now(UTC) - timedelta(days=1)
        spoilt = reviews.head(3).assign(
            review_id=["s-1", "s-2", "s-3"],
            queued_at=pd.Timestamp(then - timedelta(hours=1)).as_unit("us"),
            resolved_at=pd.Timestamp(then - timedelta(hours=10)).as_unit("us"),
            annotation=EVIL,
        )
        pd.concat([reviews, spoilt], ignore_index=True).to_parquet(file, index=False)
        for moment in (then, then + timedelta(hours=23)):
            said = home.ask("night", "--as-of", moment.isoformat())
            assert said.code == 0, said.out + said.err
    return home


@pytest.fixture
def after(_after: LiveHome, tmp_path: Path) -> LiveHome:
    shutil.copytree(_after.home, tmp_path / "home")
    return LiveHome(tmp_path / "home")


def test_before_the_first_night_it_says_so(bare: LiveHome) -> None:
    """Exit 2 and what would work."""
    said = bare.ask("last-night")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "ratchet: no night has been run in this home yet, so there is none to tell of; "
        "`ratchet night` runs one.\n"
    )


def test_the_screen_begins_with_the_verdict_and_counts_what_was_new(after: LiveHome) -> None:
    """Rows read again are none; rejects stand by rule; every heading is there; JSON has the figures."""
    said = after.ask("last-night")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("Night of ")
    assert lines[0].endswith("Everything was done; nothing is held.")
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles[:3] == ["Rows:", "On hold:", "In shadow:"]
    assert titles[3].startswith("Changed since the night of ")
    assert titles[4] == "Waits:"
    assert len(lines) < 60
    told = json.loads(after.ask("last-night", "--json").out)
    (reviews,) = [one for one in told["tables"] if one["table"] == "reviews"]
    stored = after.services().store.read("reviews")
    newest = stored["received_at"].max()
    assert reviews["new"] == int((stored["received_at"] == newest).sum()) > 0
    assert reviews["read_again"] > 0
    assert reviews["by_rule"] == {"resolved_after_queued": 3}
    assert f"reviews: {reviews['new']:,} new, {reviews['read_again']:,} read again, 3 quarantined " \
        "(resolved_after_queued 3)" in said.out  # fmt: skip
    assert "`ratchet last-night` tells what came in" in after.ask("status").out


def test_changes_holds_and_what_waits_are_told_with_their_commands(after: LiveHome) -> None:
    """A halt and a proposal since the night; two approvers may approve it."""
    after.people()
    after.ask("halt", "ato", "--reason", "odd\x1b[2J\nblocks", by="ana")
    policy = after.proposal_without_a_model("kyc_audit")
    told = after.ask("last-night").out
    assert "ato halted by ana: odd [2J blocks" in told
    assert f"kyc_audit proposed {policy[:12]} by nightly_calibration" in told
    assert "ato: halted by ana: `ratchet resume ato --reason R`" in told
    waits = f"kyc_audit: policy {policy[:12]} for its approval: `ratchet approve {policy[:12]}`"
    assert f"{waits} (ana, ben)" in told
    assert "enrolled" not in told


def test_a_ledger_that_was_changed_is_said_and_the_rest_is_told(after: LiveHome) -> None:
    after.people()
    (after.home / "live" / "ledger.head").unlink()
    said = after.ask("last-night")
    assert said.code == 3
    assert "Rows:" in said.out
    assert "The ledger is not to be trusted" in said.out


def test_quarantined_rows_come_back_once_with_their_rules_and_source(
    after: LiveHome, tmp_path: Path
) -> None:
    """Though both nights put them aside; cells that a spreadsheet would run are text there, and the
    console shows no cell."""
    for name in ("q.csv", "q.parquet"):
        file = tmp_path / name
        said = after.ask("quarantine", "--table", "reviews", "--to", str(file))
        assert said.code == 0, said.err
        assert said.out.startswith("3 quarantined rows are still missing.\n")
        assert "HYPERLINK" not in said.out
        rows = pd.read_csv(file) if name.endswith(".csv") else pd.read_parquet(file)
        assert sorted(rows["review_id"]) == ["s-1", "s-2", "s-3"]
        assert set(rows["broken_rules"]) == {"resolved_after_queued"}
        assert set(rows["delivered_by"]) == {"desk_reviews"}
        assert set(rows["annotation"]) == {"'" + EVIL}
    assert after.ask("quarantine", "--since", "2999-01-01T00:00:00Z").code == 2
    assert after.ask("quarantine", "--case-type", "atoo").code == 2
    wrong = after.ask("quarantine", "--to", str(tmp_path / "q.xlsx"))
    assert (wrong.code, "must end in .csv or .parquet" in wrong.err) == (2, True)
    nowhere = after.ask("quarantine", "--to", str(after.home))
    assert (nowhere.code, "Traceback" in nowhere.err) == (2, False)
    types = [
        json.loads(after.ask("quarantine", "--case-type", name, "--json").out)["rows"]
        for name in after.services().case_types
    ]
    assert sum(types) == 3


def test_second_reviews_are_named_blind(after: LiveHome, tmp_path: Path) -> None:
    """The cases of the night's dossier, by time, without verdict or reason."""
    file = tmp_path / "second.parquet"
    said = after.ask("second-reviews", "--to", str(file))
    assert said.code == 0, said.err
    rows = pd.read_parquet(file)
    assert list(rows.columns) == ["case_id", "case_type", "opened_at", "priority", "amount_usd"]
    assert len(rows) > 0
    assert rows["opened_at"].is_monotonic_increasing
    from flows.verbs.record.dossier_files import last_dossier

    night = last_dossier(after.services().home, after.services().shared)
    assert night is not None
    asked = {one["case_id"] for one in night["second_reviews"]}
    assert set(rows["case_id"]) == asked
    for word in ("contradicts", "audit_said_good", "drawn_bad", "block"):
        assert word not in said.out


def test_an_empty_home_has_nothing_to_hand_out(bare: LiveHome, tmp_path: Path) -> None:
    """Exit 0, a sentence, and a file with headings and no row."""
    for command in ("quarantine", "second-reviews", "open-draws"):
        file = tmp_path / f"{command}.csv"
        said = bare.ask(command, "--to", str(file))
        assert (said.code, said.err) == (0, "")
        assert len(file.read_text().splitlines()) == 1


def test_the_verb_counts_shadow_scores_of_the_newest_model_only(after: LiveHome) -> None:
    """Of a model that nobody scored with yet there are none."""
    from tests.flows.commands.live_home import with_a_model

    services = after.services()
    with_a_model(services, "ato")
    (one,) = last_night(services, datetime.now(UTC))["shadow"]
    assert (one["case_type"], one["model_version"], one["scored"]) == ("ato", "1", 0)
