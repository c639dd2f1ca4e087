"""Which random number belongs to a case, for an audit or any other purpose, whoever asks and whenever?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.ledger.audit_secrets import AuditSecrets
from models.boundary.decision.audit import audit_key, audit_purpose, keyed_uniform


@dataclass(frozen=True, slots=True)
class CaseDraws:
    """Draws keyed by the audit secret that was in force when a case was decided."""

    secrets: AuditSecrets = field(repr=False)
    store: EvidenceStore

    def audit_key(self, case_type: str, decided_at: datetime | None = None) -> str:
        """What draws the audits of the cases decided at a moment; None: now.

        Raises:
            GateRefused: the secret of that time is not at hand.
        """
        return audit_key(self.secrets.in_force(decided_at), audit_purpose(case_type))

    def second_review_draw(self, case_type: str, case_ids: pd.Series) -> npt.NDArray[np.float64]:
        """A number in [0, 1) a case: below `second_review_share` a second person reviews it. The
        key is another than the audits': all audited cases drew small numbers there.

        A case is drawn by the secret that was in force when it was decided; where that one is lost
        for good, it is 1: nobody knows whether it was drawn, and it counts as not.

        Raises:
            GateRefused: the secret in force is not at hand.
        """
        self.secrets.record(datetime.now(UTC))
        found = self.case_draw(f"second review|{case_type}", case_ids)
        return np.where(np.isnan(found), 1.0, found)

    def case_draw(self, purpose: str, case_ids: pd.Series) -> npt.NDArray[np.float64]:
        """A number in [0, 1) a case under the key of one purpose, shape (cases,): the same on every
        night, whatever was decided. Each case by the secret that was in force when it was decided;
        NaN where that one is lost for good.

        Raises:
            GateRefused: the secret in force is not at hand.
        """
        epochs = self.secrets.epochs()
        if len(epochs) < 2 or case_ids.empty:
            return keyed_uniform(case_ids, audit_key(self.secrets.in_force(), purpose))
        starts = np.array([np.datetime64(one.since.replace(tzinfo=None)) for one in epochs])
        of = np.searchsorted(starts[1:], self._decided_at(case_ids), side="right")
        drawn = np.full(len(case_ids), np.nan)
        for place in np.unique(of):
            mine, epoch = of == place, epochs[place]
            if epoch == epochs[-1] or not self.secrets.is_lost(epoch):
                key = audit_key(self.secrets.in_force(epoch.since), purpose)
                drawn[mine] = keyed_uniform(case_ids[mine], key)
        return drawn

    def _decided_at(self, case_ids: pd.Series) -> npt.NDArray[np.datetime64]:
        """When each case was decided first (UTC, without zone); shape (cases,)."""
        names = ["case_id", "decided_at"]
        ids = case_ids.astype("str").tolist()
        rows = self.store.read("decisions", columns=names, filters={"case_id": ids})
        first = rows.groupby("case_id", sort=False)["decided_at"].min()
        stamps = pd.to_datetime(first.reindex(ids), utc=True).dt.tz_localize(None)
        return stamps.to_numpy(dtype="datetime64[us]")
