"""An inference request and its answer, as the Open Inference Protocol v2 and its binary extension lay them out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from aimass_core.domain.endpoints import Explanation
from aimass_core.domain.schemas import MAX_SERIES_LENGTH, ColumnType
from aimass_core.domain.signatures import Datatype, Signature, TensorSpec
from aimass_core.errors import InvalidRequestError, MalformedRequestError, PayloadTooLargeError
from aimass_core.inference.limits import MAX_ROWS, MAX_SERIES_VALUES
from aimass_core.inference.oip import classification, tensors
from aimass_core.inference.oip.tensors import Array
from aimass_core.lambda_support import json_body

BINARY_SIZE = "binary_data_size"
BINARY_HEADER = "inference-header-content-length"
# Parameters that change what a request means. What is not served is refused, never left out in silence.
_UNSUPPORTED = {
    "sequence_id": "sequences",
    "sequence_start": "sequences",
    "sequence_end": "sequences",
    "shared_memory_region": "shared memory",
}
_HINTS = ("priority", "timeout")
# A table's column, and one row of it: what is asked most often, and checked sooner.
_CELLS, _ONE_CELL = [-1, 1], [1, 1]
_MAX_ID = 1_000


# NOTE: typed dictionaries, since to make objects of them took longer than many a model.
_STRICT = ConfigDict(strict=True, extra="forbid")


@with_config(_STRICT)
class _Tensor(TypedDict):
    name: str
    shape: Annotated[list[int], Field(max_length=16)]
    datatype: str
    parameters: NotRequired[dict[str, Any]]
    # NOTE: checked by `tensors`, not here: a check of each value on its own would cost more than the model.
    data: NotRequired[Any]


@with_config(_STRICT)
class _Output(TypedDict):
    name: str
    parameters: NotRequired[dict[str, Any]]


@with_config(_STRICT)
class _Request(TypedDict):
    id: NotRequired[Annotated[str, Field(max_length=_MAX_ID)] | None]
    parameters: NotRequired[dict[str, Any]]
    inputs: list[_Tensor]
    outputs: NotRequired[list[_Output]]


_REQUEST = TypeAdapter(_Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """What is asked, checked against a signature.

    `outputs` says of each wanted output whether it goes out binary; `classes` how many classes of it, where it is asked
    for as those.
    """

    id: str | None
    inputs: Mapping[str, Array]
    outputs: Mapping[str, bool]
    num_rows: int
    classes: Mapping[str, int] = field(default_factory=dict)
    is_explained: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceBody:
    """An answer's body. `header_bytes` is the length of its JSON where bytes of tensors follow, else None."""

    content: bytes
    header_bytes: int | None


def read_request(body: bytes, header_length: str | None, signature: Signature) -> InferenceRequest:
    """Reads a request.

    Args:
        body: JSON, and after it the binary tensors in the order of the inputs.
        header_length: the header Inference-Header-Content-Length, where it was sent.

    Raises:
        MalformedRequestError: The body is not laid out as the protocol says.
        InvalidRequestError: An input is missing, unknown, or not as the signature says.
        PayloadTooLargeError: Too many rows.
    """
    document, raw = _split(body, header_length)
    request = _parse(document)
    _refuse_unsupported(request)
    inputs = _read_inputs(request["inputs"], raw, signature)
    num_rows = _num_rows(inputs)
    _check_series(inputs, signature)
    ignored = [name for name in _HINTS if name in request.get("parameters", ())]
    return InferenceRequest(
        id=request.get("id"),
        inputs=inputs,
        outputs=_choose_outputs(request, signature),
        num_rows=num_rows,
        classes=_choose_classes(request),
        is_explained=_flag(request.get("parameters", {}), "explain", default=False),
        warnings=[f"the parameters {', '.join(ignored)} have no effect here"] if ignored else [],
    )


