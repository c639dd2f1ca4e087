"""Which rows of a batch are not stored yet?"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from data_contracts.digests import UInts
from flows.adapters.evidence.parquet_parts import ParquetParts


class StoredDigests:
    """The digests of all stored rows by table, read once from each part."""

    def __init__(self, files: ParquetParts) -> None:
        self._files = files
        self._indexes: dict[tuple[str, str], _Index] = {}
        self._lock = threading.Lock()

    def not_stored(
        self,
        table: str,
        parts: Collection[str],
        content: UInts,
        keys: UInts,
        *,
        by_key: bool = False,
        kind: str = "",
    ) -> np.ndarray:
        """Which rows are neither in `parts` nor a repetition of an earlier row of their own batch.

        Takes one digest of the content and one of the key a row; gives one boolean a row. With
        `by_key` any row of the same key is the same row. For `kind` see `holds`.
        """
        if by_key:
            repeated = pd.Series(keys).duplicated().to_numpy()
            return np.asarray(~self.holds(table, parts, keys, kind) & ~repeated)
        index = self._index(table, frozenset(parts), kind)
        stored = np.zeros(len(content), dtype=bool)
        if len(index.content) and len(content):
            at = np.searchsorted(index.content, content).clip(max=len(index.content) - 1)
            stored = (index.content[at] == content) & (index.key[at] == keys)
        repeated = pd.DataFrame({"content": content, "key": keys}).duplicated().to_numpy()
        return np.asarray(~stored & ~repeated)

    def holds(self, table: str, parts: Collection[str], keys: UInts, kind: str = "") -> np.ndarray:
        """Whether `parts` have a row of each key; one digest and one boolean a row.

        Args:
            kind: which of the table's parts these are; the parts of one kind only ever grow.
        """
        index = self._index(table, frozenset(parts), kind)
        if not len(index.key):
            return np.zeros(len(keys), dtype=bool)
        at = np.searchsorted(index.sorted_keys, keys).clip(max=len(index.key) - 1)
        return np.asarray(index.sorted_keys[at] == keys)

    def _index(self, table: str, names: frozenset[str], kind: str) -> _Index:
        with self._lock:
            index = self._indexes.get(
                (table, kind), _Index(frozenset(), _no_digests(), _no_digests())
            )
            missing = sorted(names - index.parts)
            if missing:
                digests = [self._files.digests(table, name) for name in missing]
                index = _merged(index, digests, missing)
                self._indexes[table, kind] = index
            return index


@dataclass(frozen=True)
class _Index:
    """The digests of all stored rows of a table, in order of the content digest."""

    parts: frozenset[str]
    content: UInts
    key: UInts

    @cached_property
    def sorted_keys(self) -> UInts:
        return np.sort(self.key)


def _no_digests() -> UInts:
    return np.empty(0, dtype=np.uint64)


def _merged(
    index: _Index, digests: Sequence[tuple[UInts, UInts]], names: Collection[str]
) -> _Index:
    content = np.concatenate([index.content, *(each[0] for each in digests)])
    keys = np.concatenate([index.key, *(each[1] for each in digests)])
    order = np.argsort(content, kind="stable")
    return _Index(index.parts | frozenset(names), content[order], keys[order])
