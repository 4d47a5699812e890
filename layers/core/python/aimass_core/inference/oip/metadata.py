"""What the server and its models say about themselves."""

from collections.abc import Mapping
from typing import Any

from aimass_core.domain.endpoints import Endpoint, EndpointStatus, ServedModel
from aimass_core.domain.signatures import Datatype, Signature, TensorSpec
from aimass_core.inference.limits import MAX_ROWS

PLATFORM = "onnxruntime_onnx"
_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "logging",
    "model_configuration",
    "model_repository",
    "statistics",
    "trace",
)
_CONFIG_TYPES = {Datatype.BYTES: "TYPE_STRING"}


def server(version: str) -> dict[str, Any]:
    """GET /v2."""
    extensions = [
        "binary_tensor_data",
        "classification",
        "logging",
        "model_configuration",
        "model_repository",
        "statistics",
        "trace",
    ]
    return {"name": "aimass", "version": version, "extensions": extensions}


def model(endpoint: Endpoint, version: ServedModel, signature: Signature) -> dict[str, Any]:
    """GET /v2/models/{model}."""
    return {
        "name": endpoint.name,
        "versions": [str(number) for number in sorted(_numbers(endpoint, version))],
        "platform": PLATFORM,
        "inputs": [_describe(spec) for spec in signature.inputs],
        "outputs": [_describe(spec) for spec in signature.outputs],
    }


def config(endpoint: Endpoint, version: ServedModel, signature: Signature) -> dict[str, Any]:
    """GET /v2/models/{model}/config, in Triton's terms.

    The batch is a dimension like any other (`max_batch_size` 0): a request brings its rows, and none are merged.
    """
    parameters = {
        "model": f"{version.model_name}@{version.number}",
        "digest": version.digest,
        "task": signature.task.value,
        "target": signature.target,
        "max_rows": str(MAX_ROWS),
    }
    return {
        "name": endpoint.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [version.number]}},
        "max_batch_size": 0,
        "input": [_configure(spec) for spec in signature.inputs],
        "output": [_configure(spec) for spec in signature.outputs],
        "parameters": {name: {"string_value": value} for name, value in parameters.items()},
    }


def index_entry(endpoint: Endpoint) -> dict[str, str]:
    """An entry of POST /v2/repository/index."""
    is_ready = endpoint.serving is not None
    entry = {"name": endpoint.name, "state": "READY" if is_ready else _state(endpoint)}
    if endpoint.serving is not None:
        entry["version"] = str(endpoint.serving.number)
    entry["reason"] = endpoint.status_reason or ""
    return entry


def _numbers(endpoint: Endpoint, version: ServedModel) -> set[int]:
    """Of what can be asked for: during a rollout two versions."""
    served = (version, endpoint.serving, endpoint.rollout.model if endpoint.rollout else None)
    return {each.number for each in served if each is not None}


def _state(endpoint: Endpoint) -> str:
    return "UNAVAILABLE" if endpoint.status is EndpointStatus.FAILED else "LOADING"


def _describe(spec: TensorSpec) -> Mapping[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}


def _configure(spec: TensorSpec) -> Mapping[str, Any]:
    data_type = _CONFIG_TYPES.get(spec.datatype, f"TYPE_{spec.datatype}")
    return {"name": spec.name, "data_type": data_type, "dims": spec.shape}
