"""May a delivered decision bear the name of one of our policies?

Only where the policy would have said the same: what a served folder decided comes home so. Whatever
else bears such a name is quarantined by rule; it would override a halt, a pattern for seniors or an
audit draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import GateRefused
from data_contracts import CONTRACTS
from data_contracts.contract import Contract, RowRule
from flows.verbs.decide.decide import NO_MODEL
from flows.verbs.ports import AdmissionServices
from flows.verbs.record.recompute import recomputed
from models.hub.policies.external import decides_elsewhere
from models.hub.policies.policy import Policy

BoolArray = npt.NDArray[np.bool_]

IN_FORCE = "policy_was_in_force"
AGREES = "agrees_with_its_policy"
SENTENCES: Mapping[str, str] = {
    IN_FORCE: "policy_id is one of ours, and it did not decide cases of this type at decided_at; "
    "deliver the id of the policy that acted.",
    AGREES: "policy_id is one of ours, and decided again by it the case comes out otherwise (score, "
    "recommendation, action, propensity, audit, override, queue or model); deliver the "
    "answer as it was served, with the case as it was sent.",
}
"""What the two rules say of a row that breaks them."""
_NUMBERS, _WORDS = ("score", "propensity"), ("recommendation", "action", "override", "queue")
_ROUNDING = 1e-12
"""Relative: what a number may lose on its way through text."""


def contract_for(services: AdmissionServices, table: str, *, ours: bool = False) -> Contract:
    """The contract a batch is held to; delivered decisions have two more rules.

    A walk delivers to itself, in its own home, what it has just decided.

    Args:
        ours: these rows were made here.
    """
    contract = CONTRACTS[table]
    # A contract that checks nothing is refused as such: ours would be its only rules.
    if table != "decisions" or ours or services.simulated or not contract.row_rules:
        return contract
    claims = _Claims(services)
    rules = (
        RowRule(
            IN_FORCE,
            ("policy_id", "case_type", "decided_at"),
            SENTENCES[IN_FORCE],
            lambda frame, _: claims.judged(frame)["in_force"],
        ),
        RowRule(
            AGREES,
            ("policy_id",),
            SENTENCES[AGREES],
            lambda frame, _: claims.judged(frame)["agrees"],
        ),
    )
    return replace(contract, row_rules=(*contract.row_rules, *rules))


@dataclass
class _Claims:
    """What the rows of a batch say of our policies, recomputed once for both rules."""

    services: AdmissionServices
    _seen: tuple[pd.DataFrame, pd.DataFrame] | None = field(default=None, init=False)

    def judged(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`in_force` and `agrees`, one plain boolean a row; rows of other policies keep both."""
        if self._seen is None or self._seen[0] is not frame:
            self._seen = (frame, _judged(self.services, frame))
        return self._seen[1]


def _judged(services: AdmissionServices, frame: pd.DataFrame) -> pd.DataFrame:
    said = pd.DataFrame({"in_force": True, "agrees": True}, index=frame.index)
    # An id written in capitals or with a blank is still meant to be read as ours.
    named = frame["policy_id"].str.strip().str.lower()
    for policy_id in sorted(set(named.dropna()) & services.ledger.policy_ids()):
        bears = named.eq(policy_id).fillna(False).to_numpy(dtype=np.bool_)
        try:
            found = _of_policy(services, services.ledger.policy(policy_id), frame[bears])
        except GateRefused:
            # Its model or document is not as it was: nobody can say that the rows are true.
            found = pd.DataFrame({"in_force": True, "agrees": False}, index=frame.index[bears])
        said.loc[bears, ["in_force", "agrees"]] = found[["in_force", "agrees"]].to_numpy()
    return said.astype(bool)


def _of_policy(services: AdmissionServices, policy: Policy, rows: pd.DataFrame) -> pd.DataFrame:
    own = rows["case_type"].eq(policy.case_type).to_numpy(dtype=np.bool_)
    exact = rows["policy_id"].eq(policy.policy_id).to_numpy(dtype=np.bool_)
    # Rows without these break rules of their own.
    whole = rows[["case_id", "decided_at", "opened_at", "arm"]].notna().all(axis=1).to_numpy()
    judged = own & whole & (policy.case_type in services.case_types)
    said = pd.DataFrame({"in_force": own & exact, "agrees": True}, index=rows.index)
    if decides_elsewhere(policy):
        # Its boundary is carried out by another agent, whose own policy acts and is to be named.
        said["in_force"], judged = False, np.zeros(len(rows), dtype=np.bool_)
    if judged.any():
        some = rows[judged]
        again = recomputed(services, policy, some)
        said.loc[judged, "in_force"] &= again["in_force"].to_numpy(dtype=np.bool_)
        said.loc[judged, "agrees"] = _agrees(some, again, policy)
    return said


def _agrees(rows: pd.DataFrame, again: pd.DataFrame, policy: Policy) -> BoolArray:
    """Whether what is said is what the policy says, in every respect that anything rests on."""
    same = np.array(rows["model_version"].eq(policy.model_version or NO_MODEL), dtype=np.bool_)
    for name in _NUMBERS:
        told = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
        wanted = again[name].to_numpy(dtype=np.float64, na_value=np.nan)
        same &= np.isclose(told, wanted, rtol=_ROUNDING, atol=0.0, equal_nan=True)
    for name in _WORDS:
        told_words, wanted_words = (
            each[name].astype(object).where(each[name].notna(), "") for each in (rows, again)
        )
        same &= (told_words == wanted_words).to_numpy(dtype=np.bool_)
    audited = rows["audited"].astype("boolean").fillna(False)
    same &= (audited == again["audited"].to_numpy(dtype=np.bool_)).to_numpy(dtype=np.bool_)
    return np.asarray(same, dtype=np.bool_)
