"""What may come in: five contracts, each as named rules, and the one gate that applies them."""

from collections.abc import Mapping
from types import MappingProxyType

from data_contracts.admission import Admission, admit, read_types, reject_report
from data_contracts.cases import CASES
from data_contracts.contract import AdmissionContext, Contract, Trailing
from data_contracts.decisions import DECISIONS
from data_contracts.digests import row_digests
from data_contracts.history import HISTORY
from data_contracts.outcomes import OUTCOMES
from data_contracts.reviews import REVIEWS

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {contract.name: contract for contract in (DECISIONS, REVIEWS, OUTCOMES, HISTORY, CASES)}
)

__all__ = [
    "CASES",
    "CONTRACTS",
    "Admission",
    "AdmissionContext",
    "Contract",
    "Trailing",
    "admit",
    "read_types",
    "reject_report",
    "row_digests",
]
