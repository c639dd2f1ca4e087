"""Is the challenger better than the champion on the same later cases?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from models.comparison.comparison import Comparison
from models.comparison.rows import ScoredRows
from models.vocabulary import Boundary, Costs

NO_SLICES: Mapping[str, npt.NDArray[np.generic]] = MappingProxyType({})


def compare(
    rows: ScoredRows,
    *,
    champion_boundary: Boundary,
    champion_certified: Boundary | None,
    challenger_certified: Boundary | None,
    costs: Costs,
    slices: Mapping[str, npt.NDArray[Any]] = NO_SLICES,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two models on rows that neither has learned from."""
    raise NotImplementedError
