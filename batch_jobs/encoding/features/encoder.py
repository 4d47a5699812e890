"""Fitted recipes as an `Encoder`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.schemas import Column
from aimass_core.domain.signatures import Datatype, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.frames import Array, Frame
from batch_jobs.encoding.features.blocks import Block, Sources
from batch_jobs.encoding.table import TableEncoder

_BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A block, and which of its features are kept."""

    block: Block
    index: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        """Of the features that are kept."""
        return [self.block.names[position] for position in self.index]

    def build(self, sources: Sources) -> str:
        """float32 [rows, len(index)]."""
        value = self.block.build(sources)
        if len(self.index) == len(self.block.names):
            return value
        return sources.graph.node("Gather", value, sources.graph.constant(self.index, np.int64), axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEncoder:
    """An `Encoder` by recipes. `table` describes the columns; only those that a feature needs are inputs."""

    kept: tuple[Kept, ...]
    table: TableEncoder
    texts: tuple[Column, ...]
    _sessions: list[onnxruntime.InferenceSession] = field(default_factory=list, init=False, compare=False)

    @property
    def names(self) -> list[str]:
        """Of the features, in order."""
        return [name for kept in self.kept for name in kept.names]

    @property
    def num_numeric(self) -> int:
        """See `Encoder`."""
        return sum(len(kept.index) for kept in self.kept if kept.block.cardinality is None)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """See `Encoder`."""
        return tuple(kept.block.cardinality for kept in self.kept if kept.block.cardinality is not None)

    @property
    def columns(self) -> list[str]:
        """The raw columns that are needed, as the data has them."""
        needed = {name for kept in self.kept for name in kept.block.columns}
        return [column.name for column in (*self.table.columns, *self.texts) if column.name in needed]

    def transform(self, frame: Frame) -> NDArray[np.float32]:
        """What the graph answers."""
        if not self._sessions:
            self._sessions.append(self._open())
        inputs = {name: frame.columns[name][:, None] for name in self.columns}
        starts = range(0, max(frame.num_rows, 1), _BATCH_ROWS)
        batches = [{name: values[start : start + _BATCH_ROWS] for name, values in inputs.items()} for start in starts]
        return np.concatenate([self._sessions[0].run(None, batch)[0] for batch in batches])

    def transform_training(self, frame: Frame) -> NDArray[np.float32]:
        """Of the rows that it was fitted on: what a row would tell of its own target is left out."""
        features = self.transform(frame)
        start = 0
        for kept in self.kept:
            if kept.block.training is not None:
                features[:, start : start + len(kept.index)] = kept.block.training[:, list(kept.index)]
            start += len(kept.index)
        return features

    def _open(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        graph = self.to_onnx({name: name for name in self.columns}).SerializeToString()
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See `Encoder.to_onnx`."""
        graph = GraphBuilder("encoding")
        sources = Sources(graph, input_names)
        parts = [kept.build(sources) for kept in self.kept]
        joined = graph.node("Concat", *parts, axis=1)
        # What float32 cannot hold is missing.
        finite = graph.node("Where", graph.node("IsInf", joined), graph.constant(np.nan, np.float32), joined)
        graph.output(finite, FEATURES, TensorProto.FLOAT, ["rows", len(self.names)])
        return graph.build()

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See `Encoder.describe_inputs`."""
        needed = set(self.columns)
        known = {spec.column: spec for spec in self.table.describe_inputs(input_names)}
        free = {
            column.name: TensorSpec(
                name=input_names[column.name],
                datatype=Datatype.BYTES,
                shape=[-1, 1],
                column=column.name,
                column_type=column.type,
                written=column.written,
            )
            for column in self.texts
        }
        return [spec for name, spec in (known | free).items() if name in needed]

    def hard_rows(self, frame: Frame) -> Frame:
        """See `Encoder.hard_rows`."""
        return self.table.hard_rows(frame)


def keep_all(blocks: Sequence[Block]) -> tuple[Kept, ...]:
    """Everything, quantities first, as algorithms want it."""
    return keep(blocks, np.ones(sum(len(block.names) for block in in_order(blocks)), dtype=bool))


def in_order(blocks: Sequence[Block]) -> list[Block]:
    """Quantities first, then codes."""
    return sorted(blocks, key=lambda block: block.cardinality is not None)


def keep(blocks: Sequence[Block], is_kept: Array) -> tuple[Kept, ...]:
    """The features of the mask, which goes over `in_order`; blocks of which nothing is kept are not built."""
    found: list[Kept] = []
    start = 0
    for block in in_order(blocks):
        index = tuple(np.flatnonzero(is_kept[start : start + len(block.names)]).tolist())
        start += len(block.names)
        if index:
            found.append(Kept(block=block, index=index))
    return tuple(found)
