"""A small writer of ONNX graphs: operators as calls, constants as arguments, names that never collide."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from batch_jobs.algorithms.export.names import defined_names, rename

OPSET = 20
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 5
OPSETS: Mapping[str, int] = {"": OPSET, ML_DOMAIN: ML_OPSET}
IR_VERSION = 10
INNER_PREFIX = "aimass/"


class GraphBuilder:
    """Collects inputs, constants and nodes. Inner names have the prefix `aimass/`, which no input may have."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = itertools.count()
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: list[onnx.TensorProto] = []

    def input(self, name: str, element_type: int, shape: Sequence[int | str | None]) -> str:
        """Declares an input."""
        self._inputs.append(helper.make_tensor_value_info(name, element_type, list(shape)))
        return name

    def output(self, value: str, name: str, element_type: int, shape: Sequence[int | str | None]) -> None:
        """Declares a value as the output of that name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, element_type, list(shape)))

    def constant(self, value: Any, dtype: type[np.generic]) -> str:
        """An initializer."""
        name = self.new_name("constant")
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def texts(self, values: Sequence[str]) -> str:
        """An initializer of strings."""
        name = self.new_name("texts")
        encoded = [value.encode() for value in values]
        self._constants.append(helper.make_tensor(name, TensorProto.STRING, [len(values)], encoded))
        return name

    def node(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds an operator with one output and answers the output's name."""
        return self.nodes(op_type, *inputs, num_outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self, op_type: str, *inputs: str, num_outputs: int, domain: str = "", **attributes: Any
    ) -> tuple[str, ...]:
        """Adds an operator with several outputs and answers their names. Attributes that are arrays become lists."""
        names = tuple(self.new_name(op_type) for _ in range(num_outputs))
        lists = {name: value for name, value in attributes.items() if isinstance(value, np.ndarray)}
        others = {name: value for name, value in attributes.items() if name not in lists}
        node = helper.make_node(op_type, inputs, names, name=names[0], domain=domain, **others)
        node.attribute.extend(_to_attribute(name, values) for name, values in lists.items())
        self._nodes.append(node)
        return names

    def insert(self, model: onnx.ModelProto, values: Mapping[str, str]) -> tuple[str, ...]:
        """Adds all of another graph, its inputs being these values, and answers its outputs. It is of our opset and has
        no functions: `finish` it first."""
        if model.functions:
            raise ValueError(f"graph {model.graph.name} has functions, which cannot be put into another graph")
        graph, prefix = onnx.GraphProto(), self.new_name("part")
        graph.CopyFrom(model.graph)
        rename(graph, {name: f"{prefix}/{name}" for name in defined_names(graph)} | dict(values))
        self._nodes.extend(graph.node)
        self._constants.extend(graph.initializer)
        return tuple(value.name for value in graph.output)

    def branch(self) -> "GraphBuilder":
        """A builder of a graph inside of this one, for `If` and `Loop`: it sees all that is here."""
        inner = GraphBuilder(self._name)
        inner._numbers, inner._constants = self._numbers, self._constants
        return inner

    def to_inner_graph(self) -> onnx.GraphProto:
        """What a branch has become: the attribute of an operator."""
        return helper.make_graph(self._nodes, self.new_name("graph"), self._inputs, self._outputs)

    def include(self, graph: onnx.GraphProto, inputs: Mapping[str, str], outputs: Sequence[str]) -> tuple[str, ...]:
        """Adds a whole graph, with values of this one as its inputs. Answers what its outputs are called here."""
        copy, prefix = onnx.GraphProto(), f"{self.new_name('included')}/"
        copy.CopyFrom(graph)
        names = {name: f"{prefix}{name}" for name in defined_names(copy)} | dict(inputs)
        rename(copy, names)
        self._nodes += copy.node
        self._constants += copy.initializer
        return tuple(names[name] for name in outputs)

    def build(self) -> onnx.ModelProto:
        """The finished graph as a model of its own."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._constants)
        return finish(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]))

    def new_name(self, kind: str) -> str:
        """A name that nothing has yet."""
        return f"{INNER_PREFIX}{self._name}/{kind}_{next(self._numbers)}"


def _to_attribute(name: str, values: np.ndarray[Any, Any]) -> onnx.AttributeProto:
    """A list of numbers or texts. NOTE: `helper.make_attribute` looks at each of its values, of millions in seconds."""
    if values.dtype.kind == "f":
        return onnx.AttributeProto(name=name, type=onnx.AttributeProto.FLOATS, floats=values.tolist())
    if values.dtype.kind == "S":
        return onnx.AttributeProto(name=name, type=onnx.AttributeProto.STRINGS, strings=values.tolist())
    return onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS, ints=values.tolist())


def finite_or_nan(graph: GraphBuilder, values: str) -> str:
    """float32 values, NaN in the place of those that are infinite: too large a number is as good as missing."""
    return graph.node("Where", graph.node("IsInf", values), graph.constant(np.nan, np.float32), values)


def finish(
    model: onnx.ModelProto, *, opsets: Mapping[str, int] = OPSETS, ir_version: int = IR_VERSION
) -> onnx.ModelProto:
    """Brings a model to the opsets and the IR version of the project, or such as the models of others need, and removes
    what exporters note about their host.

    NOTE: torch writes stack traces with local paths into every node's metadata.
    """
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > opsets[""]:
            raise ValueError(f"graph {model.graph.name} needs opset {opset.version}, and {opsets['']} is what we ship")
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in opsets.items())
    model.ir_version = ir_version
    model.producer_name, model.producer_version = "AI Mass", ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    model.doc_string = model.graph.doc_string = ""
    for item in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    return model
