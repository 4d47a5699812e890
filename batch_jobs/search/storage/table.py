"""The table of studies: each method one kind of request, with conditions that failed and errors in our words."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.adapters.dynamodb_retries import (
    CONDITION_FAILED,
    MAX_ATTEMPTS,
    is_passing,
    pause_seconds,
    retry_conflicts,
)
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InvalidRequestError, NotFoundError, UnavailableError
from batch_jobs.search.storage.expressions import Expression, Item

_WHAT = "the table of studies"
_MAX_WRITTEN, _MAX_READ = 25, 100  # of one batch request


class ConditionFailedError(Exception):
    """Nothing was written. `items` are those that were found, by the position of the write that they stopped."""

    def __init__(self, items: Mapping[int, Item | None]) -> None:
        super().__init__(f"The conditions of {sorted(items)} failed.")
        self.items = items

    @property
    def item(self) -> Item | None:
        """Of the only write; None where there was no item."""
        return self.items.get(0)


class StudiesTable:
    """DynamoDB's requests, on one table.

    Args:
        client: of boto3. It will repeat writes that met others on the same item.
        name: of a table with the keys `pk` and `sk`, both strings.
    """

    def __init__(self, client: Any, *, name: str) -> None:
        retry_conflicts(client)
        self.client, self.name = client, name

    def get(self, key: RowKey) -> Item | None:
        """An item as it is now."""
        item: Item | None = self._call_table("get_item", Key=to_key(key), ConsistentRead=True).get("Item")
        return item

    def query(self, partition: str, *, start: str, end: str, only_keys: bool = False) -> Iterator[Item]:
        """Items in the order of their sort keys, both ends included, past DynamoDB's pages of 1 MB."""
        projection = {"ProjectionExpression": "pk, sk"} if only_keys else {}
        after: dict[str, Any] = {}
        while True:
            answer = self._call_table(
                "query",
                KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
                ExpressionAttributeValues={":pk": {"S": partition}, ":start": {"S": start}, ":end": {"S": end}},
                ConsistentRead=True,
                **projection,
                **after,
            )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get_many(self, keys: Sequence[RowKey]) -> Iterator[Item]:
        """Those that are there, in any order."""
        for begin in range(0, len(keys), _MAX_READ):
            asked = {"Keys": [to_key(key) for key in keys[begin : begin + _MAX_READ]], "ConsistentRead": True}
            for answer in self._until_done("batch_get_item", asked, rest="UnprocessedKeys"):
                yield from answer["Responses"].get(self.name, ())

    def put(self, item: Item) -> None:
        """Writes an item that is not there yet.

        Raises:
            ConditionFailedError: it is there.
        """
        self._call_table(
            "put_item",
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def update(self, key: RowKey, expression: Expression, *, condition: str) -> Item:
        """Changes an item and returns it.

        Raises:
            ConditionFailedError: the condition does not hold.
        """
        item: Item = self._call_table(
            "update_item",
            Key=to_key(key),
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **expression.arguments(condition),
        )["Attributes"]
        return item

    def add_one(self, key: RowKey, attribute: str) -> int:
        """Counts on, and returns the new number."""
        answer = self._call_table(
            "update_item",
            Key=to_key(key),
            UpdateExpression="ADD #attribute :one",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"][attribute]["N"])

    def write_all(self, *requests: Mapping[str, Mapping[str, Any]]) -> None:
        """All of them or none: `{"Put": {...}}`, `{"Update": {...}}`, `{"Delete": {...}}`.

        Raises:
            ConditionFailedError: one of their conditions does not hold.
        """
        named = [
            {
                operation: {"TableName": self.name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **arguments}
                for operation, arguments in request.items()
            }
            for request in requests
        ]
        # The token makes a repeat by botocore, after a lost answer or a conflict, the same transaction.
        self._call("transact_write_items", TransactItems=named, ClientRequestToken=str(uuid.uuid4()))

    def delete_many(self, keys: Sequence[RowKey]) -> None:
        """Whether they are there or not."""
        for begin in range(0, len(keys), _MAX_WRITTEN):
            asked = [{"DeleteRequest": {"Key": to_key(key)}} for key in keys[begin : begin + _MAX_WRITTEN]]
            for _ in self._until_done("batch_write_item", asked, rest="UnprocessedItems"):
                pass

    def _until_done(self, operation: str, asked: object, *, rest: str) -> Iterator[Mapping[str, Any]]:
        """The answers to a batch request, of which DynamoDB may do a part only."""
        requests: Mapping[str, Any] = {self.name: asked}
        for attempts in range(MAX_ATTEMPTS):
            answer = self._call(operation, RequestItems=requests)
            yield answer
            requests = answer.get(rest)
            if not requests:
                return
            time.sleep(pause_seconds(attempts))
        raise UnavailableError("The table of studies is busy. Try again.")

    def _call_table(self, operation: str, **arguments: Any) -> Any:
        return self._call(operation, TableName=self.name, **arguments)

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self.client, operation)(**arguments)
        except AWS_ERRORS as error:
            raise self._to_error(error) from error

    def _to_error(self, error: Exception) -> Exception:
        if not isinstance(error, ClientError):
            return to_error(error, what=_WHAT)
        reasons = error.response.get("CancellationReasons") or []
        failed = {i: reason.get("Item") for i, reason in enumerate(reasons) if reason.get("Code") == CONDITION_FAILED}
        if code_of(error) == "ConditionalCheckFailedException":
            failed = {0: error.response.get("Item")}
        if failed:
            return ConditionFailedError(failed)
        messages = [error.response["Error"].get("Message"), *(reason.get("Message") for reason in reasons)]
        if any("size" in (message or "").lower() for message in messages):
            return InvalidRequestError(
                "A study's or a trial's item would hold more than 400 KB. Keep large data elsewhere, such as in S3, "
                "and only its address here."
            )
        if is_passing(error.response):
            return UnavailableError("The table of studies is busy with the same items. Try again.")
        if code_of(error) == "ResourceNotFoundException":
            return NotFoundError(
                f"There is no table {self.name!r} in {self.client.meta.region_name}. Make it with the string keys pk "
                "and sk (docs/STUDIES.md), or name another."
            )
        return to_error(error, what=_WHAT)


def to_key(key: RowKey) -> dict[str, Any]:
    """As DynamoDB writes it."""
    return {"pk": {"S": key.partition}, "sk": {"S": key.sort}}
