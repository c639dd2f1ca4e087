"""What a certificate rests on has one digest, however the table is stored."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from flows.verbs.certify.inputs import evidence_digest

REVIEWERS = pd.Series(["r1", None, "r2", "r1"], dtype="str")


def test_words_stored_as_text_or_as_categories_have_one_digest() -> None:
    """Two reviewers, a case that nobody reviewed, and a category that no row has; the bytes are those of
    a hash a cell."""
    cases = pd.DataFrame({"case_id": ["a", "b", "c", "d"], "bad": [1.0, 0.0, np.nan, 0.0]})
    text = cases.assign(reviewer=REVIEWERS)
    category = cases.assign(reviewer=pd.Categorical(REVIEWERS, categories=["r9", "r2", "r1"]))
    expected = hashlib.sha256(b"model")
    for name in ("case_id", "bad", "reviewer"):
        cells = pd.util.hash_array(np.asarray(text[name]), categorize=False)
        expected.update(name.encode() + cells.tobytes())
    assert evidence_digest(text, "model") == expected.hexdigest()
    assert evidence_digest(category, "model") == expected.hexdigest()


def test_another_reviewer_is_another_digest() -> None:
    cases = pd.DataFrame({"case_id": ["a", "b", "c", "d"]})
    one, other = (
        cases.assign(reviewer=pd.Categorical(people))
        for people in (["r1", "r1", "r2", "r1"], ["r1", "r2", "r2", "r1"])
    )
    assert evidence_digest(one, "model") != evidence_digest(other, "model")
