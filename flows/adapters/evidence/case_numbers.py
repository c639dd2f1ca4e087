"""Which decision does a row of another table belong to, without comparing text every night?"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.digests import UInts, row_digests
from flows.adapters.evidence.parquet_parts import ParquetParts
from flows.adapters.evidence.part_cache import PartCache, process_cache

CASE_NUMBER = "case_number"
"""A column of reads that ask for it: the place of the row's case among all decisions, from 0."""

UNKNOWN = -1

Numbers = npt.NDArray[np.int64]


class CaseNumbers:
    """Numbers all decisions in order of arrival, and the rows of other tables with their case's.

    Parts never change and new ones come last, so the numbers of a part are found once. Cases are
    matched by the 64-bit digest that tells re-deliveries from corrections; that two of ten million
    cases share one has a chance of about 3 in a million.
    """

    def __init__(self, files: ParquetParts, cache: PartCache | None = None) -> None:
        self._files = files
        self._cache = process_cache() if cache is None else cache
        self._parts: tuple[str, ...] = ()
        self._cases: pd.Index = pd.Index(np.empty(0, dtype=np.uint64))
        self._lock = threading.Lock()
        # A number counts this store's decisions; another store may hold a part of the same bytes.
        self._whose = object()

    def of_part(self, decisions: Sequence[str], table: str, part: str) -> Numbers:
        """The case number of each row of a part; UNKNOWN where no decision is known of its case.

        Args:
            decisions: the names of all parts of decisions, in order of arrival.
        """
        with self._lock:
            self._follow(tuple(decisions))
            held: tuple[Numbers, int] | None = self._cache.get((self._whose, part, CASE_NUMBER))
            # What was unknown may have been decided since.
            if held is not None and (held[1] == len(self._cases) or bool((held[0] >= 0).all())):
                return held[0]
            found = self._cases.get_indexer(pd.Index(self._digests(table, part))).astype(np.int64)
            self._cache.put(
                (self._whose, part, CASE_NUMBER), (found, len(self._cases)), found.nbytes
            )
            return found

    def _follow(self, decisions: tuple[str, ...]) -> None:
        """Take in parts of decisions that have come since the last call."""
        known = len(self._parts)
        if decisions == self._parts:
            return
        if decisions[:known] != self._parts:
            there = set(decisions)
            moved = len(decisions) < known or any(
                was != now and was in there
                for was, now in zip(self._parts, decisions, strict=False)
            )
            if moved:
                raise AssertionError(
                    "parts of decisions changed their order; numbers would be wrong"
                )
            # Somebody's data was erased meanwhile: new parts stand in the places of those that are
            # gone, and all are numbered anew.
            known, self._whose = 0, object()
            self._cases = pd.Index(np.empty(0, dtype=np.uint64))
        new = [self._digests("decisions", part) for part in decisions[known:]]
        # A contract keeps a case from being decided twice; were it, the first decision would count.
        self._cases = pd.Index(np.concatenate([self._cases.to_numpy(), *new])).drop_duplicates()
        self._parts = decisions

    def _digests(self, table: str, part: str) -> UInts:
        ids = self._files.column(table, part, "case_id").to_pandas()
        return row_digests(pd.DataFrame({"case_id": ids}))
