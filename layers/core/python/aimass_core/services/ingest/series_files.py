"""Reads the `.ts` format of the UCR and UEA archives, as aeon and sktime write it.

Comments (`#`) and attributes (`@name value ...`) come first; after `@data` each line is one row: channels divided by
colons, values by commas, `?` where one is missing, and last the class label or the value to predict.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aimass_core.domain.schemas import MAX_SERIES_LENGTH, ColumnType, DatasetKind
from aimass_core.services.ingest import series
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.series_arrays import channel_names
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter
from aimass_core.services.ingest.text_files import normalize

LABEL = "label"
_BLOCK_VALUES = 1024**2
_MISSING = ("?", "NaN", "nan")
_MAX_SHOWN = 60

Series = npt.NDArray[np.float64]


class _BadRowError(Exception):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What the attributes say. `classes` is None where the label is a number, or where there is none."""

    has_label: bool
    classes: frozenset[str] | None
    num_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    channels: Sequence[Series]
    label: str | float | None


def spool(path: Path, work_path: Path, reading: Reading) -> SpooledFile:
    """One column for each channel, and the column `label`: the target, unless the dataset names another."""
    file = normalize(path, work_path / "normalized", limits=reading.limits)
    num_before = reading.quarantine.count
    num_channels = 0
    with (
        file.path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream,
        SpoolWriter(work_path / "series.arrow") as writer,
    ):
        header = _read_header(stream)
        for rows in _blocks(stream, header, reading):
            num_channels = len(rows[0].channels)
            writer.write(_to_arrays(rows, header))
    num_bad_rows = reading.quarantine.count - num_before
    if not writer.num_rows and not num_bad_rows:
        raise FileRejectedError("No series follow the line @data. Write one row per line below it.")
    columns = [SpooledColumn(name=name, fixed=ColumnType.SERIES) for name in channel_names(num_channels)]
    if header.has_label:
        label_type = ColumnType.NUMBER if header.classes is None else ColumnType.STRING
        columns.append(SpooledColumn(name=LABEL, fixed=label_type))
    return SpooledFile(
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(columns),
        num_rows=writer.num_rows,
        num_bad_rows=num_bad_rows,
        warnings=file.warnings,
        target=LABEL if header.has_label else None,
    )


def _read_header(stream: TextIO) -> _Header:
    attributes: dict[str, list[str]] = {}
    for number, line in enumerate(stream, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith("@"):
            raise FileRejectedError(
                f"Line {number} comes before the line @data. Write @data above the rows.", line=number
            )
        name = words[0][1:].lower()
        if name == "data":
            return _to_header(attributes, num_lines=number)
        attributes[name] = words[1:]
    raise FileRejectedError("The file has no line @data, which comes before the rows of a .ts file.")


def _to_header(attributes: dict[str, list[str]], *, num_lines: int) -> _Header:
    if _is_true(attributes, "timestamps"):
        raise FileRejectedError(
            "The series have time stamps (@timestamps true), which are not read. Write the values alone, "
            "one for each step, and @timestamps false."
        )
    if _is_true(attributes, "classlabel"):
        classes = frozenset(attributes["classlabel"][1:])
        if not classes:
            raise FileRejectedError("The attribute @classLabel names no class. Write: @classLabel true first second")
        return _Header(has_label=True, classes=classes, num_lines=num_lines)
    return _Header(has_label=_is_true(attributes, "targetlabel"), classes=None, num_lines=num_lines)


def _is_true(attributes: dict[str, list[str]], name: str) -> bool:
    return [word.lower() for word in attributes.get(name, [])][:1] == ["true"]


def _blocks(stream: TextIO, header: _Header, reading: Reading) -> Iterator[list[_Row]]:
    rows: list[_Row] = []
    num_values, num_channels = 0, 0
    for number, line in enumerate(stream, start=header.num_lines + 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            row = _parse(text, number, header, num_channels=num_channels)
        except _BadRowError as error:
            reading.bad_row(line=number, reason=str(error), text=text.encode("utf-8", "replace").decode())
            continue
        num_channels = len(row.channels)
        if num_channels > reading.limits.max_columns:
            raise FileRejectedError(
                f"The series have {num_channels:,} channels; at most {reading.limits.max_columns:,} are read."
            )
        rows.append(row)
        num_values += num_channels * len(row.channels[0])
        if num_values >= _BLOCK_VALUES:
            yield rows
            rows, num_values = [], 0
    if rows:
        yield rows


def _parse(text: str, line: int, header: _Header, *, num_channels: int) -> _Row:
    """Raises _BadRowError. `num_channels`: of the rows before, 0 for the first."""
    parts = text.split(":")
    label = _to_label(parts.pop().strip(), header) if header.has_label else None
    if not parts:
        raise _BadRowError("The line has no colon, so no label. Write values:label.")
    if num_channels not in (0, len(parts)):
        raise _BadRowError(f"The row has {len(parts)} channels, the rows before it have {num_channels}.")
    channels = [_to_values(part, place) for place, part in enumerate(parts)]
    lengths = {len(values) for values in channels}
    if len(lengths) > 1:
        raise _BadRowError(
            f"The channels of the row have different lengths ({', '.join(map(str, sorted(lengths)))}). Give them the "
            "same; write ? where a value is missing."
        )
    length = lengths.pop()
    if not 0 < length <= MAX_SERIES_LENGTH:
        raise _BadRowError(series.explain_length(length))
    return _Row(line=line, channels=channels, label=label)


def _to_values(text: str, channel: int) -> Series:
    texts = [part.strip() for part in text.split(",")]
    if texts == [""]:
        return np.empty(0)
    try:
        return np.array(texts, dtype=np.float64)
    except ValueError:
        pass
    values = np.empty(len(texts))
    for place, value in enumerate(texts):
        try:
            values[place] = np.nan if value in _MISSING else float(value)
        except ValueError as error:
            raise _BadRowError(
                f"{value[:_MAX_SHOWN]!r}, value {place + 1} of channel {channel}, is not a number. "
                "Write ? where one is missing."
            ) from error
    return values


def _to_label(text: str, header: _Header) -> str | float | None:
    if text in _MISSING:
        return None
    if header.classes is not None:
        if text not in header.classes:
            known = ", ".join(sorted(header.classes)[:10])
            raise _BadRowError(f"The label {text[:_MAX_SHOWN]!r} is none of those that @classLabel names: {known}.")
        return text
    try:
        return float(text)
    except ValueError as error:
        raise _BadRowError(f"The value to predict, {text[:_MAX_SHOWN]!r}, is not a number.") from error


def _to_arrays(rows: list[_Row], header: _Header) -> dict[str, pa.Array]:
    lengths = [len(row.channels[0]) for row in rows]
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    arrays: dict[str, Any] = {LINE: pa.array([row.line for row in rows], type=pa.int64())}
    for channel in range(len(rows[0].channels)):
        values = pa.array(np.concatenate([row.channels[channel] for row in rows]), from_pandas=True)
        arrays[str(channel)] = pa.ListArray.from_arrays(offsets, values)
    if header.has_label:
        kind = pa.float64() if header.classes is None else pa.string()
        arrays[str(len(arrays) - 1)] = pa.array([row.label for row in rows], type=kind)
    return arrays
