"""Tables: typed columns to one matrix of quantities and category codes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from batch_jobs.data.frames import MISSING_TEXT, Array, Frame
from batch_jobs.encoding.table_graph import build_table_graph
from batch_jobs.encoding.table_matrix import Encoding, fit_encoding

_DATATYPES = {
    ColumnType.INTEGER: Datatype.FP32,
    ColumnType.NUMBER: Datatype.FP32,
    ColumnType.DATETIME: Datatype.FP64,
    ColumnType.BOOLEAN: Datatype.BYTES,
    ColumnType.STRING: Datatype.BYTES,
}
_UNSEEN = "a value that training never saw"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEncoder:
    """An `Encoder` of tables. `ranges` are the least and greatest value of each column that is a quantity or date,
    `typical` its median, and of categories the commonest."""

    columns: tuple[Column, ...]
    encoding: Encoding
    ranges: Mapping[str, tuple[float | None, float | None]]
    typical: Mapping[str, float | str | None] = field(default_factory=dict)

    @property
    def num_numeric(self) -> int:
        """See `Encoding.num_numeric`."""
        return self.encoding.num_numeric

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """See `Encoding.cardinalities`."""
        return self.encoding.cardinalities

    def transform(self, frame: Frame) -> NDArray[np.float32]:
        """See `Encoding.transform`."""
        return self.encoding.transform(frame)

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See `Encoder.to_onnx`."""
        return build_table_graph(self.encoding, input_names)

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See `Encoder.describe_inputs`."""
        return [self._describe(column, input_names[column.name]) for column in self.columns]

    def _describe(self, column: Column, name: str) -> TensorSpec:
        categories = {category.column: category.values for category in self.encoding.categories}
        known = categories.get(column.name)
        low, high = self.ranges.get(column.name, (None, None))
        return TensorSpec(
            name=name,
            datatype=_DATATYPES[column.type],
            shape=[-1, 1],
            column=column.name,
            column_type=column.type,
            written=column.written,
            categories=[value for value in known if value != MISSING_TEXT] if known is not None else None,
            minimum=low,
            maximum=high,
            typical=self.typical.get(column.name),
        )

    def hard_rows(self, frame: Frame) -> Frame:
        """One row with nothing in it, and one whose categories training never saw."""
        rows = frame.take(np.zeros(2, dtype=int))
        for values in rows.columns.values():
            values[0] = MISSING_TEXT if values.dtype == object else np.nan
        for category in self.encoding.categories:
            rows.columns[category.column][1] = _UNSEEN
        return rows


def fit_table_encoder(frame: Frame, columns: Sequence[Column], targets: Array | None = None) -> TableEncoder:
    """Learns categories, words and ranges from training rows."""
    encoding = fit_encoding(frame, columns, targets)
    quantities = (*encoding.numbers, *encoding.dates)
    return TableEncoder(
        columns=tuple(columns),
        encoding=encoding,
        ranges={name: _range(frame.columns[name]) for name in quantities},
        typical={name: _median(frame.columns[name]) for name in quantities}
        | {category.column: _commonest(frame.columns[category.column]) for category in encoding.categories},
    )


def _range(values: Array) -> tuple[float | None, float | None]:
    present = values[~np.isnan(values)]
    return (float(present.min()), float(present.max())) if len(present) else (None, None)


def _median(values: Array) -> float | None:
    """One of the values: half a child is not typical."""
    present = values[np.isfinite(values)]
    return float(np.quantile(present, 0.5, method="lower")) if len(present) else None


def _commonest(values: Array) -> str | None:
    counts = Counter(values.tolist())
    del counts[MISSING_TEXT]
    # The order of equals must not depend on the order of the rows.
    return min(counts, key=lambda value: (-counts[value], value), default=None)
