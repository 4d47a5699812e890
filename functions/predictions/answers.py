"""Answers that a proxy integration can carry: binary ones as base64, and none above Lambda's limit."""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus

from aimass_core.errors import PayloadTooLargeError
from aimass_core.lambda_support import http
from aimass_core.lambda_support.http import HttpAnswer
from functions.predictions.limits import MAX_ANSWER_BYTES


def json_text(body: str, *, status: HTTPStatus = HTTPStatus.OK) -> HttpAnswer:
    """JSON that is written already."""
    return {
        "statusCode": status.value,
        "multiValueHeaders": {"content-type": ["application/json"]},
        "body": body,
        "isBase64Encoded": False,
    }


def binary(content: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """Bytes; API Gateway takes the base64 off."""
    return {
        "statusCode": HTTPStatus.OK.value,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def sized(answer: HttpAnswer, *, num_rows: int) -> HttpAnswer:
    """The answer, or PayloadTooLargeError where Lambda could not give it."""
    num_bytes = len(answer["body"])
    if num_bytes <= MAX_ANSWER_BYTES:
        return answer
    # A tenth less, since rows differ in what they need.
    advice = max(1, int(0.9 * num_rows * MAX_ANSWER_BYTES / num_bytes))
    raise PayloadTooLargeError(
        f"The answer for {num_rows} rows would have {num_bytes / 1e6:.1f} MB; at most {MAX_ANSWER_BYTES / 1e6:.0f} MB "
        f"can be answered. Send at most {advice} rows per request, or ask for fewer outputs."
    )


def to_oip(answer: HttpAnswer) -> HttpAnswer:
    """A problem in the protocol's form; other answers as they are. What is invalid is a 400, as its clients expect."""
    headers = answer["multiValueHeaders"]
    if headers["content-type"] != [http.PROBLEM_TYPE]:
        return answer
    problem = json.loads(answer["body"])
    status = HTTPStatus(problem["status"])
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    return {
        **answer,
        "statusCode": status.value,
        "multiValueHeaders": {**headers, "content-type": ["application/json"]},
        "body": json.dumps({"error": problem["detail"]}),
    }
