"""How many sentences does a reviewer's annotation have, in English or in Chinese?"""

from __future__ import annotations

import pandas as pd

MOST_SENTENCES = 2
"""A root cause is told in fewer than three sentences."""

_END = "\x1f"  # the ASCII unit separator stands for the end of a sentence while we count

# Titles and Latin abbreviations are followed by the rest of their sentence.
_ABBREVIATION = r"(?i)\b(?:e\.\s?g|i\.\s?e|a\.m|p\.m|mr|mrs|ms|dr|prof|st|vs|cf|etc|approx|fig|inc|ltd|co|jr|sr)\."
# "No." is an abbreviation only in front of a number: "Is it him? No. The face differs."
_NUMBER_SIGN = r"(?i)\b(no|nr|art|sec|para)\.(?=\s*[#A-Za-z]{0,3}-?\d)"
_INITIALS = r"\b(?:[A-Za-z]\.){2,}"  # U.S., U.K., S.A.R.
_SINGLE_INITIAL = r"(?<=\s)([A-Z])\.(?=\s[A-Z][a-z])"  # John F. Kennedy
# A period ends a sentence in front of a space, the end, a capital or a Chinese character; between
# digits or inside a word (0.97, v1.2, mail.example) it does not.
_PERIOD = r"\.+(?=[\"'”’)\]]*(?:\s|$|[A-Z\u3400-\u9fff]|\x1f))"
_OTHER_ENDERS = r"[!?。！？；｡．]+"
_SEMICOLON = r"[;]+"
_SENTENCE = r"[^\x1f]*\w[^\x1f]*"


def count_sentences(text: pd.Series, language: pd.Series) -> pd.Series:
    """Number of sentences per annotation (int64, index of `text`); a null has none.

    `. ! ? 。 ！ ？ ；` end a sentence, several in a row end one; a plain `;` ends one in Chinese only
    (`language` "zh"), where it is typed for `；`. Abbreviations and decimals end none, and a
    trailing fragment counts as a sentence (DESIGN 4).
    """
    chinese = language.eq("zh").fillna(False).astype(bool).to_numpy()
    counts = pd.Series(0, index=text.index, dtype="int64")
    counts[~chinese] = _count_distinct(text[~chinese], semicolon_ends=False)
    counts[chinese] = _count_distinct(text[chinese], semicolon_ends=True)
    return counts


def _count_distinct(text: pd.Series, *, semicolon_ends: bool) -> pd.Series:
    """Counts each distinct text once: annotations repeat."""
    codes, distinct = pd.factorize(text.astype(object).where(text.notna(), ""))
    counts = _count(pd.Series(distinct, dtype=object), semicolon_ends=semicolon_ends)
    return pd.Series(counts.to_numpy(dtype="int64")[codes], index=text.index, dtype="int64")


def _count(text: pd.Series, *, semicolon_ends: bool) -> pd.Series:
    # Object strings, so that Python's own regular expressions run: Arrow's know no lookaround.
    marked = text.str.replace(_END, " ", regex=False)
    for pattern in (_ABBREVIATION, _INITIALS):
        marked = marked.str.replace(pattern, "abbreviation", regex=True)
    marked = marked.str.replace(_NUMBER_SIGN, r"\1", regex=True)
    marked = marked.str.replace(_SINGLE_INITIAL, r"\1", regex=True)
    marked = marked.str.replace(_OTHER_ENDERS, _END, regex=True)
    if semicolon_ends:
        marked = marked.str.replace(_SEMICOLON, _END, regex=True)
    marked = marked.str.replace(_PERIOD, _END, regex=True)
    return marked.str.count(_SENTENCE)
