"""API Gateway in-process: makes the events that it makes, asks the real authorizer, calls the real handlers."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.workspaces import Workspace
from aimass_core.lambda_support.idempotency import MemoryStore
from aimass_core.services import workspaces
from functions.api.app import Deployment, make_handler
from functions.authorizer import app as authorizer
from tests.factories.platform import QUOTAS

METHOD_ARN = "arn:aws:execute-api:eu-central-1:000000000000:main/live"
_OPEN = {
    ("POST", "/v1/sessions"),
    ("POST", "/v1/sessions/refresh"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/docs"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
}

LambdaHandler = Callable[[Any, Any], dict[str, Any]]


class Context:
    """What Lambda hands to a handler besides the event."""

    function_name = "aimass-api"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:aimass-api"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """The function's timeout."""
        return 29_000


@dataclass(frozen=True, slots=True, kw_only=True)
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
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        return str(self.json["code"])


@dataclass
class Gateway:
    """The API of one deployment on memory ports.

    Args:
        predictions: the handler that serves /v2 and the friendly predictions.
    """

    ports: MemoryPorts = field(default_factory=MemoryPorts)
    store: MemoryStore = field(default_factory=MemoryStore)
    predictions: LambdaHandler | None = None
    deployment_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: QUOTAS)

    def __post_init__(self) -> None:
        self.ports.deployment_settings = self.deployment_settings
        deployment = Deployment(
            ports=self.ports,
            store=self.store,
            cursor_secret_name="cursors",
        )
        self._api: LambdaHandler = make_handler(lambda: deployment)
        self._authorizer: LambdaHandler = authorizer.make_handler(lambda: self.ports)
        self._numbers = count(1)

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str | list[str]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request from the outside. `target` is the path with its query."""
        event = self._event(method, target, headers or {}, body)
        if (method, event["path"]) not in _OPEN:
            try:
                allowed = self._authorizer(
                    {**event, "type": "REQUEST", "methodArn": f"{METHOD_ARN}/{method}"}, Context()
                )
            except authorizer.Unauthorized:
                return _unauthorized()
            event["requestContext"]["authorizer"] = allowed["context"]
        return _to_answer(self._handler_of(method, event["path"])(event, Context()))

    def _handler_of(self, method: str, path: str) -> LambdaHandler:
        is_predict = (
            method == "POST" and path.startswith("/v1/endpoints/") and path.endswith(("/predict", "/invocations"))
        )
        if path.startswith("/v2") or is_predict:
            assert self.predictions is not None, "give the gateway the predictions function"
            return self.predictions
        return self._api

    def _event(self, method: str, target: str, headers: Mapping[str, str | list[str]], body: bytes) -> dict[str, Any]:
        url = urlsplit(target)
        path = unquote(url.path)
        many = {name: [value] if isinstance(value, str) else value for name, value in headers.items()}
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(url.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        try:
            text, is_base64 = body.decode(), False
        except UnicodeDecodeError:
            text, is_base64 = base64.b64encode(body).decode(), True
        return {
            "resource": "/v1/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in many.items()},
            "multiValueHeaders": many,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": {"proxy": path.removeprefix("/v1/")},
            "stageVariables": None,
            "requestContext": {
                "requestId": f"request-{next(self._numbers)}",
                "stage": "live",
                "path": f"/live{path}",
                "httpMethod": method,
                "domainName": "api.example",
                "identity": {"sourceIp": "127.0.0.1"},
            },
            "body": text or None,
            "isBase64Encoded": is_base64,
        }


@dataclass(frozen=True, kw_only=True)
class Api:
    """The API as one caller uses it."""

    gateway: Gateway
    workspace: Workspace
    token: str | None

    @property
    def ports(self) -> MemoryPorts:
        """What is behind the API."""
        return self.gateway.ports

    def request(
        self,
        method: str,
        target: str,
        *,
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str | list[str]] | None = None,
    ) -> Answer:
        """Sends a request with the caller's key; `json` is sent as the body."""
        sent: dict[str, str | list[str]] = {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if json is not None:
            sent["Content-Type"] = "application/json"
            body = _dump(json)
        return self.gateway.send(method, target, headers={**sent, **(headers or {})}, body=body)

    def get(self, target: str) -> Answer:
        """GET."""
        return self.request("GET", target)

    def post(self, target: str, json: Any = None, **headers: str) -> Answer:
        """POST; `idempotency_key="..."` becomes a header."""
        return self.request("POST", target, json=json, headers=_to_headers(headers))

    def patch(self, target: str, json: Any, *, revision: int | None = None) -> Answer:
        """PATCH with If-Match."""
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        return self.request("PATCH", target, json=json, headers=headers)

    def put(self, target: str, json: Any) -> Answer:
        """PUT."""
        return self.request("PUT", target, json=json)

    def delete(self, target: str) -> Answer:
        """DELETE."""
        return self.request("DELETE", target)

    def as_role(self, role: str) -> "Api":
        """The same API with a key of another role in the same workspace."""
        made = self.post("/v1/api-keys", {"name": role, "role": role})
        assert made.status == 201, made.text
        return Api(gateway=self.gateway, workspace=self.workspace, token=made.json["secret"])

    def as_stranger(self) -> "Api":
        """The admin of another workspace."""
        name = f"stranger-{next(self.gateway._numbers)}"
        made = self.post("/v1/workspaces", {"name": name})
        assert made.status == 201, made.text
        workspace = Workspace.model_validate(made.json)
        return Api(gateway=self.gateway, workspace=workspace, token=made.json["secret"])

    def as_nobody(self) -> "Api":
        """Without a key."""
        return Api(gateway=self.gateway, workspace=self.workspace, token=None)


def open_api(gateway: Gateway, *, name: str = "team") -> Api:
    """The first workspace's admin."""
    workspace, token = workspaces.create_first(gateway.ports, name=name)
    return Api(gateway=gateway, workspace=workspace, token=token)


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _to_headers(names: Mapping[str, str]) -> dict[str, str | list[str]]:
    return {name.replace("_", "-"): value for name, value in names.items()}


def _to_answer(answered: Mapping[str, Any]) -> Answer:
    body = answered["body"]
    assert isinstance(body, str), "the body of a proxy integration's answer is text"
    headers = {name.lower(): values[-1] for name, values in (answered.get("multiValueHeaders") or {}).items()}
    headers |= {name.lower(): str(value) for name, value in (answered.get("headers") or {}).items()}
    return Answer(
        status=answered["statusCode"],
        headers=headers,
        body=base64.b64decode(body) if answered.get("isBase64Encoded") else body.encode(),
    )


def _unauthorized() -> Answer:
    """The gateway response UNAUTHORIZED of the template."""
    problem = {
        "type": "urn:aimass:error:unauthenticated",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The API key or session is missing, unknown, expired or revoked.",
        "code": "unauthenticated",
    }
    return Answer(status=401, headers={"content-type": "application/problem+json"}, body=_dump(problem))
