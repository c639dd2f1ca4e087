"""How do we draw a random number that belongs to a case, whoever asks for it and in what order?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator that depends on the seed and the purpose alone."""
    return np.random.default_rng(np.random.SeedSequence(_words(seed, *purpose)))


class KeyedDraws:
    """Uniform draws tied to case ids: the same id, seed and purpose give the same number always.

    The ids are hashed once (SipHash through pandas); every purpose then mixes those 64 bits again
    with the SplitMix64 finaliser (Steele, Lea and Flood 2014), so that draws for two purposes are
    independent for all practical ends.
    """

    def __init__(self, seed: int, case_ids: pd.Series | Sequence[str]) -> None:
        ids = np.asarray(case_ids, dtype=object)
        key = hashlib.blake2b(f"{seed}".encode(), digest_size=8).hexdigest()
        self._bits: NDArray[np.uint64] = pd.util.hash_array(ids, hash_key=key, categorize=False)

    def uniform(self, *purpose: str | int) -> NDArray[np.float64]:
        """One draw a case, shape (n,), strictly inside (0, 1)."""
        top_53_bits = self._mixed(*purpose) >> np.uint64(11)
        uniforms: NDArray[np.float64] = (top_53_bits.astype(np.float64) + 0.5) * 2.0**-53
        return uniforms

    def choice(self, count: int | NDArray[np.int64], *purpose: str | int) -> NDArray[np.int64]:
        """One whole number a case, shape (n,), uniform on 0 .. count - 1."""
        chosen: NDArray[np.int64] = np.floor(self.uniform(*purpose) * count).astype(np.int64)
        return chosen

    def _mixed(self, *purpose: str | int) -> NDArray[np.uint64]:
        offset = int.from_bytes(hashlib.blake2b(_text(*purpose), digest_size=8).digest(), "big")
        bits = self._bits ^ np.uint64(offset)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))


def _text(*parts: str | int) -> bytes:
    return "\x1f".join(str(part) for part in parts).encode()


def _words(*parts: str | int) -> list[int]:
    digest = hashlib.blake2b(_text(*parts), digest_size=16).digest()
    return [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4)]
