"""What can go wrong, as SageMaker's clients see it.

SageMakerError
├── ValidationError        ValidationException, 400: the request is wrong, or what it names does not exist
├── InUseError             ResourceInUse, 400: the name is taken
├── UnknownActionError     UnknownOperationException, 404: no such target
└── InternalError          InternalFailure, 500: this server cannot do it now
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
    """Another training job has the name."""

    code = "ResourceInUse"
    status = 400


class UnknownActionError(SageMakerError):
    """SageMaker has no such operation."""

    code = "UnknownOperationException"
    status = 404


class InternalError(SageMakerError):
    """The caller may try again."""
