"""Is a table the same whatever its file is called, packed in, split into or typed by?"""

import bz2
import decimal
import gzip
import uuid
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_delivery, read_pieces, read_source

COLUMNS = {"case_id": "ID", "opened_at": "SEEN", "bad": "FRAUD"}
LINES = [
    "ID,SEEN,AMOUNT,CHANNEL,FRAUD",
    "007,2024-01-01 10:00:00,1.5,web,0",
    "008,2024-01-02 10:00:00,2.5,\"app, new\",1",
    "009,2024-01-03 10:00:00,,api,0",
]  # fmt: skip


def history(path, **said):
    told = {
        "name": "cards", "kind": "history", "path": str(path), "columns": COLUMNS,
        "case_type": "card", "features": ("AMOUNT", "CHANNEL"), **said,
    }  # fmt: skip
    return SourceSettings(**told)


def the_table(rows):
    assert rows["case_id"].tolist() == ["007", "008", "009"]
    np.testing.assert_array_equal(rows["AMOUNT"], [1.5, 2.5, np.nan])
    assert rows["CHANNEL"].tolist() == ["web", "app, new", "api"]
    assert rows["bad"].astype(bool).tolist() == [False, True, False]
    assert rows["opened_at"].dt.day.tolist() == [1, 2, 3]


def packed_as_zip(data):
    import io

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("export/cards.csv", data)
    return file.getvalue()


TEXT = "\n".join(LINES) + "\n"
WRITTEN = {
    "cards.csv": TEXT.encode(),
    "CARDS.CSV": TEXT.encode(),
    "bom.csv": b"\xef\xbb\xbf" + TEXT.encode(),
    "crlf.csv": TEXT.replace("\n", "\r\n").encode(),
    "utf16.csv": TEXT.encode("utf-16"),
    "cards.csv.gz": gzip.compress(TEXT.encode()),
    "cards.csv.bz2": bz2.compress(TEXT.encode()),
    "cards.csv.zip": packed_as_zip(TEXT),
    "semicolons.csv": TEXT.replace('"app, new"', "app_ new").replace(",", ";").replace("app_", '"app,').replace(" new", ' new"').encode(),
    "cards.tsv": TEXT.replace('"app, new"', "app_ new").replace(",", "\t").replace("app_", "app,").encode(),
    "blank_lines.csv": ("\n" + TEXT + "\n\n").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRITTEN))
def test_separated_values_however_they_are_written(tmp_path, name):
    """Endings, byte order marks, encodings, packings, separators; and the same in pieces."""
    (tmp_path / name).write_bytes(WRITTEN[name])
    source = history(tmp_path / name)
    the_table(read_source(source))
    the_table(pd.concat(list(read_pieces(source, 2)), ignore_index=True))


def the_frame():
    return pd.DataFrame(
        {
            "ID": ["007", "008", "009"],
            "SEEN": pd.to_datetime(["2024-01-01 10:00", "2024-01-02 10:00", "2024-01-03 10:00"]),
            "AMOUNT": [1.5, 2.5, None],
            "CHANNEL": ["web", "app, new", "api"],
            "FRAUD": [0, 1, 0],
        }
    )


def as_types(**types):
    table = pa.Table.from_pandas(the_frame(), preserve_index=False)
    for name, column in types.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table


@pytest.mark.parametrize(
    "table",
    [
        pa.Table.from_pandas(the_frame()),
        pa.Table.from_pandas(the_frame().set_index("ID")),
        as_types(AMOUNT=pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.50"), None])),
        as_types(AMOUNT=pa.array(["1.5", "2.5", "NA"])),
        as_types(AMOUNT=pa.array([1.5, 2.5, None], pa.float32())),
        as_types(CHANNEL=pa.array(["web", "app, new", "api"]).dictionary_encode()),
        as_types(CHANNEL=pa.array(["web", "app, new", "api"], pa.large_string())),
        as_types(FRAUD=pa.array([False, True, False])),
        as_types(FRAUD=pa.array(["no", "yes", "NO"])),
        as_types(SEEN=pa.array(["2024-01-01 10:00:00+00", "2024-01-02T10:00:00Z", "2024-01-03 10:00"])),
    ],
    ids=["plain", "index", "decimal", "text", "float32", "dictionary", "large", "bool", "words", "stamps"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["cards.parquet", "CARDS.PARQUET", "cards.parquet.gz"])
def test_parquet_in_every_type(tmp_path, table, name):
    """An index of pandas is a column; a decimal is a number; words are flags."""
    file = tmp_path / name
    pq.write_table(table, file)
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(file.read_bytes()))
    the_table(read_source(history(file)))


def test_whole_number_ids_keep_every_digit(tmp_path):
    """Beside a missing one, pandas would make floats of them: 2**53 + 1 is not 2**53."""
    table = as_types(ID=pa.array([2**53 + 1, None, 7], pa.int64()))
    pq.write_table(table, tmp_path / "cards.parquet")
    ids = read_source(history(tmp_path / "cards.parquet"))["case_id"]
    assert ids[0] == "9007199254740993"
    assert ids.isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (as_types(ID=pa.array([uuid.UUID(int=n).bytes for n in range(3)], pa.binary(16))), "'ID' holds bytes"),
        (as_types(ID=pa.array([b"7", b"8", b"9"])), "'ID' holds bytes"),
        (as_types(CHANNEL=pa.array([[1], [2], [3]])), "'CHANNEL' holds lists"),
        (as_types(AMOUNT=pa.array([1, 2, 3], pa.duration("s"))), "'AMOUNT' holds spans of time"),
        (as_types(AMOUNT=pa.array([1, 2, 3], pa.timestamp("us"))), "AMOUNT holds moments"),
        (as_types().append_column("ID", pa.array([1, 2, 3])), "'ID' stands more than once"),
    ],
    ids=["uuid", "binary", "nested", "duration", "stamps", "twice"],
)  # fmt: skip
def test_parquet_that_cannot_be_used_is_refused_by_the_columns_name(tmp_path, table, said):
    """A sentence, and no cell in it."""
    pq.write_table(table, tmp_path / "cards.parquet")
    with pytest.raises(UserError, match=said):
        read_source(history(tmp_path / "cards.parquet"))


