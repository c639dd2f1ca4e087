"""Does the cache stay below its limit and forget what was used longest ago?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.evidence.part_cache import DEFAULT_LIMIT_BYTES, PartCache, process_cache


def test_the_least_recently_used_value_leaves_first():
    """Three of four bytes each in a limit of eight: the one that was read again stays."""
    cache = PartCache(limit_bytes=8)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]


def test_a_value_larger_than_the_limit_is_not_held_and_pushes_nothing_out():
    """One huge part does not cost all the others."""
    cache = PartCache(limit_bytes=8)
    cache.put("a", "A", 4)
    cache.put("huge", "H", 9)
    assert (cache.get("a"), cache.get("huge")) == ("A", None)


def test_a_value_put_twice_is_counted_once():
    """Two threads may decode the same part at the same time."""
    cache = PartCache(limit_bytes=8)
    cache.put("a", "A", 4)
    cache.put("a", "A", 4)
    assert cache.held_bytes == 4


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), max_size=40))
def test_the_limit_always_holds(puts):
    """Whatever came in which order, the bytes are those of what is held."""
    cache, sizes = PartCache(limit_bytes=10), {}
    for key, size in puts:
        cache.put(key, key, size)
        if size <= 10:
            sizes[key] = size
        assert cache.held_bytes <= 10
    assert cache.held_bytes == sum(sizes[key] for key in sizes if cache.get(key) is not None)


def test_one_cache_serves_the_process():
    """The limit is the process's, however many stores are open."""
    assert process_cache() is process_cache()
    assert process_cache().limit_bytes == DEFAULT_LIMIT_BYTES == 512 * 1024 * 1024


def test_a_negative_limit_is_refused():
    """The message says what would work."""
    with pytest.raises(ValueError, match="zero or more"):
        PartCache(-1)
