"""What does a cell say, whichever file or database it came from?

A column is read by what it is for: a moment, an id, a category, a column of a contract, or a column
that says nothing about itself (a feature). Clean columns are converted in one go; only those that
do not fit are looked at cell by cell. What cannot be read stays as it is, for the contract to name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

from configs.errors import UserError
from configs.number_styles import NumberStyle, named_in, style_of
from configs.sources import SourceSettings
from data_contracts import CONTRACTS
from data_contracts.words import (
    MISSING_TEXT,
    MISSING_VALUE,
    ROW_FAULT_SHARE,
    NumberFormat,
    ReadCells,
    off_scale,
    read_flags,
    read_numbers,
)
from flows.adapters.tables.reading.columns import features, ids, stamps
from flows.adapters.tables.reading.stamps import in_utc
from flows.adapters.tables.reading_notes import Notes

Types = Mapping[str, pa.DataType]
Said = TypeVar("Said")

_CELLS_TO_LOOK_AT = 1_000


def read_cells(
    source: SourceSettings,
    rows: pd.DataFrame,
    notes: Notes,
    *,
    typed: bool,
    types: Types | None = None,
) -> pd.DataFrame:
    """Rows under our names with every column in its type; `rows` is changed in place.

    Args:
        typed: the table has types of its own (Parquet, SQL), so that numbers in text are altered.
        types: what the fixed columns hold; default: what the contract of the source's kind says.

    Raises:
        UserError: a column cannot be used as it is, with what would work; no message holds a cell.
    """
    known = dict(_types_of(source) if types is None else types)
    moments, kept = set(stamps(source, list(rows.columns))), source.categorical_columns()
    ours, own = ids(source), features(source)
    _refuse_strangers(source, rows)
    for name in rows.columns:
        values = _mapped(source, name, rows[name], notes)
        if name in moments:
            rows[name] = in_utc(source, name, values, notes)
        elif name in ours:
            rows[name] = as_ids(source, name, _without_words(name, values, notes, exact=("None",)))
        elif name in kept:
            rows[name] = as_ids(source, name, _without_blanks(values))
        elif name in known and name not in own:
            rows[name] = _fixed(source, name, values, known[name], notes)
        else:
            rows[name] = _free(source, name, values, notes, typed=typed)
    for name, scale in _inside(source, source.scales).items():
        rows[name] = _on_scale(source, name, rows[name], scale)
    return rows


def as_ids(source: SourceSettings, name: str, values: pd.Series) -> pd.Series:
    """Ids as text; whole numbers that became floats because some are missing lose their '.0'."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "bytes":
        raise _holds_bytes(source, name)
    if pd.api.types.is_float_dtype(values.dtype):
        present = values.dropna()
        if (present % 1 == 0).all() and (present.abs() < 2.0**63).all():
            values = values.astype("Int64")
    return values.astype("str") if values.notna().all() else _text_or_missing(values)


def flags(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    """Words for yes and no as booleans; a column with other words in it is left as it is."""
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        return values
    read = _tried(source, name, values, read_flags)
    if read.stray:
        return values
    _tell_missing(name, read, notes)
    return read.values if read.values.isna().any() else read.values.astype("bool")


def numbers(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    """Numbers as such; a column with other cells in it is left as it is, but in plain notation."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values
    plain = _in_plain_notation(source, name, values, notes)
    at_once = _numbers_at_once(plain)
    if at_once is not None:
        return at_once
    read = _tried(source, name, plain, read_numbers)
    if read.stray:
        return plain
    _tell_missing(name, read, notes)
    return read.values


def _types_of(source: SourceSettings) -> Types:
    return {column.name: column.type for column in CONTRACTS[source.kind].schema}


def _fixed(
    source: SourceSettings, name: str, values: pd.Series, wanted: pa.DataType, notes: Notes
) -> pd.Series:
    if pa.types.is_boolean(wanted):
        return flags(source, name, values, notes)
    if pa.types.is_floating(wanted) or pa.types.is_integer(wanted):
        return numbers(source, name, values, notes)
    if pa.types.is_string(wanted):
        return _without_words(name, values, notes, exact=("None",))
    return values


def _free(
    source: SourceSettings, name: str, values: pd.Series, notes: Notes, *, typed: bool
) -> pd.Series:
    """A column that says nothing about itself: numbers if it is all numbers, else text."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_extension_array_dtype(values.dtype) and pd.api.types.is_numeric_dtype(
        values.dtype
    ):
        return values.astype("float64") if values.isna().any() else values
    if not _is_text_or_object(values):
        if source.kind == "history" and pd.api.types.is_datetime64_any_dtype(values.dtype):
            raise UserError(
                f"Source {source.name!r}: the feature {name} holds moments, and a model takes none; "
                "give a number instead, such as hours since then."
            )
        return values
    if values.dtype == object and _is_nested(values):
        if source.kind == "history":
            raise UserError(
                f"Source {source.name!r}: the feature {name} holds lists or records; give one value a "
                "cell at the source."
            )
        return values
    if values.isna().all():
        return pd.Series(np.nan, index=values.index)
    plain = _in_plain_notation(source, name, values, notes)
    at_once = _numbers_at_once(plain)
    if at_once is None and _may_be_flags(plain):
        found = _tried(source, name, plain, read_flags)
        if not found.stray:
            _tell_missing(name, found, notes)
            return found.values.astype("float64" if found.values.isna().any() else "bool")
    read = None if at_once is not None else _tried(source, name, plain, read_numbers)
    if read is not None and (not read.present or read.stray > ROW_FAULT_SHARE * read.present):
        _refuse_foreign(source, name, read)
        if read.present and read.stray < read.present:
            notes.add(
                f"cells of {name} that are numbers among words; the column is read as text",
                read.present - read.stray,
            )
        return _text_or_missing(_without_words(name, values, notes))
    if typed and values.dtype != object:
        notes.add(
            f"cells of {name} that are numbers written as text, read as numbers (list it under "
            "`categorical:` to keep the text)",
            int(plain.notna().sum()),
        )
    elif at_once is not None and (led := _leading_zeros(plain)):
        notes.add(
            f"cells of {name} that start with a zero, such as a postal code, read as numbers (list it "
            "under `categorical:` to keep the text)",
            led,
        )
    if read is None:
        assert at_once is not None
        return at_once
    if source.kind != "history" and read.stray:
        return plain  # the contract names those rows
    _refuse_foreign(source, name, read)
    _tell_missing(name, read, notes)
    if read.stray:
        notes.add(
            f"cells of {name} that are no numbers though the others are, read as missing (first in "
            f"row {int(np.flatnonzero(read.unreadable)[0]) + 1:,})",
            read.stray,
        )
    return read.values


def _mapped(source: SourceSettings, name: str, values: pd.Series, notes: Notes) -> pd.Series:
    """The source's own words: what means missing, and what its values are called here."""
    said = _inside(source, source.values).get(name)
    if not source.missing and not said:
        return values
    text = _written(values)
    if source.missing:
        missing = text.isin([word.strip() for word in source.missing])
        if missing.any():
            notes.add(
                f"cells of {name} with a word that the source calls missing", int(missing.sum())
            )
            values = values.mask(missing)
    if not said:
        return values
    known = text.isin(list(said)) & values.notna()
    if not known.any():
        return values
    mapped = text[known].map(said)
    if known.sum() == values.notna().sum():
        return mapped.reindex(values.index).astype(object).infer_objects()
    whole = values.astype(object)
    whole[known] = mapped.astype(object)
    return whole


def _inside(source: SourceSettings, said: Mapping[str, Said]) -> dict[str, Said]:
    """What a source says by our names, by the columns that hold them here."""
    return {source.inside(name): one for name, one in said.items()}


def _written(values: pd.Series) -> pd.Series:
    """Cells as somebody would write them in a source file; 1.0 is 1."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.map({True: "true", False: "false"})
    if pd.api.types.is_float_dtype(values.dtype):
        whole = (values % 1 == 0) & (values.abs() < 2.0**53)
        as_whole = values.where(whole).astype("Int64").astype("str")
        return as_whole.where(whole, values.astype("str")).where(values.notna())
    return values.astype("str").where(values.notna()).str.strip()


def _in_plain_notation(
    source: SourceSettings, name: str, values: pd.Series, notes: Notes
) -> pd.Series:
    """Numbers in the source's own format as plain ones, where at least nine in ten cells fit it."""
    said = _style_of(source, name)
    if said is None or not _is_text_or_object(values):
        return values
    style = NumberFormat(said.decimal, said.thousands, said.unit)
    is_text = values.map(lambda cell: isinstance(cell, str)).astype(bool)
    text = values.where(is_text).astype("str")
    plain = style.as_plain(text)
    missing = text.str.strip().str.casefold().isin(MISSING_VALUE)
    misfit = is_text & ~missing & plain.isna()
    present = int(values.notna().sum()) - int(missing.sum())
    if not present or misfit.sum() > ROW_FAULT_SHARE * present:
        return values
    # 1320.50 under a decimal comma is not 1320.5 for sure; what does not fit is not read some other way.
    lost = misfit & (text.str.strip().str.contains(r"^[-+.,\d\s]+$", na=False))
    if lost.any():
        notes.add(
            f"cells of {name} not written as `numbers:` says, read as missing", int(lost.sum())
        )
    whole = values.astype(object).mask(lost)
    fits = plain.notna()
    whole[fits] = plain[fits].astype(object)
    return (
        whole
        if whole.map(lambda cell: not isinstance(cell, str) and cell == cell).any()
        else whole.astype("str")
    )


def _style_of(source: SourceSettings, name: str) -> NumberStyle | None:
    """How the column `name` (as it is called inside) writes its numbers; None: plainly."""
    named = {source.inside(one): one for one in named_in(source.numbers)}
    return style_of(source.numbers, named.get(name, name))


def _numbers_at_once(values: pd.Series) -> pd.Series | None:
    """A column of text that is all plain numbers or empty, converted in one go; None: it is not."""
    if values.dtype == object:
        return None
    array = pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return None
    array = pc.if_else(pc.equal(array, ""), None, array)
    if array.null_count == len(array):
        return pd.Series(np.nan, index=values.index)
    # Arrow reads 0x1A as a number; nobody else would.
    if pc.any(pc.match_substring_regex(array.slice(0, _CELLS_TO_LOOK_AT), "[^-+.eE0-9]")).as_py():
        return None
    # A cast that fails costs as much as one that does not.
    points = pc.any(pc.match_substring_regex(array.slice(0, _CELLS_TO_LOOK_AT), "[.eE]")).as_py()
    for wanted in (pa.float64(),) if points else (pa.int64(), pa.float64()):
        try:
            read = pc.cast(array, wanted)
        except pa.ArrowInvalid:
            continue
        if pa.types.is_integer(wanted) and pc.any(pc.match_substring(array, "x")).as_py():
            return None
        return pd.Series(read.to_pandas().to_numpy(), index=values.index)
    return None


def _leading_zeros(values: pd.Series) -> int:
    """How many whole numbers stand there with a zero in front, which a number does not keep."""
    array = pa.array(values, from_pandas=True)
    led = pc.and_(pc.starts_with(array, "0"), pc.greater(pc.utf8_length(array), 1))
    if not pc.any(led).as_py():
        return 0
    return int(pc.sum(pc.match_substring_regex(array, r"^0[0-9]+$")).as_py() or 0)


def _may_be_flags(values: pd.Series) -> bool:
    """Whether only true, false and words for missing stand there, by the first cells and then all."""
    words = {"true", "false"}
    start = values.dropna().iloc[:_CELLS_TO_LOOK_AT]
    some = {str(cell).strip().casefold() for cell in start.unique()} - MISSING_TEXT
    if not some & words or len(some) > len(words) + len(MISSING_TEXT):
        return False
    cells = {str(cell).strip().casefold() for cell in values.dropna().unique()}
    return not cells - words - MISSING_VALUE


def _without_words(
    name: str, values: pd.Series, notes: Notes, exact: tuple[str, ...] = ()
) -> pd.Series:
    """Text without its words for missing, which are counted; an empty cell is missing everywhere."""
    if not _is_text_or_object(values):
        return values
    if isinstance(values.dtype, pd.StringDtype) and not _any_word(values, exact):
        return values
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:  # lists or records, which no word for missing is
        return values
    words = pd.Series(
        [cell.strip() if isinstance(cell, str) else "x" for cell in distinct], dtype="str"
    )
    missing = (words.str.casefold().isin(MISSING_TEXT) | words.isin(exact)).to_numpy(dtype=bool)
    if not missing.any():
        return values
    gone = np.append(missing, False)[codes]
    told = int(np.append(missing & words.ne("").to_numpy(dtype=bool), False)[codes].sum())
    if told:
        notes.add(f"cells of {name} with a word for missing (such as NULL), read so", told)
    return values.mask(gone)


def _any_word(values: pd.Series, exact: tuple[str, ...]) -> bool:
    """Whether a word for missing stands anywhere in a column of text."""
    bare = pc.utf8_trim_whitespace(pa.array(values, from_pandas=True))
    found = pc.is_in(pc.utf8_lower(bare), value_set=pa.array(sorted(MISSING_TEXT), bare.type))
    if exact:
        found = pc.or_(found, pc.is_in(bare, value_set=pa.array(exact, bare.type)))
    return bool(pc.any(found).as_py())


def _without_blanks(values: pd.Series) -> pd.Series:
    if not _is_text_or_object(values):
        return values
    return values.mask(
        values.map(lambda cell: isinstance(cell, str) and not cell.strip()).astype(bool)
    )


def _text_or_missing(values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.StringDtype):
        return values
    return values.map(str, na_action="ignore").astype("str").where(values.notna())


def _on_scale(source: SourceSettings, name: str, values: pd.Series, scale: str) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise UserError(
            f"Source {source.name!r}: `scales:` says {scale} of {name}, which does not hold numbers "
            "alone; say `numbers:` or `missing:`, too."
        )
    share = values.astype("float64")
    share = share / 100.0 if scale == "percent" else pd.Series(expit(share), index=values.index)
    if off_scale(share) is not None:
        raise UserError(
            f"Source {source.name!r}: `scales:` says {scale} of {name}, and read so it is no "
            f"probability: {off_scale(share)}"
        )
    return share


def _tell_missing(name: str, read: ReadCells, notes: Notes) -> None:
    if read.missing_words:
        notes.add(
            f"cells of {name} with a word for missing (such as NA), read so", read.missing_words
        )


def _refuse_foreign(source: SourceSettings, name: str, read: ReadCells) -> None:
    """Numbers in another format: nearly all of the column, or enough to be the column's way."""
    alike = read.present - read.stray + read.foreign
    if not read.foreign or alike < (1.0 - ROW_FAULT_SHARE) * read.present:
        return
    if read.rows_are_at_fault:
        return
    raise UserError(
        f"Source {source.name!r}: {read.foreign:,} of {read.present:,} cells of {name} are numbers "
        "with thousands, a decimal comma, a currency or a percent sign. Which is it? Say "
        f'`numbers: {{{name}: {{decimal: ",", thousands: ".", unit: "EUR"}}}}` in the source file (what '
        "applies, for each column), or list the column under `categorical:`."
    )


def _tried(
    source: SourceSettings, name: str, values: pd.Series, read: Callable[[pd.Series], ReadCells]
) -> ReadCells:
    try:
        return read(values)
    except (TypeError, ValueError, ArithmeticError):
        raise _holds_bytes(source, name) from None


def _holds_bytes(source: SourceSettings, name: str) -> UserError:
    return UserError(
        f"Source {source.name!r}: {name} holds bytes (binary) or lists, not text or numbers; cast it to "
        "text at the source (a uuid as its hexadecimal text)."
    )


def _refuse_strangers(source: SourceSettings, rows: pd.DataFrame) -> None:
    for key, named in (
        ("values", source.values),
        ("scales", source.scales),
        ("numbers", named_in(source.numbers)),
    ):
        strange = sorted(one for one in named if source.inside(one) not in rows.columns)
        if strange:
            raise UserError(
                f"Source {source.name!r}: `{key}:` names {', '.join(map(repr, strange))}, which is none "
                f"of its columns: {', '.join(map(str, rows.columns))}. Use our names."
            )


def _is_text_or_object(values: pd.Series) -> bool:
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def _is_nested(values: pd.Series) -> bool:
    start = values.dropna().iloc[:_CELLS_TO_LOOK_AT]
    return bool(start.map(lambda cell: isinstance(cell, list | dict | tuple | np.ndarray)).any())
