"""Do the labels that came in look like the labels before them?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from data_contracts import CONTRACTS, AdmissionContext, judge_observed
from data_contracts.contract import Trailing
from models.vocabulary import CaseType

FEWEST_ROWS = 200
EXPECTED_BAD = 10
"""Labels are pooled until so many bad ones are to be expected: with fewer, a pool without a single
bad case would be nothing strange (probability e^-10 at the trailing rate)."""

_Key = tuple[str, str]


@dataclass
class LabelWatch:
    """The history contract's rules on `bad`, applied to what had been observed by each step.

    A label's rate depends on which cases were escalated, so labels are compared with earlier ones
    of cases that the same policy decided; all policies that review everything count as one.
    """

    case_types: Mapping[str, CaseType]
    _past: dict[_Key, list[tuple[int, float]]] = field(default_factory=dict)
    _pool: dict[_Key, pd.DataFrame] = field(default_factory=dict)

    def judge(self, outcomes: pd.DataFrame, decided: pd.DataFrame, as_of: datetime) -> list[str]:
        """Sentences saying why the delivery is refused; none: it may come in.

        Args:
            outcomes: case_id, case_type, observed_at, bad, source. Only re-verifications are
                judged: what comes to light by itself is bad by its nature.
            decided: case_id, policy_id and propensity of every case after the warm-up.
        """
        rows = outcomes[outcomes["source"] == "reverification"]
        rows = rows.merge(_epochs(decided), on="case_id", how="left")
        rows["epoch"] = rows["epoch"].fillna(_EVERYTHING)
        if not self._past:
            self._learn_warm_up(rows)
            return []
        pools, refused = dict(self._pool), []
        for key, new in rows.groupby(["case_type", "epoch"], observed=True):
            case_type, epoch = str(key[0]), str(key[1])
            pool = pd.concat([pools.pop((case_type, epoch), new.iloc[:0]), new])
            if len(pool) < self._enough((case_type, epoch)):
                pools[case_type, epoch] = pool
                continue
            failed = self._failures((case_type, epoch), pool, as_of)
            refused += failed
            if not failed:
                past = self._past.setdefault((case_type, epoch), [])
                past.append((len(pool), float(pool["bad"].mean())))
        if not refused:
            self._pool = pools
        return refused

    def _learn_warm_up(self, rows: pd.DataFrame) -> None:
        week = rows["observed_at"].dt.floor("7D")
        for key, part in rows.groupby(["case_type", week], observed=True):
            past = self._past.setdefault((str(key[0]), _EVERYTHING), [])
            past.append((len(part), float(part["bad"].mean())))

    def _failures(self, key: _Key, pool: pd.DataFrame, as_of: datetime) -> list[str]:
        context = AdmissionContext(
            now=as_of, case_types=self.case_types, trailing={key[0]: self._trailing(key)}
        )
        told = judge_observed(pool, CONTRACTS["history"], context)
        return [f"{rule}: {one.reason}" for rule, one in told.items() if one.verdict == "failed"]

    def _trailing(self, key: _Key) -> Trailing:
        past = self._past.get(key, [])
        cases = sum(count for count, _ in past)
        rate = sum(count * share for count, share in past) / cases if cases else None
        return Trailing(rate, cases / max(len(past), 1), len(past))

    def _enough(self, key: _Key) -> int:
        rate = self._trailing(key).base_rate
        return FEWEST_ROWS if not rate else max(FEWEST_ROWS, math.ceil(EXPECTED_BAD / rate))


_EVERYTHING = "everything reviewed"


def _epochs(decided: pd.DataFrame) -> pd.DataFrame:
    if decided.empty:
        return pd.DataFrame({"case_id": pd.Series(dtype="str"), "epoch": pd.Series(dtype="str")})
    selective = set(decided.loc[decided["propensity"] < 1.0, "policy_id"])
    epoch = decided["policy_id"].where(decided["policy_id"].isin(selective), _EVERYTHING)
    return pd.DataFrame({"case_id": decided["case_id"], "epoch": epoch})
