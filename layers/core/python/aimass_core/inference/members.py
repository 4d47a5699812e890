"""What an invocation is asked for another one: the tensors of one member of a fusion."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from aimass_core.domain.statuses import STATUSES
from aimass_core.errors import AimassError
from aimass_core.inference import golden
from aimass_core.inference.oip import inference
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.remote import to_content_type, to_header_length


def is_asked(payload: Mapping[str, Any]) -> bool:
    """Whether this is such an invocation."""
    return "body" in payload


def answer(endpoints: ServingEndpoints, payload: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """An answer of HTTP: status, content_type, body (base64). See RemoteModels."""
    try:
        model = endpoints.load(payload["workspace_id"], golden.version_of(payload))
        body = base64.b64decode(payload["body"])
        asked = inference.read_request(body, to_header_length(payload["content_type"]), model.signature)
        outputs = model.run(asked.inputs, outputs=list(asked.outputs), seconds=seconds)
        written = inference.write_answer(asked, outputs, model.signature, model_name="", version=0)
    except AimassError as error:
        return _pack(STATUSES[error.code].value, "application/json", json.dumps({"error": error.message}).encode())
    return _pack(200, to_content_type(written.header_bytes), written.content)


def _pack(status: int, content_type: str, body: bytes) -> dict[str, Any]:
    return {"status": status, "content_type": content_type, "body": base64.b64encode(body).decode()}
