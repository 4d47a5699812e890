"""What botocore raises, in our words: one table for all adapters."""

import re
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from aimass_core.errors import AimassError, InternalError, PayloadTooLargeError, UnavailableError

AWS_ERRORS = (ClientError, BotoCoreError)

_TRY_AGAIN = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "EC2ThrottledException",
    }
)
# What a caller must not see: where things lie.
_PLACES = re.compile(r"(s3://\S+|arn:\S+)")
_TOO_LARGE = frozenset({"EntityTooLarge", "RequestEntityTooLargeException", "RequestTooLargeException"})


def code_of(error: Exception) -> str:
    """The service's error code; empty where there was no answer."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, Mapping) else ""


def to_error(error: Exception, *, what: str) -> AimassError:
    """An error that says what could not be done, without ARNs, hosts or the service's words; those are its cause.

    Args:
        what: such as "the registry", "the blob store".
    """
    code = code_of(error)
    if code in _TOO_LARGE:
        return PayloadTooLargeError(f"{what[0].upper()}{what[1:]} does not take so much at once.")
    if code in _TRY_AGAIN or not isinstance(error, ClientError):
        return UnavailableError(f"{what[0].upper()}{what[1:]} is busy or cannot be reached. Try again.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return UnavailableError(f"{what[0].upper()}{what[1:]} had a fault. Try again.")
    return InternalError(f"{what[0].upper()}{what[1:]} refused ({code or 'no code'}).")


def hide_places(text: str) -> str:
    """A service's own words, without addresses and ARNs."""
    return _PLACES.sub("...", text)
