"""What can go wrong, as SageMaker's clients see it.

SageMakerError
├── ValidationError        ValidationException, 400: the request is wrong, or what it names does not exist
├── InUseError             ResourceInUse, 400: the name is taken
├── UnknownActionError     UnknownOperationException, 404: no such target
├── InternalError          InternalFailure, 500: this server cannot do it now
├── NotServedError         ServiceUnavailable, 503: no container takes the request now
└── ModelError             ModelError, 424: the container answered with an error, or not at all
"""

from __future__ import annotations


class SageMakerError(Exception):
    """An answer of the service that is not a success."""

    code = "InternalFailure"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(SageMakerError):
    """The caller has to change the request."""

    code = "ValidationException"
    status = 400


class InUseError(SageMakerError):
    """Another resource of the kind has the name."""

    code = "ResourceInUse"
    status = 400


class UnknownActionError(SageMakerError):
    """SageMaker has no such operation."""

    code = "UnknownOperationException"
    status = 404


class InternalError(SageMakerError):
    """The caller may try again."""


class NotServedError(SageMakerError):
    """The caller may try again."""

    code = "ServiceUnavailable"
    status = 503


class ModelError(SageMakerError):
    """`details` are what the runtime tells beside the message."""

    code = "ModelError"
    status = 424

    def __init__(self, message: str, **details: str | int) -> None:
        super().__init__(message)
        self.details = details
