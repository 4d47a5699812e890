"""The service's errors become ours. (What DynamoDB stores is tested on the emulator, by the contract.)"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aimass_core.adapters.dynamodb import DynamoDbRegistry
from aimass_core.adapters.dynamodb_retries import MAX_ATTEMPTS
from aimass_core.bootstrap import AwsClients
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InternalError, UnavailableError
from aimass_core.ports import Put, WriteConflictError
from tests.contracts.registry import row
from tests.factories.dynamodb_wire import Wire


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
def test_h18_errors_of_the_service_become_ours_without_its_words(error: Exception, expected: type[Exception]) -> None:
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


def _cancelled(*reasons: str) -> tuple[int, dict[str, Any]]:
    return 400, {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[Wire], DynamoDbRegistry]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    def over(wire: Wire) -> DynamoDbRegistry:
        client = AwsClients().dynamodb
        client.meta.events.register("before-send.dynamodb", wire)
        return DynamoDbRegistry(client, table="registry")

    return over


PAIR = (Put(row=row("a", "b")), Put(row=row("a", "c")))


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_j1_transaction_that_met_another_one_is_repeated_as_the_same(
    connect: Callable[[Wire], DynamoDbRegistry], reason: str
) -> None:
    wire = Wire(*[_cancelled("None", reason)] * 2, (200, {}))
    connect(wire).write(*PAIR)
    assert len(wire.bodies) == 3
    assert all(body == wire.bodies[0] for body in wire.bodies), "also the ClientRequestToken"
    assert wire.bodies[0]["ClientRequestToken"]


def test_j1_single_write_that_met_a_transaction_is_repeated(connect: Callable[[Wire], DynamoDbRegistry]) -> None:
    conflict = 400, {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException", "message": "ongoing"}
    wire = Wire(conflict, (200, {}))
    connect(wire).write(PAIR[0])
    assert len(wire.bodies) == 2


def test_j1_repeats_are_bounded_and_end_as_unavailable(connect: Callable[[Wire], DynamoDbRegistry]) -> None:
    wire = Wire(_cancelled("None", "TransactionConflict"))
    with pytest.raises(UnavailableError, match="same rows"):
        connect(wire).write(*PAIR)
    assert len(wire.bodies) == MAX_ATTEMPTS


def test_j1_conflict_beside_a_failed_condition_is_not_repeated(connect: Callable[[Wire], DynamoDbRegistry]) -> None:
    wire = Wire(_cancelled("ConditionalCheckFailed", "TransactionConflict"), (200, {}))
    with pytest.raises(WriteConflictError):
        connect(wire).write(*PAIR)
    assert [body for body in wire.bodies[1:] if "TransactItems" in body] == []


def test_j1_server_fault_is_repeated_as_the_same_transaction(connect: Callable[[Wire], DynamoDbRegistry]) -> None:
    fault = 500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "fault"}
    wire = Wire(fault, (200, {}))
    connect(wire).write(*PAIR)
    assert len({body["ClientRequestToken"] for body in wire.bodies}) == 1
    assert len(wire.bodies) == 2
