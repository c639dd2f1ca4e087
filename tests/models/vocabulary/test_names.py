"""Which names are ours, and what a feature of such a name is called inside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CASES, CONTRACTS
from flows.adapters.evidence.case_numbers import CASE_NUMBER
from flows.adapters.evidence.parquet_parts import CONTENT_HASH, KEY_HASH
from models.vocabulary.names import (
    CONTRACT_COLUMNS,
    RESERVED,
    column_of,
    is_reserved,
    name_of,
    same_spelling,
)

PROJECT = Path(__file__).resolve().parents[3]
NO_TABLE_OF_CASES = {
    # keys of figures, settings and variables that are set by the same syntax
    "PREFECT_HOME", "PREFECT_PROFILES_PATH", "arrivals_per_hour", "automation_rate", "block_rate",
    "comparison.json", "contributions", "labels_seen", "largest_weight", "model_code_path",
    "promoted", "ranking_and_reliability", "reasons", "second_reviews", "slices", "steps",
    "usecols", "weight_margin", "language", "told", "PREFECT_API_DATABASE_CONNECTION_URL",
    "Date", "Subject", "RATCHET_CASE_TYPES", "profiles/local.yaml", "closed_runs", "dossiers", "error",
    "expected_start_time", "of this process", "schedules", "restoring", "dates",
    # columns of the simulated sample, which is nobody's table of ours
    "closed_as", "currency", "customer_id",
    # columns of tables that hold no feature: labels, what is recomputed, what was put aside, the
    # words of a label
    "table", "first", "since", "claimed", "agrees", "in_force", "row", "age_days", "cell",
    "word", "read", "what", "sentence",
}  # fmt: skip


def test_the_columns_of_every_contract_are_known_by_name() -> None:
    """`configs` may not ask the contracts, so their columns are written down once more."""
    schemas = {**CONTRACTS, "cases": CASES}
    assert {name: tuple(one.schema.names) for name, one in schemas.items()} == CONTRACT_COLUMNS


def test_whatever_column_the_loop_adds_to_a_table_is_reserved() -> None:
    """Read off the source: `frame["x"] = `, `.assign(x=...)` and `DataFrame({"x": ...})` in the verbs,
    adapters, contracts and models (simulations, replays and pages make tables of their own)."""
    found: set[str] = set()
    for part in ("flows", "models", "data_contracts"):
        for file in (PROJECT / part).rglob("*.py"):
            if not {"simulation", "replay", "reports"} & set(file.parts):
                found |= columns_made_in(ast.parse(file.read_text(encoding="utf-8")))
    assert len(found) > 60
    assert {name for name in found - NO_TABLE_OF_CASES if not is_reserved(name)} == set()


def columns_made_in(tree: ast.Module) -> set[str]:
    names: list[object] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "assign":
                names += [word.arg for word in node.keywords]
            if node.func.attr == "DataFrame":
                keys = [key for one in node.args if isinstance(one, ast.Dict) for key in one.keys]
                names += [key.value for key in keys if isinstance(key, ast.Constant)]
        if isinstance(node, ast.Assign):
            slices = [one.slice for one in node.targets if isinstance(one, ast.Subscript)]
            names += [one.value for one in slices if isinstance(one, ast.Constant)]
    return {name for name in names if isinstance(name, str)}


@pytest.mark.parametrize("name", [CASE_NUMBER, KEY_HASH, CONTENT_HASH, "received_at", "phi_x"])
def test_what_the_store_adds_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("score", "feature(score)"),
        ("phi_x", "feature(phi_x)"),
        ("_digest", "feature(_digest)"),
        ("feature(score)", "feature(feature(score))"),
        ("amount", "amount"),
        ("Score", "Score"),
        ("amount [usd]", "amount [usd]"),
        ("face_match_score", "face_match_score"),
    ],
)
def test_only_a_name_that_is_ours_is_another_inside(name: str, inside: str) -> None:
    assert column_of(name) == inside
    assert name_of(inside) == name


@given(st.text() | st.sampled_from(sorted(RESERVED)) | st.from_regex(r"(feature\()+[a-z_]*\)*"))
def test_a_column_is_never_ours_and_says_whose_feature_it_is(name: str) -> None:
    """No column inside has a name of ours, and none belongs to two features."""
    inside = column_of(name)
    assert inside not in RESERVED
    assert not inside.startswith(("phi_", "_", "holds:"))
    if inside != name:
        assert name_of(inside) == name


def test_two_spellings_of_one_name_are_told_by_their_signs_alone() -> None:
    assert same_spelling("cafe\u0301 ") == same_spelling("caf\u00e9")
    assert same_spelling("\uff41mount") == same_spelling("amount")
    assert same_spelling("Amount") != same_spelling("amount")
