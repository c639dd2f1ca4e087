"""What is tried on an evidence store, whichever database keeps its index?"""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from configs.errors import ServiceUnreachable
from flows.adapters.evidence.evidence_store import EvidenceStore
from tests.flows.adapters.racing import answers_of_two_processes

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NONE = pd.DataFrame()
FIRST = [("r1", 1, "TP"), ("r2", 1, "FN")]
ROUNDS = 20


def reviews(*rows):
    frame = pd.DataFrame(rows, columns=["review_id", "revision", "label"])
    frame["resolved_at"] = pd.Timestamp(NOW) + pd.to_timedelta(range(len(frame)), unit="h")
    return frame


def deliver(store, admitted, rejected=NONE, at=NOW, **said):
    options = {"key": ["review_id", "revision"], "source": "desk", **said}
    return store.append("reviews", admitted, rejected, received_at=at, **options)


def a_batch_delivered_twice_changes_nothing(root, url=None):
    """Same receipt, same rows, same counts, same digest; in any order of rows and columns."""
    store, rejected = EvidenceStore(root, url), pd.DataFrame({"review_id": ["bad"]})
    first = deliver(store, reviews(*FIRST), rejected, watermark=NOW)
    digest = store.digest("reviews")
    shuffled = reviews(*FIRST)[::-1][["label", "resolved_at", "revision", "review_id"]]
    again = deliver(EvidenceStore(root, url), shuffled, rejected, NOW + DAY, watermark=NOW)
    assert (again.batch_id, again.path) == (first.batch_id, first.path)
    assert again.already_stored == again.admitted == 2
    assert store.digest("reviews") == digest
    assert store.counts("reviews") == (3, 2, 1)
    assert (len(store.read("reviews")), len(store.rejects("reviews"))) == (2, 1)


def a_changed_part_is_refused(root, url=None):
    """One flipped bit: the bytes no longer have the digest that names them."""
    path = deliver(EvidenceStore(root, url), reviews(*FIRST)).path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ServiceUnreachable, match="was changed"):
        EvidenceStore(root, url).read("reviews")


def append_rounds(root, url, who, wait):
    wait()
    store = EvidenceStore(root, url)
    for round_ in range(ROUNDS):
        shared = [(f"{round_}-{each}", 1, "TP") for each in "ab"]
        own, now = (f"{round_}-of-{who}", 1, "TN"), NOW + round_ * DAY
        wait()
        receipt = deliver(store, reviews(*shared, own), at=now, watermark=now)
        yield round_, receipt.already_stored


def two_processes_race(root, url=None):
    """Both open a new store and deliver batches that share two of three rows, twenty times.

    Who commits first stores three rows; the other finds two of its rows stored and adds one.
    """
    answers = sorted(answers_of_two_processes(append_rounds, root, url))
    assert answers == [(round_, known) for round_ in range(ROUNDS) for known in (0, 2)]
    store = EvidenceStore(root, url)
    rows = store.read("reviews")
    assert len(rows) == rows["review_id"].nunique() == ROUNDS * (2 + 1 + 1)
    assert store.counts("reviews") == (ROUNDS * (3 + 3), ROUNDS * (3 + 3), 0)
    assert store.watermark("desk") == NOW + (ROUNDS - 1) * DAY


def append_once_rounds(root, url, who, wait):
    wait()
    store = EvidenceStore(root, url)
    for round_ in range(ROUNDS):
        rows = reviews(*((f"{round_}-{each}", 1, "TP" if who else "FN") for each in "abc"))
        wait()
        yield round_, deliver(store, rows, at=NOW + round_ * DAY, once=True).already_stored


def two_processes_race_with_other_content(root, url=None):
    """Both say something else under the same three keys, twenty times: who is first counts.

    All three rows of a round are one process's, and the other hears that they were stored before.
    """
    answers = sorted(answers_of_two_processes(append_once_rounds, root, url))
    assert answers == [(round_, known) for round_ in range(ROUNDS) for known in (0, 3)]
    rows = EvidenceStore(root, url).read("reviews")
    assert len(rows) == rows["review_id"].nunique() == ROUNDS * 3
    assert rows.groupby(rows["review_id"].str.split("-").str[0])["label"].nunique().eq(1).all()
