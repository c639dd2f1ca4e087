"""Which words make up the name of somebody's column?"""

from __future__ import annotations

import re


def words_of(name: str) -> list[str]:
    """A column's name in small words: `TxAmount`, `tx-amount` and `TX_AMOUNT` are tx, amount."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[^a-z0-9]+", split.casefold()) if word]
