"""Are topics of notes found in both languages, named readably, and never by a private datum?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation.review_notes import ROOT_CAUSES, written_notes
from models.triage.procedure.annotation_terms import without_private
from models.triage.procedure.annotation_topics import Topics, find_topics

SIM_NOTES = [
    "The SIM card was replaced the day before the reset.",
    "Customer replaced the sim card last week, the carrier confirms it.",
    "A fresh sim card again; the carrier knows of no theft.",
    "Carrier says the SIM card swap was ordered in a shop.",
]
ADDRESS_NOTES = [
    "The utility bill shows an old address.",
    "Old address on the bill, the new one is on the lease.",
    "Utility bill and passport disagree about the address.",
    "The address on this utility bill is outdated.",
]
CARD_NOTES_ZH = [
    "客户更换了手机卡，运营商已确认。",
    "更换手机卡后立即申请重置。",
    "运营商称更换手机卡为本人办理。",
    "手机卡刚刚更换，情况合理。",
]
ADDRESS_NOTES_ZH = [
    "账单地址已过期，与租约不符。",
    "账单地址是旧地址。",
    "水电账单地址与证件不一致。",
    "账单地址已过期。",
]


def notes(each: int = 10) -> tuple[pd.Series, pd.Series, np.ndarray]:
    """Each sentence ten times; what it is about: 0 and 1 in English, 2 and 3 in Chinese."""
    groups = [SIM_NOTES, ADDRESS_NOTES, CARD_NOTES_ZH, ADDRESS_NOTES_ZH]
    written = [(note, about) for about, group in enumerate(groups) for note in group * each]
    text, about = zip(*written, strict=True)
    language = np.where(np.array(about) < 2, "en", "zh")
    return pd.Series(text, dtype="str"), pd.Series(language, dtype="str"), np.array(about)


def purity(topics: Topics, about: np.ndarray) -> float:
    """Share of notes that lie in a topic and agree with the most frequent subject there."""
    agree = sum(np.bincount(about[topics.of == topic]).max() for topic in range(len(topics.names)))
    return float(agree / len(about))


def test_varied_sentences_are_grouped_by_subject_and_language() -> None:
    """Two subjects in each language, four wordings each; topics may be finer, hardly coarser."""
    text, language, about = notes()
    topics = find_topics(text, language)
    assert purity(topics, about) > 0.85
    assert set(topics.languages) == {"en", "zh"}
    for topic, spoken in enumerate(topics.languages):
        assert (language[topics.of == topic] == spoken).all()
    named = " / ".join(topics.names)
    for word in ("sim card", "utility", "手机卡", "账单"):
        assert word in named


def test_the_simulated_templates_come_apart() -> None:
    """Procedure, feature and threshold notes of false positives: the procedure's by itself."""
    rng = np.random.default_rng(0)
    path = rng.choice(np.array(["A", "B", "C"], dtype=object), 3_000)
    language = rng.choice(np.array(["en", "zh"], dtype=object), 3_000)
    features = np.array(["new_device", "session_age_minutes", "network_type"], dtype=object)
    label = np.full(3_000, "FP", dtype=object)
    clause = np.full(3_000, "ATO-07", dtype=object)
    text = written_notes(path, label, language, rng.choice(features, 3_000), clause)
    assert ("C", "FP") in ROOT_CAUSES
    topics = find_topics(pd.Series(text), pd.Series(language))
    procedure = [
        topic
        for topic in range(len(topics.names))
        if (path[topics.of == topic] == "C").mean() > 0.9
    ]
    assert {topics.languages[topic] for topic in procedure} == {"en", "zh"}
    caught = np.isin(topics.of, procedure)
    assert (caught & (path == "C")).sum() == (path == "C").sum()
    assert "ATO-07" not in " ".join(topics.names)


