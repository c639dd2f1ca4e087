"""What do reviewers keep writing about, in each language, and which notes say it?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.extmath import randomized_svd

from models.triage.procedure.annotation_terms import (
    CHINESE,
    character_terms,
    lower_case_words,
    without_private,
    word_terms,
)
from models.triage.procedure.excess import FloatArray, IntArray

ENOUGH_EXPLAINED = 0.9
"""As many topics as it takes to explain this share of the notes' squared weights."""
LEAST_WEIGHT = 0.2
"""A note whose strongest topic weighs less belongs to none."""
MOST_WORDINGS = 20_000
MOST_TERMS = 4_000
TERMS_IN_NAME = 3
WORTH_NAMING = 0.5
"""A term is part of a name if it weighs this share of the strongest one."""


@dataclass(frozen=True, slots=True, eq=False)
class Topics:
    """Topics of notes.

    Attributes:
        of: topic number of each note, -1 for none; shape (n,).
        names: by topic number, its strongest terms; no two are equal.
        languages: by topic number.
    """

    of: IntArray = field(repr=False)
    names: tuple[str, ...]
    languages: tuple[str, ...]


def find_topics(
    annotation: pd.Series,
    language: pd.Series,
    *,
    most_topics: int = 12,
    fewest: int = 20,
    seed: int = 0,
) -> Topics:
    """Group short notes by what they say, each language by itself (METHODS 4.3).

    Distinct wordings become TF-IDF rows (words and pairs of words; Chinese: runs of two to four
    characters), a wording seen c times weighing 1 + log c,
    so that the commonest does not drown the rest; non-negative matrix factorisation (Lee and
    Seung 1999) finds topics, and a note belongs to its strongest one. There are as many topics as
    singular values that explain ENOUGH_EXPLAINED of the rows, and never more than `most_topics` in
    all languages together. The order of rows changes nothing.

    Names are made of terms that at least `fewest` notes use, and never of an address, a link,
    anything with a digit in it or what looks like a person's name (`annotation_terms`).

    Args:
        annotation: the notes, null for none; shape (n,), any index.
        language: "zh" for Chinese; anything else is read as words; null: by the note's script.
        most_topics: the limit on topics, shared by languages in proportion to their notes.
        fewest: a topic with fewer notes is none.
        seed: of the factorisation.

    Raises:
        ValueError: the two differ in length, or a limit is below 1.
    """
    if len(annotation) != len(language):
        raise ValueError(f"{len(annotation)} notes but {len(language)} languages")
    if most_topics < 1 or fewest < 1:
        raise ValueError(
            f"most_topics and fewest must be at least 1, got {most_topics} and {fewest}"
        )
    corpora, wording_of = _by_language(annotation, language)
    drafts = [_Weighed.of(corpus, fewest) for corpus in corpora]
    wanted = [draft.wanted(most_topics, seed) for draft in drafts]
    rows = [int(corpus.counts.sum()) for corpus in corpora]
    names: list[str] = []
    languages: list[str] = []
    topic_of: list[IntArray] = []
    for draft, corpus, allowed in zip(
        drafts, corpora, _shared(wanted, rows, most_topics), strict=True
    ):
        topic, called = _topics_of_one(draft, corpus, allowed, fewest, seed)
        topic_of.append(np.where(topic >= 0, topic + len(names), -1))
        names += _distinct(called, names)
        languages += [corpus.language] * len(called)
    by_wording = np.concatenate([*topic_of, np.array([-1])])  # the last one: no note
    return Topics(by_wording[wording_of].astype(np.int64), tuple(names), tuple(languages))


@dataclass(frozen=True, slots=True, eq=False)
class _Corpus:
    """One language's distinct wordings, private data taken out, sorted, and how often each occurs."""

    language: str
    wordings: tuple[str, ...]
    counts: IntArray


def _by_language(annotation: pd.Series, language: pd.Series) -> tuple[list[_Corpus], IntArray]:
    """The corpora, and for each row the place of its wording among all of them in turn (-1: none)."""
    spoken = language.to_numpy(dtype=object)
    keys = pd.MultiIndex.from_arrays([annotation.to_numpy(dtype=object), spoken])
    codes, distinct = pd.factorize(keys)
    counts = np.bincount(codes, minlength=len(distinct))
    # Few wordings serve many rows: the loops are over wordings and not over rows.
    known = [_language_of(note, said) for note, said in distinct]
    cleaned = ["" if name == "" else without_private(note) for name, (note, _) in zip(known, distinct, strict=True)]  # fmt: skip
    table = pd.DataFrame({"language": known, "wording": cleaned, "count": counts})
    table = table[table["wording"] != ""]
    sums = table.groupby(["language", "wording"], sort=True)["count"].sum()
    place = pd.Series(np.arange(len(sums)), index=sums.index)
    at = np.full(len(distinct), -1, dtype=np.int64)
    at[table.index.to_numpy()] = place.reindex(
        pd.MultiIndex.from_frame(table[["language", "wording"]])
    ).to_numpy()
    corpora = [
        _Corpus(str(name), tuple(part.index.get_level_values(1)), part.to_numpy(dtype=np.int64))
        for name, part in sums.groupby(level=0, sort=True)
    ]
    return corpora, at[codes]


