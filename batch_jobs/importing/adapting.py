"""Brings a converted graph into the form that our models have: a column for each input, labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, inliner, version_converter

from aimass_core.domain.graph_check import GraphError
from aimass_core.domain.model_imports import ImportSpec, Scores
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.assembly import LABEL, PROBABILITIES, VALUE, name_inputs
from batch_jobs.algorithms.export.builder import OPSET, GraphBuilder
from batch_jobs.importing.contract import Array, Description

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_MAX_COLUMNS = 2_000
# Since then the operators that are used here mean what they mean.
_OLDEST_OPSET = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """The graph and what it takes and gives; `columns` are those that one matrix was made of."""

    model: onnx.ModelProto
    signature: Signature
    columns: list[str] | None


def adapt(
    model: onnx.ModelProto, spec: ImportSpec, description: Description, answers: Sequence[Array]
) -> Adapted | None:
    """None where nothing says what its outputs mean: then it is served as it is, tensors in, tensors out.

    Raises:
        GraphError: What was said of it does not fit it.
    """
    task = spec.task or (description.task if not (spec.labels and len(spec.labels) > 2) else Task.MULTICLASS)
    if task in (None, Task.CUSTOM):
        return None
    common = _modern(model)
    graph = GraphBuilder("imported")
    inputs, names, columns = _add_inputs(graph, common, spec.columns or description.columns)
    outputs = {value.name: place for place, value in enumerate(common.graph.output)}
    wanted = description.scores or common.graph.output[-1].name
    place = outputs[wanted]
    scores = graph.insert(_bare(common), names)[place]
    found = answers[place]
    if found.dtype.kind != "f" or found.ndim not in (1, 2):
        raise GraphError(
            f"its output {wanted!r} has the shape {list(found.shape)} of {found.dtype}, which is no {task}: import it "
            "as custom (--task custom)"
        )
    if task is Task.REGRESSION:
        specs, labels = _add_value(graph, scores, found), None
    else:
        labels = _find_labels(task, spec, description, found)
        specs = _add_labels(graph, scores, found, labels, spec.scores)
    whole = graph.build()
    del whole.opset_import[:]
    whole.opset_import.extend(common.opset_import)
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=task,
        target=spec.target or "target",
        inputs=inputs,
        outputs=specs,
        labels=labels,
    )
    return Adapted(model=whole, signature=signature, columns=columns)


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without functions, and not older than the operators that are put around it."""
    inlined = inliner.inline_local_functions(model) if model.functions else model
    version = max(opset.version for opset in inlined.opset_import if opset.domain in ("", "ai.onnx"))
    if version >= _OLDEST_OPSET:
        return inlined
    try:
        return version_converter.convert_version(inlined, OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise GraphError(f"it is of opset {version} and cannot be brought to {OPSET}: {str(error)[:200]}") from error


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Initializers that are listed as inputs too are no inputs."""
    own = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in own]
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.input[:]
    bare.graph.input.extend(kept)
    return bare


def _add_inputs(
    graph: GraphBuilder, model: onnx.ModelProto, columns: Sequence[str] | None
) -> tuple[list[TensorSpec], dict[str, str], list[str] | None]:
    """The inputs' descriptions, the value of each of the model's own, and the columns of one matrix."""
    values = list(_bare(model).graph.input)
    kinds = [value.type.tensor_type.elem_type for value in values]
    shapes = [[size.dim_value or -1 for size in value.type.tensor_type.shape.dim] for value in values]
    if len(values) == 1 and kinds[0] in _FLOATS and len(shapes[0]) == 2 and shapes[0][1] != 1:
        width = shapes[0][1] if shapes[0][1] > 0 else len(columns or [])
        if columns is not None and len(columns) != width:
            raise GraphError(f"it reads {width} features, and {len(columns)} columns are named")
        if 0 < width <= _MAX_COLUMNS:
            names = list(columns or [f"x{index}" for index in range(width)])
            if len(set(names)) < len(names):
                raise GraphError("two of its columns have one name")
            called = name_inputs(names)
            given_columns = [graph.input(called[name], TensorProto.FLOAT, ["rows", 1]) for name in names]
            joined = graph.node("Concat", *given_columns, axis=1)
            cast = joined if kinds[0] == TensorProto.FLOAT else graph.node("Cast", joined, to=kinds[0])
            return [_number(called[name], name) for name in names], {values[0].name: cast}, names
    specs, given = [], {}
    called = name_inputs([value.name for value in values])
    for value, kind, shape in zip(values, kinds, shapes, strict=True):
        name = called[value.name]
        if kind not in _DATATYPES:
            raise GraphError(f"its input {value.name!r} is of a type that is not served (number {kind} of ONNX)")
        sizes = ["rows", *[size if size > 0 else f"{name} {index}" for index, size in enumerate(shape[1:], 1)]]
        given[value.name] = graph.input(name, kind, sizes)
        spec = TensorSpec(name=name, datatype=_DATATYPES[kind], shape=[-1, *shape[1:]])
        if shape[1:] == [1] and spec.datatype in _COLUMN_TYPES:
            spec = spec.model_copy(update={"column": value.name, "column_type": _COLUMN_TYPES[spec.datatype]})
        specs.append(spec)
    return specs, given, None


_DATATYPES = {
    TensorProto.STRING: Datatype.BYTES,
    TensorProto.BOOL: Datatype.BOOL,
    **{getattr(TensorProto, each): each for each in Datatype if each.startswith(("INT", "UINT"))},
    TensorProto.FLOAT16: Datatype.FP16,
    TensorProto.FLOAT: Datatype.FP32,
    TensorProto.DOUBLE: Datatype.FP64,
}
_COLUMN_TYPES = {Datatype.FP32: ColumnType.NUMBER, Datatype.BYTES: ColumnType.STRING}


def _number(name: str, column: str) -> TensorSpec:
    return TensorSpec(name=name, datatype=Datatype.FP32, shape=[-1, 1], column=column, column_type=ColumnType.NUMBER)


def _add_value(graph: GraphBuilder, scores: str, found: Array) -> list[TensorSpec]:
    if found.ndim == 2 and found.shape[1] != 1:
        raise GraphError(f"a regression answers one value a row, and it answers {found.shape[1]}")
    flat = graph.node("Reshape", scores, graph.constant([-1], np.int64))
    graph.output(graph.node("Cast", flat, to=TensorProto.FLOAT), VALUE, TensorProto.FLOAT, ["rows"])
    return [TensorSpec(name=VALUE, datatype=Datatype.FP32, shape=[-1])]


def _find_labels(task: Task, spec: ImportSpec, description: Description, found: Array) -> list[str]:
    width = 1 if found.ndim == 1 else found.shape[1]
    num_labels = max(width, 2)
    labels = spec.labels or description.labels or [str(index) for index in range(num_labels)]
    if len(labels) != num_labels:
        raise GraphError(f"it tells {num_labels} classes apart, and {len(labels)} labels are named")
    if len(set(labels)) < len(labels):
        raise GraphError("two of its labels are the same")
    if task is Task.BINARY and num_labels != 2:
        raise GraphError(f"it tells {num_labels} classes apart, which is not binary: say --task multiclass")
    return list(labels)


def _add_labels(
    graph: GraphBuilder, scores: str, found: Array, labels: Sequence[str], kind: Scores
) -> list[TensorSpec]:
    """`label` and `probabilities`; of one output a row it is the second label's."""
    width = 1 if found.ndim == 1 else found.shape[1]
    if kind is Scores.PROBABILITIES:
        _check_probabilities(found)
    values = graph.node("Cast", scores, to=TensorProto.FLOAT)
    if width == 1:
        second = graph.node("Reshape", values, graph.constant([-1, 1], np.int64))
        if kind is Scores.LOGITS:
            second = graph.node("Sigmoid", second)
        values = graph.node("Concat", graph.node("Sub", graph.constant(1, np.float32), second), second, axis=1)
    elif kind is Scores.LOGITS:
        values = graph.node("Softmax", values, axis=1)
    best = graph.node("ArgMax", values, axis=1, keepdims=0)
    graph.output(graph.node("Gather", graph.texts(labels), best), LABEL, TensorProto.STRING, ["rows"])
    graph.output(values, PROBABILITIES, TensorProto.FLOAT, ["rows", len(labels)])
    return [
        TensorSpec(name=LABEL, datatype=Datatype.BYTES, shape=[-1]),
        TensorSpec(name=PROBABILITIES, datatype=Datatype.FP32, shape=[-1, len(labels)]),
    ]


def _check_probabilities(found: Array) -> None:
    values = found.reshape(len(found), -1).astype(np.float64)
    sums = values.sum(axis=1) if values.shape[1] > 1 else np.ones(len(values))
    if values.min() < -1e-3 or values.max() > 1 + 1e-3 or np.abs(sums - 1).max() > 1e-2:
        raise GraphError(
            f"its scores lie between {values.min():.3g} and {values.max():.3g}, which are no probabilities: say what "
            "they are (--scores logits), or import it as custom (--task custom)"
        )