def write_answer(
    request: InferenceRequest,
    outputs: Mapping[str, Array],
    signature: Signature,
    *,
    model_name: str,
    version: int,
    explanations: Sequence[Explanation] | None = None,
) -> InferenceBody:
    """The answer in JSON, followed by the tensors that go out binary. Explanations are JSON in a parameter, since
    parameters are scalars."""
    specs = {spec.name: spec for spec in signature.outputs}
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, is_binary in request.outputs.items():
        array, datatype = outputs[name], specs[name].datatype
        if name in request.classes:
            array = classification.find_highest(array, request.classes[name], signature, name=name)
            datatype = Datatype.BYTES
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if is_binary:
            parts.append(tensors.to_bytes(array))
            tensor["parameters"] = {BINARY_SIZE: len(parts[-1])}
        else:
            tensor["data"] = tensors.to_json(array)
        described.append(tensor)
    document: dict[str, Any] = {"model_name": model_name, "model_version": str(version), "outputs": described}
    if request.id is not None:
        document["id"] = request.id
    parameters = {}
    if request.warnings:
        parameters["warnings"] = "; ".join(request.warnings)
    if explanations is not None:
        parameters["explanations"] = orjson.dumps([each.model_dump(mode="json") for each in explanations]).decode()
    if parameters:
        document["parameters"] = parameters
    header = orjson.dumps(document)
    return InferenceBody(content=b"".join([header, *parts]), header_bytes=len(header) if parts else None)


def _split(body: bytes, header_length: str | None) -> tuple[str, memoryview]:
    length = len(body)
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdecimal() or not 0 < int(header_length) <= len(body):
            raise MalformedRequestError(
                f"Inference-Header-Content-Length is {header_length[:40]!r}; it must be the number of bytes of the "
                f"JSON at the beginning of the body, which has {len(body)} bytes."
            )
        length = int(header_length)
    try:
        return body[:length].decode(), memoryview(body)[length:]
    except UnicodeDecodeError as error:
        raise MalformedRequestError(
            "The JSON of the request is not UTF-8 text. If tensors follow it, Inference-Header-Content-Length must "
            "be its length in bytes."
        ) from error


def _parse(document: str) -> _Request:
    try:
        return _REQUEST.validate_python(json_body.parse_object(document))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise MalformedRequestError(
            f"The request is not one of the Open Inference Protocol: {where}: {fault['msg']}."
        ) from error


def _refuse_unsupported(request: _Request) -> None:
    parts: list[_Request | _Tensor | _Output] = [request, *request["inputs"], *request.get("outputs", ())]
    for parameters in [part["parameters"] for part in parts if "parameters" in part]:
        for name, words in _UNSUPPORTED.items():
            if parameters.get(name):
                raise InvalidRequestError(f"The parameter {name!r} is not supported: this server has no {words}.")


def _read_inputs(given: list[_Tensor], raw: memoryview, signature: Signature) -> dict[str, Array]:
    specs = {spec.name: spec for spec in signature.inputs}
    arrays: dict[str, Array] = {}
    position = 0
    for tensor in given:
        name = tensor["name"]
        spec = specs.get(name)
        if spec is None:
            names = ", ".join(repr(name) for name in specs)
            raise InvalidRequestError(f"The model has no input {name[:100]!r}. Its inputs are: {names[:1_000]}.")
        if name in arrays:
            raise InvalidRequestError(f"The input {name!r} comes more than once.")
        _check_spec(tensor, spec)
        size = tensor["parameters"].get(BINARY_SIZE) if "parameters" in tensor else None
        if size is None:
            data = tensor.get("data")
            if not isinstance(data, list):
                raise InvalidRequestError(f"{tensors.describe(spec)}; it has no list of data, and no {BINARY_SIZE}.")
            arrays[name] = tensors.from_json(spec, data, tensor["shape"])
            continue
        end = _binary_end(tensor, position, size, len(raw))
        arrays[name] = tensors.from_bytes(spec, bytes(raw[position:end]), tensor["shape"])
        position = end
    if position != len(raw):
        raise MalformedRequestError(
            f"{len(raw) - position} bytes follow the JSON that belong to no input. "
            f"Send each binary input's length as its parameter {BINARY_SIZE}."
        )
    for name, spec in specs.items():
        if name not in arrays:
            raise InvalidRequestError(f"The input {name!r} is missing: {tensors.describe(spec)}.")
    return arrays


