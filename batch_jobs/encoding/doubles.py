"""Arithmetic in graphs that reads as it does in numpy."""

from typing import Union

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder

Operand = Union["Doubles", float, NDArray[np.float64]]


class Doubles:
    """A float64 tensor of a graph; missing values are NaN."""

    def __init__(self, graph: GraphBuilder, name: str) -> None:
        self.graph = graph
        self.name = name

    def _apply(self, op_type: str, other: Operand) -> "Doubles":
        return Doubles(self.graph, self.graph.node(op_type, self.name, self._name_of(other)))

    def _name_of(self, other: Operand) -> str:
        return other.name if isinstance(other, Doubles) else self.graph.constant(other, np.float64)

    def __add__(self, other: Operand) -> "Doubles":
        return self._apply("Add", other)

    def __sub__(self, other: Operand) -> "Doubles":
        return self._apply("Sub", other)

    def __mul__(self, other: Operand) -> "Doubles":
        return self._apply("Mul", other)

    def __truediv__(self, other: Operand) -> "Doubles":
        return self._apply("Div", other)

    def __pow__(self, other: Operand) -> "Doubles":
        return self._apply("Pow", other)

    def __floordiv__(self, other: Operand) -> "Doubles":
        return Doubles(self.graph, self.graph.node("Floor", self._apply("Div", other).name))

    def __mod__(self, other: float) -> "Doubles":
        return self - (self // other) * other

    def function(self, op_type: str) -> "Doubles":
        """An operator of one input, such as Log."""
        return Doubles(self.graph, self.graph.node(op_type, self.name))

    def compare(self, op_type: str, other: Operand) -> str:
        """A boolean tensor: Less, Equal, GreaterOrEqual."""
        return self.graph.node(op_type, self.name, self._name_of(other))

    def is_missing(self) -> str:
        """A boolean tensor."""
        return self.graph.node("IsNaN", self.name)

    def where(self, condition: str, other: Operand) -> "Doubles":
        """This where the condition holds, else the other."""
        return Doubles(self.graph, self.graph.node("Where", condition, self.name, self._name_of(other)))

    def replace(self, condition: str, other: Operand) -> "Doubles":
        """The other where the condition holds, else this."""
        return Doubles(self.graph, self.graph.node("Where", condition, self._name_of(other), self.name))

    def to_float32(self) -> str:
        """The name of the tensor as float32."""
        return self.graph.node("Cast", self.name, to=TensorProto.FLOAT)
