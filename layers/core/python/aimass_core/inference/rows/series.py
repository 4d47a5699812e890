"""Series of requests: lists of numbers, all channels of a row equally long, filled up with NaN to one tensor each."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.schemas import MAX_SERIES_LENGTH
from aimass_core.domain.signatures import Signature, Task, TensorSpec
from aimass_core.errors import PayloadTooLargeError
from aimass_core.inference.limits import MAX_SERIES_VALUES
from aimass_core.inference.rows.cells import MISSING_WORDS, to_number
from aimass_core.inference.rows.errors import CellError

Array = NDArray[Any]

_EXAMPLE = "write it as [1.5, 2, null]"
_NUMBERS = frozenset({int, float})


def to_series(
    specs: Sequence[TensorSpec], rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Array], list[tuple[int, str]]]:
    """The tensors of the inputs that are series, and what is wrong with rows that cannot be read.

    In the place of an unreadable row stand missing values.

    Raises:
        PayloadTooLargeError: Filled up to the longest, the series are too many values.
    """
    errors: list[tuple[int, str]] = []
    channels: list[Mapping[str, Array]] = []
    for number, row in enumerate(rows if specs else []):
        found, faults = _read_row(specs, row)
        errors += [(number, fault) for fault in faults]
        channels.append({} if faults else found)
    num_steps = max((len(values) for row in channels for values in row.values()), default=1)
    num_values = num_steps * len(rows) * len(specs)
    if num_values > MAX_SERIES_VALUES:
        raise PayloadTooLargeError(
            f"{len(rows)} rows of {len(specs)} series, the longest with {num_steps} values, are too many: at most "
            f"{MAX_SERIES_VALUES} values are taken. Send the rows in several requests, the long ones apart."
        )
    return {spec.name: _fill_up(spec, channels, num_steps) for spec in specs}, errors


def _read_row(specs: Sequence[TensorSpec], row: Mapping[str, Any]) -> tuple[dict[str, Array], list[str]]:
    found: dict[str, Array] = {}
    faults: list[str] = []
    for spec in specs:
        column = spec.column or spec.name
        try:
            values = to_values(row.get(column))
            if values is not None:
                _check_length(spec, len(values))
                found[spec.name] = values
        except CellError as error:
            faults.append(f"{column}: {error}")
    lengths = {spec.column or spec.name: len(found[spec.name]) for spec in specs if spec.name in found}
    if len(set(lengths.values())) > 1:
        words = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:10])
        faults.append(f"the series of a row must have the same length, with null where a value is missing: {words}")
    return found, faults


def join_steps(
    signature: Signature, rows: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Rows that are the steps of one series, as a table to forecast from is stored, as the one row that they are, and
    what to say of it; all else as it is."""
    names = [spec.column or spec.name for spec in signature.inputs]
    if (
        signature.task is not Task.FORECASTING
        or len(rows) < 2
        or any(_is_list(row.get(name)) for row in rows for name in names)
    ):
        return rows, None
    window = signature.inputs[0].shape[1]
    latest = rows[-window:] if window > 0 else rows
    told = (
        f"the {len(rows)} rows were taken as the steps of one series, the oldest first; the forecast is made from the "
        f"last {len(latest)}"
    )
    return [{name: [row.get(name) for row in latest] for name in names if any(name in row for row in latest)}], told


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list) or (isinstance(cell, str) and cell.lstrip().startswith("["))


def to_values(cell: Any) -> Array | None:
    """A list of numbers, or text that is one, as float32; None where the series is missing.

    Raises:
        CellError: It is no such list.
    """
    if isinstance(cell, str):
        if cell.strip() in MISSING_WORDS:
            return None
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise CellError(f"{cell[:60]!r} is not a list of numbers; {_EXAMPLE}") from error
    if cell is None:
        return None
    if not isinstance(cell, list):
        raise CellError(f"{str(cell)[:60]!r} is not a list of numbers; {_EXAMPLE}")
    numbers = (
        cell if set(map(type, cell)) <= _NUMBERS else [_to_number(value, place) for place, value in enumerate(cell)]
    )
    with np.errstate(over="ignore"):
        values = np.array([min(max(value, -1e300), 1e300) for value in numbers], np.float64).astype(np.float32)
    # As in training, a number that float32 cannot hold is as good as missing.
    values[~np.isfinite(values)] = np.nan
    return values


def _to_number(value: Any, place: int) -> float:
    try:
        return to_number(value)
    except CellError as error:
        raise CellError(f"value {place + 1} of the series: {error}") from error


def _check_length(spec: TensorSpec, length: int) -> None:
    wanted = spec.shape[1]
    if wanted > 0 and length != wanted:
        raise CellError(f"the series has {length} values; the model takes exactly {wanted}, the latest ones")
    if length == 0:
        raise CellError("the series is empty; leave it out where it is missing")
    if length > MAX_SERIES_LENGTH:
        raise CellError(f"the series has {length} values; at most {MAX_SERIES_LENGTH} are taken: cut it into windows")


def _fill_up(spec: TensorSpec, channels: Sequence[Mapping[str, Array]], num_steps: int) -> Array:
    width = spec.shape[1] if spec.shape[1] > 0 else num_steps
    tensor = np.full((len(channels), width), math.nan, np.float32)
    for row, found in enumerate(channels):
        if spec.name in found:
            tensor[row, : len(found[spec.name])] = found[spec.name]
    return tensor