def _binary_end(tensor: _Tensor, position: int, size: object, num_bytes: int) -> int:
    name = tensor["name"]
    if tensor.get("data") is not None:
        raise MalformedRequestError(f"The input {name!r} has both data and {BINARY_SIZE}. Send one of them.")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise MalformedRequestError(f"The {BINARY_SIZE} of the input {name!r} must be a number of bytes.")
    if position + size > num_bytes:
        raise MalformedRequestError(
            f"The input {name!r} has a {BINARY_SIZE} of {size}, but only {num_bytes - position} bytes are left. "
            "Is Inference-Header-Content-Length set?"
        )
    return position + size


def _check_spec(tensor: _Tensor, spec: TensorSpec) -> None:
    shape, datatype = tensor["shape"], tensor["datatype"]
    if shape == _ONE_CELL and spec.shape == _CELLS and datatype == spec.datatype:
        return
    fits = len(shape) == len(spec.shape)
    for size, wanted in zip(shape, spec.shape, strict=False):
        fits = fits and (size == wanted or (wanted < 0 and size >= 0))
    if datatype != spec.datatype or not fits:
        raise InvalidRequestError(f"{tensors.describe(spec)}, not {datatype[:40]} of shape {shape}.")
    if math.prod(shape) == 0:
        raise InvalidRequestError(f"{tensors.describe(spec)} with at least one row; its shape {shape} has none.")
    if shape[0] > MAX_ROWS:
        raise PayloadTooLargeError(
            f"The input {tensor['name']!r} has {shape[0]} rows; at most {MAX_ROWS} are taken. Send several requests."
        )


def _num_rows(arrays: Mapping[str, Array]) -> int:
    if len({len(array) for array in arrays.values()}) > 1:
        sizes = {name: len(array) for name, array in arrays.items()}
        words = ", ".join(f"{name!r} {size}" for name, size in list(sizes.items())[:20])
        raise InvalidRequestError(f"The inputs differ in their number of rows: {words}.")
    return len(next(iter(arrays.values())))


def _check_series(arrays: Mapping[str, Array], signature: Signature) -> None:
    """All series of a request have one number of steps, for they are the channels of the same rows."""
    steps = {
        spec.name: arrays[spec.name].shape[1] for spec in signature.inputs if spec.column_type is ColumnType.SERIES
    }
    if not steps:
        return
    if len(set(steps.values())) > 1:
        words = ", ".join(f"{name!r} {size}" for name, size in list(steps.items())[:20])
        raise InvalidRequestError(
            f"The series differ in their number of steps: {words}. Fill the shorter ones up with NaN at their end."
        )
    longest = max(steps.values())
    if longest > MAX_SERIES_LENGTH:
        raise InvalidRequestError(
            f"The series have {longest} steps; at most {MAX_SERIES_LENGTH} are taken. Cut them into windows."
        )
    num_values = sum(arrays[name].size for name in steps)
    if num_values > MAX_SERIES_VALUES:
        raise PayloadTooLargeError(
            f"The series have {num_values} values; at most {MAX_SERIES_VALUES} are taken. Send several requests."
        )


def _choose_outputs(request: _Request, signature: Signature) -> dict[str, bool]:
    default = _flag(request.get("parameters", {}), "binary_data_output", default=False)
    names = [spec.name for spec in signature.outputs]
    if not request.get("outputs"):
        return dict.fromkeys(names, default)
    chosen: dict[str, bool] = {}
    for output in request["outputs"]:
        if output["name"] not in names:
            raise InvalidRequestError(f"The model has no output {output['name'][:100]!r}. Its outputs are: {names}.")
        chosen[output["name"]] = _flag(output.get("parameters", {}), "binary_data", default=default)
    return chosen


def _choose_classes(request: _Request) -> dict[str, int]:
    counts = {
        output["name"]: classification.read_count(output.get("parameters", {}).get(classification.PARAMETER, 0))
        for output in request.get("outputs", ())
    }
    return {name: count for name, count in counts.items() if count}


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise MalformedRequestError(f"The parameter {name!r} must be true or false, not {str(value)[:40]!r}.")
    return value
