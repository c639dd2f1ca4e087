"""A source file names only columns that can be what it says they are; each refusal has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import load_case_type
from configs.sources import SourceSettings, load_source

HISTORY = """\
name: mine
kind: history
path: cases.csv
columns: {case_id: id, opened_at: t, bad: fraud, amount_usd: AMOUNT}
case_type: my_case
features: [amount, country]
targets: {precision: 0.95, recall: 0.99}
label_delay_days: 7
"""


def written(folder: Path, text: str) -> SourceSettings:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load_source(file)


def history(folder: Path, columns: str = "", **said: str) -> SourceSettings:
    text = HISTORY.replace("amount_usd: AMOUNT", f"amount_usd: AMOUNT{columns}")
    for key, value in said.items():
        kept = [line for line in text.splitlines() if not line.startswith(f"{key}:")]
        place = 5 if key == "features" else len(kept)
        text = "\n".join([*kept[:place], f"{key}: {value}", *kept[place:]]) + "\n"
    return written(folder, text)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (", priorty: vip", "'priorty' under `columns:` .* Did you mean 'priority'"),
        (", amount_us: x", "Did you mean 'amount_usd'"),
        (", Case_Type: x", "Did you mean 'case_type'"),
        (", countri: land", "Did you mean 'country'"),
        (", decided_at: x", "'decided_at' under `columns:` is no column of history"),
        (", priority: fraud", "'priority' is mapped to 'fraud', which is the truth"),
        (', priority: ""', "the column mapped to 'priority' is empty"),
    ],
)
def test_a_mapping_that_nothing_reads_is_refused(columns: str, why: str, tmp_path: Path) -> None:
    """Were it ignored, key users would be decided automatically."""
    with pytest.raises(UserError, match=rf"mine\.yaml:4: .*{why}"):
        history(tmp_path, columns)


@pytest.mark.parametrize(
    ("kind", "slip", "meant"),
    [
        ("decisions", "propensty", "propensity"),
        ("reviews", "reviewer", "reviewer_id"),
        ("outcomes", "observed", "observed_at"),
        ("cases", "amount", "amount_usd"),
    ],
)
def test_every_kind_of_source_knows_its_columns(
    kind: str, slip: str, meant: str, tmp_path: Path
) -> None:
    text = f"name: s\nkind: {kind}\npath: x.csv\ncolumns:\n  {slip}: x\n"
    with pytest.raises(UserError, match=rf"mine\.yaml:5: '{slip}'.*Did you mean '{meant}'"):
        written(tmp_path, text)
    assert written(tmp_path, text.replace(slip, meant)).columns == {meant: "x"}


def test_features_of_a_configured_case_type_and_the_watermark_may_be_mapped(tmp_path: Path) -> None:
    """A source of decisions maps features that a case type file names."""
    text = "name: s\nkind: decisions\npath: x.csv\ncolumns: {new_device: d, changed_at: c}\n"
    assert written(tmp_path, text + "watermark: changed_at\n").columns["new_device"] == "d"
    with pytest.raises(UserError, match="'changed_at' under `columns:`"):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("features", "columns", "why"),
    [
        ("[amount, amount]", "", "'amount' is listed twice"),
        ('[amount, "amount "]', "", "are two spellings of one column"),
        ('["caf\\u00e9", "cafe\\u0301"]', "", "are two spellings of one column"),
        ("[country, land]", ", country: land", "are two spellings of one column"),
        ("[amount, fraud]", "", "the column mapped to `bad`, the truth itself; it would decide"),
        ("[amount, id]", "", "the column mapped to `case_id`"),
        ("[amount, t]", "", "the column mapped to `opened_at`"),
        ('[amount, ""]', "", "a feature's name is empty"),
        ('[amount, "a\\u200b"]', "", "holds a sign that cannot be seen"),
    ],
)
def test_a_feature_that_cannot_be_one_is_refused(
    features: str, columns: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"mine\.yaml:6: .*{why}"):
        history(tmp_path, columns, features=features)


def test_the_label_is_refused_among_the_features_of_one_of_several_case_types(
    tmp_path: Path,
) -> None:
    text = HISTORY.replace("case_type: my_case", "case_type_column: kind")
    text += "case_types:\n  one: {}\n  two:\n    features: [amount, fraud]\n"
    with pytest.raises(UserError, match=r"mine\.yaml:12: the feature 'fraud' is the column mapped"):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("segments", "[fraud]", "the segment 'fraud' is no feature"),
        ("may_be_missing", "[amout]", "`may_be_missing` names 'amout'"),
        ("monotone", "{amout: 1}", "`monotone` names 'amout'"),
        (
            "senior_patterns",
            "[{name: p, conditions: [{column: fraud, operator: is, value: true}]}]",
            "the pattern 'p' looks at 'fraud'",
        ),
    ],
)
def test_what_reads_a_column_that_is_no_feature_is_refused(
    key: str, value: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"mine\.yaml:9: {why}"):
        history(tmp_path, **{key: value})


def test_a_feature_called_as_a_column_of_ours_has_another_name_inside(tmp_path: Path) -> None:
    """What the file says of it by its own name holds for it: kind, segment, pattern, missing."""
    source = history(
        tmp_path,
        features="[score, bad, amount_usd, country]",
        categorical="[bad]",
        may_be_missing="[score]",
        segments="[bad]",
        senior_patterns="[{name: p, conditions: [{column: score, operator: at_least, value: 9}]}]",
    )
    kind = source.resolved_case_types({})["my_case"]
    score, bad, amount, country = kind.features
    assert kind.feature_names == (
        "feature(score)", "feature(bad)", "feature(amount_usd)", "country",
    )  # fmt: skip
    assert (bad.kind, score.may_be_missing, country.kind) == ("categorical", True, "numeric")
    assert kind.segments == (bad.name,)
    assert kind.senior_patterns[0].conditions[0].column == score.name
    assert source.inside("score") == "feature(score)"
    assert source.inside("country") == "country"
    # `amount_usd` is the table's own column of that name; where there is none, the mapped one.
    assert source.feature_columns(["amount_usd", "AMOUNT"])[amount.name] == "amount_usd"
    assert source.feature_columns(["AMOUNT"])[amount.name] == "AMOUNT"
    assert source.feature_columns(["fraud"])[bad.name] == "bad"


def test_a_feature_of_such_a_name_is_refused_elsewhere_with_what_would_work(tmp_path: Path) -> None:
    """Tables of decisions hold our own `score` under that name, so there it takes another one."""
    file = tmp_path / "kind.yaml"
    file.write_text(
        "name: kind\nfeatures:\n  - {name: amount}\n  - {name: score}\n  - {name: phi_x}\n"
        "maturity_days: 1\ntargets: {precision: 0.9, recall: 0.9}\n",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"kind\.yaml:4: .*'score'.*map that name") as refused:
        load_case_type(file)
    assert "kind.yaml:5: a feature cannot be called 'phi_x'" in str(refused.value)
    text = "name: s\nkind: cases\npath: x.csv\ncase_type: a\nfeatures: [amount, audited]\n"
    with pytest.raises(UserError, match=r"mine\.yaml:5: a feature cannot be called 'audited'"):
        written(tmp_path, text)


def test_what_does_not_fit_a_feature_is_a_sentence(tmp_path: Path) -> None:
    """A category that is monotone is refused as such, not in the middle of the code."""
    source = history(tmp_path, categorical="[country]", monotone="{country: 1}")
    with pytest.raises(UserError, match=r"'mine': .*categorical"):
        source.resolved_case_types({})


def test_a_sign_in_a_folders_name_is_just_a_sign(tmp_path: Path) -> None:
    """`*.csv` below `a[1]?` matches the files in that folder; `b[2].csv` that exists is that file."""
    folder = tmp_path / "a[1]?"
    folder.mkdir()
    (folder / "b[2].csv").write_text("x\n", encoding="utf-8")
    exact = written(folder, HISTORY.replace("cases.csv", '"b[2].csv"')).path
    assert exact == str(folder / "b[2].csv")
    pattern = written(folder, HISTORY.replace("cases.csv", '"*.csv"')).path
    assert pattern == str(tmp_path / "a[[]1][?]" / "*.csv")


def test_a_feature_of_the_users_own_case_type_may_be_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case types in RATCHET_CONFIG count as those in the clone do."""
    (tmp_path / "case_types").mkdir()
    (tmp_path / "case_types" / "loan.yaml").write_text(
        "name: loan\nfeatures: [{name: income}]\ntargets: {recall: 0.9}\nmaturity_days: 5\n",
        encoding="utf-8",
    )
    text = "name: x\nkind: decisions\npath: x.csv\ncase_type: loan\ncolumns: {income: INCOME_EUR}\n"
    with pytest.raises(UserError, match="'income' under `columns:`"):
        written(tmp_path, text)
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path))
    assert written(tmp_path, text).columns == {"income": "INCOME_EUR"}
