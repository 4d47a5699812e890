"""Rows of a channel as the tensors that a model reads, and what is wrong with those that it cannot."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from aimass_core.domain.schemas import Column, ColumnType, ImageShape, Schema
from aimass_core.domain.signatures import Signature, Task, TensorSpec
from aimass_core.inference.rows import cells
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import READABLE_AS, Array, to_tensor
from batch_jobs.data.images import to_pixels
from batch_jobs.data.series import NUMERIC, fill_up

Errors = dict[int, str]
Inputs = dict[str, Array]


def window_of(schema: Schema, signature: Signature) -> int | None:
    """How many of the latest rows a forecast reads from a table whose rows follow each other in time; None of models
    and data where a row is all there is."""
    columns = [schema.column(str(spec.column)) for spec in signature.inputs]
    if signature.task is not Task.FORECASTING or any(
        column is None or column.type not in NUMERIC for column in columns
    ):
        return None
    return signature.inputs[0].shape[1]


def read_inputs(channel: Channel, signature: Signature, *, num_before: int = 0) -> tuple[Inputs, Errors]:
    """A tensor for each input of the model, and by row why it cannot be read. In its place stands a missing value.

    The first `num_before` rows are no rows of the answer: a forecast from a table reads them.
    """
    if (window := window_of(channel.schema, signature)) is not None:
        return _read_windows(channel, signature, window=window, num_before=num_before)
    inputs, errors = _read_series([each for each in signature.inputs if _is_series(each)], channel)
    for spec in signature.inputs:
        if _is_series(spec):
            continue
        inputs[spec.name], faults = _read_column(spec, channel)
        for row, fault in faults.items():
            errors[row] = f"{errors[row]}; {fault}" if row in errors else fault
    return inputs, errors


def _read_windows(channel: Channel, signature: Signature, *, window: int, num_before: int) -> tuple[Inputs, Errors]:
    num_lacking, num_rows = window - 1 - num_before, channel.num_rows - num_before
    gap = np.full(num_lacking, np.nan, np.float32)
    inputs = {
        spec.name: np.ascontiguousarray(
            sliding_window_view(
                np.concatenate([gap, to_tensor(channel.table.column(str(spec.column)), ColumnType.NUMBER)]), window
            )
        )
        for spec in signature.inputs
    }
    errors = {
        row: f"there are {window - num_lacking + row} rows up to here; the model reads the latest {window}"
        for row in range(min(num_lacking, num_rows))
    }
    return inputs, errors


def _is_series(spec: TensorSpec) -> bool:
    return spec.column_type is ColumnType.SERIES


def _read_column(spec: TensorSpec, channel: Channel) -> tuple[Array, Errors]:
    name, wanted = str(spec.column), spec.column_type
    found, values = _find(channel, name), channel.table.column(name)
    if wanted is ColumnType.IMAGE:
        return _read_images(spec, values)
    if wanted is None or (found.type is not wanted and (found.type, wanted) not in READABLE_AS):
        return cells.to_tensor(spec, values.to_pylist())
    return to_tensor(values, wanted)[:, None], {}


def _find(channel: Channel, name: str) -> Column:
    return next(column for column in channel.schema.columns if column.name == name)


def _read_images(spec: TensorSpec, values: pa.ChunkedArray) -> tuple[Array, Errors]:
    _, height, width, channels = spec.shape
    shape = ImageShape(height=height, width=width, channels=channels)
    images = np.zeros((len(values), height, width, channels), np.uint8)
    errors: Errors = {}
    for row, encoded in enumerate(values.to_pylist()):
        try:
            images[row] = to_pixels(encoded, shape)
        except (OSError, TypeError, Image.DecompressionBombError):
            errors[row] = f"{spec.column}: " + ("there is no image" if encoded is None else "the image is damaged")
    return images, errors


def _read_series(specs: Sequence[TensorSpec], channel: Channel) -> tuple[Inputs, Errors]:
    """FP32 [rows, steps]: filled up with NaN to the longest, or as long as the window that a forecast reads."""
    if not specs:
        return {}, {}
    lists = {spec.name: _whole(channel.table.column(str(spec.column))) for spec in specs}
    lengths = {name: pc.fill_null(pc.list_value_length(values), 0).to_numpy() for name, values in lists.items()}
    longest = np.max(list(lengths.values()), axis=0)
    errors: Errors = {}
    for spec in specs:
        found, window = lengths[spec.name], spec.shape[1]
        wanted = np.full_like(longest, window) if window > 0 else longest
        words = "the model takes exactly" if window > 0 else "the others of its row have"
        for row in np.flatnonzero((found > 0) & (found != wanted)).tolist():
            errors.setdefault(row, f"{spec.column}: the series has {found[row]} values; {words} {wanted[row]}")
    is_good = np.ones(len(longest), bool)
    is_good[list(errors)] = False
    width = max(*(spec.shape[1] for spec in specs), int(longest[is_good].max(initial=1)))
    good = pa.array(is_good)
    return {name: fill_up(pc.if_else(good, values, None), width) for name, values in lists.items()}, errors


def _whole(values: pa.ChunkedArray) -> pa.Array:
    combined = values.combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined
