"""What methods have in common that change graphs: which they may touch, constants folded, names."""

import itertools
import re
import string
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime
from onnx import TensorProto

from aimass_core.domain import graph_check
from batch_jobs.algorithms.export.names import defined_names, rename
from batch_jobs.compress.contract import UnfitError
from batch_jobs.evaluate.scoring import ORT_ERRORS

_LANDMARK = re.compile(r"^features$|^aimass/(member \d+/)*((aimass/)?(model|answer)/(features|scores))$")
"""Values by which methods, fusions and decompositions find the parts of our graphs."""
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def require_standard(model: onnx.ModelProto) -> None:
    """Raises UnfitError for a graph that has operators which would not be served, or data elsewhere."""
    nodes = (node for graph in _all_graphs(model.graph) for node in graph.node)
    own = sorted({node.domain for node in nodes if not graph_check.is_run(node.domain, node.op_type)})
    if own:
        raise UnfitError(f"it has operators of the domain {own[0]!r}, and only those of ONNX itself are understood")
    if model.functions:
        raise UnfitError("it has functions of its own; export it with these written out")
    for constant in _all_constants(model.graph):
        if constant.data_location == TensorProto.EXTERNAL or constant.external_data:
            raise UnfitError(f"the data of {constant.name!r} lies outside of the file; save it as one file")


def fold(model: onnx.ModelProto, scratch_path: Path) -> onnx.ModelProto:
    """With constants computed and operators joined, by operators of ONNX itself: what holds on any machine.

    Values that have a meaning keep their names.
    """
    require_standard(model)
    marked = _copy(model)
    outputs = {value.name for value in marked.graph.output}
    for name in sorted({*defined_names(marked.graph)} - outputs):
        if _LANDMARK.match(name):
            marked.graph.output.append(onnx.ValueInfoProto(name=name))
    path = scratch_path / "folded.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    # NOTE: else it computes weights that are stored as integers, and stores them as floats.
    options.add_session_config_entry("session.disable_quant_qdq", "0")
    try:
        onnxruntime.InferenceSession(marked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise UnfitError(f"ONNX Runtime refuses it: {str(error).splitlines()[0][:200]}") from error
    folded = onnx.load(path)
    path.unlink()
    kept = [value for value in folded.graph.output if value.name in outputs]
    del folded.graph.output[:], folded.opset_import[:], folded.graph.value_info[:]
    # NOTE: ONNX Runtime declares all domains that it knows, and shapes of its own.
    folded.graph.output.extend(kept)
    folded.opset_import.extend(model.opset_import)
    for own, known in zip(folded.graph.output, model.graph.output, strict=True):
        own.CopyFrom(known)
    folded.ir_version, folded.producer_name, folded.producer_version = model.ir_version, model.producer_name, ""
    for node in folded.graph.node:
        node.ClearField("doc_string")
    return folded


def activate_early(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which what a convolution gives is cut off at zero before the largest of it are taken, and not after.

    It is the same, and ONNX Runtime does it within the convolution. Networks are trained the other way round, where it
    is the quicker one.
    """
    new = _copy(model)
    makers = {node.output[0]: node for node in new.graph.node}
    counts: dict[str, int] = {value.name: 1 for value in new.graph.output}
    for graph in _all_graphs(new.graph):
        for name in (name for node in graph.node for name in node.input):
            counts[name] = counts.get(name, 0) + 1
    for relu in new.graph.node:
        pool = makers.get(relu.input[0]) if relu.op_type == "Relu" else None
        if pool is None or pool.op_type != "MaxPool" or len(pool.output) > 1 or counts[pool.output[0]] > 1:
            continue
        convolution = makers.get(pool.input[0])
        if convolution is not None and convolution.op_type == "Conv" and counts[pool.input[0]] == 1:
            # Each becomes the other: operators stay in order.
            first, second = onnx.NodeProto(), onnx.NodeProto()
            first.CopyFrom(relu)
            second.CopyFrom(pool)
            middle = pool.output[0]
            first.input[0], first.output[0] = pool.input[0], middle
            second.input[0], second.output[0] = middle, relu.output[0]
            pool.CopyFrom(first)
            relu.CopyFrom(second)
    # NOTE: what is between them has another shape now.
    del new.graph.value_info[:]
    return new


def shorten_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Names are a part of the file. Inputs, outputs and values that have a meaning keep theirs."""
    new = _copy(model)
    own = {value.name for value in (*new.graph.input, *new.graph.output)}
    taken = {*own}
    names: dict[str, str] = {}
    fresh = _short_names()
    for name in defined_names(new.graph):
        if name in own or name in names or _LANDMARK.match(name):
            continue
        names[name] = next(each for each in fresh if each not in taken)
    rename(new.graph, names)
    for graph in _all_graphs(new.graph):
        del graph.value_info[:]
        for node in graph.node:
            node.ClearField("name")
            node.ClearField("doc_string")
            del node.metadata_props[:]
    return new


def has_randomness(model: onnx.ModelProto) -> bool:
    """Whether operators that look equal may differ."""
    return any(node.op_type in _RANDOM for graph in _all_graphs(model.graph) for node in graph.node)


def _all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _all_graphs(inner)


def _all_constants(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    for each in _all_graphs(graph):
        yield from each.initializer
        for node in each.node:
            yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _short_names() -> Iterator[str]:
    for length in itertools.count(1):
        yield from ("".join(letters) for letters in itertools.product(string.ascii_letters, repeat=length))


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
