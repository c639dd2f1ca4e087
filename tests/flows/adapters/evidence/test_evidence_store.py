"""Is every row that came in accounted for, once, as of when it came?"""

import signal
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import ServiceUnreachable, UserError
from flows.adapters.evidence.evidence_store import EvidenceStore
from tests.flows.adapters.evidence_scenarios import (
    DAY,
    FIRST,
    NONE,
    NOW,
    a_batch_delivered_twice_changes_nothing,
    a_changed_part_is_refused,
    deliver,
    reviews,
    two_processes_race,
    two_processes_race_with_other_content,
)
from tests.flows.adapters.killing import killed_at

PROJECT = Path(__file__).resolve().parents[4]


def test_a_batch_comes_back_with_its_stamp(tmp_path):
    """Types, UTC stamps and the moment of receipt survive."""
    store = EvidenceStore(tmp_path)
    receipt = deliver(store, reviews(*FIRST))
    rows = EvidenceStore(tmp_path).read("reviews")
    assert (receipt.admitted, receipt.already_stored, receipt.quarantined) == (2, 0, 0)
    assert rows["label"].tolist() == ["TP", "FN"]
    assert (rows["received_at"] == pd.Timestamp(NOW)).all()
    assert {str(rows[name].dtype) for name in ("resolved_at", "received_at")} == {
        "datetime64[us, UTC]"
    }


def test_a_batch_delivered_twice_changes_nothing(tmp_path):
    """Same receipt, same rows, same counts, same digest; in any order of rows and columns."""
    a_batch_delivered_twice_changes_nothing(tmp_path)


def test_rows_in_is_admitted_plus_quarantined_over_overlapping_batches(tmp_path):
    """A row that comes again in another batch is counted and not stored again."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST))
    more = reviews(*FIRST, ("r3", 1, "TN"))
    receipt = deliver(store, more, pd.DataFrame({"review_id": ["x"]}), NOW + DAY)
    assert (receipt.admitted, receipt.already_stored) == (3, 2)
    assert store.counts("reviews") == (2 + 4, 2 + 3, 0 + 1)
    assert store.read("reviews")["review_id"].tolist() == ["r1", "r2", "r3"]


def test_a_row_repeated_within_a_batch_is_stored_once(tmp_path):
    """The second of two equal rows is already stored."""
    twice = pd.concat([reviews(*FIRST[:1])] * 2)
    receipt = deliver(EvidenceStore(tmp_path), twice)
    assert (receipt.admitted, receipt.already_stored) == (2, 1)


def test_a_late_part_is_not_seen_as_of_before_it_came(tmp_path):
    """An old run reads, and digests, what it read then."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST))
    before = store.digest("reviews", as_of=NOW)
    deliver(store, reviews(("r1", 2, "FP")), at=NOW + 5 * DAY)
    assert len(store.read("reviews", as_of=NOW + DAY)) == 2
    assert len(store.read("reviews")) == 3
    assert store.digest("reviews", as_of=NOW + DAY) == before != store.digest("reviews")


def test_a_batch_cannot_be_slipped_into_the_past(tmp_path):
    """A stamp before one that is stored becomes that one, so past reads never change."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST), at=NOW + DAY)
    assert deliver(store, reviews(("r9", 1, "TP")), at=NOW).received_at == NOW + DAY
    assert store.read("reviews", as_of=NOW).empty


def test_the_latest_revision_as_of_a_moment(tmp_path):
    """A correction replaces its row from when it arrived."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST))
    deliver(store, reviews(("r1", 2, "FP")), at=NOW + DAY)

    def labels(as_of):
        rows = store.latest_revisions("reviews", ["review_id"], "revision", as_of)
        return dict(zip(rows["review_id"], rows["label"], strict=True))

    assert labels(NOW) == {"r1": "TP", "r2": "FN"}
    assert labels(NOW + DAY) == {"r1": "FP", "r2": "FN"}


