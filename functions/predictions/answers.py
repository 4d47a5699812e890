"""Answers that a proxy integration can carry: binary ones as base64, and none above Lambda's limit."""

import base64
import json
import math
from http import HTTPStatus

from aimass_core.inference.limits import MAX_ANSWER_BYTES
from aimass_core.inference.messages import PredictionAnswer
from aimass_core.inference.oip.inference import BINARY_HEADER
from aimass_core.lambda_support import http
from aimass_core.lambda_support.http import HttpAnswer
from aimass_core.services.predictions import DeferredAnswer


def to_http(answer: PredictionAnswer) -> HttpAnswer:
    """The answer of a proxy integration."""
    is_text = _is_text(answer)
    body = answer.content.decode() if is_text else base64.b64encode(answer.content).decode()
    headers = {"content-type": answer.content_type, **answer.headers}
    return {
        "statusCode": answer.status.value,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": body,
        "isBase64Encoded": not is_text,
    }


def is_too_large(answer: PredictionAnswer) -> bool:
    """Whether Lambda could not give it."""
    num_bytes = len(answer.content)
    return (num_bytes if _is_text(answer) else 4 * math.ceil(num_bytes / 3)) > MAX_ANSWER_BYTES


def _is_text(answer: PredictionAnswer) -> bool:
    return answer.content_type == "application/json" and "content-encoding" not in answer.headers


def to_deferred(answer: HttpAnswer) -> tuple[DeferredAnswer, bytes]:
    """An answer as it is kept for whoever asks for it later."""
    headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    is_problem = headers["content-type"] == http.PROBLEM_TYPE
    problem = json.loads(content) if is_problem else {}
    header_bytes = headers.get(BINARY_HEADER)
    described = DeferredAnswer(
        status=answer["statusCode"],
        content_type=headers["content-type"],
        num_bytes=len(content),
        header_bytes=None if header_bytes is None else int(header_bytes),
        code=problem.get("code"),
        reason=problem.get("detail"),
    )
    return described, content


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
