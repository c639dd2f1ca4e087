"""Audit draws depend on the case and the key, on nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.boundary.decision.audit import audit_key, keyed_uniform

KEY = audit_key("secret", "audit|ato")


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=30, unique=True))
def test_a_case_draws_the_same_number_alone_and_in_any_company(ids: list[str]) -> None:
    """A re-run over another batch, in another order or column type, draws the same cases."""
    together = dict(zip(ids, keyed_uniform(pd.Series(ids, dtype="str"), KEY), strict=True))
    backwards = keyed_uniform(np.array(ids[::-1], dtype=object), KEY)
    assert dict(zip(ids[::-1], backwards, strict=True)) == together
    assert keyed_uniform(np.array(ids[:1], dtype=object), KEY)[0] == together[ids[0]]


def test_a_key_belongs_to_one_secret_and_one_purpose() -> None:
    """16 characters, the same every time, another for another secret or case type."""
    assert len(KEY) == len(KEY.encode()) == 16
    assert audit_key("secret", "audit|ato") == KEY
    assert len({KEY, audit_key("secret", "audit|kyc_audit"), audit_key("other", "audit|ato")}) == 3


def test_a_rate_draws_its_share_and_a_higher_rate_draws_the_same_cases_and_more() -> None:
    """20,000 ids at 5 %: within the central 99.9 % of the binomial; draws at two rates are nested."""
    draws = keyed_uniform(pd.Series([f"case-{n}" for n in range(20_000)]), KEY)
    low, high = stats.binom.interval(0.999, 20_000, 0.05)
    assert low <= (draws < 0.05).sum() <= high
    assert (draws[draws < 0.05] < 0.10).all()


def test_draws_say_nothing_about_their_neighbours() -> None:
    """Consecutive ids: serial correlation within four standard errors of zero."""
    draws = keyed_uniform(pd.Series([f"case-{n}" for n in range(20_000)]), KEY)
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(20_000)


def test_another_process_draws_the_same_cases() -> None:
    """Python salts its own hash in each process; the audit must not depend on it."""
    program = (
        "import pandas as pd; from models.boundary.decision.audit import audit_key, keyed_uniform; "
        "print(keyed_uniform(pd.Series(['a', 'b']), audit_key('secret', 'audit|ato')).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.stdout.strip() == str(keyed_uniform(pd.Series(["a", "b"]), KEY).tolist())


def test_a_draw_made_years_ago_can_be_repeated() -> None:
    """The numbers themselves: another hash would change which past cases count as designed."""
    key = audit_key("secret", "kyc_audit")
    assert key == "UoLq7E3n5S3F906+"
    assert keyed_uniform(pd.Series(["case-1", "case-2"]), key).tolist() == [
        0.5226171285526777,
        0.5838301532462111,
    ]


@pytest.mark.parametrize("key", ["", "fifteen bytes !", "ünfzehn Zeichen!"])
def test_a_key_of_another_length_is_refused_with_what_would_work(key: str) -> None:
    """Bytes are counted, not characters: the last one has 16 characters and 17 bytes."""
    with pytest.raises(ValueError, match=r"16 bytes long, got \d+; derive it with audit_key"):
        keyed_uniform(pd.Series(["a"]), key)


def test_no_case_no_draw() -> None:
    """An empty night is not an error."""
    assert keyed_uniform(pd.Series([], dtype="str"), KEY).shape == (0,)


@given(st.text(max_size=40))
def test_the_draw_is_the_keyed_hash_written_out(case_id: str) -> None:
    """Second road: SipHash-2-4 from its paper, then pandas' one-to-one mixing of the bits."""
    (draw,) = keyed_uniform(np.array([case_id], dtype=object), KEY)
    assert draw == (mixed(siphash(case_id.encode(), KEY.encode())) >> 11) / 2**53


WORD = 2**64 - 1


def siphash(message: bytes, key: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein 2012)."""
    halves = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    constants = b"somepseudorandomlygeneratedbytes"
    state = [
        int.from_bytes(constants[8 * place : 8 * place + 8], "big") ^ halves[place % 2]
        for place in range(4)
    ]

    def rotated(word: int, by: int) -> int:
        return (word << by | word >> (64 - by)) & WORD

    def add_rotate_xor(left: int, right: int, by: int) -> None:
        state[left] = (state[left] + state[right]) & WORD
        state[right] = rotated(state[right], by) ^ state[left]

    def rounds(count: int) -> None:
        for _ in range(count):
            add_rotate_xor(0, 1, 13)
            state[0] = rotated(state[0], 32)
            add_rotate_xor(2, 3, 16)
            add_rotate_xor(0, 3, 21)
            add_rotate_xor(2, 1, 17)
            state[2] = rotated(state[2], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) % 256])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        state[3] ^= word
        rounds(2)
        state[0] ^= word
    state[2] ^= 0xFF
    rounds(4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def mixed(word: int) -> int:
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB & WORD
    return word ^ word >> 31
