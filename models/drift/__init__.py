"""Is the evidence still one population, and since when?"""

from models.drift.check import DriftFinding, DriftVerdict, check_drift
from models.drift.pooling import PooledEvidence, evidence_to_pool
from models.drift.sample import Sample
from models.drift.windows import Pool, Restart, windows_to_pool

__all__ = [
    "DriftFinding",
    "DriftVerdict",
    "Pool",
    "PooledEvidence",
    "Restart",
    "Sample",
    "check_drift",
    "evidence_to_pool",
    "windows_to_pool",
]