def test_another_column_that_stands_twice_harms_nobody(tmp_path):
    """Only what is read must be told apart."""
    table = (
        as_types()
        .append_column("SPARE", pa.array([1, 2, 3]))
        .append_column("SPARE", pa.array([1, 2, 3]))
    )
    pq.write_table(table, tmp_path / "cards.parquet")
    the_table(read_source(history(tmp_path / "cards.parquet")))
    (tmp_path / "cards.csv").write_text(
        "\n".join(line + ",x,y" for line in LINES).replace("FRAUD,x,y", "FRAUD,SPARE,SPARE")
    )
    the_table(read_source(history(tmp_path / "cards.csv")))


@pytest.mark.parametrize(
    "parts",
    [
        [LINES[:1], LINES],
        [LINES, LINES[:1]],
        [LINES[:2], [LINES[0], *LINES[2:]]],
        [[LINES[0], LINES[1]], LINES[:1], [LINES[0], *LINES[2:]]],
    ],
)
def test_a_part_without_rows_changes_nothing(tmp_path, parts):
    """First, last or between; by a pattern, and as a folder."""
    for number, lines in enumerate(parts):
        (tmp_path / f"p{number}.csv").write_text("\n".join(lines))
    (tmp_path / "_SUCCESS").write_text("")
    the_table(read_source(history(tmp_path / "*.csv")))
    the_table(read_source(history(tmp_path)))


def test_parts_of_different_types_are_one_table(tmp_path):
    """Numbers in one part and their text in another; a part of Parquet beside one of CSV."""
    pq.write_table(as_types(AMOUNT=pa.array([1.5, 2.5, None])).slice(0, 2), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("\n".join([LINES[0], LINES[3]]))
    the_table(read_source(history(tmp_path)))


def test_folders_that_are_columns(tmp_path):
    """As Hive and Spark write them; the default partition is missing, the values are text or numbers."""
    for number, (channel, year) in enumerate(
        [("web", 2023), ("app%2C new", 2024), ("__HIVE_DEFAULT_PARTITION__", 2024)]
    ):
        part = tmp_path / "cards" / f"CHANNEL={channel}" / f"YEAR={year}"
        part.mkdir(parents=True)
        the_frame().iloc[[number]].drop(columns="CHANNEL").to_parquet(part / "part.parquet")
    rows = read_source(history(tmp_path / "cards", features=("AMOUNT", "CHANNEL", "YEAR")))
    rows = rows.sort_values("case_id")
    assert rows["CHANNEL"].fillna("-").tolist() == ["web", "app, new", "-"]
    assert rows["YEAR"].tolist() == [2023, 2024, 2024]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("010,2024-01-04 10:00:00,1.5,web,x,0", "line 5 has 6"),
        ("010,2024-01-04 10:00:00,web,0", "line 5 has 4"),
        ("010,2024-01-04 10:00:00,1,320.50,web,0", "line 5 has 6"),
    ],
)
def test_a_row_with_a_cell_too_many_or_too_few_is_named_by_its_line(tmp_path, line, said):
    """A quoted cell over two lines before it counts as two lines of the file."""
    path = tmp_path / "cards.csv"
    path.write_text("\n".join([*LINES, line]))
    for read in (read_source, lambda source: list(read_pieces(source, 2))):
        with pytest.raises(UserError, match=f"5 columns in its header, but {said}"):
            read(history(path))
    path.write_text("\n".join([LINES[0], LINES[1].replace("web", '"we\nb"'), line]))
    with pytest.raises(UserError, match=said.replace("5", "4", 1)):
        read_source(history(path))


def test_text_in_another_encoding_is_asked_for(tmp_path):
    """And read once it is named; the message shows no byte of it."""
    path = tmp_path / "cards.csv"
    path.write_bytes("\n".join(LINES).replace("web", "Köln").encode("latin-1"))
    with pytest.raises(UserError, match=r"not utf-8 text; .*`encoding:`"):
        read_source(history(path))
    assert read_source(history(path, encoding="latin-1"))["CHANNEL"][0] == "Köln"


def test_a_part_that_lacks_a_column_is_told(tmp_path):
    """A delivery keeps every column; where a part has it not, it is missing, with the count."""
    (tmp_path / "a.csv").write_text("case_id,observed_at,note\n1,2024-01-01T10:00:00Z,x\n")
    (tmp_path / "b.csv").write_text("case_id,observed_at\n2,2024-01-01T10:00:00Z\n")
    found = read_delivery(SourceSettings(name="late", kind="outcomes", path=str(tmp_path)))
    assert found.rows["note"].isna().tolist() == [False, True]
    assert "without the column note" in str(found.notes[0])
