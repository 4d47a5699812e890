"""Reads Parquet: the file's own types become ours; nothing in it is ever executed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.services.ingest import series
from aimass_core.services.ingest.column_types import ARROW_TYPES
from aimass_core.services.ingest.image_bytes import BadImageError, check_image
from aimass_core.services.ingest.image_spools import ImageSpooler
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.parquet_rows import ParquetRows, is_list, is_list_of_texts
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter

_BATCH_ROWS, _IMAGE_BATCH_ROWS = 65_536, 512
_IMAGE_NAMES = {"image", "label", "split"}


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """A table, or images where a column `image` holds encoded ones (bytes, or a struct with `bytes`)."""
    try:
        with ParquetRows(path, limits=reading.limits) as rows:
            check_names(rows.schema.names, limits=reading.limits)
            image = next((field for field in rows.schema if field.name == "image" and _is_binary(field.type)), None)
            if image is not None:
                return _spool_images(rows, work_path, reading)
            types = [to_type(field) for field in rows.schema]
            return _spool_table(rows, types, work_path, reading)
    except (pa.ArrowException, OSError) as error:
        raise FileRejectedError(f"The Parquet file is damaged ({str(error)[:200]}). Write it again.") from error


def check_names(names: Sequence[str], *, limits: Limits) -> None:
    """Raises FileRejectedError where they do not tell the columns apart."""
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise FileRejectedError("Column names of the Parquet file are empty or occur twice. Give each its own.")
    wrong = next((name for name in names if limits.clean_name(name) != name), None)
    if wrong is not None:
        raise FileRejectedError(
            f"The column name {wrong[:80]!r} has characters that cannot be seen, or more than "
            f"{limits.max_name_characters} of them. Rename the column."
        )


def _is_binary(found: pa.DataType) -> bool:
    if pa.types.is_struct(found):
        return any(field.name == "bytes" and _is_binary(field.type) for field in found)
    return bool(pa.types.is_binary(found) or pa.types.is_large_binary(found))


def _typed_batches(rows: ParquetRows, types: Sequence[ColumnType]) -> Iterator[dict[str, pa.Array]]:
    """The line of each row, and the columns by position."""
    num_rows = 0
    for batch in rows.batches(_BATCH_ROWS):
        arrays = {LINE: pa.array(np.arange(num_rows + 1, num_rows + 1 + batch.num_rows))}
        num_rows += batch.num_rows
        for index, (column, column_type) in enumerate(zip(batch.columns, types, strict=True)):
            arrays[str(index)] = _to_column(rows.schema.field(index).name, column, column_type)
        yield arrays


def _to_columns(schema: pa.Schema, types: Sequence[ColumnType]) -> tuple[SpooledColumn, ...]:
    return tuple(SpooledColumn(name=name, fixed=found) for name, found in zip(schema.names, types, strict=True))


def _spool_table(rows: ParquetRows, types: Sequence[ColumnType], work_path: Path, reading: Reading) -> SpooledFile:
    schema = rows.schema
    warnings = [
        f"Column {field.name!r} was {field.type}: whole numbers beyond 63 bits lose digits as numbers."
        for field in schema
        if field.type == pa.uint64()
    ]
    with SpoolWriter(work_path / "parquet.arrow") as writer:
        for arrays in _typed_batches(rows, types):
            writer.write(_good_rows(arrays, schema.names, types, reading))
    return SpooledFile(
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=_to_columns(schema, types),
        num_rows=writer.num_rows,
        num_bad_rows=rows.num_rows - writer.num_rows,
        warnings=tuple(warnings),
    )


def _good_rows(
    arrays: dict[str, pa.Array], names: list[str], types: Sequence[ColumnType], reading: Reading
) -> dict[str, pa.Array]:
    """Without the rows that have a series of a wrong length, which are kept apart."""
    is_bad: pa.Array | None = None
    for index, name in enumerate(names):
        if types[index] is not ColumnType.SERIES:
            continue
        values = arrays[str(index)]
        is_wrong = pc.fill_null(series.has_wrong_length(values), False)
        for row in pc.indices_nonzero(is_wrong).to_pylist():
            reason = series.explain_length(len(values[row]))
            reading.bad_row(line=arrays[LINE][row].as_py(), column=name, reason=reason)
        is_bad = is_wrong if is_bad is None else pc.or_(is_bad, is_wrong)
    if is_bad is None or not pc.any(is_bad).as_py():
        return arrays
    is_good = pc.invert(is_bad)
    return {name: values.filter(is_good) for name, values in arrays.items()}


def _storage(found: pa.DataType) -> pa.DataType:
    """What lies below extension and dictionary types."""
    if isinstance(found, pa.BaseExtensionType):
        return _storage(found.storage_type)
    return _storage(found.value_type) if pa.types.is_dictionary(found) else found


def to_type(field: pa.Field) -> ColumnType:
    """Ours for the file's. Raises FileRejectedError where there is none."""
    found = _storage(field.type)
    rules = [
        (pa.types.is_boolean, ColumnType.BOOLEAN),
        (lambda each: pa.types.is_integer(each) and each != pa.uint64(), ColumnType.INTEGER),
        (pa.types.is_integer, ColumnType.NUMBER),
        (pa.types.is_floating, ColumnType.NUMBER),
        (pa.types.is_decimal, ColumnType.NUMBER),
        (pa.types.is_timestamp, ColumnType.DATETIME),
        (pa.types.is_date, ColumnType.DATETIME),
        (pa.types.is_string, ColumnType.STRING),
        (pa.types.is_large_string, ColumnType.STRING),
        (pa.types.is_string_view, ColumnType.STRING),
        (pa.types.is_null, ColumnType.STRING),
        (_is_list_of_numbers, ColumnType.SERIES),
        (is_list_of_texts, ColumnType.STRING),
    ]
    column_type = next((column_type for matches, column_type in rules if matches(found)), None)
    if column_type is None:
        raise FileRejectedError(
            f"Column {field.name!r} has the type {str(found)[:100]}, which a table cannot hold. Convert it to numbers, "
            "text, truth values, times, lists of numbers or lists of text, or leave it out.",
            column=field.name,
        )
    return column_type


