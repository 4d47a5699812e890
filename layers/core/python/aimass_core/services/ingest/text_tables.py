"""Spools a delimited text: dialect, rows, trimmed cells, missing values, evidence of the types."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.datasets import BadRows
from aimass_core.domain.schemas import DatasetKind
from aimass_core.services.ingest import delimited, dialects
from aimass_core.services.ingest.column_types import Evidence
from aimass_core.services.ingest.columns import for_each_column
from aimass_core.services.ingest.dialects import Dialect
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter
from aimass_core.services.ingest.text_files import normalize


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """Reads a delimited text into a spool in the folder `work_path`. Raises FileRejectedError."""
    # NOTE: Python's csv module refuses cells above 128 KiB, and a whole line is one cell to a delimiter that it lacks.
    # The limit is one of the process, so it is put back; a line is measured before it gets there.
    former = csv.field_size_limit(reading.limits.max_line_bytes)
    try:
        return _spool(path, work_path, reading)
    finally:
        csv.field_size_limit(former)


def _spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    file = normalize(path, work_path / "normalized", limits=reading.limits)
    dialect = dialects.sniff_dialect(
        _sample(file.path),
        has_header=reading.policy.has_header,
        missing_values=frozenset(reading.policy.missing_values),
        reject_faults=reading.policy.bad_rows is BadRows.REJECT,
        limits=reading.limits,
    )
    evidence = [Evidence() for _ in dialect.names]
    num_before = reading.quarantine.count

    def on_bad_row(line: int, reason: str, text: str) -> None:
        reading.bad_row(line=line, reason=reason, text=text)

    writer: SpoolWriter | None = None
    if delimited.can_be_quick(file, dialect):
        try:
            writer = _write(delimited.read_quickly(file, dialect), dialect, reading, evidence, work_path / "quick")
        except delimited.NeedsCareError:
            evidence = [Evidence() for _ in dialect.names]
    if writer is None:
        blocks = delimited.read_carefully(file, dialect, on_bad_row=on_bad_row)
        writer = _write(blocks, dialect, reading, evidence, work_path / "careful")
    num_bad_rows = reading.quarantine.count - num_before
    if not writer.num_rows and not num_bad_rows:
        raise FileRejectedError(
            "The file has a header line but no rows. Upload one with at least one row; if the first line is data, set "
            "policy.has_header to false (on the command line: --no-header).",
            line=1,
        )
    if writer.num_rows and not any(each.num_cells for each in evidence):
        raise FileRejectedError("No row of the file has a value in it. Export the data again.")
    return SpooledFile(
        paths=tuple(writer.paths),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(
            SpooledColumn(name=name, evidence=found) for name, found in zip(dialect.names, evidence, strict=True)
        ),
        num_rows=writer.num_rows,
        num_bad_rows=num_bad_rows,
        warnings=(*file.warnings, *dialect.warnings, *_type_warnings(dialect.names, evidence)),
    )


def _sample(path: Path) -> list[str]:
    """The first lines, whole ones only (but for a first line that is longer than the sample)."""
    with path.open("rb") as stream:
        head = stream.read(dialects.SAMPLE_BYTES)
        is_cut = len(head) == dialects.SAMPLE_BYTES
        lines = head.split(b"\n")
        if is_cut and len(lines) > 1:
            lines.pop()
        elif is_cut:
            lines[-1] += stream.readline()
    return [line.decode("utf-8", "replace").rstrip("\r") for line in lines[: dialects.SAMPLE_LINES]]


def _write(
    blocks: Iterator[delimited.TextBlock],
    dialect: Dialect,
    reading: Reading,
    evidence: list[Evidence],
    spool_path: Path,
) -> SpoolWriter:
    missing = pa.array(reading.policy.missing_values, type=pa.string())

    def take(found: Evidence, column: pa.Array) -> pa.Array:
        cells = clean_cells(column, missing, has_decimal_comma=dialect.has_decimal_comma)
        found.add(cells)
        return cells

    with SpoolWriter(spool_path) as writer:
        for block in blocks:
            columns = for_each_column(take, evidence, block.cells.columns)
            writer.write({LINE: block.lines, **{str(index): cells for index, cells in enumerate(columns)}})
    return writer


def clean_cells(cells: pa.Array, missing: pa.Array, *, has_decimal_comma: bool = False) -> pa.Array:
    """Trimmed cells, null where the text means "no value"."""
    trimmed = pc.utf8_trim_whitespace(cells)
    if has_decimal_comma:
        trimmed = pc.replace_substring_regex(trimmed, r"^([+-]?[0-9]+),([0-9]+)$", r"\1.\2")
    is_missing = pc.is_in(trimmed, value_set=missing)
    return pc.if_else(is_missing, None, trimmed) if pc.any(is_missing).as_py() else trimmed


def _type_warnings(names: tuple[str, ...], evidence: list[Evidence]) -> list[str]:
    found = [each.warning(name) for name, each in zip(names, evidence, strict=True)]
    return [warning for warning in found if warning]
