"""Which rows of a batch may go on, and why not the others?"""

from __future__ import annotations

import pandas as pd

from data_contracts.admission.engine import check_natively
from data_contracts.admission.reading import BatchRefused, in_schema_types, read_cells, read_types
from data_contracts.admission.row_masks import row_masks
from data_contracts.admission.verdict import (
    BROKEN_RULES,
    Admission,
    broken_rules,
    counted,
    judge,
    nothing_admitted,
    reject_report,
)
from data_contracts.contract import (
    CELLS_CAN_BE_READ,
    STRUCTURE_RULES,
    AdmissionContext,
    BatchJudgement,
    Contract,
)

__all__ = ["BROKEN_RULES", "Admission", "BatchRefused", "admit", "read_types", "reject_report"]


def admit(frame: pd.DataFrame, contract: Contract, context: AdmissionContext) -> Admission:
    """Splits a batch into admitted rows and explained rejects; fails closed.

    A batch that fails (structure, a rule that raised, or two roads that disagree) admits nothing:
    every row is quarantined under "batch:RULE". Row masks say which rows break which rule; Great
    Expectations is asked a second time for the rules that it knows by itself, and must count the
    same failing rows (DESIGN 4, FAULTS 13, 14, docs/adr/0040). Batch rules look at the admitted rows as a population: what breaks one is
    admitted, and said in `held`. No message holds a value of a row.
    """
    delivered = frame.reset_index(drop=True).drop(columns=BROKEN_RULES, errors="ignore")
    try:
        typed, readable = read_cells(delivered, contract, context.case_types)
        kept = row_masks(typed, contract, context)
        check_natively(typed, contract, kept)
        if not readable.all():
            kept[CELLS_CAN_BE_READ] = readable
        sound = kept.all(axis=1)
        rows = in_schema_types(typed[sound], contract)
    except BatchRefused as refusal:
        judgement = BatchJudgement.failed(str(refusal))
        return nothing_admitted(delivered, contract, {refusal.rule: judgement})

    judgements = {
        **{rule: BatchJudgement.passed() for rule in STRUCTURE_RULES},
        **{rule.name: judge(rule, rows, context) for rule in contract.batch_rules},
    }
    if any(judgement.verdict == "raised" for judgement in judgements.values()):
        return nothing_admitted(delivered, contract, judgements)
    return Admission(
        contract=contract,
        rows=rows,
        rejected=delivered[~sound].assign(**{BROKEN_RULES: broken_rules(kept[~sound])}),
        rejections=counted(kept),
        batch_judgements={name: str(judgement) for name, judgement in judgements.items()},
        failed=(),
        rows_in=len(frame),
        held=tuple(one.reason for one in judgements.values() if one.verdict == "failed"),
    )