def _language_of(note: object, said: object) -> str:
    """ "" where there is no note."""
    if not isinstance(note, str) or not note.strip():
        return ""
    if isinstance(said, str) and said:
        return CHINESE if said.lower().startswith(CHINESE) else said.lower()
    return CHINESE if any("\u3400" <= letter <= "\u9fff" for letter in note) else "en"


@dataclass(frozen=True, slots=True, eq=False)
class _Weighed:
    """Wordings by terms, TF-IDF rows of length 1, and each row's weight."""

    rows: sparse.csr_matrix
    terms: tuple[str, ...]
    weight: FloatArray

    @classmethod
    def of(cls, corpus: _Corpus, fewest: int) -> _Weighed:
        known = lower_case_words(corpus.wordings)
        split = character_terms if corpus.language == CHINESE else word_terms
        weight = 1.0 + np.log(corpus.counts.astype(np.float64))
        try:
            vectorizer = CountVectorizer(analyzer=lambda note: split(note, known))
            counted = vectorizer.fit_transform(corpus.wordings).tocsr()
        except ValueError:  # an empty vocabulary: nothing that may be counted was written
            return cls(sparse.csr_matrix((len(corpus.wordings), 0)), (), weight)
        names = vectorizer.get_feature_names_out()
        notes = np.asarray((counted > 0).T @ corpus.counts, dtype=np.float64)
        common = np.flatnonzero(notes >= fewest)
        common = np.sort(common[np.argsort(-notes[common], kind="stable")[:MOST_TERMS]])
        rarity = np.log((1.0 + corpus.counts.sum()) / (1.0 + notes[common])) + 1.0
        rows = sparse.csr_matrix(counted[:, common] @ sparse.diags(rarity))
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
        return cls(
            sparse.csr_matrix(sparse.diags(scale) @ rows),
            tuple(str(name) for name in names[common]),
            weight,
        )

    @property
    def to_fit(self) -> sparse.csr_matrix:
        """The weighted rows of the most frequent wordings."""
        most = np.sort(np.argsort(-self.weight, kind="stable")[:MOST_WORDINGS])
        return sparse.csr_matrix(sparse.diags(self.weight[most]) @ self.rows[most])

    def wanted(self, most: int, seed: int) -> int:
        """How many singular values explain enough, at most `most`."""
        fitted = self.to_fit
        size = min(*fitted.shape, most)
        total = float(fitted.multiply(fitted).sum())
        if size == 0 or total == 0.0:
            return 0
        _, values, _ = randomized_svd(fitted, size, random_state=seed)
        explained = np.cumsum(values**2) / total
        return min(size, int(np.searchsorted(explained, ENOUGH_EXPLAINED)) + 1)


def _shared(wanted: Sequence[int], rows: Sequence[int], most: int) -> list[int]:
    """As many topics as each language wants; cut, if need be, in proportion to its notes."""
    given = [0] * len(wanted)
    for _ in range(min(most, sum(wanted))):
        # One at a time to whoever has the most notes for each topic it would then have.
        claims = [
            count / (has + 1) if has < want else -1.0
            for count, has, want in zip(rows, given, wanted, strict=True)
        ]
        given[int(np.argmax(claims))] += 1
    return given


def _topics_of_one(
    weighed: _Weighed, corpus: _Corpus, topics: int, fewest: int, seed: int
) -> tuple[IntArray, list[str]]:
    """Each wording's topic (-1: none), those with most notes first, and their names."""
    if topics == 0:
        return np.full(len(corpus.wordings), -1, dtype=np.int64), []
    model = NMF(topics, init="nndsvda", tol=1e-4, max_iter=400, random_state=seed)
    # Topics are good enough long before the last digit of their weights is, and the error of an
    # exact fit may round to below zero.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(weighed.to_fit)
        strength = np.asarray(model.transform(weighed.rows), dtype=np.float64)
    parts = np.asarray(model.components_, dtype=np.float64)
    strength = strength * np.linalg.norm(parts, axis=1)
    topic = np.where(strength.max(axis=1) >= LEAST_WEIGHT, strength.argmax(axis=1), -1)
    notes = np.bincount(topic[topic >= 0], corpus.counts[topic >= 0], minlength=topics)
    kept = [int(k) for k in np.argsort(-notes, kind="stable") if notes[k] >= fewest]
    number = np.full(topics + 1, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return number[topic], [_name(parts[k], weighed.terms) for k in kept]


def _name(part: FloatArray, terms: Sequence[str]) -> str:
    """The strongest terms that share no word, or no Chinese character, with one another."""
    # Of equally strong terms the longer one says more.
    lengths = np.array([len(term) for term in terms])
    order = np.lexsort((-lengths, -np.round(part / part.max(), 2)))
    chosen: list[str] = []
    for at in order:
        if part[at] < WORTH_NAMING * part.max() or len(chosen) == TERMS_IN_NAME:
            break
        if not any(_overlap(terms[at], other) for other in chosen):
            chosen.append(terms[at])
    return ", ".join(chosen)


def _overlap(one: str, other: str) -> bool:
    if one.isascii() or other.isascii():
        return bool(set(one.split()) & set(other.split()))
    return bool(set(one) & set(other))


def _distinct(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The names, a repeated one with the number of its turn in letters ("again", no digit)."""
    seen = set(taken)
    told: list[str] = []
    for name in names:
        while name in seen:
            name += " (again)"
        seen.add(name)
        told.append(name)
    return told
