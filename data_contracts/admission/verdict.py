"""What became of a batch: the admitted rows, the rejected ones with every rule they broke, and why?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd

from data_contracts.admission.reading import many, no_rows
from data_contracts.admission.row_masks import rule_raised
from data_contracts.contract import AdmissionContext, BatchJudgement, BatchRule, Contract

BROKEN_RULES = "broken_rules"


@dataclass(frozen=True, eq=False)
class Admission:
    """What became of a batch: every row that came in is either admitted or quarantined.

    Attributes:
        contract: what the batch was held to.
        rows: admitted rows in the schema's types, numbered from 0; not shown in a repr.
        rejected: the other rows as they were delivered, plus `broken_rules` ("rule_a; rule_b");
            the index is the position in the delivered batch.
        rejections: how many rows broke each rule (a row counts once per rule it broke).
        batch_judgements: by batch rule, what was found.
        failed: sentences saying why the whole batch failed; empty = it did not.
        rows_in: rows delivered.
        held: sentences of the population rules that the admitted rows break; they are admitted, and
            what they say waits (issue 12).
    """

    contract: Contract = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    rejected: pd.DataFrame = field(repr=False)
    rejections: Mapping[str, int]
    batch_judgements: Mapping[str, str]
    failed: tuple[str, ...]
    rows_in: int
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rejections", MappingProxyType(dict(self.rejections)))
        object.__setattr__(self, "batch_judgements", MappingProxyType(dict(self.batch_judgements)))
        if self.rows_in != self.admitted + self.quarantined:
            raise AssertionError(
                f"{self.contract.name}: {self.rows_in} rows came in, {self.admitted} were admitted "
                f"and {self.quarantined} quarantined; rows were lost or made"
            )

    @property
    def admitted(self) -> int:
        return len(self.rows)

    @property
    def quarantined(self) -> int:
        return len(self.rejected)


def reject_report(admission: Admission, limit: int = 10) -> str:
    """One line per broken rule, most frequent first: how many rows, the name, what would work."""
    ranked = sorted(admission.rejections.items(), key=lambda item: (-item[1], item[0]))
    lines = [
        f"{many(count, 'row')}: {rule}: {admission.contract.explain(rule)}"
        for rule, count in ranked[:limit]
    ]
    if len(ranked) > limit:
        rest = ", ".join(rule for rule, _ in ranked[limit:])
        lines.append(f"and {many(len(ranked) - limit, 'more rule')}: {rest}")
    return "\n".join([*admission.failed, *lines])


def judge(rule: BatchRule, rows: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
    try:
        return rule.judge(rows, context)
    except Exception as error:  # fails closed, and the error's message may hold a row's value
        return BatchJudgement("raised", str(rule_raised(rule.name, error)))


def nothing_admitted(
    delivered: pd.DataFrame, contract: Contract, judgements: Mapping[str, BatchJudgement]
) -> Admission:
    populations = {rule.name for rule in contract.batch_rules}
    failed = {
        name: found
        for name, found in judgements.items()
        if found.verdict == "raised" or (found.verdict == "failed" and name not in populations)
    }
    names = [f"batch:{name}" for name in failed]
    return Admission(
        contract=contract,
        rows=no_rows(contract),
        rejected=delivered.assign(
            **{BROKEN_RULES: pd.Series("; ".join(names), index=delivered.index, dtype="str")}
        ),
        rejections=dict.fromkeys(names, len(delivered)),
        batch_judgements={name: str(found) for name, found in judgements.items()},
        failed=tuple(found.reason for found in failed.values()),
        rows_in=len(delivered),
    )


def broken_rules(kept: pd.DataFrame) -> pd.Series:
    """ "rule_a; rule_b" per row, in the contract's order."""
    text = pd.Series("", index=kept.index, dtype="str")
    for name in kept.columns[~kept.all().to_numpy()]:
        text = text.where(kept[name], text + "; " + name)
    return text.str.removeprefix("; ")


def counted(kept: pd.DataFrame) -> dict[str, int]:
    broken = (~kept).sum()
    return {str(name): int(count) for name, count in broken[broken > 0].items()}
