"""Does every row find the decision of its case, whichever part it came in?"""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from flows.adapters.evidence.case_numbers import CASE_NUMBER, CaseNumbers
from flows.adapters.evidence.evidence_store import EvidenceStore
from flows.adapters.evidence.part_cache import PartCache

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def store(tmp_path, limit_bytes=2**20):
    return EvidenceStore(tmp_path, cache=PartCache(limit_bytes))


def deliver(held, table, ids, day=0):
    rows = pd.DataFrame({"case_id": ids, "said": [f"{table} {one}" for one in ids]})
    held.append(
        table, rows, rows.iloc[:0], key=("case_id",), source=f"{table} {day}",
        received_at=NOW + timedelta(days=day),
    )  # fmt: skip


def numbers(held, table, **options):
    rows = held.read(table, columns=["case_id"], numbered=True, **options)
    return dict(zip(rows["case_id"], rows[CASE_NUMBER].tolist(), strict=True))


def test_decisions_are_numbered_as_they_arrived_and_reviews_find_them(tmp_path):
    """A review of a case that nobody decided is left out of a numbered read."""
    held = store(tmp_path)
    deliver(held, "decisions", ["b", "a"])
    deliver(held, "reviews", ["a", "stranger"])
    deliver(held, "decisions", ["c"], day=1)
    deliver(held, "reviews", ["c", "b"], day=1)
    assert numbers(held, "decisions") == {"b": 0, "a": 1, "c": 2}
    assert numbers(held, "reviews") == {"a": 1, "c": 2, "b": 0}


def test_a_case_that_is_decided_later_is_found_then(tmp_path):
    held = store(tmp_path)
    deliver(held, "decisions", ["a"])
    deliver(held, "outcomes", ["late", "a"])
    assert numbers(held, "outcomes") == {"a": 0}
    deliver(held, "decisions", ["late"], day=1)
    assert numbers(held, "outcomes") == {"late": 1, "a": 0}


def test_a_number_is_the_same_as_of_any_moment_and_in_any_process(tmp_path):
    """Numbers count from the first decision ever, so a read as of the past agrees with today's."""
    held = store(tmp_path)
    deliver(held, "decisions", ["a", "b"])
    deliver(held, "decisions", ["c", "d"], day=1)
    now = numbers(held, "decisions")
    assert numbers(held, "decisions", as_of=NOW) == {"a": now["a"], "b": now["b"]}
    assert numbers(store(tmp_path), "decisions") == now
    assert numbers(store(tmp_path, limit_bytes=0), "decisions") == now


def test_two_stores_with_one_part_in_common_number_it_each_by_its_own_decisions(tmp_path):
    """The parts of outcomes are the same to the last byte, and the cache is the process's: what the
    first store found there says nothing of the second's decisions."""
    cache = PartCache(2**20)
    one, other = (EvidenceStore(tmp_path / name, cache=cache) for name in ("one", "other"))
    deliver(one, "decisions", ["a", "b"])
    deliver(other, "decisions", ["stranger", "b", "a"])
    for held in (one, other):
        deliver(held, "outcomes", ["a", "b"])
    assert numbers(one, "outcomes") == {"a": 0, "b": 1}
    assert numbers(other, "outcomes") == {"b": 1, "a": 2}
    assert numbers(one, "outcomes") == {"a": 0, "b": 1}


def test_a_filter_and_the_words_of_a_category_go_with_numbers(tmp_path):
    held = store(tmp_path)
    deliver(held, "decisions", ["a", "b", "c"])
    rows = held.read(
        "decisions",
        columns=["said"],
        filters={"case_id": ["c"]},
        categories=["said"],
        numbered=True,
    )
    assert rows[CASE_NUMBER].tolist() == [2]
    assert rows["said"].dtype == "category"
    assert rows["said"].tolist() == ["decisions c"]


def test_parts_in_another_order_are_refused(tmp_path):
    """Numbers that were given out could not stay what they are."""
    found = CaseNumbers(files=None, cache=PartCache(0))
    found._parts = ("one", "two")
    with pytest.raises(AssertionError, match="changed their order"):
        found.of_part(["two", "one"], "decisions", "one")


def test_sizes_count_the_rows_of_each_value_by_part(tmp_path):
    held = store(tmp_path)
    assert held.sizes("decisions", "case_id").empty
    deliver(held, "decisions", ["a", "b"])
    deliver(held, "decisions", ["c"], day=1)
    told = held.sizes("decisions", "case_id").sort_values("case_id")
    assert told["rows"].tolist() == [1, 1, 1]
    assert told["received_at"].tolist() == [NOW, NOW, NOW + timedelta(days=1)]
    assert held.sizes("decisions", "case_id", as_of=NOW)["rows"].sum() == 2


def test_numbers_stand_when_a_case_is_erased_under_a_store_that_is_open(tmp_path):
    """Another process rewrites a part: its rows keep their places, under the invented id."""
    held = store(tmp_path)
    deliver(held, "decisions", ["a", "b"])
    deliver(held, "decisions", ["c"], day=1)
    deliver(held, "reviews", ["b", "c"], day=1)
    before = numbers(held, "reviews")
    done = store(tmp_path).eraser.erase(["b"], {"reason": "asked"})
    assert done.rows == {"decisions": 1, "reviews": 1}
    after = numbers(held, "reviews")
    (invented,) = set(after) - {"c"}
    assert invented.startswith("erased-")
    assert (after[invented], after["c"]) == (before["b"], before["c"])
    assert numbers(held, "decisions")[invented] == 1
