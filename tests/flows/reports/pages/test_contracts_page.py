"""The page of the contracts says what the contracts say."""

from __future__ import annotations

from data_contracts import CONTRACTS
from data_contracts.contract import STRUCTURE_RULES
from flows.reports.pages.contracts_page import contracts_page
from flows.verbs.intake.delivered_decisions import SENTENCES
from tests.flows.command_line import ROOT


def test_the_page_in_docs_is_up_to_date() -> None:
    """`ratchet contracts > docs/contracts.md` writes it anew."""
    written = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert written == contracts_page({"decisions": SENTENCES})


def test_every_column_and_every_rule_stands_there() -> None:
    """Nothing that a row or a delivery is held to is left out."""
    page = contracts_page({"decisions": SENTENCES})
    for contract in CONTRACTS.values():
        section = page.split(f"\n## {contract.name}\n")[1].split("\n## ")[0]
        names = [*contract.schema.names, *(rule.name for rule in contract.row_rules)]
        names += [rule.name for rule in contract.batch_rules]
        assert [name for name in names if f"| `{name}` |" not in section] == []
    assert all(f"`{name}`" in page for name in (*STRUCTURE_RULES, *SENTENCES))
