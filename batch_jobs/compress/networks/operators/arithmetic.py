"""Operators that work on each value, reduce values, or choose among them."""

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from batch_jobs.compress.networks.operators.registry import (
    DTYPES,
    OPERATORS,
    Attributes,
    Results,
    UnsupportedError,
    axes_of,
    operator,
)

OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": functional.hardswish,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Mish": functional.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Softplus": functional.softplus,
    "Softsign": functional.softsign,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
}
OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Sub": torch.sub,
    "Xor": torch.logical_xor,
}


def _of_one(function: Callable[[Tensor], Tensor]) -> Callable[..., Results]:
    return lambda node, values: function(values)  # noqa: ARG005  what every operator is given


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Results]:
    return lambda node, one, two: function(one, two)  # noqa: ARG005


OPERATORS |= {name: _of_one(one) for name, one in OF_ONE.items()}
OPERATORS |= {name: _of_two(two) for name, two in OF_TWO.items()}


@operator("Identity", "Dropout")
def identity(
    node: Attributes, values: Tensor, ratio: Tensor | None = None, is_training: Tensor | None = None
) -> Results:
    """Dropout as it is in a trained model."""
    if is_training is not None and bool(is_training) and (ratio is None or float(ratio) > 0):
        raise UnsupportedError("Dropout in training")
    if node.num_outputs > 1:
        return values, torch.ones_like(values, dtype=torch.bool)
    return values


@operator("Div")
def div(node: Attributes, one: Tensor, two: Tensor) -> Tensor:  # noqa: ARG001
    """Whole numbers are rounded towards zero."""
    return torch.div(one, two, rounding_mode=None if one.is_floating_point() else "trunc")


@operator("Pow")
def power(node: Attributes, one: Tensor, two: Tensor) -> Tensor:  # noqa: ARG001
    """Of the base's datatype."""
    return torch.pow(one, two).to(one.dtype)


@operator("Mod")
def mod(node: Attributes, one: Tensor, two: Tensor) -> Tensor:
    """The sign is the divisor's, of `fmod` the dividend's."""
    return torch.fmod(one, two) if node.get("fmod", 0) else torch.remainder(one, two)


@operator("Sum", "Max", "Min", "Mean")
def several(node: Attributes, *values: Tensor) -> Tensor:
    """Of any number of tensors, value by value."""
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "Sum": torch.add,
        "Mean": torch.add,
        "Max": torch.maximum,
        "Min": torch.minimum,
    }
    total = reduce(functions[node.op_type], values)
    return total / len(values) if node.op_type == "Mean" else total


_ACTIVATIONS: dict[str, Callable[[Attributes, Tensor], Tensor]] = {
    "LeakyRelu": lambda node, values: functional.leaky_relu(values, node.get("alpha", 0.01)),
    "Elu": lambda node, values: functional.elu(values, node.get("alpha", 1.0)),
    "Celu": lambda node, values: functional.celu(values, node.get("alpha", 1.0)),
    "Selu": lambda node, values: (
        functional.elu(values, node.get("alpha", 1.6732632423543772)) * node.get("gamma", 1.0507009873554805)
    ),
    "HardSigmoid": lambda node, values: torch.clamp(values * node.get("alpha", 0.2) + node.get("beta", 0.5), 0.0, 1.0),
    "Gelu": lambda node, values: functional.gelu(values, approximate=node.get("approximate", "none")),
}


@operator(*_ACTIVATIONS)
def activate(node: Attributes, values: Tensor) -> Tensor:
    """Activations with parameters."""
    return _ACTIVATIONS[node.op_type](node, values)


@operator("PRelu")
def prelu(node: Attributes, values: Tensor, slope: Tensor) -> Tensor:  # noqa: ARG001
    """A slope that is learned."""
    return torch.where(values < 0, values * slope, values)


@operator("Clip")
def clip(node: Attributes, values: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """The upper limit wins where it is below the lower one."""
    least = node.get("min") if low is None else low
    most = node.get("max") if high is None else high
    if least is not None:
        values = torch.maximum(values, torch.as_tensor(least, dtype=values.dtype))
    return values if most is None else torch.minimum(values, torch.as_tensor(most, dtype=values.dtype))


@operator("Cast", "CastLike")
def cast(node: Attributes, values: Tensor, like: Tensor | None = None) -> Tensor:
    """Among numbers and booleans."""
    if like is not None:
        return values.to(like.dtype)
    if node.get("to") not in DTYPES:
        raise UnsupportedError(f"Cast to the datatype {node.get('to')}")
    return values.to(DTYPES[node.get("to")])


@operator("Where")
def where(node: Attributes, condition: Tensor, one: Tensor, two: Tensor) -> Tensor:  # noqa: ARG001
    """As torch has it."""
    return torch.where(condition, one, two)


@operator("IsInf")
def is_inf(node: Attributes, values: Tensor) -> Tensor:
    """Of both signs."""
    node.require("detect_negative", 1)
    node.require("detect_positive", 1)
    return torch.isinf(values)


_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceSum": torch.sum,
    "ReduceMean": torch.mean,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceL1": lambda values, dim, keepdim: values.abs().sum(dim, keepdim),
    "ReduceL2": lambda values, dim, keepdim: values.square().sum(dim, keepdim).sqrt(),
    "ReduceSumSquare": lambda values, dim, keepdim: values.square().sum(dim, keepdim),
    "ReduceLogSumExp": torch.logsumexp,
}


@operator(*_REDUCTIONS)
def reduce_axes(node: Attributes, values: Tensor, axes: Tensor | None = None) -> Tensor:
    """Over all axes where none are named, unless that is to do nothing."""
    chosen = axes_of(node, axes)
    if chosen is None:
        if node.get("noop_with_empty_axes", 0):
            return values
        chosen = list(range(values.ndim))
    # torch sums int32 as int64, and has no least of booleans.
    return _REDUCTIONS[node.op_type](values, dim=chosen, keepdim=bool(node.get("keepdims", 1))).to(values.dtype)


@operator("ArgMax", "ArgMin")
def arg_extreme(node: Attributes, values: Tensor) -> Tensor:
    """The first one where several are equal."""
    node.require("select_last_index", 0)
    function = torch.argmax if node.op_type == "ArgMax" else torch.argmin
    return function(values, dim=node.get("axis", 0), keepdim=bool(node.get("keepdims", 1)))


@operator("CumSum")
def cumulative_sum(node: Attributes, values: Tensor, axis: Tensor) -> Tensor:
    """From the beginning."""
    node.require("exclusive", 0)
    node.require("reverse", 0)
    return torch.cumsum(values, dim=int(axis)).to(values.dtype)


@operator("Softmax", "LogSoftmax")
def softmax(node: Attributes, values: Tensor) -> Tensor:
    """Since opset 13: along one axis."""
    function = torch.softmax if node.op_type == "Softmax" else torch.log_softmax
    return function(values, dim=node.get("axis", -1))
