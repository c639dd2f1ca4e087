"""Is a challenger better than the champion on the same later cases, and may it be put under test?"""

from models.comparison.compare import compare
from models.comparison.comparison import Comparison, ComparisonVerdict, SliceCompared
from models.comparison.figures import Compared, Difference, Estimate
from models.comparison.gate import DEFAULT_THRESHOLDS, GateVerdict, Threshold, gate
from models.comparison.rows import ScoredRows

__all__ = [
    "DEFAULT_THRESHOLDS",
    "Compared",
    "Comparison",
    "ComparisonVerdict",
    "Difference",
    "Estimate",
    "GateVerdict",
    "ScoredRows",
    "SliceCompared",
    "Threshold",
    "compare",
    "gate",
]
