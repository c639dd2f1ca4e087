"""What does a reviewer write down about a case: the path, the cause, and a sentence or two?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROOT_CAUSES: dict[tuple[str, str], str] = {
    ("A", "FP"): "feature_overweighted",
    ("A", "FN"): "feature_underweighted",
    ("B", "FP"): "block_threshold_too_low",
    ("B", "FN"): "pass_threshold_too_high",
    ("C", "FP"): "sop_blocks_legitimate_pattern",
    ("C", "FN"): "sop_misses_pattern",
}
"""Root cause by feedback path and label of a misjudged case; "none" where the agent was right."""

_TEMPLATES: dict[tuple[str, str, str], str] = {
    ("none", "TP", "en"): "Confirmed as bad. The evidence is clear.",
    ("none", "TP", "zh"): "确认为欺诈。证据充分。",
    ("none", "TN", "en"): "Nothing unusual in this case.",
    ("none", "TN", "zh"): "本案未见异常。",
    ("none", "", "en"): "The documents do not settle this case. Passed on to a senior.",
    ("none", "", "zh"): "现有材料无法定论。转交高级审核员处理。",
    ("A", "FP", "en"): "A legitimate customer. The agent relied too much on {feature}.",
    ("A", "FP", "zh"): "客户正常。系统过度依赖 {feature}。",
    ("A", "FN", "en"): "This is an attack. The agent gave too little weight to {feature}.",
    ("A", "FN", "zh"): "此案为攻击。系统低估了 {feature}。",
    ("B", "FP", "en"): "A borderline score and a legitimate customer.",
    ("B", "FP", "zh"): "分数处于临界，客户实际正常。",
    ("B", "FN", "en"): "A borderline score, and the case is bad.",
    ("B", "FN", "zh"): "分数处于临界，此案实为欺诈。",
    (
        "C",
        "FP",
        "en",
    ): "The procedure calls this pattern suspicious, which it is not. See {clause}.",
    ("C", "FP", "zh"): "流程将此类情形视为可疑，实际正常。参见 {clause}。",
    ("C", "FN", "en"): "The procedure does not cover this pattern. See {clause}.",
    ("C", "FN", "zh"): "流程未覆盖此类情形。参见 {clause}。",
}


def root_causes(path: NDArray[np.object_], label: NDArray[np.object_]) -> NDArray[np.object_]:
    """The root cause code of each review, shape (n,)."""
    key = pd.MultiIndex.from_arrays([path, label])
    return _looked_up(key, ROOT_CAUSES, "none")


def written_notes(
    path: NDArray[np.object_],
    label: NDArray[np.object_],
    language: NDArray[np.object_],
    feature: NDArray[np.object_],
    clause: NDArray[np.object_],
) -> NDArray[np.object_]:
    """One or two short sentences a review, shape (n,), in the reviewer's language.

    `label` is "" for an escalated case; `feature` and `clause` fill the places in the text.
    """
    parts = [pd.Series(part).fillna("").astype("str") for part in (path, label, language)]
    named = [
        pd.Series(feature).fillna("the document").astype("str"),
        pd.Series(clause).fillna("no clause").astype("str"),
    ]
    codes, wordings = pd.factorize(pd.MultiIndex.from_arrays([*parts, *named]))
    # Few wordings serve all reviews, so the loop is over wordings and not over rows.
    written = [
        _TEMPLATES[(a, b, c)].format(feature=named_feature, clause=named_clause)
        for a, b, c, named_feature, named_clause in wordings
    ]
    return np.array(written, dtype=object)[codes]


def _looked_up(
    key: pd.MultiIndex, table: dict[tuple[str, str], str], otherwise: str
) -> NDArray[np.object_]:
    codes, found = pd.factorize(key)
    answers = np.array([table.get(pair, otherwise) for pair in found], dtype=object)
    return answers[codes]