CANARIES = [
    "jane.doe@example.com",
    "AB1234567",
    "wdr-000000-00017",
    "+44 7700 900123",
    "https://desk.example.com/case/77",
    "4929-1234-5678-9012",
    "ＡＢ１２３４５",
    "Marlene",
    "Mr Oduya",
    "@quietfox",
]
CANARIES_ZH = [
    "13800138000",
    "客户张伟华",
    "王建国先生",
    "姓名：欧阳娜",
    "一三八零零一三八零零零",
    "wang@qq.com",
    "浙江省",
]


def test_no_private_datum_is_ever_part_of_a_name() -> None:
    """Canaries in two hundred notes each, in the places where they are likeliest to be named."""
    english = [f"We called {canary} about the sim card swap." for canary in CANARIES]
    english += [f"The sim card swap of {canary}." for canary in CANARIES]
    chinese = [f"更换手机卡，{canary}，已确认。" for canary in CANARIES_ZH]
    text = pd.Series((english + chinese) * 200)
    language = pd.Series((["en"] * len(english) + ["zh"] * len(chinese)) * 200)
    topics = find_topics(text, language)
    assert topics.names
    named = " ".join(topics.names).lower()
    assert not re.search(r"[\d@/]", named)
    for part in ("jane", "doe", "example", "wdr", "marlene", "oduya", "quietfox", "qq"):
        assert part not in named
    for part in ("张", "伟", "王建", "建国", "欧阳", "一三", "浙江"):
        assert part not in named
    assert "sim card" in named
    assert "手机卡" in named


@settings(max_examples=60, deadline=None)
@given(st.text("aB1@.,٣３②号张客户先生九 -_/\n", max_size=40))
def test_no_digit_or_address_survives_cleaning(note: str) -> None:
    """Whatever is written."""
    kept = without_private(note)
    assert not any(letter.isdecimal() for letter in kept)
    assert "@" not in kept


def test_rare_words_name_nothing() -> None:
    """Only what twenty notes say may be shown: nineteen of a word in lower case do not."""
    text = pd.Series(["sim card swap"] * 40 + ["sim card swap by aurelio"] * 19)
    topics = find_topics(text, pd.Series(["en"] * 59))
    assert "aurelio" not in " ".join(topics.names)
    assert len(topics.names) == 1


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    """Neither names nor who belongs where."""
    text, language, _ = notes()
    order = np.random.default_rng(seed).permutation(len(text))
    here, there = (
        find_topics(text, language),
        find_topics(text.iloc[order], language.iloc[order]),
    )
    assert here.names == there.names
    assert np.array_equal(here.of[order], there.of)


def test_topics_are_numbered_shared_out_and_never_too_many() -> None:
    """No more than asked for in all languages; every topic has its notes; names differ."""
    text, language, _ = notes()
    for most in (1, 2, 3, 12):
        topics = find_topics(text, language, most_topics=most)
        assert 1 <= len(topics.names) <= most
        assert len(set(topics.names)) == len(topics.names) == len(topics.languages)
        sizes = np.bincount(topics.of[topics.of >= 0], minlength=len(topics.names))
        assert (sizes >= 20).all()


def test_missing_notes_and_small_groups_have_no_topic() -> None:
    """Null, blank, nothing but numbers, too few; and no note at all."""
    text = pd.Series([None, " ", "4929 1234", "12"] * 30 + ["sim card swap"] * 19, dtype="str")
    topics = find_topics(text, pd.Series([None] * len(text), dtype="str"))
    assert topics.names == ()
    assert (topics.of == -1).all()
    empty = pd.Series([], dtype="str")
    assert find_topics(empty, empty).of.shape == (0,)


def test_a_missing_language_is_read_from_the_script() -> None:
    """The same topics as with the language told."""
    text, language, _ = notes()
    told, read = find_topics(text, language), find_topics(text, language.where(language == ""))
    assert told.names == read.names
    assert np.array_equal(told.of, read.of)


def test_calls_that_make_no_sense_are_refused() -> None:
    """Lengths that differ and limits below one."""
    text, language, _ = notes()
    with pytest.raises(ValueError, match="notes but"):
        find_topics(text, language[:3])
    with pytest.raises(ValueError, match="must be at least 1"):
        find_topics(text, language, most_topics=0)
