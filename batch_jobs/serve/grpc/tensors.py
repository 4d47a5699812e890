"""Between the messages of an inference and the engine's body: JSON, and after it the bytes of the tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from aimass_core.domain.signatures import Datatype
from aimass_core.errors import InvalidRequestError, MalformedRequestError
from aimass_core.inference.oip.inference import BINARY_SIZE
from aimass_core.inference.serving.model import NUMPY_TYPES
from batch_jobs.serve.grpc import inference_pb2 as pb

# Which field of the contents carries a type. FP16 has none: it comes as raw bytes.
_FIELDS: Mapping[str, str] = {
    Datatype.BOOL.value: "bool_contents",
    Datatype.INT8.value: "int_contents",
    Datatype.INT16.value: "int_contents",
    Datatype.INT32.value: "int_contents",
    Datatype.INT64.value: "int64_contents",
    Datatype.UINT8.value: "uint_contents",
    Datatype.UINT16.value: "uint_contents",
    Datatype.UINT32.value: "uint_contents",
    Datatype.UINT64.value: "uint64_contents",
    Datatype.FP32.value: "fp32_contents",
    Datatype.FP64.value: "fp64_contents",
    Datatype.BYTES.value: "bytes_contents",
}


def to_body(request: pb.ModelInferRequest) -> tuple[bytes, int]:
    """The engine's body, and how many bytes of it are JSON.

    Raises:
        MalformedRequestError: Contents are there twice, or not for each input.
        InvalidRequestError: Contents are of another type than the input says.
    """
    raw = _contents_of(request)
    document: dict[str, Any] = {
        "inputs": [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": list(tensor.shape),
                "parameters": {**_to_json(tensor.parameters), BINARY_SIZE: len(content)},
            }
            for tensor, content in zip(request.inputs, raw, strict=True)
        ],
        "outputs": [{"name": each.name, "parameters": _to_json(each.parameters)} for each in request.outputs],
        "parameters": {**_to_json(request.parameters), "binary_data_output": True},
    }
    if request.id:
        document["id"] = request.id
    header = orjson.dumps(document)
    return b"".join([header, *raw]), len(header)


def to_response(body: bytes, header_bytes: int | None) -> pb.ModelInferResponse:
    """The engine's answer; tensors are raw, as Triton sends them."""
    document = orjson.loads(body[:header_bytes] if header_bytes is not None else body)
    response = pb.ModelInferResponse(
        model_name=document["model_name"], model_version=document["model_version"], id=document.get("id", "")
    )
    _fill(response.parameters, document.get("parameters", {}))
    position = header_bytes or 0
    for tensor in document["outputs"]:
        parameters = tensor.get("parameters", {})
        end = position + parameters.pop(BINARY_SIZE)
        output = response.outputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        _fill(output.parameters, parameters)
        response.raw_output_contents.append(body[position:end])
        position = end
    return response


def _contents_of(request: pb.ModelInferRequest) -> Sequence[bytes]:
    if request.raw_input_contents:
        if len(request.raw_input_contents) != len(request.inputs):
            raise MalformedRequestError(
                f"There are {len(request.raw_input_contents)} raw_input_contents for {len(request.inputs)} inputs."
            )
        if any(tensor.HasField("contents") for tensor in request.inputs):
            raise MalformedRequestError(
                "An input has contents, and raw_input_contents are there too. Send one of them."
            )
        return request.raw_input_contents
    return [_to_bytes(tensor) for tensor in request.inputs]


def _to_bytes(tensor: pb.ModelInferRequest.InferInputTensor) -> bytes:
    wanted = _FIELDS.get(tensor.datatype)
    given = [field.name for field, _ in tensor.contents.ListFields()]
    if wanted is None:
        raise InvalidRequestError(
            f"The input {tensor.name[:100]!r} has the datatype {tensor.datatype[:40]!r}, which has no typed contents. "
            f"Send raw_input_contents, or one of {', '.join(_FIELDS)}."
        )
    if given != [wanted] and 0 not in tensor.shape:
        raise InvalidRequestError(
            f"The input {tensor.name[:100]!r} is {tensor.datatype}: its values belong in {wanted}, not in "
            f"{', '.join(given) or 'nothing'}."
        )
    values = getattr(tensor.contents, wanted)
    if wanted == "bytes_contents":
        return b"".join(len(value).to_bytes(4, "little") + value for value in values)
    dtype = NUMPY_TYPES[Datatype(tensor.datatype)]
    try:
        return np.array(values, dtype).tobytes()
    except OverflowError as error:
        raise InvalidRequestError(
            f"The input {tensor.name[:100]!r} has a value that is no {tensor.datatype}."
        ) from error


def _to_json(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Any]:
    return {
        name: getattr(value, value.WhichOneof("parameter_choice") or "string_param")
        for name, value in parameters.items()
    }


def _fill(parameters: Any, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, bool):
            parameters[name].bool_param = value
        elif isinstance(value, int):
            parameters[name].int64_param = value
        elif isinstance(value, float):
            parameters[name].double_param = value
        else:
            parameters[name].string_param = value if isinstance(value, str) else orjson.dumps(value).decode()
