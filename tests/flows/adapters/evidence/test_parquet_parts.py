"""Is a part decoded once, and never from bytes that are not its own?"""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ServiceUnreachable
from flows.adapters.evidence.parquet_parts import CONTENT_HASH, KEY_HASH, ParquetParts
from flows.adapters.evidence.part_cache import PartCache

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = pa.table(
    {"case_id": ["a", "b"], "age.days": [1, 2], "age": [0.1, 0.2], "note": [None, None]}
)


def written(home, rows=ROWS, **options):
    parts = ParquetParts(home, PartCache(**options))
    return parts, parts.write("cases", "part", rows)


def count_decoding(monkeypatch):
    """The columns of every decoding from now on."""
    decoded, decode = [], ParquetParts._decode

    def counted(self, table, name, kind, columns):
        decoded.append(list(columns))
        return decode(self, table, name, kind, columns)

    monkeypatch.setattr(ParquetParts, "_decode", counted)
    return decoded


def test_a_part_comes_back_with_the_stamp_of_its_receipt(tmp_path):
    """A dot in a name is part of the name; the columns come in the part's order."""
    parts, name = written(tmp_path)
    rows = parts.rows("cases", name, NOW, ["received_at", "age", "age.days"])
    assert rows.to_pydict() == {
        "age.days": [1, 2], "age": [0.1, 0.2], "received_at": [NOW, NOW],
    }  # fmt: skip
    assert parts.rows("cases", name, NOW, []).to_pydict() == {"received_at": [NOW, NOW]}


def test_the_shape_leaves_the_digests_out_and_says_what_is_filled(tmp_path):
    """A column that is empty throughout has no type, and no filter matches there."""
    hashes = pa.array([1, 2], pa.uint64())
    whole = ROWS.append_column(KEY_HASH, hashes).append_column(CONTENT_HASH, hashes)
    parts, name = written(tmp_path, whole)
    shape = parts.shape("cases", name)
    assert (shape.names, shape.rows) == (("case_id", "age.days", "age", "note"), 2)
    assert shape.filled == {"case_id", "age.days", "age"}
    assert parts.digests("cases", name)[0].tolist() == [1, 2]
    assert parts.rows("cases", name, NOW).column_names == [*shape.names, "received_at"]


def test_a_column_is_decoded_once(tmp_path, monkeypatch):
    """The second reading decodes what the first did not ask for, the third nothing."""
    parts, name = written(tmp_path)
    decoded = count_decoding(monkeypatch)
    read = [parts.rows("cases", name, NOW, each) for each in (["age"], ["case_id", "age"], None)]
    again = parts.rows("cases", name, NOW)
    assert decoded == [["age"], ["case_id"], ["age.days", "note"]]
    assert again.equals(read[-1])
    assert read[0].column("age").to_pylist() == [0.1, 0.2]


def test_without_memory_every_reading_decodes_and_says_the_same(tmp_path, monkeypatch):
    """The cache changes the time a reading takes and nothing else."""
    parts, name = written(tmp_path, limit_bytes=0)
    decoded = count_decoding(monkeypatch)
    first, second = (parts.rows("cases", name, NOW, ["age"]) for _ in range(2))
    assert first.equals(second)
    assert decoded == [["age"], ["age"]]


def test_two_tables_share_what_is_the_same_and_nothing_else(tmp_path):
    """A digest names content: equal rows are one entry, other rows have another name."""
    parts, name = written(tmp_path)
    assert parts.write("others", "part", ROWS) == name
    other = parts.write("others", "part", ROWS.slice(1))
    assert parts.rows("cases", name, NOW, ["age"]).equals(parts.rows("others", name, NOW, ["age"]))
    assert parts.rows("others", other, NOW, ["age"])["age"].to_pylist() == [0.2]


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_a_harmed_part_is_refused_even_when_its_rows_are_in_memory(tmp_path, harm):
    """Who opens the folder anew looks at the bytes before the cache answers."""
    cache = PartCache()
    parts = ParquetParts(tmp_path, cache)
    name = parts.write("cases", "part", ROWS)
    parts.rows("cases", name, NOW)
    path = parts.path("cases", name)
    if harm == "removed":
        path.unlink()
    else:
        pq.write_table(ROWS.slice(1), path)
    with pytest.raises(ServiceUnreachable, match=r"cannot be read|was changed"):
        ParquetParts(tmp_path, cache).rows("cases", name, NOW)