def test_reading_narrows_by_value_window_and_column(tmp_path):
    """A window takes its start and leaves its end, so that each row is in exactly one."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST, ("r3", 1, "TN")))
    hour = timedelta(hours=1)
    window = {"stamp": "resolved_at", "since": NOW, "until": NOW + 2 * hour}
    rows = store.read("reviews", columns=["review_id"], **window)
    assert rows.to_dict("list") == {"review_id": ["r1", "r2"]}
    assert store.read("reviews", filters={"label": {"TN"}})["review_id"].tolist() == ["r3"]
    with pytest.raises(UserError, match="no column 'colour'"):
        store.read("reviews", columns=["colour"])


def test_each_end_of_a_window_counts_alone_and_neither_without_its_stamp(tmp_path):
    """Half a window is one; which column it is about must be said, or all rows would come back."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(*FIRST, ("r3", 1, "TN")))
    hour = timedelta(hours=1)

    def ids(**window):
        return store.read("reviews", columns=["review_id"], **window)["review_id"].tolist()

    assert ids(stamp="resolved_at", since=NOW + hour) == ["r2", "r3"]
    assert ids(stamp="resolved_at", until=NOW + hour) == ["r1"]
    assert ids(stamp="resolved_at") == ["r1", "r2", "r3"]
    for half in ({"since": NOW}, {"until": NOW}, {"since": NOW, "until": NOW + hour}):
        with pytest.raises(UserError, match="needs `stamp`"):
            store.read("reviews", **half)


def test_parts_with_different_columns_are_read_as_one_table(tmp_path):
    """Feature columns differ by case type; what a part lacks is missing there."""
    store = EvidenceStore(tmp_path)
    one = pd.DataFrame({"case_id": ["a"], "amount": [1], "note": [None]})
    two = pd.DataFrame({"case_id": ["b"], "amount": [2.5], "age": [30], "note": ["x"]})
    for day, frame in enumerate([one, two]):
        store.append(
            "decisions", frame, NONE, key=["case_id"], source="s", received_at=NOW + day * DAY
        )
    rows = store.read("decisions")
    assert rows["amount"].tolist() == [1, 2.5]
    assert rows["age"].isna().tolist() == [True, False]
    assert store.read("decisions", filters={"note": {"x"}})["case_id"].tolist() == ["b"]


def test_rejected_rows_are_kept_whatever_is_in_them(tmp_path):
    """Mixed types, NUL, half a character pair and path-like ids are data, never paths."""
    store = EvidenceStore(tmp_path)
    odd = pd.DataFrame({"review_id": ["../../x", "a\0b", "'; DROP"], "revision": [1, "two", None]})
    odd["label"] = pd.Series(["\ud800", "ok", "ok"], dtype=object)
    deliver(store, reviews(*FIRST), odd)
    deliver(store, reviews(), pd.DataFrame({"review_id": ["z"], "revision": [3]}), NOW + DAY)
    kept = store.rejects("reviews")
    assert kept["review_id"].tolist() == ["../../x", "a\0b", "'; DROP", "z"]
    assert kept["revision"].dropna().tolist() == ["1", "two", "3"]
    assert len(store.rejects("reviews", as_of=NOW)) == 3
    assert not list(tmp_path.parent.glob("x*"))


def test_the_watermark_goes_forward_only(tmp_path):
    """An empty night moves it on, an old delivery does not move it back."""
    store = EvidenceStore(tmp_path)
    assert store.watermark("desk") is None
    for mark, expected in [(0, 0), (3, 3), (1, 3)]:
        deliver(store, reviews(), watermark=NOW + mark * DAY)
        assert store.watermark("desk") == NOW + expected * DAY


def test_a_changed_part_is_refused(tmp_path):
    """One flipped bit: the bytes no longer have the digest that names them."""
    a_changed_part_is_refused(tmp_path)


def deliver_first(home):
    bad = pd.DataFrame({"review_id": ["bad"]})
    return deliver(EvidenceStore(home), reviews(*FIRST), bad, watermark=NOW)


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("evidence.part_written", False),
        ("evidence.quarantine_written", False),
        ("evidence.before_commit", False),
        ("evidence.committed", True),
    ],
)
def test_killed_anywhere_a_second_run_converges(tmp_path, point, stored):
    """Before the commit nothing happened; after the re-run every row is there once."""
    assert killed_at(point, lambda: deliver_first(tmp_path)) == signal.SIGKILL
    store = EvidenceStore(tmp_path)
    assert store.counts("reviews") == ((3, 2, 1) if stored else (0, 0, 0))
    assert len(store.read("reviews")) == (2 if stored else 0)
    assert (store.watermark("desk") == NOW) is stored
    deliver_first(tmp_path)
    assert store.counts("reviews") == (2 + 1, 2, 1)
    assert (len(store.read("reviews")), len(store.rejects("reviews"))) == (2, 1)
    assert store.watermark("desk") == NOW


def test_two_stores_that_append_the_same_rows_store_them_once(tmp_path):
    """A store that looked before the other wrote notices, and looks again."""
    one, two = EvidenceStore(tmp_path), EvidenceStore(tmp_path)
    write = two._write_part

    def overtaken(*said):
        if not one.counts("reviews")[0]:
            deliver(one, reviews(*FIRST))
        return write(*said)

    two._write_part = overtaken
    receipt = deliver(two, reviews(*FIRST, ("r3", 1, "TN")))
    assert receipt.already_stored == 2
    assert len(one.read("reviews")) == 3


