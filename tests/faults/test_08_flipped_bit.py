"""One bit is flipped, or the file is cut: refused before the library parses it (FAULTS 8).

Injected: 40 single bits of the registered file are flipped, one at a time; it is cut and lengthened.
"""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb

from configs.errors import GateRefused
from tests.faults.hub import CHAMPION, NAME, Hub

FLIPS = 40


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what `Booster.load_model` was given: some damaged files crash the process there."""
    sizes: list[int] = []
    real = xgb.Booster.load_model

    def spied(self: xgb.Booster, given: bytearray) -> None:
        sizes.append(len(given))
        real(self, given)

    monkeypatch.setattr(xgb.Booster, "load_model", spied)
    return sizes


def refused(hub: Hub, content: bytes, digest: str) -> bool:
    """With the same damage in both places: the registry's file and this home's copy."""
    hub.file(CHAMPION).write_bytes(content)
    hub.services.registry.copies.path(digest).write_bytes(content)
    with pytest.raises(GateRefused, match="its file has digest"):
        hub.services.registry.load(NAME, CHAMPION, digest, again=True)
    return True


def test_a_flipped_bit_is_never_parsed(hub: Hub, parsed: list[int]) -> None:
    """Forty places over the whole file, the first and the last bit among them."""
    whole, digest = hub.file(CHAMPION).read_bytes(), hub.digest(CHAMPION)
    places = np.random.default_rng(8).integers(0, 8 * len(whole), FLIPS)
    places[:2] = 0, 8 * len(whole) - 1
    for place in places:
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << (place % 8)
        assert refused(hub, bytes(flipped), digest)
    assert parsed == []


def test_a_cut_or_lengthened_file_is_never_parsed(hub: Hub, parsed: list[int]) -> None:
    """Empty, one byte, a block, half, all but a byte, and a byte too many."""
    whole, digest = hub.file(CHAMPION).read_bytes(), hub.digest(CHAMPION)
    for size in (0, 1, 4096, len(whole) // 2, len(whole) - 1):
        assert refused(hub, whole[:size], digest)
    assert refused(hub, whole + b"\0", digest)
    assert parsed == []


def test_a_flipped_bit_in_either_place_leaves_the_other(hub: Hub, parsed: list[int]) -> None:
    """Only whole bytes are parsed; a damaged copy is written anew."""
    digest, copies = hub.digest(CHAMPION), hub.services.registry.copies
    whole = hub.file(CHAMPION).read_bytes()
    flipped = bytes([whole[0] ^ 1]) + whole[1:]
    for place, other in ((hub.file(CHAMPION), copies.path(digest)), (copies.path(digest), None)):
        place.write_bytes(flipped)
        assert hub.services.registry.load(NAME, CHAMPION, digest, again=True).ubj == whole
        if other is not None:
            place.write_bytes(whole)
    assert copies.path(digest).read_bytes() == whole
    assert parsed == [len(whole), len(whole)]


def test_the_file_as_it_was_registered_is_parsed_once(hub: Hub, parsed: list[int]) -> None:
    """The spy would have seen it; a second use comes from memory."""
    registry, digest = hub.started_anew().services.registry, hub.digest(CHAMPION)
    for _ in range(2):
        assert registry.load(NAME, CHAMPION, digest).digest == digest
    assert parsed == [len(hub.file(CHAMPION).read_bytes())]
