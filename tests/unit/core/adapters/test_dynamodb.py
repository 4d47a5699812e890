"""The service's errors become ours. (What DynamoDB stores is tested on the emulator, by the contract.)"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aimass_core.adapters.dynamodb import DynamoDbRegistry
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InternalError, UnavailableError
from aimass_core.ports import Put
from tests.contracts.registry import row


class _Failing:
    """A client whose every call fails in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(**_: Any) -> Any:
            raise self._error

        return fail


def _client_error(code: str, *, status: int = 400, reasons: list[str] | None = None) -> ClientError:
    response: dict[str, Any] = {
        "Error": {"Code": code, "Message": "arn:aws:dynamodb:eu-central-1:000000000000:table/secret"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "PutItem")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_client_error("ProvisionedThroughputExceededException"), UnavailableError),
        (_client_error("ThrottlingException"), UnavailableError),
        (_client_error("InternalServerError", status=500), UnavailableError),
        (EndpointConnectionError(endpoint_url="http://10.0.0.1"), UnavailableError),
        (_client_error("ResourceNotFoundException"), InternalError),
        (_client_error("AccessDeniedException"), InternalError),
    ],
)
def test_errors_of_the_service_become_ours_without_its_words(error: Exception, expected: type[Exception]) -> None:
    registry = DynamoDbRegistry(_Failing(error), table="registry")
    for call in (
        lambda: registry.get(RowKey("a", "b")),
        lambda: registry.write(Put(row=row("a", "b"))),
        lambda: registry.write(Put(row=row("a", "b")), Put(row=row("a", "c"))),
        lambda: registry.query("a", "b", limit=1),
    ):
        with pytest.raises(expected) as raised:
            call()
        assert not any(word in str(raised.value) for word in ("arn:", "secret", "10.0.0.1"))


def test_a_transaction_that_met_another_one_may_be_repeated() -> None:
    error = _client_error("TransactionCanceledException", reasons=["None", "TransactionConflict"])
    registry = DynamoDbRegistry(_Failing(error), table="registry")
    with pytest.raises(UnavailableError):
        registry.write(Put(row=row("a", "b")), Put(row=row("a", "c")))
