"""What of the immutable parts is already decoded in this process, within a bounded memory?"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

DEFAULT_LIMIT_BYTES = 512 * 2**20


class PartCache:
    """Values by key, the least recently used leaving first once their bytes exceed the limit.

    Keys must name their value for good (a part is named by the digest of its bytes), so nothing in
    here can be out of date. Threads may share it.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Raises ValueError where the limit is negative; a limit of 0 keeps nothing."""
        if limit_bytes < 0:
            raise ValueError(f"limit_bytes must be zero or more, got {limit_bytes!r}")
        self.limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, now the most recently used; None when it is not held."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            self._held.move_to_end(key)
            return held[0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Hold a value of `size` bytes; one larger than the whole limit is not held."""
        if size > self.limit_bytes:
            return
        with self._lock:
            if key in self._held:
                self._bytes -= self._held.pop(key)[1]
            self._held[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit_bytes:
                _, (_, freed) = self._held.popitem(last=False)
                self._bytes -= freed


@functools.lru_cache(maxsize=1)
def process_cache() -> PartCache:
    """The one cache that all stores of this process share, so that the limit is the process's."""
    return PartCache()
