"""Spools a delimited text: dialect, rows, trimmed cells, missing values, evidence of the types."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from aimass_core.domain.datasets import BadRows
from aimass_core.domain.schemas import DatasetKind
from aimass_core.services.ingest import delimited, dialects
from aimass_core.services.ingest.column_types import Evidence
from aimass_core.services.ingest.columns import for_each_column
from aimass_core.services.ingest.dialects import Dialect
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter
from aimass_core.services.ingest.text_columns import NotAsBegunError, TextColumn
from aimass_core.services.ingest.text_files import TextFile, normalize


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
    num_before = reading.quarantine.count

    def on_bad_row(line: int, reason: str, text: str) -> None:
        reading.bad_row(line=line, reason=reason, text=text)

    found = _read_quickly(file, dialect, reading, work_path)
    if found is None:
        reading.limits.check_slow(file.path)
        columns = _begin(dialect, reading, keeps_text=True)
        blocks = delimited.read_carefully(file, dialect, on_bad_row=on_bad_row)
        found = columns, _write(blocks, columns, _new_spool(work_path / "careful", file, reading))
    evidence, writer = [column.evidence for column in found[0]], found[1]
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
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(
            SpooledColumn(name=name, evidence=each) for name, each in zip(dialect.names, evidence, strict=True)
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


def _read_quickly(
    file: TextFile, dialect: Dialect, reading: Reading, work_path: Path
) -> tuple[list[TextColumn], SpoolWriter] | None:
    """None where only the careful reader can tell what is there.

    If the file decides its types alone, cells are kept in the types of the first block. Where a later one differs, or
    rows have to be kept apart as they were written, all are read once more as text.
    """
    if reading.is_tiny(file.path.stat().st_size) or not delimited.can_be_quick(file, dialect):
        return None
    for keeps_text in (False, True) if reading.types is not None else (True,):
        columns = _begin(dialect, reading, keeps_text=keeps_text)
        try:
            spool = _new_spool(work_path / f"quick-{keeps_text}", file, reading)
            writer = _write(delimited.read_quickly(file, dialect), columns, spool)
        except delimited.NeedsCareError:
            return None
        except NotAsBegunError:
            continue
        if keeps_text or not any(column.may_have_bad_cells() for column in columns):
            return columns, writer
    return None


def _begin(dialect: Dialect, reading: Reading, *, keeps_text: bool) -> list[TextColumn]:
    missing = pa.array(reading.policy.missing_values, type=pa.string())
    may_be_plain = not dialect.has_decimal_comma and not any(map(_may_be_value, reading.policy.missing_values))
    return [
        TextColumn(
            missing=missing,
            has_decimal_comma=dialect.has_decimal_comma,
            wanted=None if reading.types is None else reading.types.get(name),
            keeps_text=keeps_text,
            may_be_plain=may_be_plain,
        )
        for name in dialect.names
    ]


def _may_be_value(text: str) -> bool:
    """Whether it looks like a number or a time."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return any(map(str.isdigit, text))


def _new_spool(path: Path, file: TextFile, reading: Reading) -> SpoolWriter:
    num_bytes = file.path.stat().st_size
    return SpoolWriter(path, num_bytes=num_bytes, is_in_memory=reading.is_tiny(num_bytes))


def _write(blocks: Iterator[delimited.TextBlock], columns: list[TextColumn], spool: SpoolWriter) -> SpoolWriter:
    with spool as writer:
        for block in blocks:
            taken = for_each_column(TextColumn.take, columns, block.cells.columns)
            writer.write({LINE: block.lines, **{str(index): cells for index, cells in enumerate(taken)}})
    return writer


def _type_warnings(names: tuple[str, ...], evidence: list[Evidence]) -> list[str]:
    found = [each.warning(name) for name, each in zip(names, evidence, strict=True)]
    return [warning for warning in found if warning]
