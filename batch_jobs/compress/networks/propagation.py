"""How each operator hands on the units of its inputs."""

from collections.abc import Callable

import numpy as np
import onnx

from batch_jobs.compress.networks.core import Core
from batch_jobs.compress.networks.module import CoreModule, to_tensors
from batch_jobs.compress.networks.network import Network
from batch_jobs.compress.networks.operators import Attributes
from batch_jobs.compress.networks.operators.arithmetic import OF_ONE, OF_TWO
from batch_jobs.compress.networks.units import Axis, Units, fix_ends

_ROWS = 3

_Rule = Callable[[Units, onnx.NodeProto, Attributes], list[Axis]]
"""The axes of the first output; it may join units on its way."""
_RULES: dict[str, _Rule] = {}
_OTHERS_OF_EACH = (
    *("Cast", "Celu", "Div", "Dropout", "Elu", "Gelu", "HardSigmoid", "Identity", "IsInf", "LeakyRelu"),
    *("Max", "Mean", "Min", "Mod", "PRelu", "Pow", "Selu", "Sum", "Where"),
)


def find_units(network: Network) -> Units:
    """Of the core."""
    core = network.core
    features = to_tensors({name: values[:_ROWS] for name, values in network.features.items()})
    units = Units(core.graph, CoreModule(core).trace(features))
    for name in core.features:
        units.axes[name] = [None] * len(units.shape(name))
    for node in core.nodes:
        _hand_on(units, node)
    fix_ends(units, core)
    _fix_shared(units, core)
    return units


def _hand_on(units: Units, node: onnx.NodeProto) -> None:
    rule = _RULES.get(node.op_type)
    if rule is None or not node.output[0]:
        units.fix_all(filter(None, node.input))
        return
    units.axes[node.output[0]] = rule(units, node, Attributes(node))


def _fix_shared(units: Units, core: Core) -> None:
    """Constants that some operator reads as something else than weights: sizes, places, limits."""
    for node in core.nodes:
        if node.op_type in ("Reshape", "Expand", "Slice", "Split", "Pad", "Tile", "Squeeze", "Unsqueeze"):
            units.fix_all(name for name in node.input[1:] if name in units.axes)


def _rule(*op_types: str) -> Callable[[_Rule], _Rule]:
    def register(function: _Rule) -> _Rule:
        for op_type in op_types:
            _RULES[op_type] = function
        return function

    return register