def _is_list_of_numbers(found: pa.DataType) -> bool:
    if not is_list(found):
        return False
    value = found.value_type
    return bool(pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_decimal(value))


def _to_column(name: str, values: pa.Array, column_type: ColumnType) -> pa.Array:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise FileRejectedError(f"Column {name!r} is damaged: {str(error)[:200]}.", column=name) from error
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if is_list_of_texts(values.type):
        return pa.array([None if each is None else _to_json(each) for each in values.to_pylist()], pa.string())
    wanted = ARROW_TYPES[column_type]
    try:
        if column_type in (ColumnType.NUMBER, ColumnType.SERIES):
            return values.cast(wanted, safe=False)
        if column_type is ColumnType.DATETIME:
            return _in_years(values.cast(pa.timestamp("us", tz="UTC"), safe=False))
        return values.cast(wanted)
    except pa.ArrowInvalid as error:
        raise FileRejectedError(f"Column {name!r} cannot be read: {str(error)[:200]}.", column=name) from error


def _to_json(labels: list[Any]) -> str:
    """A list of texts is a text, as one of a JSON file would be."""
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":"))


def _in_years(values: pa.Array) -> pa.Array:
    """Times outside of the years 1 to 9999 are missing."""
    year = pc.year(values)
    return pc.if_else(pc.and_(pc.greater_equal(year, 1), pc.less_equal(year, 9999)), values, None)


def _spool_images(rows: ParquetRows, work_path: Path, reading: Reading) -> SpooledFile:
    names = set(rows.schema.names)
    if not {"image", "label"} <= names <= _IMAGE_NAMES:
        raise FileRejectedError(
            f"A Parquet file of images needs the columns image and label, and may have split; it has {sorted(names)}."
        )
    spooler = ImageSpooler(work_path / "images.arrow", reading, has_split="split" in names)
    for number, row in enumerate(_image_rows(rows), start=1):
        label = row["label"]
        image = row["image"]["bytes"] if isinstance(row["image"], dict) else row["image"]
        if image is None or label is None:
            reading.bad_row(line=number, column="image", reason=f"Row {number} has no image or no label.")
            continue
        try:
            checked = check_image(image, limits=reading.limits)
        except BadImageError as error:
            reading.bad_row(line=number, column="image", reason=f"Row {number}: {error}")
            continue
        split = row.get("split")
        text = _to_json(label) if isinstance(label, list) else str(label)
        spooler.add(number, checked, label=text, split=None if split is None else str(split))
    return spooler.finish()


def _image_rows(rows: ParquetRows) -> Iterator[dict[str, Any]]:
    for batch in rows.batches(_IMAGE_BATCH_ROWS):
        yield from batch.to_pylist()
