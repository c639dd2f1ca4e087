"""What does one pinned policy answer for a case, wherever it runs?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decision.decide import decide
from models.boundary.decision.decide_in_arms import CONTROL
from models.hub.policies.canonical import sha256_of, utc_stamp
from models.hub.policies.case_rules import NOT_FUTURE, broken_rules, opened_stamps
from models.hub.policies.deciding import rule_of, why_withheld
from models.hub.policies.policy import Policy
from models.risk import Contributions, RiskModel
from models.risk.cells import read_cells
from models.risk.encoding import FEATURES_ARE_PRESENT
from models.vocabulary import Costs

MOST_CONTRIBUTIONS = 5

_KNOWN_OF_EVERY_CASE = ("priority", "amount_usd")
Reasons = npt.NDArray[np.str_]


@dataclass(frozen=True)
class PinnedPolicy:
    """One policy with the very model it names, so that it answers the same everywhere (DESIGN 5).

    It knows nothing of the ledger: that it was halted or superseded since, its server must tell it
    (`withheld`). Its certificate's expiry is its own affair.

    Attributes:
        policy: with a model.
        model: of the digest that the policy names.
        costs: where the agent leans on cases it may not decide.
        key: draws the audits; see `models.boundary.decision.audit.audit_key`.
    """

    policy: Policy
    model: RiskModel
    costs: Costs
    key: str = field(repr=False)

    @classmethod
    def checked(
        cls, policy_id: str, policy_text: str, ubj: bytes, costs: Costs, key: str
    ) -> PinnedPolicy:
        """Read a policy and its model, each only after its digest has matched (FAULTS 8).

        Raises:
            ValueError: the text is not that policy, it names no model, or the bytes are another
                model's; those bytes were not parsed.
        """
        found = sha256_of(policy_text)
        if found != policy_id:
            raise ValueError(
                f"the policy's text has digest {found[:12]}, the pinned policy is {policy_id[:12]}; "
                "it was not read. Export the policy again."
            )
        policy = Policy.from_canonical(policy_text)
        if policy.model_digest is None:
            raise ValueError(
                f"policy {policy_id[:12]} names no model, so it has nothing to answer with"
            )
        found = hashlib.sha256(ubj).hexdigest()
        if found != policy.model_digest:
            raise ValueError(
                f"the model's file has digest {found[:12]}, policy {policy_id[:12]} names "
                f"{policy.model_digest[:12]}; it was not loaded. Export the policy again."
            )
        return cls(policy, RiskModel.from_bytes(ubj), costs, key)

    def decisions(self, cases: pd.DataFrame, now: datetime) -> pd.DataFrame:
        """Decide every case; the columns of `models.boundary.decision.decide` and `policy_id`.

        Args:
            cases: `case_id`, `priority`, `amount_usd` and the features, shape (cases,).
            now: tz-aware; at the certificate's expiry everything goes to a person.
        """
        scores, reason = self.model.score(cases)
        at = pd.Series(pd.Timestamp(now), index=cases.index)
        return self._decided(cases, scores, reason, at)

    def answers(
        self, cases: pd.DataFrame, now: datetime, withheld: str = ""
    ) -> list[dict[str, Any]]:
        """A plain answer for every case, in their order, as JSON has it (missing is None).

        An answer holds all columns of a decision, the features too, so that it can be delivered to
        `ratchet admit --contract decisions` as it is. A case that `ratchet decide` would refuse is
        escalated with that rule's name, and fails no other. A column that a case should have and
        nobody sent is a missing value of every case: they are escalated with the rule's name, even
        where a single value might be missing. The features that moved the score most stand in
        `top_contributions`, in calibrated log-odds, largest first.

        Args:
            cases: any table with `case_id` and `opened_at`; features, `priority` and `amount_usd`
                where known.
            now: tz-aware.
            withheld: why nothing may be decided automatically at the moment, or "".

        Raises:
            ValueError: the table has no column of ids, or a column was sent twice.
        """
        if not len(cases):
            return []
        _check(cases)
        sent, absent = self._completed(cases.reset_index(drop=True))
        read = read_cells(sent, self.model.features)
        whole, opened = read.cases, opened_stamps(sent)
        scores, reason, told = self.model.score_and_contributions(whole)
        if absent:
            reason = np.where(reason == "", FEATURES_ARE_PRESENT, reason)
        reason = broken_rules(whole, opened, read.unreadable, reason, self.policy.case_type, now)
        scores = np.where(reason == "", scores, np.nan)
        at = opened.where(opened > pd.Timestamp(now), pd.Timestamp(now))
        at = at.where(reason != NOT_FUTURE, pd.Timestamp(now))
        decided = self._decided(whole, scores, reason, at, withheld)
        count = len(whole)
        columns = {
            **{name: _plain(whole[name]) for name in self.model.feature_names},
            **{name: _plain(whole[name]) for name in _KNOWN_OF_EVERY_CASE},
            "case_id": _ids(sent["case_id"]),
            "case_type": [self.policy.case_type] * count,
            "opened_at": _stamps(opened),
            **{str(name): _plain(decided[name]) for name in decided},
            "arm": [CONTROL] * count,
            "decided_at": _stamps(at),
            "model_version": [self.policy.model_version] * count,
            "top_contributions": _top_contributions(told, reason == ""),
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _decided(
        self,
        cases: pd.DataFrame,
        scores: npt.NDArray[np.float64],
        reason: Reasons,
        at: pd.Series,
        withheld: str = "",
    ) -> pd.DataFrame:
        rule = rule_of(
            self.policy,
            scores,
            decided_at=at,
            key=self.key,
            costs=self.costs,
            withheld=why_withheld(self.policy, at, withheld),
        )
        return decide(cases, scores, reason, rule).assign(policy_id=self.policy.policy_id)

    def _completed(self, cases: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
        """The same cases with every column a decision asks for; and whether a feature was not sent."""
        patterns = self.policy.overrides.senior_patterns
        asked = [one.column for pattern in patterns for one in pattern.conditions]
        features = self.model.feature_names
        wanted = dict.fromkeys((*_KNOWN_OF_EVERY_CASE, *features, *asked))
        lacking = [name for name in wanted if name not in cases]
        if lacking:
            cases = cases.assign(**dict.fromkeys(lacking, np.nan))
        return cases, bool(set(lacking) & set(features))


def _top_contributions(
    told: Contributions, scored: npt.NDArray[np.bool_]
) -> list[list[dict[str, Any]]]:
    """Of each case that was scored, the largest; nothing moved a score that was not given."""
    largest = np.argsort(-np.abs(told.values), axis=1, kind="stable")[:, :MOST_CONTRIBUTIONS]
    values = np.take_along_axis(told.values, largest, axis=1).tolist()
    names = np.array(told.features, dtype=object)[largest].tolist()
    moved = [
        [{"feature": feature, "contribution": value} for feature, value in zip(*pair, strict=True)]
        for pair in zip(names, values, strict=True)
    ]
    return [by if known else [] for by, known in zip(moved, scored.tolist(), strict=True)]


def _plain(column: pd.Series) -> list[Any]:
    """As JSON has it: a missing value is null, numbers are Python's own."""
    values: list[Any] = column.tolist()
    # Asked of each value: of one case's columns pandas would take ten times as long.
    return [None if one is pd.NA or one != one else one for one in values]


def _ids(column: pd.Series) -> list[Any]:
    """As they were sent, where they are one value; what else stands there is no id."""
    return [one if isinstance(one, str | int) else None for one in column.tolist()]


def _stamps(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(one) else utc_stamp(one.to_pydatetime()) for one in column]


def _check(cases: pd.DataFrame) -> None:
    if not cases.columns.is_unique:
        raise ValueError("a column was sent twice; each case has one value of each")
    if "case_id" not in cases:
        raise ValueError("the cases have no column 'case_id'; audits are drawn by it")
