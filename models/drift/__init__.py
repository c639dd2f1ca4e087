"""Has what is certified become worse, and what else moved?"""

from models.drift.check import DriftFinding, DriftVerdict, check_drift
from models.drift.law_changes import Moved, all_changes, first_change
from models.drift.laws import CohortWindows, Law, bad_share, certified_laws, volume
from models.drift.sample import Sample
from models.drift.windows import Pool, Restart, consecutive, windows_to_pool

__all__ = [
    "CohortWindows",
    "DriftFinding",
    "DriftVerdict",
    "Law",
    "Moved",
    "Pool",
    "Restart",
    "Sample",
    "all_changes",
    "bad_share",
    "certified_laws",
    "check_drift",
    "consecutive",
    "first_change",
    "volume",
    "windows_to_pool",
]
