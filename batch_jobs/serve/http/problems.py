"""Errors on the wire: as the Open Inference Protocol says below /v2, else as problem+json (RFC 9457)."""

import json
import logging
from http import HTTPStatus

from aimass_core.domain.statuses import STATUSES, to_problem
from aimass_core.errors import AimassError, MethodNotAllowedError
from aimass_core.inference.messages import PredictionAnswer

_RETRY_AFTER_SECONDS = 1
_log = logging.getLogger(__name__)


def to_answer(error: AimassError, *, is_oip: bool) -> PredictionAnswer:
    """What is invalid is a 400 to the protocol's clients."""
    status = STATUSES[error.code]
    headers = {"allow": ", ".join(error.allowed)} if isinstance(error, MethodNotAllowedError) else {}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["retry-after"] = str(error.retry_after_seconds or _RETRY_AFTER_SECONDS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s: %s", error.code, error.message)
    if is_oip:
        if status is HTTPStatus.UNPROCESSABLE_ENTITY:
            status = HTTPStatus.BAD_REQUEST
        return PredictionAnswer(content=json.dumps({"error": error.message}).encode(), status=status, headers=headers)
    problem = to_problem(error)
    return PredictionAnswer(
        content=problem.model_dump_json().encode(),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )
