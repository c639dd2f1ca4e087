"""Settings: frozen, strict, and with the place of whatever is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.settings import CONFIGS, load_case_type, load_settings
from configs.yaml_lines import parse_yaml


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "defaults.yaml").write_text(
        (CONFIGS / "defaults.yaml").read_text(), encoding="utf-8"
    )
    (tmp_path / "profiles" / "local.yaml").write_text(
        "training:\n  rounds: 111\n", encoding="utf-8"
    )
    return tmp_path


def test_environment_beats_profile_beats_defaults(folder: Path) -> None:
    """env > profile > defaults, key by key."""
    assert load_settings(env={}).training.rounds == 300
    assert load_settings(env={}, folder=folder).training.rounds == 111
    env = {"RATCHET_TRAINING__ROUNDS": "222"}
    found = load_settings(env=env, folder=folder)
    assert (found.training.rounds, found.training.max_depth) == (222, 4)


def test_an_unknown_key_is_refused_with_its_line(folder: Path) -> None:
    """In a profile by file and line, in the environment by the variable."""
    profile = folder / "profiles" / "local.yaml"
    profile.write_text("training:\n  rounds: 5\n  roundz: 6\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"local\.yaml:3: unknown key 'training\.roundz'"):
        load_settings(env={}, folder=folder)
    with pytest.raises(UserError, match="RATCHET_NIGT__OVERLAP_HOURS: unknown key"):
        load_settings(env={"RATCHET_NIGT__OVERLAP_HOURS": "1"})


def test_a_value_of_the_wrong_kind_is_refused_where_it_stands(folder: Path) -> None:
    """Text is no number; the message names who said it."""
    with pytest.raises(UserError, match=r"RATCHET_TRAINING__ROUNDS: training\.rounds: .*integer"):
        load_settings(env={"RATCHET_TRAINING__ROUNDS": "many"})
    (folder / "profiles" / "local.yaml").write_text(
        "night:\n  overlap_hours: -1\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"local\.yaml:2: night\.overlap_hours"):
        load_settings(env={}, folder=folder)


def test_an_unknown_key_in_the_defaults_is_refused_with_its_line(folder: Path) -> None:
    """The defaults list every key, so a new one there must be one the schema knows."""
    defaults = folder / "defaults.yaml"
    lines = defaults.read_text(encoding="utf-8").splitlines()
    defaults.write_text("\n".join([*lines, "colour: red", ""]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"defaults\.yaml:{len(lines) + 1}: unknown key 'colour'"):
        load_settings(env={}, folder=folder)


def test_a_key_that_is_missing_from_the_defaults_is_named(folder: Path) -> None:
    """A setting without a default would differ from machine to machine."""
    defaults = folder / "defaults.yaml"
    text = defaults.read_text(encoding="utf-8").replace("  max_depth: 4\n", "")
    defaults.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"'training\.max_depth' is missing"):
        load_settings(env={}, folder=folder)


def test_everything_that_is_wrong_is_said_at_once(folder: Path) -> None:
    """Two slips, two lines."""
    (folder / "profiles" / "local.yaml").write_text(
        "demo:\n  nights: 0\n  scale: big\n", encoding="utf-8"
    )
    with pytest.raises(UserError) as refused:
        load_settings(env={}, folder=folder)
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["2", "3"]


def test_the_environment_names_the_profile_and_an_argument_beats_it() -> None:
    """RATCHET_PROFILE=team, unless the command says otherwise."""
    assert load_settings(env={}).profile == "local"
    assert load_settings(env={"RATCHET_PROFILE": "team"}).profile == "team"
    assert load_settings("local", env={"RATCHET_PROFILE": "team"}).profile == "local"


def test_variables_that_are_no_settings_are_left_alone() -> None:
    """Homes and other programs' variables share the environment."""
    env = {"RATCHET_HOME": "/tmp/h", "RATCHET_DATA": "/tmp/d", "HOME": "/tmp", "MLFLOW_X": "1"}
    assert load_settings(env=env) == load_settings(env={})


def test_the_environment_sets_lists_groups_and_nothing() -> None:
    """Values are read as plain YAML; a key of a group lies over the group."""
    env = {
        "RATCHET_CASE_TYPES": "[ato]",
        "RATCHET_TRAINING": "{rounds: 7, max_depth: 2}",
        "RATCHET_TRAINING__ROUNDS": "8",
        "RATCHET_DATABASE_URL": "postgresql+psycopg://ops:secret@db/ratchet",
        "RATCHET_MLFLOW_TRACKING_URI": "",
    }
    found = load_settings(env=env)
    assert found.case_types == ("ato",)
    assert (found.training.rounds, found.training.max_depth) == (8, 2)
    assert found.training.learning_rate == load_settings(env={}).training.learning_rate
    assert found.database_url == "postgresql+psycopg://ops:secret@db/ratchet"
    assert found.mlflow_tracking_uri is None


