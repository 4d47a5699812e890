"""What can go wrong, as EMR Serverless's clients see it.

EmrServerlessError
├── ValidationError    ValidationException, 400: the request is wrong, or this machine cannot keep it
├── NotFoundError      ResourceNotFoundException, 404: there is no such application or run
├── ConflictError      ConflictException, 409: the token has come with another request
└── InternalError      InternalServerException, 500: this server cannot do it now
"""

from __future__ import annotations


class EmrServerlessError(Exception):
    """An answer of the service that is not a success."""

    code = "InternalServerException"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(EmrServerlessError):
    """The caller has to change the request."""

    code = "ValidationException"
    status = 400


class NotFoundError(EmrServerlessError):
    """It does not exist."""

    code = "ResourceNotFoundException"
    status = 404


class ConflictError(EmrServerlessError):
    """It exists as something else."""

    code = "ConflictException"
    status = 409


class InternalError(EmrServerlessError):
    """The caller may try again."""
