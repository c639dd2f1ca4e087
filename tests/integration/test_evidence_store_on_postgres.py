"""Does the evidence store keep its promises with its index on PostgreSQL as on SQLite?"""

import pandas as pd
import pytest

from flows.adapters.evidence.evidence_store import EvidenceStore
from tests.flows.adapters.evidence_scenarios import (
    DAY,
    FIRST,
    NOW,
    a_batch_delivered_twice_changes_nothing,
    a_changed_part_is_refused,
    deliver,
    reviews,
    two_processes_race,
    two_processes_race_with_other_content,
)

pytestmark = pytest.mark.slow


def test_a_batch_comes_back_as_of_when_it_came(postgres_url, tmp_path):
    """Rows, stamps, counts and the watermark, read by a store that did not write them."""
    deliver(EvidenceStore(tmp_path, postgres_url), reviews(*FIRST), watermark=NOW)
    late = pd.DataFrame({"review_id": ["bad"]})
    deliver(EvidenceStore(tmp_path, postgres_url), reviews(("r3", 1, "TN")), late, NOW + DAY)
    store = EvidenceStore(tmp_path, postgres_url)
    assert store.read("reviews", as_of=NOW)["review_id"].tolist() == ["r1", "r2"]
    assert store.read("reviews")["received_at"].tolist() == [NOW, NOW, NOW + DAY]
    assert store.counts("reviews") == (2 + 2, 2 + 1, 0 + 1)
    assert store.watermark("desk") == NOW
    assert not (tmp_path / "evidence.db").exists()


def test_a_batch_delivered_twice_changes_nothing(postgres_url, tmp_path):
    """Same receipt, same rows, same counts, same digest; in any order of rows and columns."""
    a_batch_delivered_twice_changes_nothing(tmp_path, postgres_url)


def test_a_changed_part_is_refused(postgres_url, tmp_path):
    """One flipped bit: the bytes no longer have the digest that names them."""
    a_changed_part_is_refused(tmp_path, postgres_url)


def test_two_processes_that_deliver_the_same_rows_store_them_once(postgres_url, tmp_path):
    """Twenty rounds: one winner each, and every row is there once."""
    two_processes_race(tmp_path, postgres_url)


def test_two_processes_that_say_different_things_store_each_key_once(postgres_url, tmp_path):
    """Twenty rounds: the first one's word stands, whole."""
    two_processes_race_with_other_content(tmp_path, postgres_url)
