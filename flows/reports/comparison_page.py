"""How does a challenger beside its champion read as one page, verdict first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.comparison import Comparison, GateVerdict


def comparison_page(
    comparison: Comparison,
    gate: GateVerdict,
    *,
    case_type: str,
    champion: str,
    challenger: str,
    contributions: Sequence[Mapping[str, Any]] = (),
    simulated: bool = False,
) -> str:
    """One self-contained page: verdict, gate, metrics, slices, curves, corrected features.

    Args:
        comparison, gate: `models.comparison.compare` and `gate`.
        case_type, champion, challenger: names of the case type and of the two model versions.
        contributions: of the corrected features, maybe empty: `feature`, `slice`, `mean_before`,
            `mean_after` (mean absolute contribution, logits), `weight_before`, `weight_after` (total
            weight).
        simulated: the cases come from a simulated exchange; the page says so.
    """
    raise NotImplementedError


def comparison_verdict(
    comparison: Comparison,
    gate: GateVerdict,
    *,
    case_type: str,
    champion: str,
    challenger: str,
    simulated: bool = False,
) -> str:
    """The same verdict and table as markdown, for a Prefect artifact or an MLflow note."""
    raise NotImplementedError
