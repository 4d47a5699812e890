"""What can go wrong, as Batch's clients see it.

BatchError
├── ClientError              ClientException, 400: the request is wrong
├── ServerError              ServerException, 500: this server cannot do it now
└── UnknownOperationError    UnknownOperationException, 404: no such path
TaskFailedError              a job that Step Functions waits for did not succeed
"""

from __future__ import annotations


class BatchError(Exception):
    """An answer of the service that is not a success."""

    code = "ServerException"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClientError(BatchError):
    """The caller has to change the request."""

    code = "ClientException"
    status = 400


class ServerError(BatchError):
    """The caller may try again."""


class UnknownOperationError(BatchError):
    """The path is none of AWS Batch's."""

    code = "UnknownOperationException"
    status = 404


class TaskFailedError(Exception):
    """A task of a state machine failed; `error` and `cause` are what `Catch` sees."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
