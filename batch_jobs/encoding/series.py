"""Series: channels side by side, [rows, steps, channels], with NaN where a value is missing or a series has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder, finite_or_nan
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.frames import Array, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesEncoder:
    """An `Encoder` of series. `is_wide`: each column is one step of the only channel, else each is a channel.

    `window` is the length that all have; None: any.
    """

    columns: tuple[Column, ...]
    ranges: Mapping[str, tuple[float | None, float | None]]
    is_wide: bool
    window: int | None = None
    cardinalities: tuple[int, ...] = ()

    @property
    def num_numeric(self) -> int:
        """How many channels there are."""
        return 1 if self.is_wide else len(self.columns)

    def transform(self, frame: Frame) -> NDArray[np.float32]:
        """float32 [rows, steps, channels]."""
        values = [frame.columns[column.name] for column in self.columns]
        return np.stack(values, axis=1)[:, :, None] if self.is_wide else np.stack(values, axis=2)

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See `Encoder.to_onnx`."""
        graph = GraphBuilder("encoding")
        names = [input_names[column.name] for column in self.columns]
        last = graph.constant([2], np.int64)
        if self.is_wide:
            inputs = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in names]
            joined = graph.node("Unsqueeze", graph.node("Concat", *inputs, axis=1), last)
        else:
            inputs = [graph.input(name, TensorProto.FLOAT, ["rows", self.window or "steps"]) for name in names]
            joined = graph.node("Concat", *[graph.node("Unsqueeze", name, last) for name in inputs], axis=2)
        steps = len(names) if self.is_wide else self.window or "steps"
        shape: list[int | str] = ["rows", steps, self.num_numeric]
        graph.output(finite_or_nan(graph, joined), FEATURES, TensorProto.FLOAT, shape)
        return graph.build()

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See `Encoder.describe_inputs`."""
        return [
            TensorSpec(
                name=input_names[column.name],
                datatype=Datatype.FP32,
                shape=[-1, 1 if self.is_wide else self.window or -1],
                column=column.name,
                column_type=column.type,
                written=column.written,
                minimum=self.ranges[column.name][0],
                maximum=self.ranges[column.name][1],
            )
            for column in self.columns
        ]

    def hard_rows(self, frame: Frame) -> Frame:
        """One row with nothing in it, one that ends early, and one with a gap in its first channel."""
        rows = frame.take(np.zeros(3, dtype=int))
        names = [column.name for column in self.columns]
        for position, name in enumerate(names):
            values: Any = rows.columns[name]
            values[0] = np.nan
            if self.is_wide:
                values[1] = np.nan if position >= (len(names) + 1) // 2 else values[1]
            else:
                values[1, (values.shape[1] + 1) // 2 :] = np.nan
        gap: Any = rows.columns[names[0]]
        if self.is_wide:
            gap[2] = np.nan
        else:
            gap[2, 0] = np.nan
        return rows


def fit_series_encoder(frame: Frame, columns: Sequence[Column], *, window: int | None = None) -> SeriesEncoder:
    """Learns the ranges from training rows."""
    return SeriesEncoder(
        columns=tuple(columns),
        ranges={column.name: _range(frame.columns[column.name]) for column in columns},
        is_wide=columns[0].type is not ColumnType.SERIES,
        window=window,
    )


def _range(values: Array) -> tuple[float | None, float | None]:
    present = values[~np.isnan(values)]
    return (float(present.min()), float(present.max())) if len(present) else (None, None)
