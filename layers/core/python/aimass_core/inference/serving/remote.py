"""A model that runs somewhere else: its signature is here, its answers come as tensors of the Open Inference Protocol.

Requests and answers are the protocol's JSON followed by binary tensors. Where only a content type tells how long the
JSON is, it is written as Triton does on SageMaker: `application/vnd.sagemaker-triton.binary+json;json-header-size=N`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from aimass_core.domain.signatures import Signature, TensorSpec
from aimass_core.errors import AimassError, DeadlineExceededError, InternalError, InvalidDataError, UnavailableError
from aimass_core.inference.oip import tensors
from aimass_core.inference.serving.model import Array, Tensors
from aimass_core.ports import HostAnswer

_BINARY_TYPE = "application/vnd.sagemaker-triton.binary+json;json-header-size="
_HEADER_SIZE = re.compile(r";\s*json-header-size=(\d{1,9})")
_SIZE = "binary_data_size"
# Requests of one process that wait for others. Those of a fusion wait at the same time.
_pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="remote-model")

Ask = Callable[[bytes, str], HostAnswer]
"""Sends a body of a content type. Raises AimassError where nothing answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """Answers as a `LoadedModel` does."""

    signature: Signature
    ask: Ask

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel.

        Raises:
            InvalidDataError: The model refuses these inputs.
            UnavailableError: Nothing answers there.
            DeadlineExceededError: It took longer than `seconds`; what was asked may still run.
        """
        body, content_type = _write(self.signature, inputs, outputs)
        asked = _pool.submit(self.ask, body, content_type)
        try:
            answer = asked.result(timeout=max(seconds, 0))
        except FutureTimeoutError as error:
            asked.cancel()
            raise DeadlineExceededError(
                "The model did not answer in the time that is left. Send fewer rows in one request."
            ) from error
        if answer.status != 200:
            raise _to_error(answer)
        return _read(self.signature, answer, outputs)


def to_content_type(header_length: int | None) -> str:
    """Of a body whose JSON has that length before binary tensors; None: that has none."""
    return "application/json" if header_length is None else f"{_BINARY_TYPE}{header_length}"


def to_header_length(content_type: str) -> str | None:
    """The reverse, as the header that the protocol has for it."""
    found = _HEADER_SIZE.search(content_type)
    return found[1] if found else None


def _write(signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> tuple[bytes, str]:
    parts = {spec.name: tensors.to_bytes(inputs[spec.name]) for spec in signature.inputs}
    document = {
        "inputs": [
            {
                "name": spec.name,
                "datatype": spec.datatype,
                "shape": list(inputs[spec.name].shape),
                "parameters": {_SIZE: len(parts[spec.name])},
            }
            for spec in signature.inputs
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    header = json.dumps(document).encode()
    return b"".join([header, *parts.values()]), to_content_type(len(header))


def _read(signature: Signature, answer: HostAnswer, outputs: Sequence[str]) -> dict[str, Array]:
    length = int(to_header_length(answer.content_type) or len(answer.content))
    try:
        described = {output["name"]: output for output in json.loads(answer.content[:length])["outputs"]}
        specs = {spec.name: spec for spec in signature.outputs}
        arrays: dict[str, Array] = {}
        position = length
        for name, output in described.items():
            size = output.get("parameters", {}).get(_SIZE)
            raw = answer.content[position : position + (size or 0)]
            arrays[name] = _to_array(specs[name], output, raw if size is not None else None)
            position += len(raw)
        return {name: arrays[name] for name in outputs}
    except (ValueError, KeyError, TypeError, AimassError) as error:
        raise InternalError("What answers for this model does not keep to the protocol. Deploy it again.") from error


def _to_array(spec: TensorSpec, output: Mapping[str, Any], raw: bytes | None) -> Array:
    if raw is None:
        return tensors.from_json(spec, output["data"], output["shape"])
    return tensors.from_bytes(spec, raw, output["shape"])


def _to_error(answer: HostAnswer) -> AimassError:
    """By its status, with the words that it gives: they are an engine's of ours, and meant for callers."""
    try:
        told = json.loads(answer.content)
        words = str(told["detail"] if "detail" in told else told["error"])
    except (ValueError, KeyError, TypeError):
        words = "The model could not answer."
    if answer.status == 504:
        return DeadlineExceededError(words)
    if 400 <= answer.status < 500:
        return InvalidDataError(words)
    return UnavailableError(words) if answer.status == 503 else InternalError(words)
