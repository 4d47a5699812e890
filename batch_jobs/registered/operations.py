"""How many operations a row takes, counted in the graph: multiplications, additions, comparisons.

Single rows go through the graph with all that is within it put out. So every size is known, of branches only that
counts which a row took, and of a tree the nodes that it visited.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from batch_jobs.algorithms.export.names import used_names
from batch_jobs.algorithms.export.trees import reading
from batch_jobs.algorithms.export.trees.arrays import Trees

Tensors = Mapping[str, NDArray[Any]]
Shape = tuple[int, ...]
_NUM_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "DynamicQuantizeLSTM": 4}
_MATRICES = (
    "MatMul",
    "MatMulInteger",
    "QLinearMatMul",
    "FusedMatMul",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "Gemm",
    "QGemm",
    "FusedGemm",
)
_CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv", "FusedConv")
# fmt: off
_ELEMENTWISE = (
    "Abs", "Add", "And", "BatchNormalization", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LayerNormalization",
    "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or",
    "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus",
    "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Where", "Xor", "QuantizeLinear",
    "DequantizeLinear", "DynamicQuantizeLinear", "QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu",
)
_REDUCING = (
    "ArgMax", "ArgMin", "AveragePool", "CumSum", "GlobalAveragePool", "GlobalMaxPool", "LpNormalization", "MaxPool",
    "QLinearAveragePool", "QLinearGlobalAveragePool", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Scaler", "TopK",
)
# fmt: on


def count(model: bytes, rows: Sequence[Tensors]) -> int:
    """The mean over rows, each given as the inputs of a batch of one."""
    proto = onnx.load_from_string(model)
    counter = _Counter(proto.opset_import, proto.ir_version, proto.functions)
    return round(sum(counter.count(proto.graph, row) for row in rows) / len(rows))


class _Counter:
    """Keeps the session of each graph, those of branches too."""

    def __init__(self, opsets: Any, ir_version: int, functions: Any) -> None:
        self._opsets, self._ir_version, self._functions = opsets, ir_version, functions
        self._sessions: dict[str, Any] = {}
        self._trees: dict[str, Trees] = {}

    def count(self, graph: onnx.GraphProto, inputs: Tensors, name: str = "") -> float:
        """Of the graph with these inputs, which for one that is inside another are all values that it sees; it has a
        name of its own."""
        values: dict[str, Any] = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        constants = {*values}
        values |= inputs
        values |= self._run(graph, inputs, name)
        total = 0.0
        for node in graph.node:
            if node.op_type == "Constant" or (node.input and constants.issuperset(filter(None, node.input))):
                constants.update(node.output)
                continue
            total += self._count_node(node, values)
        return total

    def _run(self, graph: onnx.GraphProto, inputs: Tensors, name: str) -> dict[str, Any]:
        names = [name for node in graph.node for name in node.output if name]
        if not names:
            return {}
        if name not in self._sessions:
            self._sessions[name] = self._open(graph, inputs, names)
        session = self._sessions[name]
        wanted = {value.name for value in session.get_inputs()}
        found = session.run(names, {name: value for name, value in inputs.items() if name in wanted})
        return dict(zip(names, found, strict=True))

    def _open(self, graph: onnx.GraphProto, inputs: Tensors, names: Sequence[str]) -> Any:
        opened = onnx.GraphProto()
        opened.CopyFrom(graph)
        del opened.output[:], opened.input[:]
        own = {*names, *(constant.name for constant in graph.initializer)}
        used = {*used_names(graph)}
        declared = {value.name: value for value in graph.input}
        for name, value in inputs.items():
            if name in declared:
                opened.input.append(declared[name])
            elif name in used - own and isinstance(value, np.ndarray):
                element = helper.np_dtype_to_tensor_dtype(value.dtype)
                opened.input.append(helper.make_tensor_value_info(name, element, [None] * value.ndim))
        opened.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        model = helper.make_model(opened, opset_imports=self._opsets, functions=self._functions)
        model.ir_version = self._ir_version
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _count_node(self, node: onnx.NodeProto, values: Mapping[str, Any]) -> float:
        if node.op_type == "If":
            taken = "then_branch" if np.ravel(values[node.input[0]])[0] else "else_branch"
            return self.count(_attribute(node, taken), _tensors(values), f"{node.output[0]} {taken}")
        if node.op_type == "Loop":
            return self._count_loop(node, values)
        if node.op_type == "Scan":
            return self._count_scan(node, values)
        if node.op_type in reading.TREE_OPERATORS:
            return self._count_trees(node, np.asarray(values[node.input[0]], dtype=np.float32))
        return _count_operator(node, [_shape(values, name) for name in node.input], _shape(values, node.output[0]))

    def _count_trees(self, node: onnx.NodeProto, features: NDArray[np.float32]) -> float:
        """The branches that rows take, and the sums of leaves."""
        if node.output[0] not in self._trees:
            self._trees[node.output[0]] = reading.read(node).trees
        trees = self._trees[node.output[0]]
        return trees.count_visits(features) + len(features) * len(trees.roots)

    def _count_loop(self, node: onnx.NodeProto, values: Mapping[str, Any]) -> float:
        """The first round, so many times as it says at most; one that ends when it likes counts as one round."""
        body = _attribute(node, "body")
        num_rounds = int(np.ravel(values[node.input[0]])[0]) if node.input[0] else 1
        if num_rounds < 1:
            return 0
        goes_on = values[node.input[1]] if node.input[1] else np.asarray(True)
        states = [np.asarray(0, dtype=np.int64), goes_on, *(values[name] for name in node.input[2:])]
        own = {value.name: state for value, state in zip(body.input, states, strict=True)}
        return num_rounds * self.count(body, _tensors({**values, **own}), node.output[0])

    def _count_scan(self, node: onnx.NodeProto, values: Mapping[str, Any]) -> float:
        """The first step, so many times as there are; it is given the first slices of what is scanned."""
        body, num_scanned = _attribute(node, "body"), int(_attribute(node, "num_scan_inputs"))
        num_states = len(node.input) - num_scanned
        axes = next((list(each.ints) for each in node.attribute if each.name == "scan_input_axes"), [0] * num_scanned)
        scanned = [np.asarray(values[name]) for name in node.input[num_states:]]
        num_steps = int(scanned[0].shape[axes[0]])
        if num_steps < 1:
            return 0
        slices = [value.take(0, axis=axis) for value, axis in zip(scanned, axes, strict=True)]
        states = [*(values[name] for name in node.input[:num_states]), *slices]
        own = {value.name: state for value, state in zip(body.input, states, strict=True)}
        return num_steps * self.count(body, _tensors({**values, **own}), node.output[0])


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next(helper.get_attribute_value(each) for each in node.attribute if each.name == name)


def _tensors(values: Mapping[str, Any]) -> Tensors:
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _shape(values: Mapping[str, Any], name: str) -> tuple[int, ...]:
    value = values.get(name)
    return tuple(value.shape) if isinstance(value, np.ndarray) else ()


def _count_operator(node: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    """A multiplication and an addition count as two. Of operators that only move values: none."""
    counter = _COUNTERS.get(node.op_type)
    return counter(node, inputs, output) if counter is not None else 0


def _count_convolution(node: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    return 2 * prod(output) * prod(inputs[3 if node.op_type == "QLinearConv" else 1][1:])


def _count_transposed_convolution(_: onnx.NodeProto, inputs: Sequence[Shape], __: Shape) -> float:
    return 2 * prod(inputs[0]) * prod(inputs[1][1:])


def _count_matrix(node: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    is_transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return 2 * prod(output) * (inputs[0][0 if is_transposed else -1] if inputs[0] else 1)


def _count_recurrence(node: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    length, num_rows, width = inputs[0]
    num_directions, hidden = output[1], output[-1]
    return 2 * length * num_rows * num_directions * _NUM_GATES[node.op_type] * hidden * (width + hidden)


def _count_sum_of_products(_: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    return 2 * prod(max(inputs, key=prod)) * (output[-1] if output else 1)


def _count_linear(_: onnx.NodeProto, inputs: Sequence[Shape], output: Shape) -> float:
    return 2 * prod(inputs[0]) * max(prod(output) // max(inputs[0][0], 1), 1)


def _count_results(_: onnx.NodeProto, __: Sequence[Shape], output: Shape) -> float:
    return prod(output)


def _count_operands(_: onnx.NodeProto, inputs: Sequence[Shape], __: Shape) -> float:
    return prod(inputs[0])


_COUNTERS: Mapping[str, Callable[[onnx.NodeProto, Sequence[Shape], Shape], float]] = {
    **dict.fromkeys(_CONVOLUTIONS, _count_convolution),
    **dict.fromkeys(_MATRICES, _count_matrix),
    **dict.fromkeys(_NUM_GATES, _count_recurrence),
    **dict.fromkeys(_ELEMENTWISE, _count_results),
    **dict.fromkeys(_REDUCING, _count_operands),
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), _count_linear),
    "ConvTranspose": _count_transposed_convolution,
    "Einsum": _count_sum_of_products,
}
