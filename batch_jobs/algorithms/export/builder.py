"""A small writer of ONNX graphs: operators as calls, constants as arguments, names that never collide."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
ML_OPSET = 3
IR_VERSION = 10
INNER_PREFIX = "aimass/"


class GraphBuilder:
    """Collects inputs, constants and nodes. Inner names have the prefix `aimass/`, which no input may have."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: list[onnx.TensorProto] = []

    def input(self, name: str, element_type: int, shape: Sequence[int | str]) -> str:
        """Declares an input."""
        self._inputs.append(helper.make_tensor_value_info(name, element_type, list(shape)))
        return name

    def output(self, value: str, name: str, element_type: int, shape: Sequence[int | str]) -> None:
        """Declares a value as the output of that name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, element_type, list(shape)))

    def constant(self, value: Any, dtype: type[np.generic]) -> str:
        """An initializer."""
        name = self._new_name("constant")
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def texts(self, values: Sequence[str]) -> str:
        """An initializer of strings."""
        name = self._new_name("texts")
        encoded = [value.encode() for value in values]
        self._constants.append(helper.make_tensor(name, TensorProto.STRING, [len(values)], encoded))
        return name

    def node(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds an operator with one output and answers the output's name."""
        name = self._new_name(op_type)
        self._nodes.append(helper.make_node(op_type, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def build(self) -> onnx.ModelProto:
        """The finished graph as a model of its own."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._constants)
        return finish(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]))

    def _new_name(self, kind: str) -> str:
        return f"{INNER_PREFIX}{self._name}/{kind}_{len(self._nodes) + len(self._constants)}"


def finite_or_nan(graph: GraphBuilder, values: str) -> str:
    """float32 values, NaN in the place of those that are infinite: too large a number is as good as missing."""
    return graph.node("Where", graph.node("IsInf", values), graph.constant(np.nan, np.float32), values)


def finish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Brings a model to the one opset and IR version of the project, and removes what exporters note about their host.

    NOTE: torch writes stack traces with local paths into every node's metadata.
    """
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > OPSET:
            raise ValueError(f"graph {model.graph.name} needs opset {opset.version}, and {OPSET} is what we ship")
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "AI Mass", ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    model.doc_string = model.graph.doc_string = ""
    for item in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    return model
