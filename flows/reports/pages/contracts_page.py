"""What may come in: every contract's columns and rules as a page, generated from the contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data_contracts import CONTRACTS, Contract
from data_contracts.contract import CELLS_CAN_BE_READ, STRUCTURE_RULES
from data_contracts.meanings import MEANINGS, PURPOSES, presence, type_words

_HEAD = """\
# The contracts

What may come in, by table. This page is generated from `data_contracts/`; a test fails where the two differ, and `ratchet contracts > docs/contracts.md` writes it anew. `ratchet contracts NAME` prints one of them.

A source file maps its table's columns to these names under `columns:`; `ratchet init` writes such files, and `ratchet check` says which rows break which rule. Stamps without a time zone are taken in the source's `timezone:`. *Required*: the table brings the column and no cell of it may be empty. *May be empty*: the table brings the column. *Optional*: the table may lack it.

A row that breaks a rule is quarantined under every rule it broke, and the other rows go on. A delivery that breaks a rule of structure fails as a whole and is read again the next night. A delivery that looks unlike its past is stored, and its labels wait (`ratchet release`, `ratchet discard`).
"""


def contracts_page(more_rules: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """All contracts as Markdown.

    Args:
        more_rules: by contract, rules that are added where the batch meets what is stored, and their
            sentences.
    """
    each = [contract_section(one, (more_rules or {}).get(one.name)) for one in CONTRACTS.values()]
    return "\n".join([_HEAD, *each, _structure()])


def contract_section(contract: Contract, more_rules: Mapping[str, str] | None = None) -> str:
    """One contract as Markdown: purpose, columns, rules about rows and about whole deliveries."""
    return "\n".join(_lines(contract, more_rules or {})) + "\n"


def _lines(contract: Contract, more_rules: Mapping[str, str]) -> Iterator[str]:
    yield f"## {contract.name}\n"
    yield PURPOSES[contract.name]
    yield f"\nOne row is named by {', '.join(f'`{name}`' for name in contract.key)}.\n"
    yield "| column | type | | meaning |"
    yield "|---|---|---|---|"
    for name in contract.schema.names:
        meaning = _cell(MEANINGS[contract.name][name])
        yield f"| `{name}` | {type_words(contract, name)} | {presence(contract, name)} | {meaning} |"
    if contract.carries_features:
        yield (
            "\nBeside these the table brings the feature and segment columns of its case type "
            "(`case_types/NAME.yaml`), and may bring one `phi_<feature>` column per feature: what it "
            "added to the score's log-odds."
        )
    yield "\n| rule about a row | what it says of one that breaks it |"
    yield "|---|---|"
    for rule in contract.row_rules:
        yield f"| `{rule.name}` | {_cell(rule.why)} |"
    yield f"| `{CELLS_CAN_BE_READ}` | {_cell(_sentence(contract.explain(CELLS_CAN_BE_READ)))} |"
    for name, why in more_rules.items():
        yield f"| `{name}` | {_cell(why)} |"
    if not contract.batch_rules:
        return
    yield "\n| rule about a whole delivery | what it says of one whose labels wait |"
    yield "|---|---|"
    for batch_rule in contract.batch_rules:
        yield f"| `{batch_rule.name}` | {_cell(batch_rule.why)} |"


def _structure() -> str:
    lines = ["## Structure\n", "Every delivery is held to these, whatever its contract.\n"]
    lines += ["| rule | what it says |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(why)} |" for name, why in STRUCTURE_RULES.items()]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(text: str) -> str:
    """A line of a table may hold no bar and no line break."""
    return " ".join(text.split()).replace("|", "\\|")
