"""What does one pinned policy answer for a case, wherever it runs?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.boundary.decide import decide
from models.hub.canonical import sha256_of, utc_stamp
from models.hub.deciding import rule_of, why_withheld
from models.hub.policy import Policy
from models.risk import Contributions, RiskModel
from models.risk.encoding import FEATURES_ARE_PRESENT
from models.vocabulary import Costs

MOST_CONTRIBUTIONS = 5

_KNOWN_OF_EVERY_CASE = ("priority", "amount_usd")
Reasons = npt.NDArray[np.str_]


@dataclass(frozen=True)
class PinnedPolicy:
    """One policy with the very model it names, so that it answers the same everywhere (DESIGN 5).

    It knows nothing of the ledger: an A/B, a halt, a roll-back or a promotion since it was pinned
    does not reach it. Its certificate's expiry does.

    Attributes:
        policy: with a model.
        model: of the digest that the policy names.
        costs: where the agent leans on cases it may not decide.
        key: draws the audits; see `models.boundary.audit.audit_key`.
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
        """Decide every case; the columns of `models.boundary.decide` and `policy_id`.

        Args:
            cases: `case_id`, `priority`, `amount_usd` and the features, shape (cases,).
            now: tz-aware; at the certificate's expiry everything goes to a person.
        """
        scores, reason = self.model.score(cases)
        return self._decided(cases, scores, reason, now)

    def answers(self, cases: pd.DataFrame, now: datetime) -> list[dict[str, Any]]:
        """A plain answer for every case, in their order, as JSON has it (missing is None).

        A column that a case should have and nobody sent is a missing value of every case: they are
        escalated with the rule's name, even where a single value might be missing. The features that
        moved the score most stand in `top_contributions`, in calibrated log-odds, largest first.

        Args:
            cases: any table with a `case_id` in text; features, `priority` and `amount_usd` where known.
            now: tz-aware.

        Raises:
            ValueError: a case has no id, is of another case type, or has text for a number, or a
                column was sent twice.
        """
        if not len(cases):
            return []
        self._check(cases)
        whole, absent = self._completed(cases.reset_index(drop=True))
        scores, reason, told = self.model.score_and_contributions(whole)
        if absent:
            reason = np.where(reason == "", FEATURES_ARE_PRESENT, reason)
            scores = np.full(len(whole), np.nan)
        decided = self._decided(whole, scores, reason, now)
        count = len(whole)
        columns = {
            "case_id": whole["case_id"].tolist(),
            **{str(name): _plain(decided[name]) for name in decided},
            "decided_at": [utc_stamp(now)] * count,
            "model_version": [self.policy.model_version] * count,
            "top_contributions": _top_contributions(told, reason == ""),
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _decided(
        self, cases: pd.DataFrame, scores: npt.NDArray[np.float64], reason: Reasons, now: datetime
    ) -> pd.DataFrame:
        stamps = pd.Series(pd.Timestamp(now), index=cases.index)
        rule = rule_of(
            self.policy,
            scores,
            key=self.key,
            costs=self.costs,
            withheld=why_withheld(self.policy, stamps),
        )
        return decide(cases, scores, reason, rule).assign(policy_id=self.policy.policy_id)

    def _check(self, cases: pd.DataFrame) -> None:
        if not cases.columns.is_unique:
            raise ValueError("a column was sent twice; each case has one value of each")
        if "case_id" not in cases:
            raise ValueError("the cases have no column 'case_id'; audits are drawn by it")
        named = [isinstance(name, str) and name != "" for name in cases["case_id"]]
        if not all(named):
            raise ValueError(f"{named.count(False)} cases have no 'case_id' in text")
        own = self.policy.case_type
        if "case_type" in cases and not (cases["case_type"] == own).all():
            others = int((cases["case_type"] != own).sum())
            raise ValueError(
                f"{others} cases are of another case type; this policy decides {own!r} only"
            )
        text = set(self.model.levels)
        for name in (*_KNOWN_OF_EVERY_CASE, *self.model.feature_names):
            if name in cases and name not in text:
                _check_numbers(cases, name)

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
    """As JSON has it: a missing number is null, the others are Python's own."""
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f" or not column.isna().any():
        return values
    return [None if np.isnan(value) else value for value in values]


def _check_numbers(cases: pd.DataFrame, name: str) -> None:
    try:
        cases[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        # The library's own message would quote a value of somebody's case.
        raise ValueError(
            f"the column {name!r} holds what is no number; send a number, true, false or null"
        ) from None
