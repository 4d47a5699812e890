"""The error tree that server, containers and SDK share.

AimassError
├── InvalidRequestError          the request itself is wrong            422 invalid_request
│   ├── InvalidDataError         the data does not fit                  422 invalid_data
│   ├── MalformedRequestError    it cannot even be read                 400 malformed_request
│   └── IdempotencyKeyReusedError                                       422 idempotency_key_reused
├── UnauthenticatedError         no key or session, or not a valid one  401 unauthenticated
├── PermissionDeniedError        the role may not do this               403 permission_denied
├── NotFoundError                absent, or another workspace's         404 not_found
├── MethodNotAllowedError                                               405 method_not_allowed
├── ConflictError                the present state does not allow it    409 conflict
│   ├── AlreadyExistsError                                              409 already_exists
│   ├── UploadIncompleteError                                           409 upload_incomplete
│   ├── NewPasswordRequiredError the account's password must be changed 409 new_password_required
│   ├── SecondFactorRequiredError the account asks for its second factor 409 second_factor_required
│   └── InProgressError          the same request is still running      409 in_progress
├── StaleRevisionError           If-Match names an older revision       412 stale_revision
├── PreconditionRequiredError    If-Match is missing                    428 precondition_required
├── PayloadTooLargeError                                                413 payload_too_large
├── UnsupportedMediaTypeError                                           415 unsupported_media_type
├── QuotaExceededError                                                  429 quota_exceeded
│   └── BudgetSpentError         of the month                           402 budget_spent
├── UnavailableError             a part is not ready; try again         503 unavailable
├── DeadlineExceededError                                               504 deadline_exceeded
└── InternalError                                                       500 internal
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """One wrong field: where it is (`body.hyperparameters.max_depth`) and what is wrong with it."""

    location: str
    message: str


class AimassError(Exception):
    """Root of every error that a caller may see. The message says value, expectation and next step.

    `retry_after_seconds` is set where the same request may succeed later.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, *, details: Sequence[ErrorDetail] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.retry_after_seconds = retry_after_seconds


class InvalidRequestError(AimassError):
    """The request is malformed or out of range."""

    code = "invalid_request"


class InvalidDataError(InvalidRequestError):
    """The data does not allow what was asked for: a wrong target, an empty file, too few classes."""

    code = "invalid_data"


class MalformedRequestError(InvalidRequestError):
    """The request cannot be read: broken JSON, bad UTF-8, a header that contradicts itself."""

    code = "malformed_request"


class IdempotencyKeyReusedError(InvalidRequestError):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"


class UnauthenticatedError(AimassError):
    """No API key or session, or one that is unknown, expired or revoked."""

    code = "unauthenticated"


class PermissionDeniedError(AimassError):
    """The key's role does not include this action."""

    code = "permission_denied"


class NotFoundError(AimassError):
    """There is no such resource in the caller's workspace."""

    code = "not_found"


class MethodNotAllowedError(AimassError):
    """The address exists, but not for this method; `allowed` are those that it takes."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, details: Sequence[ErrorDetail] = (), allowed: Sequence[str] = ()) -> None:
        super().__init__(message, details=details)
        self.allowed = tuple(allowed)


class ConflictError(AimassError):
    """The resource's present state does not allow the action."""

    code = "conflict"


class AlreadyExistsError(ConflictError):
    """A resource with this name exists."""

    code = "already_exists"


class UploadIncompleteError(ConflictError):
    """The bytes of an upload have not all arrived."""

    code = "upload_incomplete"


class NewPasswordRequiredError(ConflictError):
    """The password is right, and must be changed with this sign-in: send `new_password` beside it."""

    code = "new_password_required"


class SecondFactorRequiredError(ConflictError):
    """The password is right, and the account has a second factor: send `second_factor` beside it."""

    code = "second_factor_required"


class InProgressError(ConflictError):
    """The same idempotent request is still being worked on."""

    code = "in_progress"


class StaleRevisionError(AimassError):
    """Somebody else changed the resource first: read it again and repeat the change."""

    code = "stale_revision"


class PreconditionRequiredError(AimassError):
    """An update needs the ETag of the revision that it changes, in If-Match."""

    code = "precondition_required"


class PayloadTooLargeError(AimassError):
    """The body is over the limit."""

    code = "payload_too_large"


class UnsupportedMediaTypeError(AimassError):
    """The content type or encoding is not one that is understood."""

    code = "unsupported_media_type"


class QuotaExceededError(AimassError):
    """A rate limit or a quota is reached; `retry_after_seconds` tells when asking again makes sense."""

    code = "quota_exceeded"


class BudgetSpentError(QuotaExceededError):
    """The budget of the month is spent: what costs is refused until it is raised, or until the next month."""

    code = "budget_spent"


class UnavailableError(AimassError):
    """A part of the platform is not ready; the same request may be repeated."""

    code = "unavailable"


class DeadlineExceededError(AimassError):
    """The work did not finish in its time."""

    code = "deadline_exceeded"


class InternalError(AimassError):
    """A fault of ours. The request id leads to its log."""

    code = "internal"


def error_classes() -> dict[str, type[AimassError]]:
    """Every class of the tree by its code, so that the SDK can raise the same class again."""
    return {cls.code: cls for cls in _walk(AimassError) if cls is not AimassError and "code" in vars(cls)}


def _walk(cls: type[AimassError]) -> Iterator[type[AimassError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _walk(child)
