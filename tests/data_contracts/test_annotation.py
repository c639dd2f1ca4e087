"""Sentences are counted as a reader would, in English and in Chinese."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.annotation import count_sentences


@pytest.mark.parametrize(
    ("text", "language", "sentences"),
    [
        ("", "en", 0),
        (None, "en", 0),
        ("...", "en", 0),
        ("A trailing fragment", "en", 1),
        ("One. Two", "en", 2),
        ("One. Two. Three", "en", 3),
        ("One.Two.Three.", "en", 3),
        ("Really?! Yes... No!", "en", 3),
        ("Score 0.97 under model v1.2 was right.", "en", 1),
        ("Signals, e.g. a new device, i.e. not seen, misled it. Fixed.", "en", 2),
        ("Mr. Wu of the U.S. desk saw it. See No. 5.", "en", 2),
        ("Is it him? No. The face differs.", "en", 3),
        ("The mail came from mail.example.com yesterday.", "en", 1),
        ("One; two; three; four.", "en", 1),
        ('He said "no." Then he left. Gone.', "en", 3),
        ("人脸不符。", "zh", 1),
        ("人脸不符。证件过期。", "zh", 2),
        ("人脸不符。证件过期。地址无效", "zh", 3),
        ("人脸不符；证件过期！地址无效？", "zh", 3),
        ("人脸不符;证件过期;地址无效", "zh", 3),
        ("相似度0.97，模型v1.2。", "zh", 1),
        ("第一句.第二句.第三句.", "zh", 3),
        ("人脸不符。证件过期。地址无效", "en", 3),
    ],
)
def test_sentences_are_counted_as_a_reader_would(text, language, sentences):
    """Enders end, abbreviations and decimals do not, a fragment counts."""
    counted = count_sentences(pd.Series([text], dtype="str"), pd.Series([language], dtype="str"))
    assert counted.tolist() == [sentences]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_every_annotation_is_counted_for_itself(texts):
    """A count does not depend on the neighbours, whatever the characters."""
    together = count_sentences(pd.Series(texts, dtype=object), pd.Series(["en"] * len(texts)))
    alone = [
        int(count_sentences(pd.Series([text], dtype=object), pd.Series(["en"])).iloc[0])
        for text in texts
    ]
    assert together.tolist() == alone
