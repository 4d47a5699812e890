"""The ONNX file that a script left: whether it may be served, what it takes and gives, and answers to hold it to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import ValidationError

from aimass_core.domain import graph_check
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Golden, Signature, Task, TensorSpec
from batch_jobs.evaluate.scoring import ORT_ERRORS

SIGNATURE = "signature.json"
_MAX_SIGNATURE_BYTES = 4 * 1024**2
_MAX_GOLDEN_NUMBERS = 60_000
_ROWS = 3
# What an open dimension may want to be: a sequence, an image, one.
_SIZES = (8, 32, 224, 1)
_TOLERANCE = 1e-4
# Other processors round halves otherwise.
_HALF_TOLERANCE = 1e-2
_FLOATS: Mapping[Datatype, Any] = {Datatype.FP16: np.float16, Datatype.FP32: np.float32, Datatype.FP64: np.float64}
_DATATYPES = {
    "tensor(string)": Datatype.BYTES,
    "tensor(bool)": Datatype.BOOL,
    **{f"tensor({each.lower()})": each for each in Datatype if each.startswith(("INT", "UINT"))},
    "tensor(float16)": Datatype.FP16,
    "tensor(float)": Datatype.FP32,
    "tensor(double)": Datatype.FP64,
}
# How the friendly rows of an endpoint read a column (aimass_core/inference/rows).
_COLUMN_TYPES = {Datatype.FP32: ColumnType.NUMBER, Datatype.BYTES: ColumnType.STRING}
_QUIET = 4

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model that may be served."""

    model: bytes
    signature: Signature
    golden: Golden


def load(path: Path, *, target: str, seed: int = 0) -> Graph:
    """Checks a file as serving will. A `signature.json` beside it describes it, else its own inputs and outputs do.

    Raises:
        GraphError: It may not be served; the message says why.
    """
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise GraphError(f"it has {path.stat().st_size:,} bytes; at most {MAX_MODEL_BYTES:,} are served")
    model = path.read_bytes()
    graph_check.check(model)
    session = open_session(model)
    derived = _derive(session, target=target)
    signature = _read_signature(path.with_name(SIGNATURE), derived) or derived
    return Graph(model=model, signature=signature, golden=_ask(session, signature, seed=seed))


def open_session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise GraphError(f"ONNX Runtime refuses it ({_first_line(error)})") from error


def _derive(session: Any, *, target: str) -> Signature:
    inputs = [_to_spec("input", tensor) for tensor in session.get_inputs()]
    outputs = [_to_spec("output", tensor) for tensor in session.get_outputs() if tensor.type in _DATATYPES]
    if not inputs or not outputs:
        raise GraphError("it has no inputs, or none of its outputs is a tensor of a type that is served")
    if all(spec.shape == [-1, 1] and spec.datatype in _COLUMN_TYPES for spec in inputs):
        inputs = [
            spec.model_copy(update={"column": spec.name, "column_type": _COLUMN_TYPES[spec.datatype]})
            for spec in inputs
        ]
    is_value = [(spec.name, spec.datatype, spec.shape) for spec in outputs] == [("value", Datatype.FP32, [-1])]
    task = Task.REGRESSION if is_value else Task.CUSTOM
    return Signature(kind=DatasetKind.TABLE, task=task, target=target, inputs=inputs, outputs=outputs)


def _to_spec(kind: str, tensor: Any) -> TensorSpec:
    if tensor.type not in _DATATYPES:
        raise GraphError(f"its {kind} {tensor.name!r} is {tensor.type}; served are {', '.join(_DATATYPES)}")
    shape = [size if isinstance(size, int) and size > 0 else -1 for size in tensor.shape]
    return TensorSpec(name=tensor.name, datatype=_DATATYPES[tensor.type], shape=shape)


def _read_signature(path: Path, derived: Signature) -> Signature | None:
    """The script's own words, held against the graph. None where it left none."""
    if path.is_symlink() or not path.is_file():
        return None
    if path.stat().st_size > _MAX_SIGNATURE_BYTES:
        raise GraphError(f"its {SIGNATURE} has more than {_MAX_SIGNATURE_BYTES:,} bytes")
    try:
        signature = Signature.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise GraphError(f"its {SIGNATURE} is not valid: {faults}") from error
    _compare("input", signature.inputs, derived.inputs)
    _compare("output", signature.outputs, derived.outputs)
    if unnamed := {spec.name for spec in derived.inputs} - {spec.name for spec in signature.inputs}:
        raise GraphError(f"its {SIGNATURE} does not name the input {sorted(unnamed)[0]!r}")
    _check_answers(signature)
    return signature


def _compare(kind: str, named: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> None:
    specs = {spec.name: spec for spec in found}
    for spec in named:
        own = specs.get(spec.name)
        if own is None or own.datatype is not spec.datatype or len(own.shape) != len(spec.shape):
            is_what = "missing" if own is None else f"{own.datatype} {own.shape}"
            raise GraphError(
                f"its {kind} {spec.name!r} is {is_what}, not {spec.datatype} {spec.shape} as {SIGNATURE} says"
            )


def _check_answers(signature: Signature) -> None:
    """Friendly rows rely on these names."""
    names = {spec.name for spec in signature.outputs}
    if signature.task.is_classification and not (names >= {"label", "probabilities"} and signature.labels):
        raise GraphError(f"as a {signature.task} model it needs the outputs 'label' and 'probabilities', and labels")
    flags = [spec for spec in signature.outputs if (spec.name, spec.datatype) == ("label", Datatype.BOOL)]
    if signature.task is Task.MULTILABEL and [len(spec.shape) for spec in flags] != [2]:
        raise GraphError("as a multilabel model it needs the output 'label' as BOOL [-1, number of labels]")
    if signature.task is Task.REGRESSION and "value" not in names:
        raise GraphError("as a regression it needs the output 'value'")


def _ask(session: Any, signature: Signature, *, seed: int) -> Golden:
    """Random inputs that the graph takes, and its answers, which must be the same twice."""
    names = [spec.name for spec in signature.outputs]
    is_half = any(spec.datatype is Datatype.FP16 for spec in (*signature.inputs, *signature.outputs))
    tolerance = _HALF_TOLERANCE if is_half else _TOLERANCE
    fault = "no inputs were tried"
    for size in _SIZES:
        inputs = _invent(signature, size=size, seed=seed)
        if sum(values.size for values in inputs.values()) > _MAX_GOLDEN_NUMBERS * _ROWS:
            continue
        try:
            first, again = (dict(zip(names, session.run(names, dict(inputs)), strict=True)) for _ in range(2))
        except ORT_ERRORS as error:
            fault = _first_line(error)
            continue
        for name in names:
            if not _agree(first[name], again[name]):
                raise GraphError(f"its output {name!r} differs between two runs on the same inputs")
        return Golden(
            inputs={name: to_json(values) for name, values in inputs.items()},
            outputs={name: to_json(values) for name, values in first.items()},
            tolerance=tolerance * max([1.0, *(largest(values) for values in first.values())]),
        )
    raise GraphError(f"it cannot be run on inputs of its own signature ({fault})")


def _invent(signature: Signature, *, size: int, seed: int) -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(seed)
    inputs = {}
    for spec in signature.inputs:
        shape = [extent if extent > 0 else _ROWS if index == 0 else size for index, extent in enumerate(spec.shape)]
        inputs[spec.name] = _invent_values(spec, shape, generator)
    return inputs


def _invent_values(spec: TensorSpec, shape: Sequence[int], generator: np.random.Generator) -> NDArray[Any]:
    match spec.datatype:
        case Datatype.BYTES:
            return generator.choice(np.asarray(spec.categories or ["a", "b", "c"], dtype=object), shape)
        case Datatype.BOOL:
            return generator.integers(0, 2, shape).astype(np.bool_)
        case Datatype.UINT8:
            return generator.integers(0, 256, shape, dtype=np.uint8)
        case Datatype.FP16 | Datatype.FP32 | Datatype.FP64:
            low = -1.0 if spec.minimum is None else spec.minimum
            high = low + 2.0 if spec.maximum is None else spec.maximum
            return generator.uniform(low, high, shape).astype(_FLOATS[spec.datatype])
        case _:
            # Small: they may be indexes into an embedding.
            return generator.integers(0, 2, shape, dtype=np.dtype(spec.datatype.lower()))


def _agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=0, atol=_TOLERANCE, equal_nan=True))
    return bool(np.array_equal(one, other))


def largest(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values[:0]
    return float(np.abs(finite).max()) if finite.size else 0.0


def to_json(values: NDArray[Any]) -> Any:
    if values.dtype.kind == "f":
        objects = values.astype(object)
        objects[~np.isfinite(values)] = None
        return objects.tolist()
    return values.tolist()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0][:300]
