"""The differentiable core of a whole graph: what lies between the encoding of raw columns and the answer.

It reaches from the answer backwards as far as operators are known to torch, or to features of ours. What lies before is
the encoding, which ONNX Runtime computes once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from aimass_core.domain.signatures import Signature
from batch_jobs.algorithms.export.assembly import PROBABILITIES, VALUE
from batch_jobs.algorithms.export.builder import INNER_PREFIX
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.networks.graphs import Array, EditableGraph, read_names
from batch_jobs.compress.networks.operators import OPERATORS
from batch_jobs.data.frames import Frame
from batch_jobs.evaluate.scoring import to_inputs

_MAX_ROWS = 4096
_PLAIN = ("", "ai.onnx")

WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "BatchNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "Gather": (0,),
    "PRelu": (1,),
}
"""The inputs of operators that are weights, where they are constants of float32; of Gather tables alone."""
_SHIFTED = ("Add", "Sub", "Mul", "Div")


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A graph in which torch can train: `nodes` from `features` to `answer`, and the constants that are `weights`.

    `logits` is what the answer is the softmax or the sigmoid of, where it is one.
    """

    graph: EditableGraph
    nodes: Sequence[onnx.NodeProto]
    features: tuple[str, ...]
    weights: tuple[str, ...]
    answer: str
    logits: str | None


def find_core(graph: EditableGraph, signature: Signature) -> Core:
    """Raises UnfitError where nothing that is trained lies between encoding and answer."""
    answer = VALUE if signature.labels is None else PROBABILITIES
    types = _element_types(graph)
    nodes, features = _walk(graph, answer, types)
    weights = tuple(dict.fromkeys(_find_weights(graph, nodes)))
    if not weights:
        raise UnfitError(_why_not(graph, nodes))
    return Core(
        graph=graph,
        nodes=nodes,
        features=features,
        weights=weights,
        answer=answer,
        logits=_find_logits(graph, answer),
    )


def encode(core: Core, frame: Frame, signature: Signature) -> dict[str, Array]:
    """The features of rows, by name. Texts of different batches are filled up to one length.

    Raises:
        UnfitError: A feature is not of one row each.
    """
    given = to_inputs(frame, signature)
    found = {name: given[name] for name in core.features if name in given}
    wanted = [name for name in core.features if name not in given]
    if wanted:
        found |= _compute(core, given, wanted)
    for name, values in found.items():
        if values.ndim == 0 or len(values) != frame.num_rows:
            raise UnfitError(f"the value {name!r}, from which the network could be trained, is not of one row each")
    return found


def _compute(core: Core, given: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
    types = _element_types(core.graph)
    model = core.graph.extract({name: types.get(name, TensorProto.FLOAT) for name in wanted})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    num_rows = len(next(iter(given.values())))
    batches = [
        session.run(wanted, {name: given[name][start : start + _MAX_ROWS] for name in names})
        for start in range(0, num_rows, _MAX_ROWS)
    ]
    return {name: _join([batch[index] for batch in batches]) for index, name in enumerate(wanted)}


def _join(parts: Sequence[Array]) -> Array:
    if parts[0].ndim < 2:
        return np.concatenate(parts)
    length = max(part.shape[1] for part in parts)
    filling = np.nan if parts[0].dtype.kind == "f" else 0
    return np.concatenate(
        [
            np.pad(part, [(0, 0), (0, length - part.shape[1]), *[(0, 0)] * (part.ndim - 2)], constant_values=filling)
            for part in parts
        ]
    )


def _element_types(graph: EditableGraph) -> dict[str, int]:
    # NOTE: It ends quietly where it cannot go on, and what it does not know counts as numbers.
    model = onnx.shape_inference.infer_shapes(graph.to_model())
    values = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def is_known(node: onnx.NodeProto) -> bool:
    """Whether there is a function of torch for such an operator."""
    return node.domain in _PLAIN and node.op_type in OPERATORS


def is_features(name: str) -> bool:
    """Whether the value is what an encoding of ours puts out, in an ensemble too."""
    return name == FEATURES or (name.startswith(INNER_PREFIX) and name.endswith(f"/{FEATURES}"))


def _walk(graph: EditableGraph, answer: str, types: Mapping[str, int]) -> tuple[list[onnx.NodeProto], tuple[str, ...]]:
    producers = graph.producers()

    def begins(name: str) -> bool:
        node = producers.get(name)
        if node is None or is_features(name) or not is_known(node):
            return True
        kinds = [types.get(read) for read in node.input if read and read not in graph.constants]
        return TensorProto.STRING in kinds

    if answer not in producers:
        raise UnfitError(f"the graph has no output {answer!r}")
    features = {
        name
        for node in graph.ancestors([answer])
        for name in (*node.input, *node.output)
        if name and name not in graph.constants and name != answer and begins(name)
    }
    nodes = graph.ancestors([answer], until=features)
    read = {name for node in nodes for name in node.input}
    return nodes, tuple(sorted(features & read))


def _find_weights(graph: EditableGraph, nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """And what is added to, or multiplied with, values that come of weights: biases and scales of their own."""
    trained: set[str] = set()
    for node in nodes:
        own = [node.input[place] for place in WEIGHTS.get(node.op_type, ()) if place < len(node.input)]
        found = [name for name in own if _is_weight(graph, name, of=node.op_type)]
        if trained.intersection(node.input) and node.op_type in _SHIFTED:
            found += [name for name in node.input if _is_weight(graph, name, of=node.op_type)]
        if found or trained.intersection(read_names(node)):
            trained.update(filter(None, node.output))
        yield from found


def _is_weight(graph: EditableGraph, name: str, *, of: str) -> bool:
    if name not in graph.constants or graph.constants.element_type(name) != TensorProto.FLOAT:
        return False
    values = graph.constants[name]
    return bool(values.size > 1 and (of != "Gather" or values.ndim == 2) and np.isfinite(values).all())


def _find_logits(graph: EditableGraph, answer: str) -> str | None:
    producers = graph.producers()
    node = producers.get(answer)
    while node is not None and node.op_type in ("Identity", "Cast"):
        node = producers.get(node.input[0])
    if node is not None and node.op_type in ("Softmax", "Sigmoid"):
        return str(node.input[0])
    return None


def _why_not(graph: EditableGraph, nodes: Sequence[onnx.NodeProto]) -> str:
    reached = {id(node) for node in nodes}
    others = sorted({node.op_type for node in graph.nodes if id(node) not in reached and not is_known(node)})
    if any(name.startswith("TreeEnsemble") for name in others):
        return "the model has trees and no network"
    if any("Linear" in name or name.startswith(("QGemm", "QAttention", "MatMulInteger")) for name in others):
        return "the network is quantized already: compress the model that it was made from"
    reason = f"; between its inputs and its answer are the operators {', '.join(others)}" if others else ""
    return f"the graph has no layer with trained float32 weights{reason}"
