"""The registry on DynamoDB: one table, conditional writes only."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.adapters.dynamodb_items import from_item, to_item, to_native
from aimass_core.adapters.dynamodb_retries import CONDITION_FAILED, is_passing
from aimass_core.domain import keys
from aimass_core.domain.keys import RowKey
from aimass_core.errors import AimassError, InvalidRequestError, UnavailableError
from aimass_core.ports import Check, Delete, Put, Row, RowPage, Write, WriteConflictError

STATUS_INDEX = "gsi1"
_WHAT = "the registry"


class DynamoDbRegistry:
    """Satisfies `Registry`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client, self._table = client, table

    def get(self, key: RowKey) -> Row | None:
        """See Registry."""
        try:
            answer = self._client.get_item(TableName=self._table, Key=_key(key), ConsistentRead=True)
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error
        item = answer.get("Item")
        return None if item is None else from_item(item)

    def write(self, *writes: Write) -> None:
        """See Registry. One write is one conditional request; several are one transaction."""
        requests = [self._request(write) for write in writes]
        try:
            if len(requests) == 1 and not isinstance(writes[0], Check):
                self._write_one(requests[0])
            else:
                # The token makes a repeat by botocore, after a lost answer or a conflict, the same transaction.
                self._client.transact_write_items(TransactItems=requests, ClientRequestToken=str(uuid.uuid4()))
        except AWS_ERRORS as error:
            failed = _failed_conditions(error)
            if failed is None:
                raise _to_write_error(error) from error
            conflicting = [index for index in failed if not self._is_done(writes[index])]
            if conflicting:
                raise WriteConflictError(conflicting) from error
            self._write_rest(writes, done=failed)

    def query(
        self, partition: str, prefix: str, *, limit: int, start: str | None = None, newest_first: bool = False
    ) -> RowPage:
        """See Registry. Reads on past DynamoDB's pages of 1 MB until `limit` rows are there."""
        # NOTE: DynamoDB takes no empty text for a key.
        condition, values = "pk = :pk", {":pk": {"S": partition}}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :prefix)", {**values, ":prefix": {"S": prefix}}
        rows: list[Row] = []
        after = None if start is None else _key(RowKey(partition, start))
        while True:
            answer = self._query_page(
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                ScanIndexForward=not newest_first,
                # One more than asked for tells whether there is a next page.
                Limit=limit + 1 - len(rows),
                **({"ExclusiveStartKey": after} if after else {}),
            )
            rows += [from_item(item) for item in answer["Items"]]
            after = answer.get("LastEvaluatedKey")
            if len(rows) > limit or after is None:
                break
        page = rows[:limit]
        return RowPage(rows=page, next_start=page[-1].key.sort if len(rows) > limit else None)

    def query_status(self, partition: str, *, before: datetime | None = None, limit: int) -> Sequence[Row]:
        """See Registry."""
        condition, values = "gsi1pk = :pk", {":pk": {"S": partition}}
        if before is not None:
            condition, values = f"{condition} AND gsi1sk < :before", {**values, ":before": {"S": _status_time(before)}}
        rows: list[Row] = []
        after = None
        while True:
            answer = self._query_page(
                IndexName=STATUS_INDEX,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                Limit=limit - len(rows),
                **({"ExclusiveStartKey": after} if after else {}),
            )
            rows += [from_item(item) for item in answer["Items"]]
            after = answer.get("LastEvaluatedKey")
            if len(rows) >= limit or after is None:
                return rows

    def _query_page(self, **arguments: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self._client.query(TableName=self._table, **arguments)
        except AWS_ERRORS as error:
            # A key condition that DynamoDB cannot take comes from a cursor or a name that is too long.
            if code_of(error) == "ValidationException":
                raise InvalidRequestError(
                    "The list cannot be read from there. Begin again without a cursor."
                ) from error
            raise to_error(error, what=_WHAT) from error
        return answer

    def _request(self, write: Write) -> dict[str, Any]:
        if isinstance(write, Put):
            item = to_item(write.row)
            if write.row.resource and write.row.status and write.row.at:
                item["gsi1pk"] = {"S": keys.status_partition(write.row.resource, write.row.status)}
                item["gsi1sk"] = {"S": f"{_status_time(write.row.at)}#{write.row.key.sort}"}
            return {"Put": {"TableName": self._table, "Item": item, **_condition(write.expected)}}
        operation = "Delete" if isinstance(write, Delete) else "ConditionCheck"
        return {operation: {"TableName": self._table, "Key": _key(write.key), **_condition(write.expected)}}

    def _write_one(self, request: Mapping[str, Any]) -> None:
        ((operation, arguments),) = request.items()
        call = self._client.put_item if operation == "Put" else self._client.delete_item
        call(**arguments)

    def _is_done(self, write: Write) -> bool:
        """Whether the rows are as the write would leave them: it was done before and its answer was lost."""
        if isinstance(write, Put):
            stored = self.get(write.row.key)
            return stored is not None and to_native(stored) == to_native(write.row)
        return isinstance(write, Delete) and self.get(write.key) is None

    def _write_rest(self, writes: Sequence[Write], *, done: Sequence[int]) -> None:
        rest = [write for index, write in enumerate(writes) if index not in done]
        if all(isinstance(write, Check) for write in rest):
            return
        for index in done:
            write = writes[index]
            if isinstance(write, Put):
                rest.append(Check(key=write.row.key, expected=write.row.revision))
            else:
                rest.append(Check(key=write.key, expected=None))
        self.write(*rest)


def _key(key: RowKey) -> dict[str, Any]:
    return {"pk": {"S": key.partition}, "sk": {"S": key.sort}}


def _status_time(at: datetime) -> str:
    """Sorts as text: always UTC, always microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _condition(expected: int | None) -> dict[str, Any]:
    if expected is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#revision = :expected",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
    }


def _failed_conditions(error: Exception) -> list[int] | None:
    """The indexes of the writes whose conditions failed; None where the error is another one."""
    if not isinstance(error, ClientError):
        return None
    if code_of(error) == "ConditionalCheckFailedException":
        return [0]
    reasons = error.response.get("CancellationReasons") or []
    failed = [index for index, reason in enumerate(reasons) if reason.get("Code") == CONDITION_FAILED]
    return failed or None


def _to_write_error(error: Exception) -> AimassError:
    if isinstance(error, ClientError):
        if is_passing(error.response):
            return UnavailableError("The registry is busy with the same rows. Try again.")
        reasons = error.response.get("CancellationReasons") or []
        messages = [error.response.get("Error", {}).get("Message"), *(reason.get("Message") for reason in reasons)]
        if any("size" in (message or "").lower() for message in messages):
            return InvalidRequestError("This is more than one resource can hold (400 KB). Make it smaller.")
    return to_error(error, what=_WHAT)