@pytest.mark.slow
def test_two_processes_that_deliver_the_same_rows_store_them_once(tmp_path):
    """Twenty rounds: one winner each, and every row is there once."""
    two_processes_race(tmp_path)


def test_a_key_stored_once_stays_as_it_is(tmp_path):
    """A second delivery of a key, with other content, changes nothing; new keys come in."""
    store = EvidenceStore(tmp_path)
    deliver(store, reviews(("r1", 1, "TP"), ("r1", 1, "FN"), ("r2", 1, "TN")), once=True)
    again = deliver(store, reviews(("r1", 1, "FP"), ("r3", 1, "TP")), at=NOW + DAY, once=True)
    assert (again.admitted, again.already_stored) == (2, 1)
    rows = store.read("reviews")
    assert list(zip(rows["review_id"], rows["label"], strict=True)) == [
        ("r1", "TP"), ("r2", "TN"), ("r3", "TP"),
    ]  # fmt: skip
    asked = pd.DataFrame({"review_id": ["r3", "r4", "r1"], "revision": [1, 1, 2]})
    assert store.holds("reviews", asked).tolist() == [True, False, False]
    assert not EvidenceStore(tmp_path / "new").holds("reviews", asked).any()


@pytest.mark.slow
def test_two_processes_that_say_different_things_store_each_key_once(tmp_path):
    """Twenty rounds: the first one's word stands, whole."""
    two_processes_race_with_other_content(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_clean_failure(tmp_path):
    """Nothing is recorded, and the same delivery succeeds once there is room."""
    store = EvidenceStore(tmp_path)
    (tmp_path / "reviews").write_text("in the way")
    with pytest.raises(ServiceUnreachable, match="Nothing was recorded"):
        deliver(store, reviews(*FIRST))
    assert store.counts("reviews") == (0, 0, 0)
    (tmp_path / "reviews").unlink()
    assert deliver(store, reviews(*FIRST)).already_stored == 0


@pytest.mark.parametrize("table", ["../x", "Reviews", "a b", ""])
def test_a_table_name_never_becomes_a_path(tmp_path, table):
    """Only plain names are tables."""
    with pytest.raises(UserError, match="cannot name an evidence table"):
        EvidenceStore(tmp_path).read(table)


def test_a_small_append_to_a_large_table_is_quick(tmp_path):
    """After 300k rows, a thousand more in a fresh process's cache take seconds at most (bound 10x;
    of the processor, since the machine is shared)."""
    store, many = EvidenceStore(tmp_path), 300_000
    frame = pd.DataFrame({"case_id": np.arange(many).astype(str), "score": np.linspace(0, 1, many)})
    said = {"key": ["case_id"], "source": "s"}
    store.append("decisions", frame, NONE, received_at=NOW, **said)
    start = time.process_time()
    more = frame.tail(1000).assign(score=-1.0)
    fresh = EvidenceStore(tmp_path)
    receipt = fresh.append("decisions", more, NONE, received_at=NOW + DAY, **said)
    assert receipt.already_stored == 0
    assert time.process_time() - start < 5.0


def test_changing_a_frame_that_was_read_changes_no_later_reading(tmp_path):
    """Decoded parts stay in memory; a caller's frame is its own."""
    store = EvidenceStore(tmp_path)
    frame = pd.DataFrame({"case_id": ["a", "b"], "score": [0.1, 0.2]})
    store.append("decisions", frame, NONE, key=["case_id"], source="s", received_at=NOW)
    read = store.read("decisions")
    read.loc[0, ["case_id", "score"]] = ["z", 0.9]
    assert store.read("decisions")[["case_id", "score"]].equals(frame)


def test_a_hundred_small_parts_are_read_again_without_opening_a_file(tmp_path, monkeypatch):
    """What was decoded once is not decoded again, by any store of the process."""
    store = EvidenceStore(tmp_path)
    for day in range(100):
        deliver(store, reviews((f"r{day}", 1, "TP")), at=NOW + day * DAY)
    first = EvidenceStore(tmp_path).read("reviews")
    store.read("reviews")
    monkeypatch.setattr("flows.adapters.evidence.parquet_parts.pq.ParquetFile", None)
    assert store.read("reviews").equals(first)
    filtered = store.read("reviews", columns=["label"], filters={"review_id": ["r7", "r93"]})
    assert filtered["label"].tolist() == ["TP", "TP"]
