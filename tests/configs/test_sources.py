"""A source file says where a table lies and what its columns are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import CONFIGS
from configs.sources import SourceSettings, load_source
from models.vocabulary import AuditBudget, CaseType, Feature, Targets

HISTORY = """\
name: mine
kind: history
path: cases.parquet
columns: {case_id: id, opened_at: t, bad: fraud}
case_type: my_case
features: [amount, country]
targets: {precision: 0.95, recall: 0.99}
label_delay_days: 7
"""


def written(folder: Path, text: str) -> SourceSettings:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load_source(file)


def test_relative_paths_resolve_against_the_file(tmp_path: Path) -> None:
    """cases.parquet lies beside the source file, wherever the command was started."""
    assert written(tmp_path, HISTORY).path == str(tmp_path / "cases.parquet")


def test_the_data_folder_is_found_through_the_environment(tmp_path: Path) -> None:
    """${RATCHET_DATA} is expanded; another variable that is not set is named."""
    file = tmp_path / "mine.yaml"
    file.write_text(HISTORY.replace("cases.parquet", "${RATCHET_DATA}/x.parquet"), encoding="utf-8")
    assert load_source(file, {"RATCHET_DATA": str(tmp_path / "d")}).path == str(
        tmp_path / "d/x.parquet"
    )
    file.write_text(HISTORY.replace("cases.parquet", "${NOWHERE}/x.parquet"), encoding="utf-8")
    with pytest.raises(UserError, match="NOWHERE is not set"):
        load_source(file, {})


def test_a_history_without_a_time_column_is_refused(tmp_path: Path) -> None:
    """Shuffled history proves nothing."""
    with pytest.raises(UserError, match="needs a time column"):
        written(tmp_path, HISTORY.replace(", opened_at: t", ""))


def test_addresses_and_absolute_paths_stay_as_they_are(tmp_path: Path) -> None:
    """s3:// is somebody else's file system; only a relative path belongs to the file."""
    for path in ("s3://bucket/cases.parquet", str(tmp_path / "elsewhere" / "cases.parquet")):
        assert written(tmp_path, HISTORY.replace("cases.parquet", path)).path == path


def test_a_path_that_climbs_resolves_against_the_file(tmp_path: Path) -> None:
    """../cases.parquet is the neighbour of the file's folder, wherever that is linked from."""
    (tmp_path / "sources").mkdir()
    found = written(tmp_path / "sources", HISTORY.replace("cases.parquet", "../cases.parquet"))
    assert found.path == str(tmp_path / "cases.parquet")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("path: cases.parquet\n", "", "give either `path`"),
        ("path: cases.parquet\n", "path: a.csv\nurl: sqlite://\n", "give either `path`"),
        ("path: cases.parquet\n", "url: sqlite://\n", "needs a `query`"),
        ("case_type: my_case\n", "", "`case_type`, or the `case_type_column`"),
        ("case_type: my_case\n", "case_type: a\ncase_type_column: b\n", "`case_type_column`"),
        ("{case_id: id, ", "{", "map `case_id`"),
        (", bad: fraud", "", "map `bad`"),
        ("targets: {precision: 0.95", "targets: {precison: 0.95", "Did you mean 'precision'"),
    ],
)
def test_a_history_that_cannot_be_walked_says_what_is_missing(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    """Each names the key to write."""
    assert old in HISTORY
    with pytest.raises(UserError, match=why):
        written(tmp_path, HISTORY.replace(old, new))


@pytest.mark.parametrize("key", ["warm_up_days", "step_days", "retrain_days", "seed"])
def test_only_a_history_is_walked(tmp_path: Path, key: str) -> None:
    """Anywhere else the key would look obeyed and do nothing."""
    live = "name: desk\nkind: reviews\npath: reviews.parquet\n"
    assert written(tmp_path, live).kind == "reviews"
    with pytest.raises(UserError, match=f"`{key}`.*how a history is walked"):
        written(tmp_path, live + f"{key}: 3\n")


def test_several_case_types_each_lie_over_the_file_and_the_file_over_what_is_configured(
    tmp_path: Path,
) -> None:
    """audit_rate: .3 for one type, .2 for the file; maturity from the configured type."""
    text = HISTORY.replace("case_type: my_case\n", "case_type_column: kind\n").replace(
        "label_delay_days: 7\n",
        "audit_rate: 0.2\ncase_types:\n  one: {audit_rate: 0.3}\n  two: {label_delay_days: 2}\n",
    )
    configured = {"one": CaseType("one", (Feature("old"),), Targets(recall=0.5), 11.0)}
    found = written(tmp_path, text).resolved_case_types(configured)
    assert (found["one"].audit_rate, found["two"].audit_rate) == (0.3, 0.2)
    assert (found["one"].maturity_days, found["two"].maturity_days) == (11.0, 2.0)
    assert found["one"].targets.recall == found["two"].targets.recall == 0.99
    assert found["one"].feature_names == ("amount", "country")


def test_what_is_said_about_a_feature_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    """A slip in `categorical` must not leave a text column numeric."""
    with pytest.raises(
        UserError, match=r"mine\.yaml:9: `categorical` names 'county'; list it under"
    ):
        written(tmp_path, HISTORY + "categorical: [county]\n")


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    """The ninth line holds a slip of the pen."""
    with pytest.raises(UserError, match=r"mine\.yaml:9: unknown key 'warmup_days'.*'warm_up_days'"):
        written(tmp_path, HISTORY + "warmup_days: 30\n")


def test_a_case_type_configured_nowhere_needs_features_and_targets(tmp_path: Path) -> None:
    """What is missing is named."""
    source = written(tmp_path, HISTORY.replace("features: [amount, country]\n", ""))
    with pytest.raises(UserError, match="must say its `features`"):
        source.resolved_case_types({})


def test_the_source_file_wins_over_what_is_configured(tmp_path: Path) -> None:
    """Targets, delay and categories come from the file; the type's other figures stay."""
    kind = written(
        tmp_path,
        HISTORY
        + "categorical: [country]\naudit_rate: 0.2\naudit_budget: {reviews_per_day: 25, within_days: 30}\n",
    ).resolved_case_types({})
    found = kind["my_case"]
    assert found.maturity_days == 7.0
    assert found.audit_rate == 0.2
    assert found.audit_budget == AuditBudget(25.0, within_days=30.0)
    assert [feature.kind for feature in found.features] == ["numeric", "categorical"]


@pytest.mark.parametrize("name", ["card_transactions", "insurance_claims"])
def test_the_shipped_sources_load_and_are_neutral(name: str) -> None:
    """Public data are never called a case of an exchange."""
    source = load_source(CONFIGS / "sources" / f"{name}.yaml")
    kinds = source.resolved_case_types({})
    assert set(kinds) <= {"card_transaction", "insurance_claim"}
    assert "FRAUD" not in " ".join(next(iter(kinds.values())).feature_names).upper()
