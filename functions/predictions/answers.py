"""Answers that a proxy integration can carry: binary ones as base64, and none above Lambda's limit."""

import base64
import json
from http import HTTPStatus

from aimass_core.errors import PayloadTooLargeError
from aimass_core.inference.limits import MAX_ANSWER_BYTES
from aimass_core.inference.messages import PredictionAnswer
from aimass_core.lambda_support import http
from aimass_core.lambda_support.http import HttpAnswer


def to_http(answer: PredictionAnswer) -> HttpAnswer:
    """The answer of a proxy integration; PayloadTooLargeError where Lambda could not give it."""
    is_text = answer.content_type == "application/json" and "content-encoding" not in answer.headers
    body = answer.content.decode() if is_text else base64.b64encode(answer.content).decode()
    if len(body) > MAX_ANSWER_BYTES:
        raise _too_large(len(body), answer.num_rows)
    headers = {"content-type": answer.content_type, **answer.headers}
    return {
        "statusCode": answer.status.value,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": body,
        "isBase64Encoded": not is_text,
    }


def _too_large(num_bytes: int, num_rows: int) -> PayloadTooLargeError:
    # A tenth less, since rows differ in what they need.
    advice = max(1, int(0.9 * num_rows * MAX_ANSWER_BYTES / num_bytes))
    return PayloadTooLargeError(
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
