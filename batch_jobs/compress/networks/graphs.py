"""A graph that can be changed: operators in order, constants as arrays."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from batch_jobs.compress.contract import UnfitError

Array = NDArray[Any]
_PREFIX = "aimass/compressed"


class EditableGraph:
    """A copy of a model. Constants are initializers, whatever they were before."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        if model.functions:
            raise UnfitError("the graph has functions of its own, which this method does not look into")
        graph = self._model.graph
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.initializer):
            raise UnfitError("weights lie in other files: import the model as one file")
        constants = {tensor.name: tensor for tensor in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            if node.op_type == "Constant" and node.domain == "" and (value := _constant(node)) is not None:
                constants[node.output[0]] = value
            else:
                self.nodes.append(node)
        self.constants = Constants(constants)
        self.inputs = [value.name for value in graph.input if value.name not in constants]
        self.outputs = [value.name for value in graph.output]

    @property
    def opset(self) -> int:
        """Of ONNX's own operators."""
        return max((item.version for item in self._model.opset_import if item.domain in ("", "ai.onnx")), default=1)

    def producers(self) -> dict[str, onnx.NodeProto]:
        """The operator that puts out each value."""
        return {name: node for node in self.nodes for name in node.output if name}

    def consumers(self) -> dict[str, list[onnx.NodeProto]]:
        """The operators that read each value."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in read_names(node):
                found.setdefault(name, []).append(node)
        return found

    def ancestors(self, names: Iterable[str], *, until: Iterable[str] = ()) -> list[onnx.NodeProto]:
        """All operators that these values depend on, in order; those that the values `until` come from are left out."""
        wanted, known = set(names), set(until)
        found = []
        for node in reversed(self.nodes):
            if any(name in wanted and name not in known for name in node.output):
                wanted.update(read_names(node))
                found.append(node)
        return found[::-1]

    def new_name(self, hint: str) -> str:
        """One that nothing has yet."""
        taken = {*self.constants.names(), *(name for node in self.nodes for name in node.output)}
        return next(name for number in range(len(taken) + 1) if (name := f"{_PREFIX}/{hint}_{number}") not in taken)

    def add_constant(self, hint: str, values: Array) -> str:
        """Under a new name, which it answers."""
        name = self.new_name(hint)
        self.constants[name] = values
        return name

    def replace(self, node: onnx.NodeProto, *others: onnx.NodeProto) -> None:
        """Puts operators in the place of one."""
        place = next(index for index, known in enumerate(self.nodes) if known is node)
        self.nodes[place : place + 1] = list(others)

    def remove_unused(self) -> None:
        """Operators and constants that no output depends on."""
        self.nodes = self.ancestors(self.outputs)
        used = {name for node in self.nodes for name in read_names(node)}
        self.constants.keep(used.union(self.outputs))

    def to_model(self) -> onnx.ModelProto:
        """Without what is not used."""
        self.remove_unused()
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        self._fill(model.graph, self.nodes)
        inputs = [value for value in self._model.graph.input if value.name in self.inputs]
        del model.graph.input[:], model.graph.value_info[:]
        model.graph.input.extend(inputs)
        return model

    def extract(self, outputs: Mapping[str, int], *, inputs: Iterable[onnx.ValueInfoProto] = ()) -> onnx.ModelProto:
        """The part that computes these values, each of the element type given."""
        given = list(inputs)
        nodes = self.ancestors(outputs, until=[value.name for value in given])
        used = {name for node in nodes for name in read_names(node)}
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        self._fill(model.graph, nodes)
        del model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
        model.graph.input.extend(given or [value for value in self._model.graph.input if value.name in used])
        model.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items())
        return model

    def _fill(self, graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
        copies = []
        for node in nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copies.append(copy)
        used = {name for node in nodes for name in read_names(node)}.union(self.outputs)
        constants = [self.constants.tensor(name) for name in self.constants.names() if name in used]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(copies)
        graph.initializer.extend(constants)


class Constants:
    """Tensors by name; those that nobody changes stay as they were written."""

    def __init__(self, tensors: dict[str, onnx.TensorProto]) -> None:
        self._tensors = tensors
        self._arrays: dict[str, Array] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def get(self, name: str) -> Array | None:
        """None where there is none of the name."""
        if name not in self:
            return None
        return self[name]

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = numpy_helper.to_array(self._tensors[name])
        return self._arrays[name]

    def __setitem__(self, name: str, values: Array) -> None:
        # NOTE: ascontiguousarray would make a scalar an array of one.
        self._tensors[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        self._arrays[name] = values

    def names(self) -> list[str]:
        """In order."""
        return list(self._tensors)

    def tensor(self, name: str) -> onnx.TensorProto:
        """As it is written."""
        return self._tensors[name]

    def element_type(self, name: str) -> int:
        """As ONNX numbers them."""
        return int(self._tensors[name].data_type)

    def keep(self, names: set[str]) -> None:
        """Removes all others."""
        self._tensors = {name: tensor for name, tensor in self._tensors.items() if name in names}
        self._arrays = {name: array for name, array in self._arrays.items() if name in names}


def read_names(node: onnx.NodeProto) -> Iterator[str]:
    """What an operator reads, within its graphs too."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield from read_names(inner)
            # What a graph within puts out may be a value from without.
            yield from (value.name for value in graph.output)


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    attribute = node.attribute[0]
    if attribute.name == "value":
        tensor = onnx.TensorProto()
        tensor.CopyFrom(attribute.t)
        tensor.name = node.output[0]
        return tensor
    kinds: dict[str, type[np.generic]] = {
        "value_int": np.int64,
        "value_ints": np.int64,
        "value_float": np.float32,
        "value_floats": np.float32,
    }
    if attribute.name not in kinds:
        return None
    values = np.asarray(helper.get_attribute_value(attribute), dtype=kinds[attribute.name])
    return numpy_helper.from_array(values, node.output[0])
