"""Where operators of ONNX are registered as functions of torch, and how they read their node."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

Results = Tensor | tuple[Tensor | None, ...]
Operator = Callable[..., Results]
"""Takes the node's `Attributes`, and then its inputs; those that are left out are None."""

OPERATORS: dict[str, Operator] = {}

DTYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT64: torch.int64,
    TensorProto.INT32: torch.int32,
    TensorProto.INT16: torch.int16,
    TensorProto.INT8: torch.int8,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}


class UnsupportedError(Exception):
    """An operator is used in a way that its function does not know. The message says which."""


class Attributes:
    """Those of one node, and how many outputs it has."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self._values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        self.op_type = node.op_type
        self.num_outputs = len(node.output)

    def get(self, name: str, default: Any = None) -> Any:
        """Texts as str."""
        value = self._values.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def require(self, name: str, *expected: Any) -> None:
        """Raises UnsupportedError where an attribute is given with another value; lists of texts count too."""
        value = self.get(name)
        if isinstance(value, list):
            value = [item.decode() if isinstance(item, bytes) else item for item in value]
        if value is not None and value not in expected:
            raise UnsupportedError(f"{self.op_type} with {name}={value}")


def operator(*op_types: str) -> Callable[[Operator], Operator]:
    """Registers a function for operators of these types."""

    def register(function: Operator) -> Operator:
        for op_type in op_types:
            OPERATORS[op_type] = function
        return function

    return register


def integers(values: Tensor | Sequence[int]) -> list[int]:
    """Of a tensor or an attribute."""
    if isinstance(values, Tensor):
        return cast("list[int]", values.reshape(-1).tolist())
    return [int(value) for value in values]


def axes_of(node: Attributes, given: Tensor | None) -> list[int] | None:
    """An input since opset 13, an attribute before."""
    axes = node.get("axes") if given is None else given
    return None if axes is None or len(axes) == 0 else integers(axes)
