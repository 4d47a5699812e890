"""DynamoDB's answers below a real boto3 client."""

import io
import json
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse


class Wire:
    """What DynamoDB sends back, answer by answer, below the real client; and what it was sent."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self._answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.bodies.append(json.loads(request.body))
        status, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()
