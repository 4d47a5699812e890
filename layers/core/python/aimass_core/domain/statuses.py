"""The one table of errors and their HTTP statuses, and an error as a problem (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from aimass_core.domain.common import Problem
from aimass_core.errors import AimassError

STATUSES: Mapping[str, HTTPStatus] = {
    "malformed_request": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "permission_denied": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "conflict": HTTPStatus.CONFLICT,
    "already_exists": HTTPStatus.CONFLICT,
    "upload_incomplete": HTTPStatus.CONFLICT,
    "new_password_required": HTTPStatus.CONFLICT,
    "second_factor_required": HTTPStatus.CONFLICT,
    "in_progress": HTTPStatus.CONFLICT,
    "stale_revision": HTTPStatus.PRECONDITION_FAILED,
    "payload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_data": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "precondition_required": HTTPStatus.PRECONDITION_REQUIRED,
    "budget_spent": HTTPStatus.PAYMENT_REQUIRED,
    "quota_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "deadline_exceeded": HTTPStatus.GATEWAY_TIMEOUT,
}


def to_problem(error: AimassError, *, request_id: str | None = None) -> Problem:
    """What a caller is told of it."""
    status = STATUSES[error.code]
    return Problem(
        type=f"urn:aimass:error:{error.code}",
        title=status.phrase,
        status=status.value,
        detail=error.message,
        code=error.code,
        request_id=request_id,
        errors=[{"location": detail.location, "message": detail.message} for detail in error.details],
    )
