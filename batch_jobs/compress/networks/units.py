"""Which channels and units of a network hang together: what is removed in one place has to go in all of them.

Every axis of every tensor whose places are units has an array of their numbers. Operators join numbers (an addition
those of both its sides, a convolution those of its input and of its kernels), repeat them (flattening), or set them one
behind the other (concatenation). What is not understood is fixed: it stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from torch import Tensor

from batch_jobs.compress.networks.core import Core, is_features
from batch_jobs.compress.networks.graphs import Array, EditableGraph, read_names

Axis = Array | None
"""Numbers of units, or None where places are none: rows, steps, pixels."""


class Units:
    """Numbers of units, and which of them are one."""

    def __init__(self, graph: EditableGraph, trace: Mapping[str, Tensor]) -> None:
        self._graph, self._trace = graph, trace
        self._parents: list[int] = []
        self._layers: list[int] = []
        self._fixed: set[int] = set()
        self.axes: dict[str, list[Axis]] = {}

    @property
    def count(self) -> int:
        """Of all numbers."""
        return len(self._parents)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the rows that were traced."""
        return tuple(self._trace[name].shape)

    def constant(self, name: str) -> Array | None:
        """Its values, where it is one."""
        return self._graph.constants.get(name)

    def of(self, name: str) -> list[Axis]:
        """The axes of a value. Those of a constant are units until something says otherwise."""
        if name not in self.axes:
            is_constant = name in self._graph.constants
            sizes = self._graph.constants[name].shape if is_constant else self.shape(name)
            self.axes[name] = [self.new(size) if is_constant and size > 1 else None for size in sizes]
        return self.axes[name]

    def new(self, size: int) -> Array:
        """So many units of a layer of their own."""
        first = len(self._parents)
        self._parents.extend(range(first, first + size))
        self._layers.extend([first] * size)
        return np.arange(first, first + size)

    def join(self, one: Axis, two: Axis) -> Axis:
        """Each unit with the one in the same place. Units that meet places which are none are fixed."""
        if one is None or two is None or len(one) != len(two):
            self.fix(one)
            self.fix(two)
            return None
        for first, second in zip(one.tolist(), two.tolist(), strict=True):
            self._union(first, second)
        return one

    def fix(self, axis: Axis) -> None:
        """None of them may be removed."""
        if axis is not None:
            self._fixed.update(axis.tolist())

    def fix_all(self, names: Iterable[str]) -> None:
        """Of all axes of these values."""
        for name in names:
            for axis in self.of(name):
                self.fix(axis)

    def roots(self, axis: Array) -> Array:
        """One number for all units that are one."""
        return np.array([self._find(unit) for unit in axis.tolist()], dtype=np.int64)

    def free_layers(self) -> list[Array]:
        """The units (roots) that may be removed, by the layers that hang together."""
        fixed = {self._find(unit) for unit in self._fixed}
        joined: dict[int, int] = {}

        def top(layer: int) -> int:
            while (upper := joined.get(layer, layer)) != layer:
                layer = upper
            return layer

        for unit in range(len(self._parents)):
            one, two = top(self._layers[unit]), top(self._layers[self._find(unit)])
            joined[max(one, two)] = min(one, two)
        found: dict[int, set[int]] = {}
        for unit in range(len(self._parents)):
            if (root := self._find(unit)) not in fixed:
                found.setdefault(top(self._layers[unit]), set()).add(root)
        return [np.array(sorted(units)) for units in found.values()]

    def _find(self, unit: int) -> int:
        while self._parents[unit] != unit:
            self._parents[unit] = self._parents[self._parents[unit]]
            unit = self._parents[unit]
        return unit

    def _union(self, one: int, two: int) -> None:
        first, second = self._find(one), self._find(two)
        self._parents[max(first, second)] = min(first, second)


def fix_ends(units: Units, core: Core) -> None:
    """What the answer and other operators than those of the core read stays as it is."""
    inside = {id(node) for node in core.nodes}
    made = {name for node in core.nodes for name in node.output}
    outside = {name for node in core.graph.nodes if id(node) not in inside for name in read_names(node)}
    used = {name for node in core.nodes for name in node.input if name in core.graph.constants}
    ends = {core.answer, *core.graph.outputs, *outside} & (made | used)
    units.fix_all(sorted(name for name in ends if not is_features(name)))


def remove(core: Core, units: Units, removed: Iterable[int]) -> None:
    """Takes units (roots) out of all weights, and out of what operators say of their sizes."""
    gone = set(removed)

    def kept(axis: Array) -> Array:
        return np.array([unit not in gone for unit in units.roots(axis).tolist()], dtype=bool)

    constants = core.graph.constants
    for name in constants.names():
        values = constants[name] if name in units.axes else None
        if values is None:
            continue
        for place, axis in enumerate(units.axes[name]):
            if axis is not None and not (stays := kept(axis)).all():
                values = values.compress(stays, axis=place)
        if values is not constants[name]:
            constants[name] = values
    for node in core.nodes:
        _adapt(core.graph, node, [None if axis is None else int(kept(axis).sum()) for axis in units.of(node.output[0])])


def _adapt(graph: EditableGraph, node: onnx.NodeProto, sizes: Sequence[int | None]) -> None:
    for attribute in node.attribute:
        if attribute.name == "hidden_size" and sizes[-1] is not None:
            attribute.i = sizes[-1]
        if attribute.name == "group" and attribute.i > 1 and sizes[1] is not None:
            attribute.i = sizes[1]
    if node.op_type == "Reshape" and node.input[1] in graph.constants:
        wanted = graph.constants[node.input[1]].copy()
        for place, size in enumerate(sizes):
            if size is not None and wanted[place] > 0:
                wanted[place] = size
        node.input[1] = graph.add_constant("shape", wanted)
