"""Which rows keep which rule: one mask a rule, and a rule that raises refuses the batch."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from data_contracts.admission.reading import BatchRefused
from data_contracts.contract import AdmissionContext, Contract, RowRule


def row_masks(typed: pd.DataFrame, contract: Contract, context: AdmissionContext) -> pd.DataFrame:
    """True where a row keeps a rule: one column a rule; a rule that raises refuses the batch."""
    return pd.DataFrame({rule.name: _mask(rule, typed, context) for rule in contract.row_rules})


def _mask(rule: RowRule, typed: pd.DataFrame, context: AdmissionContext) -> np.ndarray:
    try:
        mask = rule.holds(typed, context)
        answers = len(mask) == len(typed) and types.is_bool_dtype(mask.dtype)
        whole = answers and not mask.isna().any()
    except Exception as error:
        # Whatever a rule raises must fail the batch, and its message may hold a row's value.
        raise rule_raised(rule.name, error) from None
    if not whole:
        raise BatchRefused(
            rule.name,
            f"The rule {rule.name!r} did not answer yes or no for every row; nothing is admitted "
            "until it does.",
        )
    return mask.to_numpy(dtype=bool)


def rule_raised(rule: str, error: Exception) -> BatchRefused:
    return BatchRefused(
        rule,
        f"The rule {rule!r} raised {type(error).__name__}; nothing is admitted until it is "
        "repaired.",
    )
