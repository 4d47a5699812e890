"""A few nodes to be put into a graph. Names are short, as they are part of the file."""

import itertools
from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def find_prefix(letter: str, names: Collection[str]) -> str:
    """One that none of these begins with: what was written before by a snippet of the same letter is among them."""
    return next(
        prefix
        for prefix in (f"{letter}{number}" for number in range(len(names) + 1))
        if not any(name.startswith(f"{prefix}_") for name in names)
    )


class Snippet:
    """Collects nodes and constants under names that begin alike."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._numbers = itertools.count()
        self._known: dict[bytes, str] = {}

    def add(self, op_type: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """An operator; answers the name of its output. An attribute that is an array is a list of integers."""
        output = output or self._new_name()
        # NOTE: onnx.helper looks at each number, of which trees have a million.
        lists = {name: attributes.pop(name) for name in [*attributes] if isinstance(attributes[name], np.ndarray)}
        node = helper.make_node(op_type, inputs, [output], domain=domain, **attributes)
        node.attribute.extend(
            onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS, ints=values.tolist())
            for name, values in sorted(lists.items())
        )
        self.nodes.append(node)
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """An initializer, one for all that are equal."""
        return self.tensor(numpy_helper.from_array(np.asarray(values)))

    def tensor(self, tensor: onnx.TensorProto) -> str:
        """One that is made already; its name is given here."""
        content = tensor.SerializeToString(deterministic=True)
        if content not in self._known:
            tensor.name = self._known[content] = self._new_name()
            self.constants.append(tensor)
        return self._known[content]

    def _new_name(self) -> str:
        return f"{self._prefix}_{next(self._numbers)}"
