"""Are two names one person's?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hub.record.said import plain_name, same_person, shown_name

ZERO_WIDTH, SOFT_HYPHEN, NO_BREAK = "\u200b", "\u00ad", "\u00a0"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana", "Ana"),
        ("ana", " ana\t"),
        ("ana li", f"ana{NO_BREAK} li"),
        ("ana", f"a{ZERO_WIDTH}n{SOFT_HYPHEN}a"),
        ("ana", "\uff41\uff4e\uff41"),
        ("ana", "\u0430na"),
        ("oskar", "\u03bfskar"),
        ("jose", "Jos\u00e9"),
        ("jos\u00e9", "jose\u0301"),
        ("strasse", "Stra\u00dfe"),
        ("ivan", "\u0131van"),
    ],
    ids=[
        "case", "blanks", "no-break blank", "invisible", "full width", "Cyrillic", "Greek",
        "accent", "composed accent", "sharp s", "dotless i",
    ],
)  # fmt: skip
def test_spellings_of_one_name(one, other):
    """What a reader takes for one name is one."""
    assert same_person(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ana", "anna"), ("ana", "ana2"), ("\u674e\u96f7", "\u674e\u78ca"), ("a b", "ab")],
)
def test_other_names_stay_other(one, other):
    """A reader can tell them apart."""
    assert not same_person(one, other)


@given(st.text())
def test_a_name_compared_or_shown_twice_is_the_same(name):
    """Whatever is written: nothing is left to take away, and what is shown names the same person."""
    assert plain_name(plain_name(name)) == plain_name(name)
    assert shown_name(shown_name(name)) == shown_name(name)
    assert same_person(shown_name(name), name)
    assert all(sign.isprintable() for sign in shown_name(name))
