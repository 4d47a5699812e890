"""Requests on the table of studies: DynamoDB's answers, and what becomes of them."""

from collections.abc import Callable
from typing import Any

import pytest

from aimass_core.adapters.dynamodb_retries import MAX_ATTEMPTS
from aimass_core.bootstrap import AwsClients
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InternalError, InvalidRequestError, UnavailableError
from batch_jobs.search.storage.expressions import Expression, text
from batch_jobs.search.storage.table import ConditionFailedError, StudiesTable
from tests.factories.dynamodb_wire import Wire

KEY = RowKey("p", "000001")
Connect = Callable[[Wire], StudiesTable]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    def over(wire: Wire) -> StudiesTable:
        # bootstrap's client repeats conflicts already; the table does not make it do so twice.
        client = AwsClients().dynamodb
        client.meta.events.register("before-send.dynamodb", wire)
        return StudiesTable(client, name="studies")

    return over


def _refused(code: str, message: str = "no", **more: Any) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}


def _update(table: StudiesTable) -> object:
    expression = Expression()
    expression.assign(["params", "values"], text("1"))
    expression.assign(["state"], text("FAIL"))
    return table.update(KEY, expression, condition=f"{expression.name('state')} = {expression.value(text('RUNNING'))}")


def test_names_go_by_placeholders(connect: Connect) -> None:
    wire = Wire((200, {"Attributes": {"state": text("FAIL")}}))
    assert _update(connect(wire)) == {"state": {"S": "FAIL"}}
    (body,) = wire.bodies
    assert body["UpdateExpression"] == "SET #n0.#n1 = :v0, #n2 = :v1"
    assert body["ConditionExpression"] == "#n2 = :v2"
    assert body["ExpressionAttributeNames"] == {"#n0": "params", "#n1": "values", "#n2": "state"}


def test_j1_an_update_that_met_a_transaction_is_repeated(connect: Connect) -> None:
    wire = Wire(_refused("TransactionConflictException"), (200, {"Attributes": {}}))
    _update(connect(wire))
    assert len(wire.bodies) == 2


def test_j1_repeats_are_bounded(connect: Connect) -> None:
    wire = Wire(_refused("TransactionConflictException"))
    with pytest.raises(UnavailableError, match="same items"):
        _update(connect(wire))
    assert len(wire.bodies) == MAX_ATTEMPTS


def test_a_failed_condition_tells_what_was_found(connect: Connect) -> None:
    found = {"state": {"S": "COMPLETE"}}
    with pytest.raises(ConditionFailedError) as raised:
        _update(connect(Wire(_refused("ConditionalCheckFailedException", Item=found))))
    assert raised.value.item == found
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": found}]
    with pytest.raises(ConditionFailedError) as raised:
        connect(Wire(_refused("TransactionCanceledException", CancellationReasons=reasons))).write_all(
            {"Delete": {"Key": {}}}, {"Delete": {"Key": {}}}
        )
    assert raised.value.items == {1: found}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            _refused("ValidationException", "Item size to update has exceeded the maximum allowed size"),
            InvalidRequestError,
        ),
        (_refused("ThrottlingException"), UnavailableError),
        (_refused("AccessDeniedException", "arn:aws:dynamodb:eu-central-1:0:table/x"), InternalError),
        ((500, {"__type": "InternalServerError", "message": "host 10.0.0.1"}), UnavailableError),
    ],
)
def test_h18_errors_become_ours_without_the_services_words(
    connect: Connect, answer: tuple[int, dict[str, Any]], expected: type[Exception]
) -> None:
    with pytest.raises(expected) as raised:
        _update(connect(Wire(answer)))
    assert not any(word in str(raised.value) for word in ("arn:", "10.0.0.1"))


def test_further_pages_keep_the_first_key_condition(connect: Connect) -> None:
    last = {"pk": text("p"), "sk": text("000001")}
    wire = Wire((200, {"Items": [last], "LastEvaluatedKey": last}), (200, {"Items": [{"sk": text("STUDY")}]}))
    read = list(connect(wire).query("p", start="000000", end="STUDY"))
    assert [item["sk"]["S"] for item in read] == ["000001", "STUDY"]
    first, second = wire.bodies
    assert second == {**first, "ExclusiveStartKey": last}


def test_what_dynamodb_left_out_of_a_batch_is_asked_again(connect: Connect) -> None:
    key = {"pk": text("p"), "sk": text("000001")}
    rest = {"studies": {"Keys": [key], "ConsistentRead": True}}
    wire = Wire(
        (200, {"Responses": {"studies": []}, "UnprocessedKeys": rest}),
        (200, {"Responses": {"studies": [key]}, "UnprocessedKeys": {}}),
    )
    assert list(connect(wire).get_many([KEY])) == [key]
    deletes = {"studies": [{"DeleteRequest": {"Key": key}}]}
    wire = Wire((200, {"UnprocessedItems": deletes}), (200, {"UnprocessedItems": {}}))
    connect(wire).delete_many([KEY])
    assert [body["RequestItems"] for body in wire.bodies] == [deletes, deletes]


def test_large_batches_are_split(connect: Connect) -> None:
    wire = Wire((200, {"UnprocessedItems": {}}))
    connect(wire).delete_many([RowKey("p", f"{number:06d}") for number in range(60)])
    assert [len(body["RequestItems"]["studies"]) for body in wire.bodies] == [25, 25, 10]
