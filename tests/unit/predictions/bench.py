"""The real handler over memory ports, asked as API Gateway asks it: every body is base64."""

import base64
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import new_id
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from functions.predictions.app import make_handler


@dataclass
class Context:
    """What Lambda hands to a handler besides the event."""

    milliseconds: int = 29_000
    function_name: str = "predictions"
    memory_limit_in_mb: int = 2_048
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:000000000000:function:predictions"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is ended."""
        return self.milliseconds


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The protocol's error."""
        assert self.headers["content-type"] == "application/json"
        document = self.json
        assert list(document) == ["error"]
        return str(document["error"])

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json["code"])


@dataclass
class ManualTime:
    """Seconds that only a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """One process of the predictions function."""

    ports: MemoryPorts = field(default_factory=MemoryPorts)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp()))
    time: ManualTime = field(default_factory=ManualTime)
    workspace_id: str = field(default_factory=lambda: new_id("ws"))
    context: Context = field(default_factory=Context)
    role: str = "viewer"

    def __post_init__(self) -> None:
        store = ModelStore(self.ports, self.folder)
        self.endpoints = ServingEndpoints(self.ports, store, endpoint_ttl_seconds=2.0, monotonic=self.time)
        self.handler = make_handler(lambda: self.endpoints)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        workspace_id: str | None = "",
    ) -> Answer:
        """One request; `workspace_id` None: no authorizer stood before it."""
        caller = self.workspace_id if workspace_id == "" else workspace_id
        event = proxy_event(
            method, path, body=body, headers=headers or {}, query=query, workspace_id=caller, role=self.role
        )
        answered = self.handler(event, self.context)  # type: ignore[arg-type]
        text = answered["body"]
        return Answer(
            status=answered["statusCode"],
            headers={name: values[-1] for name, values in answered["multiValueHeaders"].items()},
            body=base64.b64decode(text) if answered["isBase64Encoded"] else text.encode(),
        )

    def get(self, path: str) -> Answer:
        """GET."""
        return self.send("GET", path)

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        """POST of JSON."""
        return self.send(
            "POST", path, body=json.dumps(document).encode(), headers={"content-type": "application/json", **headers}
        )

    def infer(self, *inputs: Mapping[str, Any], name: str = "adult", **fields: Any) -> Answer:
        """An inference in JSON."""
        return self.post(f"/v2/models/{name}/infer", {"inputs": list(inputs), **fields})

    def predict(self, *rows: Mapping[str, Any], name: str = "adult") -> Answer:
        """Friendly rows."""
        return self.post(f"/v1/endpoints/{name}/predict", {"rows": list(rows)})


def proxy_event(
    method: str,
    path: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    workspace_id: str | None,
    role: str,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """As API Gateway's proxy integration with the binary media type */* makes it."""
    authorizer = (
        {}
        if workspace_id is None
        else {"workspace_id": workspace_id, "workspace_name": "team", "actor": "key_1", "role": role}
    )
    return {
        "httpMethod": method,
        "path": path,
        "headers": dict(headers) or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "requestContext": {"requestId": "request-1", "authorizer": authorizer},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def age(*values: Any, **changes: Any) -> dict[str, Any]:
    """The input `age` of the table model."""
    return {"name": "age", "datatype": "FP32", "shape": [len(values), 1], "data": list(values), **changes}


def city(*values: Any, **changes: Any) -> dict[str, Any]:
    """The input `city` of the table model."""
    return {"name": "city", "datatype": "BYTES", "shape": [len(values), 1], "data": list(values), **changes}