@pytest.mark.parametrize(
    "env",
    [
        {"RATCHET_TRAINING": "5", "RATCHET_TRAINING__ROUNDS": "6"},
        {"RATCHET_TRAINING": "{1: 2}"},
        {"RATCHET_TRAINING__ROUNDS": "&a [*a]"},
        {"RATCHET_TRAINING__ROUNDS": "!!python/object/apply:os.getcwd []"},
        {"RATCHET_TRAINING__ROUNDS": "[" * 5_000},
        {"RATCHET_TRAINING__ROUNDS": "5\nother: 6"},
        {"RATCHET_TRAINING__ROUNDS": "a: b: c"},
    ],
)
def test_a_variable_that_is_no_plain_value_is_refused_by_name(env: dict[str, str]) -> None:
    """Clashes, anchors, tags, bombs and several values: a sentence, never a traceback."""
    with pytest.raises(UserError, match=f"^{sorted(env)[-1]}"):
        load_settings(env=env)


def test_a_refused_variable_does_not_show_its_value() -> None:
    """A database URL holds a password."""
    with pytest.raises(UserError) as refused:
        load_settings(env={"RATCHET_DATABASE_URL": "postgresql: //ops:hunter2@db: 5432"})
    assert "RATCHET_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_an_unknown_profile_names_the_known_ones() -> None:
    """The two that exist are named."""
    with pytest.raises(UserError, match="no profile 'prod'; the profiles are local, team"):
        load_settings("prod", env={})


def test_settings_cannot_be_changed() -> None:
    """Frozen, all the way down."""
    found = load_settings(env={})
    with pytest.raises(Exception, match="frozen"):
        found.training.rounds = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2),
        ("a: &x [1]\nb: [*x, *x]\n", 1),
        ("a: 1\na: 2\n", 2),
        ("a: [1\nb: 2\n", 2),
        ("- 1\n", 1),
    ],
)
def test_yaml_that_could_run_grow_or_hide_something_is_refused(text: str, line: int) -> None:
    """Tags, anchors, repeated keys, broken syntax, a list at the top: each with its line."""
    with pytest.raises(UserError, match=f"given:{line}:"):
        parse_yaml(text, "given")


def test_the_five_case_types_load_and_promise_what_they_should() -> None:
    """Precision 95 %, recall 99 %, and levels for every category."""
    kinds = load_settings(env={}).load_case_types()
    assert sorted(kinds) == ["ato", "kyc_audit", "poa_review", "reset_2fa", "withdrawal_anomaly"]
    for kind in kinds.values():
        assert (kind.targets.precision, kind.targets.recall) == (0.95, 0.99)
        assert all(f.levels for f in kind.features if f.kind == "categorical")
        assert set(kind.segments) <= set(kind.feature_names)


def test_a_case_type_with_an_impossible_promise_is_refused(tmp_path: Path) -> None:
    """Recall 2 is no share; the line is that of the targets."""
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\nfeatures: [{name: a}]\nmaturity_days: 1\ntargets: {recall: 2.0}\n",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"x\.yaml:4: targets: .*recall must be a share"):
        load_case_type(file)


def test_the_share_kept_to_compare_may_be_nothing_and_never_everything(folder: Path) -> None:
    """0 learns from all rows and compares on none; 1 would leave nothing to learn from."""
    name = "RATCHET_TRAINING__COMPARE_SHARE"
    assert load_settings(env={}, folder=folder).training.compare_share == 0.2
    assert load_settings(env={name: "0"}, folder=folder).training.compare_share == 0.0
    with pytest.raises(UserError, match=f"{name}: training.compare_share: .*less than 1"):
        load_settings(env={name: "1.0"}, folder=folder)


def test_the_users_own_folder_lies_over_the_clones(tmp_path: Path) -> None:
    """RATCHET_CONFIG is laid out as `configs/`: a profile of its own, one that lies over ours, and
    what stands in it alone."""
    (tmp_path / "profiles").mkdir()
    for name, rounds in (("local", 7), ("desk", 8)):
        (tmp_path / "profiles" / f"{name}.yaml").write_text(f"training: {{rounds: {rounds}}}\n")
    env = {"RATCHET_CONFIG": str(tmp_path)}
    found = load_settings(env=env)
    assert (found.training.rounds, found.training.max_depth) == (7, 4)
    assert load_settings("desk", env=env).training.rounds == 8
    assert load_settings("team", env=env).profile == "team"
    assert load_settings(env=env | {"RATCHET_TRAINING__ROUNDS": "9"}).training.rounds == 9
    with pytest.raises(UserError, match="no profile 'prod'; the profiles are desk, local, team"):
        load_settings("prod", env=env)


def test_a_case_type_of_the_users_own_needs_no_file_in_the_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new name comes from the user's folder, and so does ours where it stands there, too."""
    (tmp_path / "case_types").mkdir()
    for name in ("card_transaction", "ato"):
        (tmp_path / "case_types" / f"{name}.yaml").write_text(
            f"name: {name}\nfeatures: [{{name: amount}}]\nmaturity_days: 7\ntargets: {{precision: 0.9}}\n"
        )
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path))
    names = "[card_transaction, ato, kyc_audit]"
    kinds = load_settings(env={"RATCHET_CASE_TYPES": names}).load_case_types()
    assert [one.maturity_days for one in kinds.values()] == [7, 7, kinds["kyc_audit"].maturity_days]
    assert kinds["ato"].feature_names == ("amount",)
    assert len(kinds["kyc_audit"].features) > 1


def test_a_folder_of_ones_own_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Going on with our defaults would leave out whatever the user has set."""
    with pytest.raises(UserError, match=r"RATCHET_CONFIG names .*nowhere, which is no folder"):
        load_settings(env={"RATCHET_CONFIG": str(tmp_path / "nowhere")})
