"""Which words of reviewers' notes may be counted and shown, and which could name a person or a case?

What a topic is called ends in reports and logs. So whatever looks like a personal datum or a number
is taken out before anything is counted; a word less in a topic's name is the cheaper mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

CHINESE = "zh"
ACRONYMS = frozenset(
    ["aml", "api", "ato", "id", "ip", "kyc", "mfa", "otp", "pep", "poa", "sim", "sms", "sop", "vpn"]
)
"""Words in capitals that name nobody; other words count only if they occur in lower case."""
_TELLING = frozenset(["no", "not", "never", "without", "system", "found", "bill", "call", "fire"])
STOP_WORDS = ENGLISH_STOP_WORDS - _TELLING
LONGEST_WORD = 40
LONGEST_NOTE = 1_000
"""Letters of a note that are read: two sentences have fewer, and a pasted page must cost no minutes."""

_HAN = "\u3400-\u9fff"
_STOPS = "，。；：！？、（）《》“”"
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严金魏姜谢邹苏潘葛范彭郎鲁马方任袁柳史唐薛雷贺罗郝"
    "安常于傅康余顾孟黄萧尹姚邵汪毛戴宋庞熊董梁杜阮季贾江郭梅林钟徐邱高夏蔡田胡万卢丁邓石崔龚程陆翁曾廖侯叶"
)
_UNSPEAKABLE = re.compile(
    "|".join(
        (
            r"(?:https?://|www\.)\S+",
            rf"[^\s{_HAN}{_STOPS}]*@[^\s{_HAN}{_STOPS}]*",
            rf"[^\s{_HAN}{_STOPS}]*\d[^\s{_HAN}{_STOPS}]*",
            r"[〇零一二三四五六七八九十百千万亿两幺]{3,}",
            rf"[{_HAN}]{{1,3}}(?:先生|女士|小姐|太太)",
            rf"[{_HAN}]{{2,3}}(?:省|市|县|镇)",
            rf"(?<=姓名)[:：是为]?\s*[{_HAN}]{{2,4}}",
            rf"(?<=(?:名叫|名为|叫做))[{_HAN}]{{2,4}}",
            rf"(?<=(?:客户|用户))[{_SURNAMES}][{_HAN}]{{1,2}}",
            rf"(?<=(?:申请人|持卡人))[{_SURNAMES}][{_HAN}]{{1,2}}",
            rf"(?:(?<=[{_STOPS}\s])|^)[{_SURNAMES}][{_HAN}]{{1,2}}(?=提交|提供|声称|称|说|已|于|在|与|和|使用|来电|申请|的)",
        )
    )
)
_SENTENCE = re.compile(r"[.!?;:。！？；：\n]+\s*")
_WORD = re.compile(r"[^\W\d_]+(?:[_'’-][^\W\d_]+)*")
_HAN_RUN = re.compile(rf"[{_HAN}]+")


def without_private(note: str) -> str:
    """The note without addresses, links, anything with a digit in it, and what looks like a name.

    Full-width letters and digits become plain ones first. A capitalised word inside a sentence, or
    two of them at its beginning, is taken for a name unless it is a known acronym.
    """
    plain = unicodedata.normalize("NFKC", note[:LONGEST_NOTE])
    spoken = _UNSPEAKABLE.sub(" ", plain)
    return " . ".join(_without_names(sentence) for sentence in _SENTENCE.split(spoken) if sentence)


def lower_case_words(notes: Iterable[str]) -> frozenset[str]:
    """The words that occur in lower case: those that are not only ever names or capitals."""
    return frozenset(word for note in notes for word in _WORD.findall(note) if word == word.lower())


def word_terms(note: str, known: frozenset[str]) -> list[str]:
    """Words and pairs of neighbouring words, in lower case, without stop words and unknown ones."""
    terms: list[str] = []
    for sentence in note.split(" . "):
        words = [word.lower() for word in _WORD.findall(_HAN_RUN.sub(" ", sentence))]
        kept = [
            word
            for word in words
            if (word in known or word in ACRONYMS)
            and word not in STOP_WORDS
            and 1 < len(word) <= LONGEST_WORD
        ]
        terms += kept
        terms += [f"{first} {second}" for first, second in pairwise(kept)]
    return terms


def character_terms(note: str, known: frozenset[str]) -> list[str]:
    """Runs of two to four Chinese characters, and the words in other scripts between them."""
    terms = [
        run[start : start + length]
        for run in _HAN_RUN.findall(note)
        for length in (2, 3, 4)
        for start in range(len(run) - length + 1)
    ]
    return terms + [term for term in word_terms(note, known) if " " not in term]


def _without_names(sentence: str) -> str:
    words = sentence.split()
    capital = [
        word[:1].isupper() and word.lower().strip(",()\"'") not in ACRONYMS for word in words
    ]
    kept: list[str] = []
    for place, word in enumerate(words):
        first = place == 0
        named = capital[place] and (not first or any(capital[1:2]))
        # The pronoun is no name, and stop words ("The", "See the") begin sentences.
        if not named or word.lower() in STOP_WORDS:
            kept.append(word)
    return " ".join(kept)
