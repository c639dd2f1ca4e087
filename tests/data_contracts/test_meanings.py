"""Every column of every contract is explained, and nothing else is."""

from __future__ import annotations

import pytest

from data_contracts import CONTRACTS
from data_contracts.meanings import MEANINGS, PURPOSES, presence, type_words


@pytest.mark.parametrize("name", list(CONTRACTS))
def test_every_column_has_a_meaning_and_a_type_in_words(name: str) -> None:
    """A column that is added to a contract is explained, or this fails."""
    contract = CONTRACTS[name]
    assert list(MEANINGS[name]) == contract.schema.names
    assert all(meaning.endswith(".") for meaning in MEANINGS[name].values())
    assert PURPOSES[name]
    assert all(type_words(contract, column) for column in contract.schema.names)


def test_presence_tells_required_from_empty_from_optional() -> None:
    """Required and never empty, required and perhaps empty, and not even a column."""
    decisions = CONTRACTS["decisions"]
    assert presence(decisions, "case_id") == "required"
    assert presence(decisions, "priority") == "may be empty"
    assert presence(decisions, "queue") == "optional"
    assert type_words(decisions, "reasoning") == "list of {step, sop_clause}"
