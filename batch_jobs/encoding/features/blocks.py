"""What every recipe becomes: a block of features, and how it is written into a graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Array
from batch_jobs.encoding.doubles import Doubles


class Sources:
    """The raw columns of a graph that is being written; each becomes an input when it is first asked for."""

    def __init__(self, graph: GraphBuilder, input_names: Mapping[str, str]) -> None:
        self.graph = graph
        self._names = input_names
        self._found: dict[str, str] = {}

    def number(self, column: str) -> Doubles:
        """[rows, 1]; what is infinite is missing."""
        if column not in self._found:
            value = self.graph.input(self._names[column], TensorProto.FLOAT, ["rows", 1])
            nan = self.graph.constant(np.nan, np.float32)
            finite = self.graph.node("Where", self.graph.node("IsInf", value), nan, value)
            self._found[column] = self.graph.node("Cast", finite, to=TensorProto.DOUBLE)
        return Doubles(self.graph, self._found[column])

    def date(self, column: str) -> Doubles:
        """Seconds [rows, 1]."""
        return Doubles(self.graph, self._input(column, TensorProto.DOUBLE))

    def text(self, column: str) -> str:
        """Texts [rows, 1]."""
        return self._input(column, TensorProto.STRING)

    def _input(self, column: str, element_type: int) -> str:
        if column not in self._found:
            self._found[column] = self.graph.input(self._names[column], element_type, ["rows", 1])
        return self._found[column]


Build = Callable[[Sources], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Features made from raw columns; `build` answers float32 [rows, len(names)].

    `cardinality`: the block is one code, of so many; None where it is quantities. `training`: what the training rows
    have in place of what the graph would answer for them.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    build: Build
    cardinality: int | None = None
    training: Array | None = None
