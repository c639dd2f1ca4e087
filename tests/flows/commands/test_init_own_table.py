"""A newcomer's own table, as a spreadsheet wrote it, becomes a project without editing a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.settings import load_settings
from configs.sources import load_source
from tests.flows.command_line import Ratchet

COUNT = 150


def loans() -> pd.DataFrame:
    """Past loans: days first, euros, percents, a yes/no label, and a column that repeats it."""
    draw = np.random.default_rng(3)
    bad = draw.random(COUNT) < 0.3
    opened = pd.date_range("2025-10-20 14:05", periods=COUNT, freq="9h")
    return pd.DataFrame(
        {
            "loan_no": [f"L{number:04d}" for number in range(COUNT)],
            "applied": opened.strftime("%d/%m/%Y %H:%M"),
            "amount": [f"€{value:,.2f}" for value in draw.lognormal(9, 1, COUNT)],
            "debt_to_income": [f"{value:.1f}%" for value in draw.uniform(5, 60, COUNT)],
            "priority": draw.integers(0, 80, COUNT),
            "has_guarantor": draw.choice(["yes", "no"], COUNT),
            "recovery_status": np.where(bad, "collections", "none"),
            "defaulted": np.where(bad, "yes", "no"),
        }
    )


def written(folder: Path, rows: pd.DataFrame, name: str = "loans.csv") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / name, index=False)
    return str(folder / name)


def test_the_table_is_read_checked_and_its_new_cases_decided_as_it_stands(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Every guess is said; for new cases two lines are a person's: where they are, and that they are."""
    project, home = tmp_path / "mine", tmp_path / "home"
    env = {"RATCHET_CONFIG": str(project)}
    done = ratchet_here(home, "init", "loan", "--from", written(tmp_path, loans()), **env)
    assert done.returncode == 0, done.stderr
    for sentence in (
        "bad is the column 'defaulted'",
        "the day stands first in dates",
        "the numbers of 'amount' are written with '.' before the decimals, ',' between thousands, the unit '€'",
        "the numbers of 'debt_to_income' are written with '.' before the decimals, the unit '%' (12 % is 12)",
        "'amount' is in €, and is taken as it stands for US dollars",
        "Leak: recovery_status",
    ):
        assert sentence in done.stdout

    euros, percents = ({"thousands": ",", "unit": "€"}, {"unit": "%"})
    for table in ("history", "cases", "decisions"):
        source = load_source(project / "sources" / f"{table}.yaml", env)
        assert source.dates == "dmy"
        said = source.model_dump(exclude_unset=True)["numbers"]
        assert said == {"amount_usd": euros, "amount": euros, "debt_to_income": percents}
    cases = load_source(project / "sources" / "cases.yaml", env)
    assert cases.columns == {
        "case_id": "loan_no", "opened_at": "applied", "priority": "priority", "amount_usd": "amount",
        "amount": "amount",
    }  # fmt: skip

    done = ratchet_here(home, "check", "--json", **env)
    assert done.returncode == 0, done.stdout
    (history,) = json.loads(done.stdout)["sources"]
    assert history["admitted"] == history["rows"] == COUNT

    done = ratchet_here(home, "decide", **env)
    assert done.returncode == 2
    assert f"Say in {project}/sources/cases.yaml where the table is" in done.stderr
    assert f"{project}/profiles/local.yaml" in done.stderr

    new = loans().drop(columns=["defaulted", "recovery_status"]).head(40)
    written(project / "tables", new, "cases.csv")
    for file, old, own in (
        ("sources/cases.yaml", "../tables/cases.parquet", "../tables/cases.csv"),
        ("profiles/local.yaml", "  # cases:", "  cases:"),
    ):
        text = (project / file).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (project / file).write_text(text.replace(old, own), encoding="utf-8")
    done = ratchet_here(home, "decide", "--json", **env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loan"]["actions"] == {"escalate": 40}


def test_the_cases_beside_the_table_are_written_in_their_own_way(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Dollars without thousands, and months first, where the past has euros and days first."""
    new = loans().drop(columns=["defaulted", "recovery_status"])
    new["applied"] = pd.date_range("2026-01-20", periods=COUNT, freq="h").strftime("%m/%d/%Y %H:%M")
    new["amount"] = "1320.50 USD"
    written(tmp_path, new, "cases.csv")
    project = tmp_path / "mine"
    env = {"RATCHET_CONFIG": str(project)}
    done = ratchet_here(tmp_path, "init", "loan", "--from", written(tmp_path, loans()), **env)
    assert done.returncode == 0, done.stderr
    cases = load_source(project / "sources" / "cases.yaml", env)
    assert cases.dates == "mdy"
    assert cases.model_dump(exclude_unset=True)["numbers"] == {
        "amount_usd": {"unit": "USD"}, "amount": {"unit": "USD"}, "debt_to_income": {"unit": "%"},
    }  # fmt: skip
    done = ratchet_here(tmp_path / "home", "check", "--json", **env)
    assert done.returncode == 0, done.stdout
    assert [one["admitted"] for one in json.loads(done.stdout)["sources"]] == [COUNT, COUNT]


def test_what_can_be_read_in_two_ways_is_asked_once(ratchet_here: Ratchet, tmp_path: Path) -> None:
    """Both columns in one refusal; the options it names are taken."""
    rows = loans().assign(amount="€8,712", debt_to_income="7,431")
    rows.loc[::2, ["amount", "debt_to_income"]] = ["€950", "12"]
    asked = ["init", "loan", "--from", written(tmp_path, rows), "--to", str(tmp_path / "mine")]
    done = ratchet_here(tmp_path, *asked)
    assert done.returncode == 2
    assert "2 columns hold numbers that can be read in two ways" in done.stderr
    assert not (tmp_path / "mine").exists()
    done = ratchet_here(
        tmp_path, *asked, "--numbers", "amount=1,234.56", "--numbers", "debt_to_income=1234,56"
    )
    assert done.returncode == 0, done.stderr
    source = load_source(tmp_path / "mine" / "sources" / "history.yaml", {})
    said = source.model_dump(exclude_unset=True)["numbers"]
    assert said["amount_usd"] == said["amount"] == {"thousands": ",", "unit": "€"}
    assert said["debt_to_income"] == {"decimal": ","}


@pytest.mark.parametrize(
    ("label", "arguments", "said"),
    [
        ("went_wrong", [], "No label was found"),
        ("went_wrong", [], "Yes/no columns: has_guarantor, went_wrong."),
        ("went_wrong", ["--label", "-"], ""),
    ],
)
def test_a_label_that_is_not_found_is_said(
    ratchet_here: Ratchet, tmp_path: Path, label: str, arguments: list[str], said: str
) -> None:
    """With the columns it may be; who says that there is none is not told again."""
    rows = loans().rename(columns={"defaulted": label})
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", written(tmp_path, rows), "--to",
        str(tmp_path / "mine"), *arguments,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert ("No label" in done.stdout) is bool(said)


def test_a_table_without_a_label_is_checked_though_a_column_has_two_units(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Nobody can say what euros and dollars in one column are; the others are read all the same."""
    rows = loans().drop(columns=["defaulted", "recovery_status"])
    rows["fee"] = np.where(np.arange(COUNT) % 2, "€3.10", "$4.20")
    env = {"RATCHET_CONFIG": str(tmp_path / "mine")}
    done = ratchet_here(tmp_path, "init", "loan", "--from", written(tmp_path, rows), **env)
    assert done.returncode == 0, done.stderr
    assert "fee" in done.stdout
    done = ratchet_here(tmp_path / "home", "check", "--json", **env)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("uncommented", [(), ("cases",), ("cases", "reviews")])
def test_each_line_of_the_profile_is_taken_by_itself(
    ratchet_here: Ratchet, tmp_path: Path, uncommented: tuple[str, ...]
) -> None:
    """`sources:` stands there with nothing below it, and one # is enough for one table."""
    project = tmp_path / "mine"
    env = {"RATCHET_CONFIG": str(project)}
    assert (
        ratchet_here(
            tmp_path, "init", "loan", "--from", written(tmp_path, loans()), **env
        ).returncode
        == 0
    )
    profile = project / "profiles" / "local.yaml"
    text = profile.read_text(encoding="utf-8")
    for table in uncommented:
        text = text.replace(f"  # {table}:", f"  {table}:")
    profile.write_text(text, encoding="utf-8")
    sources = load_settings("local", env).sources
    named = {one for one in ("cases", "decisions", "reviews", "outcomes") if getattr(sources, one)}
    assert named == set(uncommented)


def test_several_mistakes_of_a_source_stand_on_lines_of_their_own(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Two sentences are not run together."""
    project = tmp_path / "mine"
    env = {"RATCHET_CONFIG": str(project)}
    ratchet_here(tmp_path, "init", "loan", "--from", written(tmp_path, loans()), **env)
    file = project / "sources" / "history.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "numbersx: 3\nvaluesx: 4\n", encoding="utf-8")
    done = ratchet_here(tmp_path / "home", "check", **env)
    assert done.returncode == 2
    lines = [line.strip() for line in done.stdout.splitlines() if "unknown key" in line]
    assert len(lines) == 2
    assert lines[0].endswith("Did you mean 'numbers'?")


def test_what_is_a_matter_of_business_is_marked_and_explained(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """Each number that `init` cannot know says so where it stands, and what it decides."""
    project = tmp_path / "mine"
    done = ratchet_here(
        tmp_path, "init", "loan", "--from", written(tmp_path, loans()), "--to", str(project)
    )
    assert done.returncode == 0, done.stderr
    blocks = (project / "case_types" / "loan.yaml").read_text(encoding="utf-8").split("\n\n")
    for key, said in (
        ("targets:", "`recall`: of all bad cases, the share that is not passed"),
        ("maturity_days: 14", "TO DO: days from when a case is new until its truth is settled"),
        ("costs:", "TO DO: what a review and each kind of error costs you"),
        ("staffing:", "TO DO: who reviews"),
        ("audit_rate: 0.05", "TO DO: the share of automatic decisions"),
    ):
        (block,) = [one for one in blocks if f"\n{key}" in f"\n{one}"]
        assert said in block


def test_cases_that_are_still_open_are_neither_bad_nor_good(
    ratchet_here: Ratchet, tmp_path: Path
) -> None:
    """By --unknown-value: init, the check and the source file agree on every count."""
    rows = loans().drop(columns=["recovery_status"])
    status = np.where(rows.pop("defaulted") == "yes", "default", "paid").astype(object)
    status[-30:] = "running"
    rows["Status"] = status
    bad, good = int((status == "default").sum()), int((status == "paid").sum())
    table = written(tmp_path, rows)
    env = {"RATCHET_CONFIG": str(tmp_path / "mine")}
    done = ratchet_here(tmp_path / "home", "init", "loan", "--from", table, **env)
    assert "--label Status --bad-value default" in done.stdout

    env = {"RATCHET_CONFIG": str(tmp_path / "labelled")}
    asked = ("--label", "Status", "--bad-value", "default", "--unknown-value", "running")
    done = ratchet_here(tmp_path / "home", "init", "loan", "--from", table, *asked, **env)
    assert done.returncode == 0, done.stderr
    for sentence in (
        f"default: {bad} rows, bad", f"paid: {good} rows, good", "running: 30 rows, not known",
        f"export RATCHET_HOME={tmp_path}/labelled-home ",
    ):  # fmt: skip
        assert sentence in done.stdout

    done = ratchet_here(tmp_path / "home", "check", "--json", **env)
    assert done.returncode == 0, done.stdout
    (history,) = json.loads(done.stdout)["sources"]
    assert history["admitted"] == COUNT
    assert history["truths"]["loan"] == {
        "bad": bad, "good": good, "unknown": 30, "unknown_and_mature": 30,
    }  # fmt: skip
    assert "30 are older" in " ".join(history["notes"])
