"""One model in memory: an ONNX Runtime session that agrees with its signature."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from aimass_core.domain.endpoints import ServedMember
from aimass_core.domain.graph_check import GraphError
from aimass_core.domain.serving_graphs import ServingGraph
from aimass_core.domain.signatures import Datatype, Signature, TensorSpec
from aimass_core.errors import DeadlineExceededError, InvalidDataError
from aimass_core.inference.limits import MAX_VALUES_AT_ONCE
from aimass_core.inference.serving.deadlines import Deadlines

Array = NDArray[Any]
Tensors = Mapping[str, Array]

NUMPY_TYPES: Mapping[Datatype, Any] = {
    Datatype.BYTES: np.object_,
    Datatype.BOOL: np.bool_,
    Datatype.INT8: np.int8,
    Datatype.INT16: np.int16,
    Datatype.INT32: np.int32,
    Datatype.INT64: np.int64,
    Datatype.UINT8: np.uint8,
    Datatype.UINT16: np.uint16,
    Datatype.UINT32: np.uint32,
    Datatype.UINT64: np.uint64,
    Datatype.FP16: np.float16,
    Datatype.FP32: np.float32,
    Datatype.FP64: np.float64,
}
_ORT_TYPES = {
    Datatype.BYTES: "tensor(string)",
    Datatype.BOOL: "tensor(bool)",
    **{each: f"tensor({each.lower()})" for each in Datatype if each.startswith(("INT", "UINT"))},
    Datatype.FP16: "tensor(float16)",
    Datatype.FP32: "tensor(float)",
    Datatype.FP64: "tensor(double)",
}
_ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    value for value in vars(ort_errors).values() if isinstance(value, type) and issubclass(value, Exception)
)
_FATAL_ONLY = 4
_MIN_SECONDS = 0.05
_DEADLINES = Deadlines()


class AnyModel(Protocol):
    """What answers for a version, whether as one graph or as several."""

    @property
    def signature(self) -> Signature:
        """Of the whole."""

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combines:
    """What a combining graph combines; the members in the order of the graph, each with its number in the registry."""

    graph: ServingGraph
    members: Sequence[ServedMember]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """Ready to run."""

    session: Any
    signature: Signature
    digest: str
    num_bytes: int
    combines: Combines | None = None
    """Of a fusion whose members are loaded for themselves."""

    def run(
        self, inputs: Tensors, *, outputs: Sequence[str], seconds: float, constants: Tensors = MappingProxyType({})
    ) -> dict[str, Array]:
        """The named outputs. `constants` are inputs without rows.

        Raises:
            InvalidDataError: The graph refuses these inputs.
            DeadlineExceededError: It took longer than `seconds`; it was stopped.
        """
        options = ort.RunOptions()
        options.log_severity_level = _FATAL_ONLY

        def end() -> None:
            options.terminate = True

        with _DEADLINES.limit(max(seconds, _MIN_SECONDS), end):
            try:
                values = [self.session.run(list(outputs), {**part, **constants}, options) for part in _parts(inputs)]
            except _ORT_ERRORS as error:
                if options.terminate:
                    raise DeadlineExceededError(
                        "The model did not answer in the time that is left. Send fewer rows in one request."
                    ) from error
                raise InvalidDataError(
                    "The model cannot be run on these values. Check them against its inputs."
                ) from error
        arrays = values[0] if len(values) == 1 else [np.concatenate(each) for each in zip(*values, strict=True)]
        return dict(zip(outputs, arrays, strict=True))


def _parts(inputs: Tensors) -> Iterator[dict[str, Array]]:
    """The rows in parts, so that the memory of a run is bounded."""
    num_rows = len(next(iter(inputs.values())))
    num_values = sum([array.size for array in inputs.values()])
    if num_values <= MAX_VALUES_AT_ONCE:
        yield dict(inputs)
        return
    size = max(MAX_VALUES_AT_ONCE * num_rows // num_values, 1)
    for start in range(0, num_rows, size):
        yield {name: array[start : start + size] for name, array in inputs.items()}


def load_model(
    model: bytes, signature: Signature, *, digest: str, combines: Combines | None = None, num_threads: int = 1
) -> LoadedModel:
    """Raises GraphError where ONNX Runtime refuses the file, or where it is not what its signature says."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = _FATAL_ONLY
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise GraphError("ONNX Runtime refuses it") from error
    inputs = signature.inputs if combines is None else _combined_inputs(combines.graph)
    _check_tensors("input", inputs, session.get_inputs(), exactly=True)
    _check_tensors("output", signature.outputs, session.get_outputs(), exactly=False)
    return LoadedModel(session=session, signature=signature, digest=digest, num_bytes=len(model), combines=combines)


def _combined_inputs(graph: ServingGraph) -> list[TensorSpec]:
    """The answers of members, and their weights."""
    answers = [TensorSpec(name=member.input, datatype=Datatype.FP32, shape=[-1]) for member in graph.members]
    if graph.weights_input is None:
        return answers
    return [*answers, TensorSpec(name=graph.weights_input, datatype=Datatype.FP64, shape=[len(answers)])]


def _check_tensors(kind: str, specs: Sequence[TensorSpec], found: Sequence[Any], *, exactly: bool) -> None:
    types = {tensor.name: tensor.type for tensor in found}
    for spec in specs:
        wanted = _ORT_TYPES[spec.datatype]
        if types.get(spec.name) != wanted:
            raise GraphError(f"its {kind} {spec.name!r} is {types.get(spec.name, 'missing')}, not {wanted}")
    extra = types.keys() - {spec.name for spec in specs}
    if exactly and extra:
        raise GraphError(f"its signature does not name the {kind} {sorted(extra)[0]!r}")