@_rule(*OF_ONE, *OF_TWO, *_OTHERS_OF_EACH)
def _of_each_value(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    shape = units.shape(node.output[0])
    found: list[Axis] = [None] * len(shape)
    names = node.input[:1] if node.op_type == "Dropout" else node.input
    for place in range(len(shape)):
        joined: list[Axis] = []
        for name in names:
            own = place - len(shape) + len(units.shape(name))
            if own >= 0 and units.shape(name)[own] == shape[place] > 1:
                joined.append(units.of(name)[own])
        for axis in joined[1:]:
            joined[0] = units.join(joined[0], axis)
        found[place] = joined[0] if joined else None
    return found


@_rule("Clip")
def _of_first(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    return list(units.of(node.input[0]))


@_rule("Conv")
def _of_convolution(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    values, weights, groups = units.of(node.input[0]), units.of(node.input[1]), attributes.get("group", 1)
    for axis in weights[2:]:
        units.fix(axis)
    if groups == 1:
        units.join(values[1], weights[1]) if units.shape(node.input[0])[1] > 1 else None
    elif groups == units.shape(node.input[0])[1] == units.shape(node.input[1])[0]:
        units.join(values[1], weights[0])
    else:
        for axis in (values[1], weights[0], weights[1]):
            units.fix(axis)
    if len(node.input) > 2 and node.input[2]:
        units.join(weights[0], units.of(node.input[2])[0])
    return [None, weights[0], *[None] * (len(weights) - 2)]


@_rule("Gemm")
def _of_gemm(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    one, two = units.of(node.input[0]), units.of(node.input[1])
    left = one[::-1] if attributes.get("transA", 0) else one
    right = two[::-1] if attributes.get("transB", 0) else two
    if units.shape(node.input[1])[1 if attributes.get("transB", 0) else 0] > 1:
        units.join(left[1], right[0])
    if len(node.input) > 2 and units.shape(node.input[2])[-1:] not in ((), (1,)):
        units.join(right[1], units.of(node.input[2])[-1])
    return [left[0], right[1]]


@_rule("MatMul")
def _of_matmul(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    one, two = units.of(node.input[0]), units.of(node.input[1])
    if len(one) < 2 or len(two) < 2:
        units.fix_all(node.input)
        return [None] * len(units.shape(node.output[0]))
    if units.shape(node.input[0])[-1] > 1:
        units.join(one[-1], two[-2])
    for axis in (*one[:-2], *two[:-2]):
        units.fix(axis)
    return [*[None] * (len(units.shape(node.output[0])) - 2), one[-2], two[-1]]


@_rule("LSTM", "GRU")
def _of_recurrent(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    gates = 4 if attributes.op_type == "LSTM" else 3
    of_inputs, of_states = units.of(node.input[1]), units.of(node.input[2])
    if units.shape(node.input[0])[2] > 1:
        units.join(units.of(node.input[0])[2], of_inputs[2])
    hidden = of_states[2]
    assert hidden is not None or units.shape(node.input[2])[2] == 1  # noqa: S101  weights are constants
    repeated = None if hidden is None else np.tile(hidden, gates)
    units.join(of_inputs[1], repeated)
    units.join(of_states[1], repeated)
    for place, times in ((3, 2 * gates), (5, 1), (6, 1)):
        if place < len(node.input) and node.input[place]:
            units.join(units.of(node.input[place])[-1], None if hidden is None else np.tile(hidden, times))
    for name in node.input[1:4]:
        if name:
            units.fix(units.of(name)[0])
    for name in node.output[1:]:
        if name:
            units.axes[name] = [None, None, hidden]
    return [None, None, None, hidden]


@_rule("BatchNormalization", "InstanceNormalization")
def _of_normalization(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    axes = list(units.of(node.input[0]))
    for name in node.input[1:]:
        axes[1] = units.join(units.of(name)[0], axes[1])
    return axes


@_rule("LayerNormalization")
def _of_layer_normalization(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    axes = list(units.of(node.input[0]))
    if attributes.get("axis", -1) % len(axes) != len(axes) - 1 or attributes.num_outputs > 1:
        units.fix_all(node.input)
        return axes
    for name in filter(None, node.input[1:]):
        axes[-1] = units.join(units.of(name)[0], axes[-1])
    return axes


@_rule("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
def _of_pool(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    axes = units.of(node.input[0])
    return [axes[0], axes[1], *[None] * (len(axes) - 2)]


@_rule("Softmax", "LogSoftmax", "CumSum")
def _of_one_axis(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    axes = list(units.of(node.input[0]))
    if attributes.op_type == "CumSum":
        units.fix_all(node.input[:1])
        return axes
    units.fix(axes[attributes.get("axis", -1)])
    return axes


@_rule("Transpose")
def _of_transpose(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    axes = units.of(node.input[0])
    return [axes[place] for place in attributes.get("perm") or range(len(axes))[::-1]]


@_rule("Concat")
def _of_concat(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    shape = units.shape(node.output[0])
    along = attributes.get("axis") % len(shape)
    parts = [units.of(name) for name in node.input]
    found: list[Axis] = []
    for place in range(len(shape)):
        axes = [part[place] for part in parts]
        if place != along:
            for axis in axes[1:]:
                axes[0] = units.join(axes[0], axis) if shape[place] > 1 else None
            found.append(axes[0])
            continue
        # What is no unit, beside others that are, gets numbers that are fixed.
        sizes = [units.shape(name)[place] for name in node.input]
        if all(axis is None for axis in axes):
            found.append(None)
            continue
        for index, axis in enumerate(axes):
            if axis is None:
                axes[index] = units.new(sizes[index])
                units.fix(axes[index])
        found.append(np.concatenate([axis for axis in axes if axis is not None]))
    return found


@_rule("Gather")
def _of_gather(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    axes = units.of(node.input[0])
    along = attributes.get("axis", 0) % len(axes)
    units.fix(axes[along])
    return [*axes[:along], *[None] * len(units.shape(node.input[1])), *axes[along + 1 :]]


@_rule("GatherND")
def _of_gather_nd(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    axes, index = units.of(node.input[0]), units.shape(node.input[1])
    for axis in axes[: index[-1]]:
        units.fix(axis)
    return [*[None] * (len(index) - 1), *axes[index[-1] :]]


@_rule("Slice", "Split", "Pad", "Expand", "Tile")
def _of_part(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    """Axes that stay as they are hand their units on, where no constant says their size."""
    before, after = units.shape(node.input[0]), units.shape(node.output[0])
    axes = units.of(node.input[0])
    if len(before) != len(after) or attributes.op_type in ("Expand", "Tile"):
        units.fix_all(node.input[:1])
        return [None] * len(after)
    for axis, old, new in zip(axes, before, after, strict=True):
        if old != new:
            units.fix(axis)
    found = [axis if old == new else None for axis, old, new in zip(axes, before, after, strict=True)]
    for name in node.output[1:]:
        if name:
            units.axes[name] = list(found)
    return found


@_rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _of_reshape(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    """By the shortest runs of axes that hold as many values before and after."""
    before, after = units.shape(node.input[0]), units.shape(node.output[0])
    axes, found = units.of(node.input[0]), [None] * len(after)
    result: list[Axis] = list(found)
    old = new = 0
    while old < len(before) and new < len(after):
        first, begin = old, new
        left, right = before[old], after[new]
        old, new = old + 1, new + 1
        while left != right:
            if left < right:
                left, old = left * before[old], old + 1
            else:
                right, new = right * after[new], new + 1
        run, sizes = axes[first:old], before[first:old]
        wide = [place for place in range(begin, new) if after[place] > 1]
        tracked = [place for place, axis in enumerate(run) if axis is not None]
        if len(tracked) == 1 and len(wide) == 1:
            numbers = run[tracked[0]]
            assert numbers is not None  # noqa: S101  it is tracked
            shape = [1] * len(sizes)
            shape[tracked[0]] = sizes[tracked[0]]
            result[wide[0]] = np.broadcast_to(numbers.reshape(shape), sizes).reshape(-1).copy()
        else:
            for axis in run:
                units.fix(axis)
    return result


@_rule("Shape", "Size", "Range", "ConstantOfShape")
def _of_sizes(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    """What is counted anew at every run."""
    return [None] * len(units.shape(node.output[0]))


@_rule("ArgMax", "ArgMin")
def _of_arg(units: Units, node: onnx.NodeProto, _: Attributes) -> list[Axis]:
    units.fix_all(node.input[:1])
    return [None] * len(units.shape(node.output[0]))


@_rule(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"
)
def _of_reduction(units: Units, node: onnx.NodeProto, attributes: Attributes) -> list[Axis]:
    """Units are fixed where the values of several are made one."""
    axes = list(units.of(node.input[0]))
    given = attributes.get("axes")
    if len(node.input) > 1 and node.input[1]:
        given = units.constant(node.input[1])
    if given is None:
        units.fix_all(node.input[:1])
        return [None] * len(units.shape(node.output[0]))
    chosen = {int(axis) % len(axes) for axis in given}
    for place in chosen:
        units.fix(axes[place])
    if attributes.get("keepdims", 1):
        return [None if place in chosen else axis for place, axis in enumerate(axes)]
    return [axis for place, axis in enumerate(axes) if place not in chosen]
